package aws

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fakeSTS is STS over HTTPS. It checks the signature of each request, as the
// documentation of Signature Version 4 says, before it looks at anything else.
type fakeSTS struct {
	testing.TB
	*httptest.Server
	secrets map[string]string // by access key id
	session string            // that must come with the keys, "" for none
	ahead   time.Duration     // of its clock to ours

	mu    sync.Mutex
	asked []url.Values                            // guarded by mu; the requests that were signed well
	says  []func(http.ResponseWriter, url.Values) // guarded by mu; answers to come before the usual one
}

func newSTS(tb testing.TB) *fakeSTS {
	tb.Helper()
	s := &fakeSTS{TB: tb, secrets: map[string]string{"AKIATEST": "s3cr3t/Key"}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s
}

func (s *fakeSTS) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// next makes the answers to the next requests.
func (s *fakeSTS) next(says ...func(http.ResponseWriter, url.Values)) { s.says = says }

func (s *fakeSTS) requests() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// ServeHTTP implements [http.Handler].
func (s *fakeSTS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now().Add(s.ahead)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.Errorf("read the request: %v", err)
	}
	if err = s.verify(r, body, now); err != nil {
		failure(403, "SignatureDoesNotMatch", err.Error())(w, nil)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		s.Errorf("parse the request: %v", err)
	}
	s.mu.Lock()
	s.asked = append(s.asked, form)
	says := granted(now)
	if len(s.says) > 0 {
		says, s.says = s.says[0], s.says[1:]
	}
	s.mu.Unlock()
	says(w, form)
}

// granted answers with credentials as long as they are asked for.
func granted(now time.Time) func(http.ResponseWriter, url.Values) {
	return func(w http.ResponseWriter, form url.Values) {
		seconds, err := time.ParseDuration(form.Get("DurationSeconds") + "s")
		if err != nil {
			failure(400, "ValidationError", err.Error())(w, form)
			return
		}
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>
<SessionToken>role-token</SessionToken><Expiration>%s</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>`, now.Add(seconds).UTC().Format(time.RFC3339))
	}
}

func failure(status int, code, message string) func(http.ResponseWriter, url.Values) {
	return func(w http.ResponseWriter, _ url.Values) {
		var text strings.Builder
		_ = xml.EscapeText(&text, []byte(message))
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code, text.String())
	}
}

// raw answers with a body as it is.
func raw(status int, body string) func(http.ResponseWriter, url.Values) {
	return func(w http.ResponseWriter, _ url.Values) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// maxSkew is how wrong the time of a signature may be.
const maxSkew = 15 * time.Minute

// verify checks a signature over a POST of the whole body, in a header.
func (s *fakeSTS) verify(r *http.Request, body []byte, now time.Time) error {
	fields := map[string]string{}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch {
	case scheme != "AWS4-HMAC-SHA256" || err != nil || len(scope) != 5:
		return errors.New("no signature")
	case at.Sub(now).Abs() > maxSkew:
		return fmt.Errorf("Signature expired: %s is now earlier than %s", at, now.Add(-maxSkew))
	case scope[1] != at.Format("20060102") || scope[3] != "sts" || scope[4] != "aws4_request":
		return fmt.Errorf("the scope is %v", scope)
	case r.Header.Get("X-Amz-Security-Token") != s.session:
		return errors.New("The Canonical String should have been 'POST x-amz-security-token:" + r.Header.Get("X-Amz-Security-Token") + "'")
	}
	signed := strings.Split(fields["SignedHeaders"], ";")
	for _, must := range []string{"host", "x-amz-date"} {
		if !slices.Contains(signed, must) {
			return fmt.Errorf("%s is not signed", must)
		}
	}
	text := strings.Join([]string{
		scheme, r.Header.Get("X-Amz-Date"), strings.Join(scope[1:], "/"), sum(canonical(r, signed, body)),
	}, "\n")
	key := []byte("AWS4" + s.secrets[scope[0]])
	for _, part := range scope[1:] {
		key = mac(key, part)
	}
	want := hex.EncodeToString(mac(key, text))
	if !hmac.Equal([]byte(want), []byte(fields["Signature"])) {
		return errors.New("the signature we calculated does not match")
	}
	return nil
}

// canonical returns the canonical request; its path is "/" in STS.
func canonical(r *http.Request, signed []string, body []byte) string {
	var lines strings.Builder
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = cmp.Or(value, fmt.Sprint(r.ContentLength))
		}
		fmt.Fprintf(&lines, "%s:%s\n", name, strings.Join(strings.Fields(value), " "))
	}
	return strings.Join([]string{r.Method, "/", r.URL.RawQuery, lines.String(), strings.Join(signed, ";"), sum(string(body))}, "\n")
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text))
	return h.Sum(nil)
}

// TestVerify has the fake refuse what it should, so that what passes means something.
func TestVerify(t *testing.T) {
	s := newSTS(t)
	for _, tt := range []struct {
		name string
		keys string
	}{
		{"another secret", `{"access_key_id":"AKIATEST","secret_access_key":"other"}`},
		{"another id", `{"access_key_id":"AKIAOTHER","secret_access_key":"s3cr3t/Key"}`},
		{"a session token that it does not know", `{"access_key_id":"AKIATEST","secret_access_key":"s3cr3t/Key","session_token":"other"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.provider(t, validRole(), tt.keys).Credentials(t.Context())
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != "SignatureDoesNotMatch" {
				t.Errorf("Credentials: %v, want SignatureDoesNotMatch", err)
			}
		})
	}
}
