package aws

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/moatd/moatd/pkg/credential"
)

const testKeys = `{"access_key_id":"AKIATEST","secret_access_key":"s3cr3t/Key"}`

// provider returns one that asks the fake, with the keys, "" for none.
func (s *fakeSTS) provider(tb testing.TB, role Role, keys string) *Provider {
	tb.Helper()
	p, err := New(role, s.options(keys))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func (s *fakeSTS) options(keys string) Options {
	return Options{
		Endpoint: s.URL, Roots: s.roots(),
		ConfigFile: os.DevNull, CredentialsFile: os.DevNull,
		Secret: func(context.Context) (credential.Secret, error) { return credential.Secret(keys), nil },
	}
}

func TestAssumeRole(t *testing.T) {
	s := newSTS(t)
	role := validRole()
	role.Duration, role.ExternalID = 2*time.Hour, "ext-1"
	before := time.Now().Add(2*time.Hour - time.Second)
	c, err := s.provider(t, role, testKeys).Credentials(t.Context())
	if err != nil || c.AccessKeyID != "ASIAROLE" || c.SecretAccessKey != "role-secret" || c.SessionToken != "role-token" ||
		c.Version != 1 || c.Expiration.Before(before.Truncate(time.Second)) {
		t.Errorf("Credentials = %v, %v", c, err)
	}
	want := []url.Values{{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {role.ARN}, "RoleSessionName": {"moat-run_7f3a"},
		"DurationSeconds": {"7200"}, "ExternalId": {"ext-1"},
	}}
	if d := cmp.Diff(want, s.requests()); d != "" {
		t.Errorf("requests to STS (-want +got):\n%s", d)
	}
}

func TestAnHourIsTheDefault(t *testing.T) {
	s := newSTS(t)
	if _, err := s.provider(t, validRole(), testKeys).Credentials(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.requests()[0]; got.Get("DurationSeconds") != "3600" || got.Has("ExternalId") {
		t.Errorf("request = %v, want 3600 seconds and no external id", got)
	}
}

func TestSourcesOfKeys(t *testing.T) {
	for _, tt := range []struct {
		name, grant, session  string // what is stored in moat; the session token that STS wants
		config, keys, profile string // the user's files, and the profile of the role
		want                  string // part of the error, "" for none
	}{
		{name: "the grant", grant: testKeys},
		{name: "the grant, with a session token", session: "tok", grant: testKeys[:len(testKeys)-1] + `,"session_token":"tok"}`},
		{name: "the grant comes before the profile", grant: testKeys, keys: "[default]\naws_access_key_id=X\naws_secret_access_key=Y\n"},
		{name: "the default profile", keys: "[default]\naws_access_key_id=AKIATEST\naws_secret_access_key=s3cr3t/Key\n"},
		{
			name: "a profile of another name", profile: "work",
			config: "[profile work]\nregion=us-east-1\n", keys: "[work]\naws_access_key_id=AKIATEST\naws_secret_access_key=s3cr3t/Key\n",
		},
		{name: "a profile that there is not", profile: "gone", want: "moat grant aws"},
		{name: "a profile without keys: EC2's metadata is not asked", config: "[default]\nregion=us-east-1\n", want: "moat grant aws"},
		{name: "nothing at all", want: "moat grant aws"},
		{name: "a grant that makes no sense", grant: "AKIATEST", want: "holds no keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSTS(t)
			s.session = tt.session
			dir, opts, role := t.TempDir(), s.options(tt.grant), validRole()
			role.SourceProfile = tt.profile
			opts.ConfigFile, opts.CredentialsFile = filepath.Join(dir, "config"), filepath.Join(dir, "credentials")
			for path, text := range map[string]string{opts.ConfigFile: tt.config, opts.CredentialsFile: tt.keys} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p, err := New(role, opts)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Credentials(t.Context())
			if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), role.ARN)) {
				t.Errorf("Credentials: %v, want %q and the role in it", err, tt.want)
			}
			if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Code != codeSource) {
				t.Errorf("error = %#v, want the code %s", err, codeSource)
			}
		})
	}
}

