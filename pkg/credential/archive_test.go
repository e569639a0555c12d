package credential

import (
	"bytes"
	"strings"
	"testing"
)

func TestAnArchiveHasAllThatIsKnown(t *testing.T) {
	var out bytes.Buffer
	want := []Credential{renewable(), {Grant: "github", Secret: "x\xff"}}
	if err := WriteArchive(&out, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadArchive(&out)
	if err != nil || len(got) != 2 || !got[0].Equal(want[0]) || !got[1].Equal(want[1]) {
		t.Errorf("ReadArchive = %v, %v; want %v", got, err, want)
	}
}

func TestReadArchiveRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no JSON", "s3cret", "no credentials of moat"},
		{"other JSON", `{"a":"s3cret"}`, "no credentials of moat"},
		{"a newer version", `{"v":2}`, "newer version of moat"},
		{"a name that leads elsewhere", `{"v":1,"credentials":[{"grant":"../x","secret":"czNjcmV0"}]}`, "number 1: grant"},
		{"no secret", `{"v":1,"credentials":[{"grant":"github"}]}`, "the secret is empty"},
		{"a secret that is no base64", `{"v":1,"credentials":[{"grant":"github","secret":"s3cret!"}]}`, "number 1: damaged"},
		{"one twice", `{"v":1,"credentials":[{"grant":"github","secret":"eA=="},{"grant":"github","secret":"eA=="}]}`, "number 2: credential github is there twice"},
		{"one that is none", `{"v":1,"credentials":["s3cret"]}`, "number 1: damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadArchive(strings.NewReader(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("ReadArchive = %v, %v; want an error with %q and nothing secret", got, err, tt.want)
			}
		})
	}
}

func FuzzReadArchive(f *testing.F) {
	f.Add([]byte(`{"v":1,"credentials":[{"grant":"github","secret":"eA==","later":1}]}`))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := ReadArchive(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, c := range all {
			if err := checkPut(t.Context(), &c); err != nil {
				t.Errorf("ReadArchive(%q) has one that no store takes: %v", data, err)
			}
		}
	})
}
