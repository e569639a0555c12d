package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/kardianos/service"

	initfiles "github.com/moatd/moatd/init"
)

// An installer writes and removes the agent's file. It does not replace one.
type installer interface {
	Install() error
	Uninstall() error
}

// plistFile returns the installer for a text.
type plistFile func(text string) (installer, error)

// libraryFile returns the library as an installer. The text is finished: it has
// nothing that the library would take for a template of its own.
func libraryFile(text string) (installer, error) {
	return service.New(nil, &service.Config{
		Name:       initfiles.AgentLabel,
		Executable: "/usr/bin/true", // stands in the text already
		Option:     service.KeyValue{"UserService": true, "LaunchdConfig": text},
	})
}

// writePlist makes the agent's file have this text.
//
// A first installation is the library's. It neither replaces a file nor is it
// atomic, and the mode is the umask's business, of which launchd wants that
// nobody else can write; all that is ours, and so is what the library leaves
// behind when it fails.
func (l *launchd) writePlist(text string) error {
	if _, err := os.Lstat(l.plist()); errors.Is(err, fs.ErrNotExist) {
		if lib, err := l.file(text); err == nil {
			_ = lib.Install() // what is missing after it, write makes good, with an error that says why
		}
	}
	_, err := file{l.plist(), text}.write()
	return err
}

// removePlist removes the agent's file and reports whether it was there.
func (l *launchd) removePlist() (bool, error) {
	if _, err := os.Lstat(l.plist()); err != nil {
		return false, nil //nolint:nilerr // there is none
	}
	if lib, err := l.file(""); err == nil {
		_ = lib.Uninstall() // as Install; the job, which it unloads, is gone already
	}
	_, err := remove(l.plist())
	return true, err
}

// installedAgent returns the agent of the file; the zero one, and false, where
// there is none that can be read.
func (l *launchd) installedAgent() (initfiles.Agent, bool) {
	text, err := os.ReadFile(l.plist())
	if err != nil {
		return initfiles.Agent{}, false
	}
	a, err := initfiles.ReadAgent(string(text))
	return a, err == nil
}

// installed returns nil if there is a file of the agent.
func (l *launchd) installed() error {
	_, err := os.Lstat(l.plist())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Problem{What: "moatd is not installed as a service", Todo: "moat daemon install", Kind: ErrNotInstalled}
	case err != nil:
		return fmt.Errorf("look at the agent of launchd: %w", err)
	}
	return nil
}

// sockets are the files of the API's socket: of the agent that is installed, and
// of one that this home would get.
func (l *launchd) sockets() []string {
	list := []string{l.agent("").Socket()}
	if a, ok := l.installedAgent(); ok && !slices.Contains(list, a.Socket()) {
		list = append(list, a.Socket())
	}
	return list
}

// makeDirs makes the directories that launchd expects to be there.
func (l *launchd) makeDirs() error {
	for _, dir := range []string{l.opts.MoatHome, filepath.Dir(l.agent("").Socket()), filepath.Dir(l.log())} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make a directory of the service: %w", err)
		}
	}
	dir := filepath.Dir(l.agent("").Socket())
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory needs its x bit
		return fmt.Errorf("close the directory of the socket to others: %w", err)
	}
	return nil
}
