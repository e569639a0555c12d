package moatd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/confine"
)

// confine gives up what the daemon will not need again. That it cannot is a
// problem to tell of, not a reason to leave the runs without a proxy.
func (d *parts) confine(context.Context) error {
	if d.opts.Confine == nil || !d.opts.Settings.Sandbox {
		return nil
	}
	applied, err := d.opts.Confine(d.places())
	if err != nil {
		d.problem("", fmt.Sprintf("the daemon can open all files of its user: %v", err))
		return nil
	}
	d.confined = applied
	if applied.ABI == 0 {
		d.log.Info("the daemon can open all files of its user: the kernel has no Landlock")
		return nil
	}
	d.log.WithField("landlock", applied.ABI).Info("confined to the files of moatd and of the system")
	return nil
}

// places are where the settings say that the daemon reads and writes.
func (d *parts) places() confine.Places {
	s := d.opts.Settings
	p := confine.Places{Write: []string{s.Home}}
	for _, dir := range []string{s.Home, config.ProvidersDir(s.Home)} {
		p.Read = append(p.Read, links(dir)...)
	}
	if len(d.opts.Handed.Listeners(activation.API)) == 0 {
		p.Unlink = append(p.Unlink, filepath.Dir(s.APISocket)) // it goes with the daemon
	}
	return p
}

// links returns the symbolic links in dir: a rule about a link is one about the
// file behind it, which may be anywhere.
func links(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // then nothing in it can be read anyway
	}
	var list []string
	for _, e := range entries {
		if e.Type() == os.ModeSymlink {
			list = append(list, filepath.Join(dir, e.Name()))
		}
	}
	return list
}

// outOfReach returns a problem for each place that came too late.
func (d *parts) outOfReach() []string {
	var list []string
	for _, path := range d.confined.Come() {
		list = append(list, fmt.Sprintf("%s has come since the daemon started, which cannot read it: restart moatd, at no cost to runs", path))
	}
	return list
}

// confine adds what is at the user's and in the environment, and the system's.
func (p Process) confine(own confine.Places) (confine.Applied, error) {
	return confine.Files(confine.System("/etc").Plus(p.places()).Plus(own))
}

// places are the files of others that the daemon and its children read: profiles
// of AWS, the settings of the commands that ask about containers, and roots.
func (p Process) places() confine.Places {
	places := confine.Places{}
	for _, name := range []string{
		"SSL_CERT_FILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "CREDENTIALS_DIRECTORY",
	} {
		places.Read = append(places.Read, absolute(p.Getenv(name))...)
	}
	places.Read = append(places.Read, absolute(filepath.SplitList(p.Getenv("SSL_CERT_DIR"))...)...)
	if p.Getenv("JOURNAL_STREAM") != "" {
		places.Shared = append(places.Shared, "/dev/shm") // records too large for a datagram
	}
	if p.UserHome == "" {
		return places
	}
	at := func(name string) string { return filepath.Join(p.UserHome, name) }
	for _, name := range []string{".aws", ".docker", ".config/containers"} {
		places.Read = append(places.Read, at(name))
		places.Read = append(places.Read, links(at(name))...)
	}
	// Where the SDK and the commands of AWS keep what they refresh.
	for _, name := range []string{".aws/sso/cache", ".aws/login/cache", ".aws/cli/cache"} {
		places.Write = append(places.Write, at(name))
	}
	if exe, err := os.Executable(); err == nil && !confine.Below(filepath.Dir(exe), p.UserHome) {
		places.Read = append(places.Read, filepath.Dir(exe)) // to see what an upgrade put there
	}
	return places
}

// absolute leaves out what is no absolute path: it is not set, or means nothing
// to a daemon.
func absolute(paths ...string) []string {
	var list []string
	for _, path := range paths {
		if filepath.IsAbs(path) {
			list = append(list, path)
		}
	}
	return list
}
