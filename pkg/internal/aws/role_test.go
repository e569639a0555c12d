package aws

import (
	"strings"
	"testing"
	"time"
)

func validRole() Role {
	return Role{ARN: "arn:aws:iam::123456789012:role/agent", Region: "eu-central-1", Session: "moat-run_7f3a"}
}

func TestRoleCheck(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Role)
		want   string // part of the error, "" for none
	}{
		{"the least", func(*Role) {}, ""},
		{"a role with a path", func(r *Role) { r.ARN = "arn:aws:iam::123456789012:role/team/a/agent" }, ""},
		{"China", func(r *Role) { r.ARN, r.Region = "arn:aws-cn:iam::123456789012:role/agent", "cn-north-1" }, ""},
		{"the isolated partitions", func(r *Role) { r.ARN, r.Region = "arn:aws-iso-b:iam::123456789012:role/agent", "us-isob-east-1" }, ""},
		{"15 minutes", func(r *Role) { r.Duration = 15 * time.Minute }, ""},
		{"12 hours", func(r *Role) { r.Duration = 12 * time.Hour }, ""},
		{"an external id", func(r *Role) { r.ExternalID = "a-b_c=1,2.3@d:e/f+g" }, ""},
		{"a profile with spaces", func(r *Role) { r.SourceProfile = "my profile" }, ""},
		{"no ARN", func(r *Role) { r.ARN = "" }, "want an ARN"},
		{"the ARN of a user", func(r *Role) { r.ARN = "arn:aws:iam::123456789012:user/agent" }, "want an ARN"},
		{"an account of 11 digits", func(r *Role) { r.ARN = "arn:aws:iam::12345678901:role/agent" }, "want an ARN"},
		{"a role without a name", func(r *Role) { r.ARN = "arn:aws:iam::123456789012:role/" }, "want an ARN"},
		{"an ARN with a second line", func(r *Role) { r.ARN += "\n" }, "want an ARN"},
		{"a session as ARN", func(r *Role) { r.ARN = "arn:aws:sts::123456789012:assumed-role/agent/x" }, "want an ARN"},
		{"no region", func(r *Role) { r.Region = "" }, "want one such as"},
		{"a region that is a host", func(r *Role) { r.Region = "evil.example/" }, "want one such as"},
		{"a zone", func(r *Role) { r.Region = "eu-central-1a" }, "want one such as"},
		{"a second less than 15 minutes", func(r *Role) { r.Duration = 15*time.Minute - time.Second }, "from 15m to 12h"},
		{"a second more than 12 hours", func(r *Role) { r.Duration = 12*time.Hour + time.Second }, "from 15m to 12h"},
		{"half a second", func(r *Role) { r.Duration = time.Hour + time.Second/2 }, "whole seconds"},
		{"less than nothing", func(r *Role) { r.Duration = -time.Hour }, "from 15m to 12h"},
		{"an external id of one", func(r *Role) { r.ExternalID = "a" }, "external id"},
		{"an external id with a space", func(r *Role) { r.ExternalID = "a b" }, "external id"},
		{"an external id of 1225", func(r *Role) { r.ExternalID = strings.Repeat("a", 1225) }, "external id"},
		{"a profile with a second line", func(r *Role) { r.SourceProfile = "a\nb" }, "source profile"},
		{"a profile with a bracket", func(r *Role) { r.SourceProfile = "a]" }, "source profile"},
		{"a session name with a space", func(r *Role) { r.Session = "a b" }, "session name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := validRole()
			tt.change(&r)
			err := r.Check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check(%+v) = %v, want %q in it", r, err, tt.want)
			}
			if _, made := New(r, Options{}); (made == nil) != (err == nil) {
				t.Errorf("New(%+v) = %v, want what Check says: %v", r, made, err)
			}
		})
	}
}

func FuzzSessionName(f *testing.F) {
	for _, seed := range []string{"run_7f3a", "", "a/b c", "ä", strings.Repeat("x", 128), "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, runID string) {
		r := validRole()
		r.Session = SessionName(runID)
		if err := r.Check(); err != nil || !strings.HasPrefix(r.Session, "moat-") {
			t.Errorf("SessionName(%q) = %q: %v", runID, r.Session, err)
		}
	})
}
