package moatd_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
)

var (
	expiries    = flag.Int("expiries", 4, "through how many expiries TestASingleUseRefreshTokenOutlivesKills goes")
	expiryKills = flag.Int("expirykills", 3, "how often it kills the daemon")
)

// A rotator is an OAuth server whose refresh tokens are good for one use: with the
// second one it takes all of the grant back. It is the service too.
type rotator struct {
	moment chan string // of the exchange under way, for who wants to kill then; never blocks

	mu      sync.Mutex
	refresh string               // guarded by mu; the one that is good
	access  map[string]time.Time // guarded by mu; until when each is good
	used    int                  // guarded by mu; exchanges
	twice   int                  // guarded by mu; uses of a token that was used
}

const (
	tokenLife   = 1 // second, that the server tells
	tokenLeeway = time.Second
)

func newRotator() *rotator {
	return &rotator{moment: make(chan string, 64), refresh: "refresh-0", access: make(map[string]time.Time)}
}

func (s *rotator) tell(moment string) {
	select {
	case s.moment <- moment:
	default:
	}
}

func (s *rotator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/token" {
		s.serve(w, r)
		return
	}
	s.tell("asked")
	status, body := s.rotate(r.FormValue("refresh_token"))
	s.tell("spent")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
	http.NewResponseController(w).Flush()
	s.tell("answered")
}

func (s *rotator) rotate(refresh string) (status int, body map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refresh != s.refresh {
		s.twice++
		return http.StatusBadRequest, map[string]any{"error": "invalid_grant"}
	}
	s.used++
	s.refresh = fmt.Sprintf("refresh-%d", s.used)
	access := fmt.Sprintf("access-%d", s.used)
	s.access[access] = time.Now().Add(tokenLife*time.Second + tokenLeeway)
	return http.StatusOK, map[string]any{
		"access_token": access, "token_type": "Bearer", "refresh_token": s.refresh, "expires_in": tokenLife,
	}
}

// serve is the service that the tokens are for.
func (s *rotator) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	until := s.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	s.mu.Unlock()
	if time.Now().After(until) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	io.Copy(w, r.Body)
}

func (s *rotator) counts() (used, twice int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.twice
}

