package cli_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// leaked says in which form text holds the secret, "" if it does not.
func leaked(text string) string { return holds(text, secret) }

// holds says in which form text holds a secret, "" if it does not.
func holds(text, secret string) string {
	forms := map[string]string{
		"in clear":                     secret,
		"for a query":                  url.QueryEscape(secret),
		"for a path":                   url.PathEscape(secret),
		"as hex":                       hex.EncodeToString([]byte(secret)),
		"as JSON for HTML":             strings.ReplaceAll(secret, "+", `\u002b`),
		"as base64, one byte after 0":  inner64(secret),
		"as base64, one byte after 3n": inner64("x" + secret),
		"as base64, two bytes after 3": inner64("xx" + secret),
	}
	for name, form := range forms {
		if strings.Contains(text, form) {
			return name
		}
	}
	return ""
}

// inner64 returns the part of the base64 of text that does not depend on what
// stands around it.
func inner64(text string) string {
	all := base64.RawStdEncoding.EncodeToString([]byte(text))
	return all[4 : len(all)/4*4-4]
}

// searchFiles looks for the secret in every file below dir but those that are
// to hold it.
func searchFiles(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "secret" || strings.HasSuffix(path, ".sealed") {
			return err
		}
		data, err := os.ReadFile(path)
		if form := leaked(string(data)); form != "" {
			return fmt.Errorf("%s holds the secret, %s", path, form)
		}
		return err
	})
}

func TestLeaked(t *testing.T) {
	for name, text := range map[string]string{
		"clear":                    "x" + secret + "y",
		"a Basic header":           base64.StdEncoding.EncodeToString([]byte("x-access-token:" + secret)),
		"a Basic header of git":    base64.StdEncoding.EncodeToString([]byte("git:" + secret)),
		"base64 with a short user": base64.StdEncoding.EncodeToString([]byte("ab:" + secret)),
		"a query":                  "?a=" + url.QueryEscape(secret),
		"hex":                      fmt.Sprintf("%x", "a"+secret),
	} {
		t.Run(name, func(t *testing.T) {
			if leaked(text) == "" {
				t.Errorf("leaked(%q) = \"\", want the form", text)
			}
		})
	}
	if got := leaked("a text without it"); got != "" {
		t.Errorf("leaked of a harmless text = %q, want none", got)
	}
}
