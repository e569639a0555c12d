package credential

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// renewable has a value in each field.
func renewable() Credential {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return Credential{
		Grant: "gemini", Secret: "s3cret-0", Source: "prompt", CreatedAt: at, ExpiresAt: at.Add(time.Hour), RefreshedAt: at.Add(time.Minute),
		Renewal: &Renewal{
			Kind: RenewalOAuth2, RefreshToken: "s3cret-1", TokenURL: "https://idp.example/token", ClientID: "id",
			ClientSecret: "s3cret-2", ClientAuth: "basic", Resource: "https://mcp.example/mcp", Scopes: []string{"a", "b"}, Command: []string{"op", "read"}, AppID: "1", InstallationID: "2",
			PrivateKey: "s3cret-3\xff",
		},
	}
}

func testKey(tb testing.TB) Key {
	tb.Helper()
	key, err := decodeKey([]byte(goodKey), KeyInFile)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// The file was written by the first version of this package.
func TestARecordOfTheFirstVersionOpens(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "record-1.sealed"))
	if err != nil {
		t.Fatal(err)
	}
	want := Credential{
		Grant: "github:Org/repo", Secret: "ghp_secret\xff\x00", Source: "env:GH_TOKEN",
		CreatedAt: time.Date(2026, 1, 2, 2, 4, 5, 678, time.UTC), ExpiresAt: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	s := NewSealer(testKey(t), "credential")
	got, err := openCredential(s, want.Grant, data)
	if err != nil || !got.Equal(want) || got.Renewal != nil {
		t.Fatalf("openCredential = %+v, %v; want %+v", got, err, want)
	}
	was, err := openRecord(s, want.Grant, data)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := encodeCredential(got); err != nil || string(now) != string(was) {
		t.Errorf("a record without a renewal is %s, %v now; want, as it was, %s", now, err, was)
	}
}

func TestARenewalIsStoredWhole(t *testing.T) {
	for name, s := range map[string]Store{"files": fileStore(t), "memory": NewMemStore()} {
		t.Run(name, func(t *testing.T) {
			put := renewable()
			if err := s.Put(t.Context(), &put); err != nil {
				t.Fatal(err)
			}
			put.Renewal.Scopes[0], put.Renewal.RefreshToken = "changed", "changed"
			want := renewable()
			got, err := s.Get(t.Context(), want.Grant)
			if err != nil || !got.Equal(want) {
				t.Fatalf("Get = %+v, %v; want %+v", got, err, want)
			}
			all, err := s.List(t.Context())
			if err != nil || len(all) != 1 {
				t.Fatalf("List = %v, %v; want one", all, err)
			}
			r := all[0].Renewal
			if r == nil || r.Kind != RenewalOAuth2 || r.RefreshToken+r.ClientSecret+r.PrivateKey != "" || !all[0].RefreshedAt.Equal(want.RefreshedAt) {
				t.Errorf("List = %+v; want the renewal without its secrets", r)
			}
		})
	}
}

func fileStore(tb testing.TB) *FileStore {
	tb.Helper()
	s, err := OpenFileStore(filepath.Join(tb.TempDir(), "credentials"), testKey(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestARenewalThatIsTooLongIsRefused(t *testing.T) {
	c := renewable()
	c.Renewal.PrivateKey = Secret(strings.Repeat("x", maxSecret))
	if err := fileStore(t).Put(t.Context(), &c); err == nil || !strings.Contains(err.Error(), "what renews it") {
		t.Errorf("Put = %v, want an error that says what is too long", err)
	}
}

func TestFieldsOfANewerVersionAreKept(t *testing.T) {
	const newer = `{"grant":"github","secret":"eA==","hint":"n3wer-1","renewal":{"kind":"odd","nonce":"n3wer-2"}}`
	s := fileStore(t)
	data, err := sealRecord(s.sealer, "github", []byte(newer))
	if err == nil {
		err = os.WriteFile(s.path("github"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Get(t.Context(), "github")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		got := fmt.Sprintf(format, c) + fmt.Sprintf(format, c.Renewal)
		if strings.Contains(got, "n3wer") || strings.Contains(got, fmt.Sprintf("%x", "n3wer")) {
			t.Errorf("Sprintf(%s) = %s, which shows a field that is not known", format, got)
		}
	}
	c.Secret, c.Renewal.RefreshToken = "y", "z"
	if err = s.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	data, err = os.ReadFile(s.path("github"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := openRecord(s.sealer, "github", data)
	if err != nil || !strings.Contains(string(plain), `"hint":"n3wer-1"`) || !strings.Contains(string(plain), `"nonce":"n3wer-2"`) ||
		!strings.Contains(string(plain), `"secret":"eQ=="`) {
		t.Errorf("after a change the record is %s, %v; want it with the newer fields", plain, err)
	}
}

func TestARenewalPrintsWithoutItsSecrets(t *testing.T) {
	c := renewable()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{string(text), fmt.Sprint(c), fmt.Sprintf("%+v", c.Renewal), fmt.Sprintf("%#v", *c.Renewal)} {
		if strings.Contains(got, "s3cret") || strings.Contains(got, fmt.Sprintf("%x", "s3cret")) {
			t.Errorf("printed %s, with a secret", got)
		}
	}
}

func FuzzDecodeCredential(f *testing.F) {
	c := renewable()
	plain, err := encodeCredential(&c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte(`{"grant":"gemini","secret":"eA==","renewal":{"kind":"odd","nonce":[1]},"more":null}`))
	f.Fuzz(func(t *testing.T, plain []byte) {
		c, err := decodeCredential("gemini", plain)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("decodeCredential(%q) = %v, which may show it", plain, err)
			}
			return
		}
		again, err := encodeCredential(c)
		if err != nil {
			return // a year beyond 9999, which a time cannot write
		}
		d, err := decodeCredential("gemini", again)
		if err != nil || !d.Equal(*c) {
			t.Errorf("decodeCredential(%q) = %v, %v; want what it was made of, %v", again, d, err, c)
		}
	})
}
