package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	initfiles "github.com/moatd/moatd/init"
)

// A loadRecord notes what launchd was given when it was last told to load the job or
// to replace the daemon, since launchd does not say. A record that is not there,
// or is wrong, costs one reload that was not needed.
type loadRecord struct {
	Plist string `json:"plist"` // the text
	Exe   string `json:"exe"`   // as identity has it
}

func (l *launchd) recordPath() string {
	return filepath.Join(l.opts.MoatHome, "run", "launchd.json")
}

// now is the record of what is on disk. Its fields are empty where nothing is.
func (l *launchd) now() loadRecord {
	text, err := os.ReadFile(l.plist())
	if err != nil {
		return loadRecord{}
	}
	r := loadRecord{Plist: string(text)}
	if a, err := initfiles.ReadAgent(r.Plist); err == nil {
		r.Exe = identity(a.Exe)
	}
	return r
}

// identity tells one version of an executable from another.
func identity(exe string) string {
	info, err := os.Stat(exe)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d bytes, %s", info.Size(), info.ModTime().UTC().Format("2006-01-02T15:04:05.000000000Z"))
}

func (l *launchd) last() loadRecord {
	var r loadRecord
	data, err := os.ReadFile(l.recordPath())
	if err != nil || json.Unmarshal(data, &r) != nil {
		return loadRecord{}
	}
	return r
}

func (l *launchd) remember() error {
	data, err := json.Marshal(l.now())
	if err != nil {
		return err
	}
	if _, err := (file{l.recordPath(), string(data)}).write(); err != nil {
		return fmt.Errorf("note what launchd was given: %w", err)
	}
	return nil
}

// changed reports whether the plist is another than the one that launchd read.
func (l *launchd) changed() bool { return l.now().Plist != l.last().Plist }

// replaced reports whether the executable is another than the one that runs.
func (l *launchd) replaced() bool { return l.now().Exe != l.last().Exe }
