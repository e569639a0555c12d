package supervisor

import (
	"errors"
	"fmt"
)

// An outcome is what an exit code of launchctl means.
type outcome int

const (
	outcomeFailed    outcome = iota // and doing it again would not help
	outcomeDone                     // or it was so already
	outcomeNotLoaded                // launchd does not know the job
	outcomeNoProcess                // launchd knows the job, which has no process
	outcomeAgain                    // launchd is still busy with the job, or has it already
	outcomeNoDomain                 // there is no session of this kind
)

// The verbs of launchctl.
const (
	verbPrint     = "print"
	verbBootstrap = "bootstrap"
	verbBootout   = "bootout"
	verbKickstart = "kickstart"
	verbKill      = "kill"
	verbEnable    = "enable"
	verbDisable   = "disable"
	verbDisabled  = "print-disabled"
	verbList      = "list"
)

// outcomes has, for each exit code, what it means after which verb; the verb ""
// stands for all others. The codes are errno of the kernel up to 106, and
// launchd's own above. They were observed on macOS 15; no manual has them.
var outcomes = map[int]map[string]outcome{
	0: {"": outcomeDone},
	// ESRCH.
	3: {verbBootout: outcomeNotLoaded, verbKill: outcomeNoProcess, "": outcomeNotLoaded},
	// EIO: of bootstrap that the job is there already, or is not quite gone yet;
	// that it is switched off; or that the plist is no good.
	5: {verbBootstrap: outcomeAgain, verbBootout: outcomeAgain},
	// EINPROGRESS: bootout has begun, and goes on by itself.
	36: {verbBootout: outcomeDone, "": outcomeAgain},
	// EALREADY: the job is on its way up, or down.
	37: {"": outcomeAgain},
	// Could not find domain: nobody is logged in at the screen.
	112: {"": outcomeNoDomain},
	// Could not find service.
	113: {"": outcomeNotLoaded},
	// Domain does not support specified action.
	125: {"": outcomeNoDomain},
}

// meaning returns what it means that launchctl with a verb ended with code.
func meaning(verb string, code int) outcome {
	byVerb := outcomes[code]
	if o, ok := byVerb[verb]; ok {
		return o
	}
	return byVerb[""] // outcomeFailed for a code that nobody has seen
}

// wording says an outcome to the user.
var wording = map[outcome]string{
	outcomeNotLoaded: "launchd does not know the job",
	outcomeNoProcess: "the job has no process",
	outcomeAgain:     "launchd is busy with the job, or refuses its plist",
	outcomeNoDomain:  "launchd has no such session for this user",
}

// A launchctlError is a command of launchctl that did not do what it was to.
type launchctlError struct {
	outcome outcome
	command error // a *commandError
}

func (e *launchctlError) Error() string {
	if words, ok := wording[e.outcome]; ok {
		return fmt.Sprintf("%v (%s)", e.command, words)
	}
	return e.command.Error()
}

func (e *launchctlError) Unwrap() error { return e.command }

// outcomeOf returns what err, of [launchd.ctl], means; outcomeDone for nil.
func outcomeOf(err error) outcome {
	if err == nil {
		return outcomeDone
	}
	if e, ok := errors.AsType[*launchctlError](err); ok {
		return e.outcome
	}
	return outcomeFailed
}
