package logging

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// odd has bytes that every encoding treats differently, and matches no pattern.
const odd = `p"s/s w\rd<&>+é~`

// An encoding is a way in which a caller might write a secret.
type encoding struct {
	name  string
	write func(s string) string
}

func encodings() []encoding {
	all := []encoding{
		{"as it is", func(s string) string { return s }},
		{"in JSON", func(s string) string { b, _ := json.Marshal(s); return string(b) }},
		{"quoted by Go", strconv.Quote},
		{"quoted by Go in ASCII", strconv.QuoteToASCII},
		{"in a query", url.QueryEscape},
		{"in a path", url.PathEscape},
		{"in a query with lower-case escapes", func(s string) string { return lowerEscapes(url.QueryEscape(s)) }},
		{"in hexadecimal", func(s string) string { return hex.EncodeToString([]byte(s)) }},
		{"in upper-case hexadecimal", func(s string) string { return fmt.Sprintf("%X", s) }},
		{"in spaced hexadecimal", func(s string) string { return fmt.Sprintf("% x", s) }},
		{"as a byte slice by %v", func(s string) string { return fmt.Sprintf("%d", []byte(s)) }},
		{"as a byte slice by %#v", func(s string) string { return fmt.Sprintf("%#v", []byte(s)) }},
		{"as a JSON array", func(s string) string { return strings.ReplaceAll(fmt.Sprintf("%d", []byte(s)), " ", ",") }},
	}
	for _, enc := range []struct {
		name string
		*base64.Encoding
	}{{"std", base64.StdEncoding}, {"raw", base64.RawStdEncoding}, {"url", base64.URLEncoding}, {"raw url", base64.RawURLEncoding}} {
		for _, before := range []string{"", "u", "us", "user:"} {
			for _, after := range []string{"", "\n", ":x", "tail"} {
				all = append(all, encoding{
					fmt.Sprintf("in base64 (%s) between %q and %q", enc.name, before, after),
					func(s string) string { return enc.EncodeToString([]byte(before + s + after)) },
				})
			}
		}
	}
	return all
}

func TestRedactorKnowsASecretInEveryForm(t *testing.T) {
	r := NewRedactor()
	r.Add(odd)
	for _, e := range encodings() {
		t.Run(e.name, func(t *testing.T) {
			in := "before " + e.write(odd) + " after"
			got := r.Redact(in)
			if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") || strings.Count(got, Mask) != 1 {
				t.Errorf("Redact(%q) = %q, want one mask between the words", in, got)
			}
			if rest := len(got) - len("before "+Mask+" after"); rest > 16 {
				t.Errorf("Redact(%q) = %q: %d bytes are left", in, got, rest)
			}
		})
	}
}

func TestRedactorAdd(t *testing.T) {
	const pem = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEAxyz\n  c2Vjb25kIGxpbmUgaGVyZQ\nshort\n-----END KEY-----\n"
	tests := []struct {
		name     string
		add      []string
		in, want string
	}{
		{"nothing added", nil, "swordfish", "swordfish"},
		{"seven bytes are ignored", []string{"swordfi"}, "swordfi", "swordfi"},
		{"eight bytes are not", []string{"swordfis"}, "swordfish", Mask + "h"},
		{"the empty secret", []string{""}, "text", "text"},
		{"white space around does not count", []string{"  swordfish\n"}, "a swordfish b", "a " + Mask + " b"},
		{"many times", []string{"swordfish"}, "swordfish,swordfish", Mask + "," + Mask},
		{"touching ones become one mask", []string{"swordfish"}, "swordfishswordfish", Mask},
		{"the longer of two with one beginning", []string{"swordfish", "swordfish-2"}, "swordfish-2!", Mask + "!"},
		{"in whatever order they came", []string{"swordfish-2", "swordfish"}, "swordfish-2!", Mask + "!"},
		{"two that overlap", []string{"abcdefgh12", "efgh12345678"}, "abcdefgh12345678.", Mask + "."},
		{"one inside another", []string{"abcdefgh12345678", "cdefgh12"}, "abcdefgh12345678.", Mask + "."},
		{"a line of a PEM key", []string{pem}, "key: c2Vjb25kIGxpbmUgaGVyZQ", "key: " + Mask},
		{"the frame of a PEM key", []string{pem}, "-----BEGIN KEY-----", "-----BEGIN KEY-----"},
		{"a short line of a PEM key", []string{pem}, "short", "short"},
		{"a part of the mask", []string{"redacted"}, "redacted", "redacted"},
		{"a text shorter than any secret", []string{"swordfish"}, "sword", "sword"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRedactor()
			for range 2 { // twice makes no difference
				for _, s := range tt.add {
					r.Add(s)
				}
			}
			if got := r.Redact(tt.in); got != tt.want {
				t.Errorf("Redact(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestRedactorIsSafeForConcurrentUse(t *testing.T) {
	r := NewRedactor()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			secret := fmt.Sprintf("swordfish-%d", i)
			r.Add(secret)
			if got := r.Redact("a " + secret); got != "a "+Mask {
				t.Errorf("Redact = %q, want a mask", got)
			}
		})
	}
	wg.Wait()
}

func FuzzRedactorHidesKnownSecrets(f *testing.F) {
	f.Add("swordfish", "before ", " after", uint8(0))
	f.Add(odd, "https://h/?q=", "&x", uint8(4))
	f.Add("aaaaaaaa", "aaa", "aaaa", uint8(20))
	f.Add("swordfish", "", "swordfis", uint8(33))
	all := encodings()
	f.Fuzz(func(t *testing.T, secret, before, after string, which uint8) {
		secret = strings.TrimSpace(secret)
		if len(secret) < minSecret || strings.ContainsAny(secret, "[]") || strings.Contains(Mask, secret) {
			t.Skip("not a secret that a redactor is to know")
		}
		e := all[int(which)%len(all)]
		r := NewRedactor()
		r.Add(secret)
		in := before + e.write(secret) + after
		got := r.Redact(in)
		// A mask between two texts must not make up the secret either, hence "[]" above.
		if strings.Contains(got, secret) || strings.Contains(got, e.write(secret)) {
			t.Errorf("secret %q, %s: Redact(%q) = %q", secret, e.name, in, got)
		}
		if again := r.Redact(got); strings.Contains(again, secret) {
			t.Errorf("secret %q: Redact(Redact(%q)) = %q", secret, in, again)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	const line = `time=2026-11-23T10:00:00.000Z level=info msg="request done" host=api.github.com:443 ` +
		`method=GET path=/repos/moatd/moatd/pulls run_id=run_7f3a status=200 bytes=18233 grant=github`
	for _, n := range []int{0, 10, 1000} {
		r := NewRedactor()
		for i := range n {
			r.Add(fmt.Sprintf("secret-%d-%x", i, i*i*7919+1234567))
		}
		b.Run(fmt.Sprintf("%d secrets, none in the line", n), func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				r.Redact(line)
			}
		})
	}
	r := NewRedactor()
	r.Add("run_7f3a status=200")
	b.Run("one secret, in the line", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			r.Redact(line)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	r := NewRedactor()
	i := 0
	for b.Loop() {
		i++
		r.Add("secret-number-" + strconv.Itoa(i))
	}
}
