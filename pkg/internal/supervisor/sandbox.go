package supervisor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	initfiles "github.com/moatd/moatd/init"
)

// sandboxFile is our drop-in of the service.
const sandboxFile = "50-sandbox.conf"

// writeSandbox confines the service, if it shall be and can be.
func (in *installation) writeSandbox(ctx context.Context) error {
	if in.systemd.opts.System { // its unit has it all
		return nil
	}
	if in.opts.Sandbox == SandboxOff {
		return in.dropIn(serviceUnit, sandboxFile, "")
	}
	text, err := in.sandboxText()
	if err == nil {
		err = in.tryOut(ctx, text)
	}
	if err == nil {
		return in.dropIn(serviceUnit, sandboxFile, text)
	}
	if in.opts.Sandbox == SandboxOn {
		return &Problem{
			What: fmt.Sprintf("the sandbox does not work here: %v", err),
			Todo: "allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns, user.max_user_namespaces), or moat daemon install --sandbox off",
		}
	}
	in.note("without the sandbox of namespaces, which does not work here: %v", err)
	return in.dropIn(serviceUnit, sandboxFile, "")
}

// sandboxText returns the drop-in, whose hole is where the state is.
func (in *installation) sandboxText() (string, error) {
	home, usual := in.systemd.opts.MoatHome, filepath.Join(in.systemd.opts.UserHome, ".moat")
	if home == "" || home == usual {
		return initfiles.Sandbox(), nil
	}
	return initfiles.SandboxFor(home)
}

// trial is what the trial does: it must not be able to write into the home
// directory, and must be able to write into the state directory.
const trial = `if (: >"$1") 2>/dev/null; then rm -f "$1"; echo "it confines nothing"; exit 1; fi
if ! (: >"$2"); then echo "the state directory cannot be written to"; exit 1; fi
rm -f "$2"`

// tryOut runs a trial under the directives of a drop-in. That systemd starts it
// proves little: systemd 252 ignores what it cannot do.
func (in *installation) tryOut(ctx context.Context, text string) error {
	o := in.systemd.opts
	args := []string{"--user", "--wait", "--pipe", "--quiet", "--collect", "--description=Trial of the sandbox of moatd"}
	expand := strings.NewReplacer("%%", "%", "%h", o.UserHome, "%t", in.runtime) // systemd-run expands none
	for line := range strings.SplitSeq(section(text, "Service"), "\n") {
		if strings.HasPrefix(line, "ExecStartPre=") { // it makes the state directory, which is there by now
			continue
		}
		args = append(args, "--property="+expand.Replace(line))
	}
	args = append(args, "/bin/sh", "-c", trial, "sh",
		filepath.Join(o.UserHome, ".moat-sandbox-trial"), filepath.Join(o.MoatHome, ".sandbox-trial"))
	out, err := in.run.output(ctx, "systemd-run", args...)
	if err == nil {
		return nil
	}
	if said := strings.TrimSpace(out); said != "" {
		return fmt.Errorf("in a trial %s", said)
	}
	if failed, ok := errors.AsType[*commandError](err); ok {
		return fmt.Errorf("a trial ended with %d %s", failed.code, failed.said)
	}
	return err
}
