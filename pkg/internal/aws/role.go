package aws

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Role is what a run wants to be in AWS.
type Role struct {
	ARN    string // arn:PARTITION:iam::ACCOUNT:role/NAME, with or without a path
	Region string // whose STS is asked, such as "eu-central-1"
	// Duration is how long a session lasts: whole seconds from 15 minutes to 12
	// hours, and no longer than the role allows; 0 means an hour.
	Duration   time.Duration
	ExternalID string // that the role's trust policy asks for, "" for none
	// SourceProfile is the profile in the user's AWS files whose credentials
	// assume the role, where moat has none itself; "" means "default".
	SourceProfile string
	Session       string // names the session in CloudTrail; made of a run's id by [SessionName]
}

// The limits of AssumeRole, from the API reference of STS.
const (
	minDuration     = 15 * time.Minute
	maxDuration     = 12 * time.Hour
	defaultDuration = time.Hour
	maxARN          = 2048
	maxSession      = 64
	maxExternalID   = 1224
	maxProfile      = 128
)

var (
	arnSyntax = regexp.MustCompile(`^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/([!-.0-~]+/)*[\w+=,.@-]{1,64}$`)
	// regionSyntax fits the regions of every partition, as "us-gov-west-1",
	// "us-isob-east-1" and "eusc-de-east-1".
	regionSyntax  = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{1,16}){1,3}-[0-9]{1,2}$`)
	externalID    = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
	sessionSyntax = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	notInSession  = regexp.MustCompile(`[^\w+=,.@-]`)
)

// Check says what of the role AWS could make no sense of.
func (r Role) Check() error {
	switch {
	case len(r.ARN) > maxARN || !arnSyntax.MatchString(r.ARN):
		return fmt.Errorf("role %.100q: want an ARN such as arn:aws:iam::123456789012:role/NAME", r.ARN)
	case !regionSyntax.MatchString(r.Region):
		return fmt.Errorf("role %s: region %.40q: want one such as eu-central-1", r.ARN, r.Region)
	case r.Duration != 0 && (r.Duration < minDuration || r.Duration > maxDuration || r.Duration%time.Second != 0):
		return fmt.Errorf("role %s: session duration %v: want whole seconds from 15m to 12h", r.ARN, r.Duration)
	case r.ExternalID != "" && (len(r.ExternalID) > maxExternalID || !externalID.MatchString(r.ExternalID)):
		return fmt.Errorf("role %s: the external id must be of 2 to %d letters, digits and _+=,.@:/-", r.ARN, maxExternalID)
	case len(r.SourceProfile) > maxProfile || !oneLine(r.SourceProfile):
		return fmt.Errorf("role %s: source profile %.40q: want the name of a profile", r.ARN, r.SourceProfile)
	case !sessionSyntax.MatchString(r.Session):
		return fmt.Errorf("role %s: session name %.80q: want 2 to %d letters, digits and _+=,.@-", r.ARN, r.Session, maxSession)
	}
	return nil
}

func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == '[' || c == ']' })
}

// duration returns how long a session lasts.
func (r Role) duration() time.Duration {
	if r.Duration == 0 {
		return defaultDuration
	}
	return r.Duration
}

// SessionName returns the name of a run's sessions: "moat-" and its id, with "-"
// for what AWS does not take, cut to what fits.
func SessionName(runID string) string {
	name := notInSession.ReplaceAllString("moat-"+runID, "-")
	return name[:min(len(name), maxSession)]
}
