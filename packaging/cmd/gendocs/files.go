package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moatd/moatd/packaging/internal/manual"
	"github.com/moatd/moatd/packaging/internal/release"
	"github.com/moatd/moatd/pkg/cli"
)

const (
	product    = "moatd"
	maintainer = "The moatd maintainers <maintainers@moatd.dev>"
	written    = "packaging/man" // the pages that people wrote, and ends of pages that moat's help does not say
)

// pages adds the manual pages, as man/NAME.SECTION.
func pages(files map[string]string, v release.Version, built time.Time) error {
	end, err := os.ReadFile(filepath.Join(written, "moat.1.end"))
	if err != nil {
		return err
	}
	all := manual.Pages(cli.Command(cli.Process{Version: v.String()}), manual.Edition{
		Date: built, Product: product + " " + v.String(),
		Also: []string{"moat-config 5", "moatd 8"},
		More: map[string]string{"moat": string(end)},
	})
	for name, page := range all {
		files["man/"+name+".1"] = page
	}
	others, err := filepath.Glob(filepath.Join(written, "*.[1-8]"))
	if err != nil {
		return err
	}
	for _, file := range others {
		page, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		files["man/"+filepath.Base(file)] = strings.NewReplacer(
			"@DATE@", built.Format("January 2, 2006"), "@VERSION@", v.String()).Replace(string(page))
	}
	return nil
}

// completions adds the scripts of the shells, under the names by which these
// look for them.
func completions(files map[string]string, v release.Version, _ time.Time) error {
	for shell, name := range map[string]string{"bash": "moat", "zsh": "_moat", "fish": "moat.fish"} {
		var script, problem bytes.Buffer
		code := cli.Main(context.Background(), cli.Process{
			Args: []string{"completion", shell}, Getenv: func(string) string { return "" },
			Stdout: &script, Stderr: &problem, Version: v.String(),
		})
		if code != 0 {
			return fmt.Errorf("completion for %s: %s", shell, problem.String())
		}
		files["completions/"+name] = script.String()
	}
	return nil
}

// changelogs adds the change log in the forms of the packages.
func changelogs(files map[string]string, v release.Version, built time.Time) error {
	text, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	all, err := release.ParseChangelog(string(text))
	if err != nil {
		return err
	}
	if all, err = release.Packaged(all, v, built); err != nil {
		return err
	}
	rpm, err := release.RPM(all, maintainer)
	if err != nil {
		return err
	}
	files["changelog.Debian"] = release.Debian(all, product, maintainer)
	files["changelog-rpm.yaml"] = string(rpm)
	return nil
}
