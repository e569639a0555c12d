package supervisor

import (
	"context"
	"fmt"
	"regexp"

	initfiles "github.com/moatd/moatd/init"
)

// A domain of launchd, such as gui/501.
type domain string

// job is moatd's job in the domain.
func (d domain) job() string { return string(d) + "/" + initfiles.AgentLabel }

// domains are those that a job of the user may be in, the better one first: only
// in gui the keychain is open.
func (l *launchd) domains() []domain {
	return []domain{domain(fmt.Sprintf("gui/%d", l.opts.UID)), domain(fmt.Sprintf("user/%d", l.opts.UID))}
}

// domain returns the one to load the job into. It asks for that one thing first,
// so that a refusal later on is an error, not a reason to try the other domain,
// where a second daemon would run.
func (l *launchd) domain(ctx context.Context) (domain, error) {
	var none error
	for _, d := range l.domains() {
		_, err := l.ctl(ctx, verbPrint, string(d))
		switch outcomeOf(err) {
		case outcomeDone:
			return d, nil
		case outcomeNoDomain:
			none = err
		default:
			return "", fmt.Errorf("ask launchd for the session %s: %w", d, err)
		}
	}
	return "", &Problem{
		What: fmt.Sprintf("launchd has no session of uid %d: %v", l.opts.UID, none),
		Todo: "log in at the screen or over ssh as this user, without sudo, and try again",
		Kind: ErrUnavailable,
	}
}

// loaded reports whether launchd has the job in the domain d. It goes by the exit
// code alone, since what print prints "is NOT API in any sense at all".
func (l *launchd) loaded(ctx context.Context, d domain) (bool, error) {
	_, err := l.ctl(ctx, verbPrint, d.job())
	switch outcomeOf(err) {
	case outcomeDone:
		return true, nil
	case outcomeNotLoaded, outcomeNoDomain:
		return false, nil
	default:
		return false, fmt.Errorf("ask launchd for the job: %w", err)
	}
}

// where returns the domain that has the job. If none has, it is the one to load
// it into.
func (l *launchd) where(ctx context.Context) (domain, error) {
	for _, d := range l.domains() {
		if loaded, err := l.loaded(ctx, d); err != nil || loaded {
			return d, err
		}
	}
	return l.domain(ctx)
}

// disabled reports whether the job is switched off: by launchctl disable, or by
// the user in System Settings.
func (l *launchd) disabled(ctx context.Context, d domain) (bool, error) {
	out, err := l.ctl(ctx, verbDisabled, string(d))
	if err != nil {
		return false, fmt.Errorf("ask launchd which jobs are switched off: %w", err)
	}
	return listsDisabled(out), nil
}

// disabledLine is moatd's line in the output of print-disabled. Its values were
// true and false until macOS 12.
var disabledLine = regexp.MustCompile(`(?m)^\s*"` + regexp.QuoteMeta(initfiles.AgentLabel) + `"\s*=>\s*(\w+)`)

// listsDisabled reports whether the output of print-disabled has moatd's job as
// one that is. A job that is not listed is not.
func listsDisabled(out string) bool {
	match := disabledLine.FindStringSubmatch(out)
	return match != nil && (match[1] == "true" || match[1] == "disabled")
}

// errSwitchedOff is what to tell a user whose job is off; nil if it is not.
func errSwitchedOff(off bool) error {
	if !off {
		return nil
	}
	return &Problem{
		What: "moatd is switched off, in System Settings > General > Login Items or by moat daemon disable",
		Todo: "moat daemon enable",
	}
}
