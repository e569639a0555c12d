//go:build e2e

package systemd_test

import (
	"fmt"
	"regexp"
	"testing"

	initfiles "github.com/moatd/moatd/init"
)

// testExposure holds the units to the scores that README names, in tenths of what
// systemd-analyze security calls exposure. It looks at the text alone, and counts
// a user's unit as root's: testHardening shows what the lines are worth.
func (m machine) testExposure(t *testing.T) {
	user := userUnit(t)
	system, err := initfiles.SystemUnit("moatd.service", "/usr/bin/moatd")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, text string
		threshold  int
	}{
		{"user unit", user, 62},
		{"user unit with the drop-in", user + initfiles.Sandbox(), 19},
		{"system unit", system, 13},
	} {
		m.push(t, save(t, []byte(tt.text)), "/run/exposure/moatd.service")
		got := m.box("exec", "systemd-analyze", "security", "--offline=yes", "--no-pager",
			fmt.Sprintf("--threshold=%d", tt.threshold), "/run/exposure/moatd.service")
		score := regexp.MustCompile(`Overall exposure level.*`).FindString(got.stdout)
		t.Logf("%s: %s", tt.name, score)
		if got.code != 0 || score == "" {
			t.Errorf("%s: exit %d, %s, want at most %d tenths: %s", tt.name, got.code, score, tt.threshold, got.stderr)
		}
	}
}
