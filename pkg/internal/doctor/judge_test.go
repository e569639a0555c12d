package doctor

import (
	"strings"
	"testing"
)

// A verdictCase is a line of a table: what was judged, and what it must come to.
type verdictCase struct {
	name   string
	got    Verdict
	want   Status
	detail string // in the detail
	fix    string // the command, exactly
}

func judge(t *testing.T, cases []verdictCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got.Status != tt.want || !strings.Contains(tt.got.Detail, tt.detail) || tt.got.Fix != tt.fix {
				t.Errorf("the verdict is %s: %q, mended by %q;\nwant %s: …%q…, mended by %q",
					tt.got.Status, tt.got.Detail, tt.got.Fix, tt.want, tt.detail, tt.fix)
			}
			if strings.Contains(tt.got.Detail+tt.got.Fix, "p4ss") {
				t.Errorf("the verdict %v shows a password", tt.got)
			}
			if tt.got.Detail == "" || strings.ContainsAny(tt.got.Detail+tt.got.Fix, "\n\t") {
				t.Errorf("the detail %q and the command %q are to be shown as a line each", tt.got.Detail, tt.got.Fix)
			}
		})
	}
}