// storeIn stores a credential in a home, as moat grant does.
func storeIn(t *testing.T, home string, c *credential.Credential) {
	t.Helper()
	if err := config.MakeHome(home); err != nil {
		t.Fatal(err)
	}
	keys := credential.NewKeyChain(credential.KeyOptions{Home: home, Credentials: config.CredentialsDir(home), Prefer: credential.KeyInFile})
	if err := keys.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := keys.Store(config.CredentialsDir(home))
	if err == nil {
		err = s.Put(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// provide describes a provider "demo" that sends its secret to addr as a bearer.
func provide(t *testing.T, home, addr string) {
	t.Helper()
	if err := config.MakeHome(home); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("name: demo\ndescription: d\ninject: [{hosts: [%q], prefix: 'Bearer '}]\n", addr)
	if err := os.WriteFile(filepath.Join(config.ProvidersDir(home), "demo.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// oauthGrant is an access token that has run out, and what renews it.
func oauthGrant(tokenURL string) *credential.Credential {
	return &credential.Credential{
		Grant: "demo", Secret: "access-0", Source: "oauth", CreatedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(-time.Minute),
		Renewal: &credential.Renewal{Kind: credential.RenewalOAuth2, RefreshToken: "refresh-0", TokenURL: tokenURL, ClientID: "moat"},
	}
}

// A caller is the client of one run.
type caller struct {
	http *http.Client
	url  string
	id   int
}

func newCaller(proxyAddr, token, target string, id int) *caller {
	via := &url.URL{Scheme: "http", Host: proxyAddr, User: url.UserPassword("moat", token)}
	return &caller{&http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(via)}}, target, id}
}

// call sends a request until there is an answer: with a daemon that is killed, its
// connections end too, and clients come again. It returns the status.
func (c *caller) call(ctx context.Context, n int) (int, string) {
	text := fmt.Sprintf("%d.%d", c.id, n)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(text))
		if err != nil {
			return 0, err.Error()
		}
		res, err := c.http.Do(req)
		if err != nil && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return 0, err.Error()
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			continue
		}
		if res.StatusCode == http.StatusOK && string(body) != text {
			return 0, "the answer of another request: " + string(body)
		}
		return res.StatusCode, string(body)
	}
}

// A hundred runs share a credential whose refresh token is good for one use, while
// the daemon is killed again and again, also between the answer that has the next
// token and the moment when that is on disk. Each request is answered by the service,
// and no token is used twice.
func TestASingleUseRefreshTokenOutlivesKills(t *testing.T) {
	const runs = 100
	s := newRotator()
	origin := httptest.NewServer(s)
	defer origin.Close()
	p := newProcess(t)
	p.delay = time.Millisecond // the helper may outlive the daemon: the next one must cope
	proxyAddr := p.handOver()
	provide(t, p.home, origin.Listener.Addr().String())
	storeIn(t, p.home, oauthGrant(origin.URL+"/token"))
	p.start()
	var callers []*caller
	for i := range runs {
		res, err := daemon.NewClient(p.sock).RegisterRun(t.Context(), daemon.RegisterRequest{
			RunID: fmt.Sprintf("r%d", i), Grants: []string{"demo"}, NetworkPolicy: "strict", NetworkAllow: []string{origin.Listener.Addr().String()},
		})
		if err != nil {
			t.Fatal(err)
		}
		callers = append(callers, newCaller(proxyAddr, res.AuthToken, origin.URL+"/", i))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var answered, bad atomic.Int64
	var wg sync.WaitGroup
	for _, c := range callers {
		wg.Go(func() {
			pace := time.NewTicker(50 * time.Millisecond)
			defer pace.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				status, body := c.call(ctx, n)
				if ctx.Err() != nil {
					return
				}
				answered.Add(1)
				if status != http.StatusOK && bad.Add(1) < 5 {
					t.Errorf("request %d of run %d: %d %s", n, c.id, status, body)
				}
				<-pace.C
			}
		})
	}
	moments := killAtMoments(t, p, s)
	for used, _ := s.counts(); used < *expiries && !t.Failed(); used, _ = s.counts() {
		s.await("answered")
	}
	stop()
	wg.Wait()
	p.end()
	used, twice := s.counts()
	if twice > 0 {
		t.Errorf("%d uses of a refresh token that was used", twice)
	}
	if t.Failed() {
		t.Logf("log:\n%s", p.output())
	}
	t.Logf("%d runs, %d requests answered, %d not by the service; %d exchanges, %d kills %v, %d tokens used twice",
		runs, answered.Load(), bad.Load(), used, *expiryKills, moments, twice)
}

// killAtMoments kills the daemon, in the moments of an exchange in turn and a random
// while after them, and starts the next one.
func killAtMoments(t *testing.T, p *process, s *rotator) map[string]int {
	t.Helper()
	moments := make(map[string]int)
	for i := range *expiryKills {
		want := []string{"asked", "spent", "answered", "any time"}[i%4]
		after := time.Duration(rand.IntN(5000)) * time.Microsecond
		if want == "any time" {
			after = time.Duration(rand.IntN(1500)) * time.Millisecond
		} else {
			s.await(want)
		}
		<-time.After(after)
		p.kill()
		p.start()
		moments[want]++
	}
	return moments
}

// await waits for the next such moment.
func (s *rotator) await(want string) {
	for len(s.moment) > 0 {
		<-s.moment // it is over
	}
	for moment := range s.moment {
		if moment == want {
			return
		}
	}
}

// A command reads what the confined daemon itself cannot.
func TestACommandIsRunOutsideOfTheConfinement(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("new-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new-secret" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		io.Copy(w, r.Body)
	}))
	defer origin.Close()
	addr := origin.Listener.Addr().String()
	p := newProcess(t)
	proxyAddr := p.handOver()
	provide(t, p.home, addr)
	storeIn(t, p.home, &credential.Credential{
		Grant: "demo", Secret: "old-secret", CreatedAt: time.Now().Add(-2 * time.Hour), ExpiresAt: time.Now().Add(-time.Hour),
		Renewal: &credential.Renewal{Kind: credential.RenewalCommand, Command: []string{"cat", file}},
	})
	p.start()
	res, err := daemon.NewClient(p.sock).RegisterRun(t.Context(), daemon.RegisterRequest{
		RunID: "r", Grants: []string{"demo"}, NetworkPolicy: "strict", NetworkAllow: []string{addr},
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := newCaller(proxyAddr, res.AuthToken, origin.URL+"/", 1).call(t.Context(), 1); status != http.StatusOK {
		t.Errorf("the first request: %d %s\n%s", status, body, p.output())
	}
	all, err := daemon.NewClient(p.sock).Credentials(t.Context())
	if err != nil || len(all) != 1 || all[0].State != "fresh" || all[0].LastStatus != http.StatusOK || all[0].Renewal != "command" {
		t.Errorf("credentials: %+v, %v", all, err)
	}
	p.end()
}