func TestStoreThatCannotBeRead(t *testing.T) {
	opts := newSTS(t).options("")
	opts.Secret = func(context.Context) (credential.Secret, error) { return "", errors.New("grant aws: damaged") }
	p, err := New(validRole(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Credentials(t.Context()); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Credentials: %v, want what the store says, and no other keys", err)
	}
}

// TestDaemonsEnvironmentDoesNotCount has other keys in the environment.
func TestDaemonsEnvironmentDoesNotCount(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env", "AWS_PROFILE": "env",
		"AWS_ENDPOINT_URL": "https://env.invalid", "AWS_ENDPOINT_URL_STS": "https://env.invalid", "AWS_REGION": "us-west-2",
		"HTTPS_PROXY": "http://env.invalid:1",
	} {
		t.Setenv(name, value)
	}
	s := newSTS(t)
	if _, err := s.provider(t, validRole(), testKeys).Credentials(t.Context()); err != nil {
		t.Errorf("Credentials: %v", err)
	}
	if _, err := s.provider(t, validRole(), "").Credentials(t.Context()); err == nil {
		t.Errorf("Credentials without a grant and a profile: no error, want none of the environment's keys")
	}
}

func TestWhatGoesWrong(t *testing.T) {
	denied := "User: arn:aws:iam::123456789012:user/me is not authorized to perform: sts:AssumeRole"
	session := testKeys[:len(testKeys)-1] + `,"session_token":"hidden-token"}`
	throttled := failure(400, "Throttling", "Rate exceeded")
	for _, tt := range []struct {
		name, keys, code, want string // want is a part of the error; "" means that there is none
		says                   []func(http.ResponseWriter, url.Values)
	}{
		{"AWS says no", testKeys, "AccessDenied", denied, []func(http.ResponseWriter, url.Values){failure(403, "AccessDenied", denied)}},
		{
			"the session may not be so long", testKeys, "ValidationError", "exceeds the MaxSessionDuration",
			[]func(http.ResponseWriter, url.Values){failure(400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration")},
		},
		{"too many requests, once", testKeys, "", "", []func(http.ResponseWriter, url.Values){throttled}},
		{"too many requests, always", testKeys, "Throttling", "Rate exceeded", []func(http.ResponseWriter, url.Values){throttled, throttled, throttled, throttled}},
		{"a broken AWS, once", testKeys, "", "", []func(http.ResponseWriter, url.Values){raw(500, "")}},
		{"an answer that is no XML", testKeys, codeFailed, "deserialization failed", []func(http.ResponseWriter, url.Values){raw(200, "<html")}},
		{"an answer without credentials", testKeys, codeMalformed, "no credentials in it", []func(http.ResponseWriter, url.Values){
			raw(200, "<AssumeRoleResponse><AssumeRoleResult></AssumeRoleResult></AssumeRoleResponse>"),
		}},
		{"credentials without an end", testKeys, codeMalformed, "no credentials in it", []func(http.ResponseWriter, url.Values){
			raw(200, "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey>"+
				"<SessionToken>c</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>"),
		}},
		{"AWS repeats the session token", session, "SignatureDoesNotMatch", "x-amz-security-token:[secret]", nil},
		{"AWS repeats the secret, over two lines", testKeys, "Odd", "no [secret]", []func(http.ResponseWriter, url.Values){
			failure(400, "Odd", "no s3cr3t/Key\nand more"),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSTS(t)
			s.next(tt.says...)
			_, err := s.provider(t, validRole(), tt.keys).Credentials(t.Context())
			e, ok := errors.AsType[*Error](err)
			if (err == nil) != (tt.want == "") || err != nil && (!ok || e.Code != tt.code || !strings.Contains(e.Text, tt.want)) {
				t.Fatalf("Credentials: %#v, want the code %s and %q", err, tt.code, tt.want)
			}
			if err == nil {
				return
			}
			text := err.Error()
			if strings.Contains(text, "s3cr3t") || strings.Contains(text, "hidden") || strings.Contains(text, "\n") || !strings.HasPrefix(text, "assume "+validRole().ARN+": ") {
				t.Errorf("error = %q, want the role in it, no secret, and one line", text)
			}
		})
	}
}

// TestClockThatIsWrong has AWS an hour ahead: it says so, and is asked again.
func TestClockThatIsWrong(t *testing.T) {
	s := newSTS(t)
	s.ahead = time.Hour
	p := s.provider(t, validRole(), testKeys)
	if _, err := p.Credentials(t.Context()); err != nil {
		t.Errorf("Credentials: %v, want them signed with the time of AWS", err)
	}
	if left := time.Until(p.have.until); left > time.Hour-early {
		t.Errorf("the credentials are kept for %v, want no more than 55 minutes", left)
	}
}

func TestAWSThatIsNotToBeTrusted(t *testing.T) {
	s := newSTS(t)
	opts := s.options(testKeys)
	opts.Roots = nil
	p, err := New(validRole(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Credentials(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Credentials: %v, want that the certificate is not trusted", err)
	}
	if len(s.requests()) > 0 {
		t.Errorf("the request was sent all the same")
	}
}

func TestSecretsAreTold(t *testing.T) {
	s := newSTS(t)
	s.session = "tok-en"
	opts := s.options(testKeys[:len(testKeys)-1] + `,"session_token":"tok-en"}`)
	var seen []string
	opts.Seen = func(secret string) { seen = append(seen, secret) }
	log, lines := test.NewNullLogger()
	opts.Log = logrus.NewEntry(log)
	p, err := New(validRole(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Credentials(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"s3cr3t/Key", "tok-en"}, seen); d != "" {
		t.Errorf("seen (-want +got):\n%s", d)
	}
	line, err := lines.LastEntry().String()
	if err != nil || !strings.Contains(line, "AWS role assumed") || strings.Contains(line, "role-secret") || strings.Contains(line, "role-token") {
		t.Errorf("log = %q, %v", line, err)
	}
}

func TestHandler(t *testing.T) {
	s := newSTS(t)
	for _, tt := range []struct {
		name, method string
		says         func(http.ResponseWriter, url.Values) // nil for credentials
		status       int
		want         string // the document; END stands for the time of its end
	}{
		{"credentials", "GET", nil, 200, `{"Version":1,"AccessKeyId":"ASIAROLE","SecretAccessKey":"role-secret","SessionToken":"role-token","Expiration":"END"}`},
		{"AWS says no", "GET", failure(403, "AccessDenied", "no"), 502, `{"error":"assume arn:aws:iam::123456789012:role/agent: AccessDenied: no","code":"AccessDenied"}`},
		{"another method", "POST", nil, 405, `{"error":"the credentials are read with GET","code":"method"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.says != nil {
				s.next(tt.says)
			}
			rec := httptest.NewRecorder()
			s.provider(t, validRole(), testKeys).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), tt.method, "/", nil))
			var doc struct{ Expiration string }
			if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil {
				t.Fatal(err)
			}
			got := strings.TrimSpace(rec.Body.String())
			if end, err := time.Parse(time.RFC3339, doc.Expiration); err == nil && time.Until(end) > 59*time.Minute {
				got = strings.ReplaceAll(got, doc.Expiration, "END")
			}
			if rec.Code != tt.status || got != tt.want || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("answer = %d %s %v, want %d %s and no-store", rec.Code, got, rec.Header(), tt.status, tt.want)
			}
		})
	}
}

func TestHandlerOfAClientThatGoes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec := httptest.NewRecorder()
	newSTS(t).provider(t, validRole(), testKeys).ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	if rec.Code != 502 || !strings.Contains(rec.Body.String(), "context canceled") {
		t.Errorf("answer = %d %s", rec.Code, rec.Body)
	}
}
