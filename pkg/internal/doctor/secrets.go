package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/pki"
)

func (s *scene) ca(context.Context) Verdict {
	dir := config.CADir(s.opts.Settings.Home)
	ca, err := pki.Load(dir)
	if err != nil && errors.Is(err, fs.ErrNotExist) {
		return skip("there is none yet; the daemon makes it")
	}
	if v := access(filepath.Join(dir, "ca.key"), dir); v.Status != OK {
		return v
	}
	if err != nil {
		return judgeCA(dir, time.Time{}, err, s.now)
	}
	return judgeCA(dir, ca.NotAfter(), nil, s.now)
}

// access judges who may use a file with a secret and its directory; a file that
// is not there is another's business.
func access(path, dir string) Verdict {
	verdicts := []Verdict{ok("%s, for this user alone", path)}
	for _, want := range []file{{path: path, mode: 0o600}, {path: dir, mode: 0o700}} {
		if at := lookAt(want.path); at.err == nil {
			verdicts = append(verdicts, judgeAccess(at, want.mode, os.Geteuid()))
		}
	}
	return all(verdicts...)
}

// soon is how long before its end a CA is worth a warning.
const soon = 30 * 24 * time.Hour

// judgeCA judges the CA in dir that ends at end, or that could not be loaded.
func judgeCA(dir string, end time.Time, err error, now time.Time) Verdict {
	anew := fmt.Sprintf("mv %s %s && %s", quote(dir), quote(dir+".old"), fixRestart)
	switch {
	case err != nil:
		return fail(anew, "%s; runs that live must be started anew afterwards", oneLine(err))
	case end.Before(now.Add(soon)):
		return warn(anew, "the CA ends on %s; runs that live must be started anew afterwards", end.Format(time.DateOnly))
	}
	return ok("good until %s", end.Format(time.DateOnly))
}

func (s *scene) caBundle(context.Context) Verdict {
	cert, err := os.ReadFile(config.CAFile(s.opts.Settings.Home))
	if err != nil {
		return skip("there is no CA yet")
	}
	bundle, err := os.ReadFile(config.BundleFile(s.opts.Settings.Home))
	roots, rootsErr := pki.SystemRoots()
	return all(judgeBundle(bundle, err, cert, roots), judgeRoots(rootsErr))
}

// judgeBundle judges the bundle that runs trust: it must have our certificate
// and what the system trusts.
func judgeBundle(bundle []byte, err error, cert, roots []byte) Verdict {
	switch {
	case err != nil:
		return fail(fixRestart, "tools that replace their roots trust nothing: %v", err)
	case !bytes.Contains(bundle, bytes.TrimSpace(cert)):
		return fail(fixRestart, "the bundle of roots does not have the CA: tools of runs refuse the proxy's certificates")
	case !bytes.Contains(bundle, bytes.TrimSpace(roots)):
		return warn(fixRestart, "the bundle of roots is not what the system trusts today")
	}
	return ok("the system's roots and the CA")
}

func judgeRoots(err error) Verdict {
	if err != nil {
		return fail("sudo apt-get install ca-certificates", "moatd cannot check upstreams: %v", err)
	}
	return ok("the system has roots")
}

func (s *scene) storeKey(context.Context) Verdict {
	if at, err := credential.RecordedKey(s.opts.Settings.Home); err == nil && at.Source != credential.KeyInFile {
		return ok("kept in the %s, %s; whether it can be had, the daemon says", at.Source, at.ID)
	}
	path := config.KeyFile(s.opts.Settings.Home)
	key, err := credential.LoadKey(path)
	if v := access(path, s.opts.Settings.Home); err != nil && v.Status != OK {
		return v
	}
	return judgeKey(path, key.Source(), err, s.sealed())
}

// sealed counts the credentials.
func (s *scene) sealed() int {
	entries, err := os.ReadDir(config.CredentialsDir(s.opts.Settings.Home))
	if err != nil {
		return 0 // none yet, or another check says why
	}
	n := 0
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			n++
		}
	}
	return n
}

// judgeKey judges the key that seals so many credentials.
func judgeKey(path, source string, err error, sealed int) Verdict {
	switch {
	case err == nil:
		return ok("kept in a %s, %s", source, path)
	case errors.Is(err, fs.ErrNotExist) && sealed == 0:
		return skip("there is none yet; the first grant makes it")
	case errors.Is(err, fs.ErrNotExist):
		old := filepath.Join(filepath.Dir(path), "credentials")
		note := filepath.Join(filepath.Dir(path), "key.json") // without it a new key is made
		return fail(fmt.Sprintf("mv %s %s && rm -f %s && %s", quote(old), quote(old+".old"), quote(note), fixRestart),
			"the key that sealed %d credentials is gone from %s; put it back from a backup, or move the credentials away and grant them again", sealed, path)
	}
	return fail("", "%s", oneLine(err))
}

func (s *scene) credentials(ctx context.Context) Verdict {
	dir := config.CredentialsDir(s.opts.Settings.Home)
	if at, noted := credential.RecordedKey(s.opts.Settings.Home); noted == nil && at.Source != credential.KeyInFile {
		return skip("their key is in the %s, which is not asked here; moat grant list tells", at.Source)
	}
	key, err := credential.LoadKey(config.KeyFile(s.opts.Settings.Home))
	if err != nil {
		return skip("there is no key to open them with")
	}
	view, err := credential.ViewFileStore(dir, key)
	if missing(err) {
		return skip("there are none")
	}
	if err != nil {
		return fail("chmod 700 "+quote(dir), "%s", oneLine(err))
	}
	list, err := view.List(ctx)
	return all(judgeCredentials(list, err, s.now), judgeAccess(lookAt(dir), 0o700, os.Geteuid()))
}

// judgeCredentials judges those that could be opened, and the joined errors of
// the others, which have names and no secrets.
func judgeCredentials(list []credential.Credential, err error, now time.Time) Verdict {
	verdicts := []Verdict{ok("%d, each can be opened", len(list))}
	if err != nil {
		verdicts = append(verdicts, fail(mendCredential(err), "%s", oneLine(err)))
	}
	for _, c := range list {
		if !c.ExpiresAt.IsZero() && c.ExpiresAt.Before(now) {
			verdicts = append(verdicts, warn("moat grant "+c.Grant, "the credential %s ended on %s", c.Grant, c.ExpiresAt.Format(time.DateOnly)))
		}
	}
	return all(verdicts...)
}

// mendCredential is the command for the first credential that cannot be opened:
// "credential GRANT: file PATH: …".
func mendCredential(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, fs.ErrPermission) {
		return "chmod 600 " + quote(pe.Path)
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	rest, ok := strings.CutPrefix(first, "credential ")
	grant, _, found := strings.Cut(rest, ": file ")
	if !ok || !found {
		return ""
	}
	return "moat revoke " + quote(grant) + " && moat grant " + quote(grant)
}
