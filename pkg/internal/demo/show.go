package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	secret      = "demo-secret/7f3a+of=the origin"
	placeholder = "demo-placeholder"
	requests    = 2 // that the agent makes, one before and one after the crash
)

// show does the main job and checks each claim as it goes.
func show(ctx context.Context) (err error) {
	step("building moat and moatd, starting an HTTPS origin")
	w, err := newWorld(ctx)
	if w != nil {
		defer func() { err = errors.Join(err, w.end()) }()
	}
	if err != nil {
		return err
	}
	step("moatd serve, in a temporary home")
	if err = w.start(ctx); err != nil {
		return err
	}
	step("moat grant demo, the secret on standard input")
	said, err := w.moat(ctx, secret, "grant", "demo")
	if err != nil {
		return err
	}
	fmt.Println("   ", said)
	agent, err := w.runAgent(ctx)
	if err != nil {
		return err
	}
	runs, err := w.moat(ctx, "", "ls")
	if err != nil {
		return err
	}
	if runs != "no runs" {
		return fmt.Errorf("the agent has ended, and there are still runs:\n%s", runs)
	}
	if err := w.check(agent); err != nil {
		return err
	}
	fmt.Printf("\nshown: the origin saw the secret in %d of %d requests; the agent's environment, output and requests, the log and the files\n"+
		"of moatd hold it nowhere in clear; and after kill -9 the next moatd served the same run with the same token.\n", requests, requests)
	return nil
}

func step(text string) { fmt.Println("==>", text) }

// runAgent runs the client under moat run, kills moatd between its requests, and
// returns all that the client printed.
func (w *world) runAgent(ctx context.Context) (string, error) {
	step("moat run --grant demo --policy strict --allow " + w.origin.host + " -- client")
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	run := exec.CommandContext(ctx, filepath.Join(w.bin, "moat"), "run", "--grant", "demo", "--policy", "strict",
		"--allow", w.origin.host, "--", self, clientArg, "https://"+w.origin.host+"/")
	run.Env, run.Stderr = w.environ(), os.Stderr
	next, err := run.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := run.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err = run.Start(); err != nil {
		return "", err
	}
	agent, err := w.follow(ctx, bufio.NewReader(out), next)
	return agent, errors.Join(err, run.Wait())
}

// follow reads what the agent prints, up to its end; after its first answer
// moatd crashes and comes back.
func (w *world) follow(ctx context.Context, out *bufio.Reader, next io.WriteCloser) (string, error) {
	defer next.Close()
	var all strings.Builder
	answers := 0
	for {
		line, err := out.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return all.String(), nil
		}
		if strings.HasPrefix(line, "request ") || strings.HasPrefix(line, "answer ") {
			fmt.Print("    agent: ", line)
		}
		if !strings.HasPrefix(line, "answer ") {
			continue
		}
		if answers++; answers == 1 {
			step("kill -9 of moatd, and the next moatd")
			if err := errors.Join(w.kill(), w.start(ctx)); err != nil {
				return all.String(), err
			}
		}
		if _, err := fmt.Fprintln(next); err != nil {
			return all.String(), err
		}
	}
}

// check compares who saw the secret with who was to see it.
func (w *world) check(agent string) error {
	saw := w.origin.saw()
	fmt.Printf("    origin: Authorization %q\n", saw)
	if len(saw) != requests {
		return fmt.Errorf("the origin saw %d requests, want %d", len(saw), requests)
	}
	for _, got := range saw {
		if got != "Bearer "+secret {
			return fmt.Errorf("the origin saw Authorization %q, want the secret", got)
		}
	}
	if !strings.Contains(agent, placeholder) || strings.Count(agent, "answer 200") != requests {
		return fmt.Errorf("the agent did not do its job:\n%s", agent)
	}
	texts := map[string]string{"what the agent had and printed": agent, "what moat printed": w.said.String()}
	if err := w.addFiles(texts); err != nil {
		return err
	}
	for where, text := range texts {
		for _, form := range forms() {
			if strings.Contains(text, form) {
				return fmt.Errorf("%s: the secret is there, as %q", where, form)
			}
		}
	}
	return nil
}

// addFiles adds every file of the world but the sealed ones and the programs.
func (w *world) addFiles(texts map[string]string) error {
	return filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || filepath.Ext(path) == ".sealed" || filepath.Dir(path) == w.bin {
			return err
		}
		data, err := os.ReadFile(path)
		texts[path] = string(data)
		return err
	})
}

// forms are the ways in which the secret could be written down.
func forms() []string {
	return []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte(secret)),
	}
}
