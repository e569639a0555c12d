package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/activation"
)

// onDisk returns a server whose runs are kept in a fake store.
func onDisk(t *testing.T, g Granter) (*Server, *Client, *memStore) {
	t.Helper()
	s, c, disk, _ := onDiskWithLog(t, g)
	return s, c, disk
}

// onDiskWithLog does so and returns what the server logs, too.
//
//nolint:revive // four results are clearer here than a type for them
func onDiskWithLog(t *testing.T, g Granter) (*Server, *Client, *memStore, *logtest.Hook) {
	t.Helper()
	disk, r := new(memStore), NewRegistryWith(RegistryOptions{Granter: g})
	log, hook := logtest.NewNullLogger()
	s, c := serve(t, Options{Registry: r, Persister: &RunPersister{registry: r, runs: disk}, Log: log})
	return s, c, disk, hook
}

func TestWhatWasAnsweredIsOnDisk(t *testing.T) {
	s, c, disk := onDisk(t, nil)
	ctx := t.Context()
	res, err := c.RegisterRun(ctx, RegisterRequest{RunID: "a"})
	if err != nil {
		t.Fatalf("RegisterRun = %v", err)
	}
	if res.ProxyPort != 19080 || len(res.AuthToken) != 64 {
		t.Errorf("RegisterRun = port %d, token of %d characters; want 19080, 64", res.ProxyPort, len(res.AuthToken))
	}
	if err = c.UpdateRun(ctx, res.AuthToken, "c1"); err != nil {
		t.Errorf("UpdateRun = %v", err)
	}
	rec, err := decode(disk.runs["a"])
	if err != nil || rec.AuthToken != res.AuthToken || rec.ContainerID != "c1" {
		t.Errorf("on disk is %v with container %q (%v), want run a with c1", rec, rec.ContainerID, err)
	}
	if err := c.UnregisterRun(ctx, res.AuthToken); err != nil || len(disk.ids()) > 0 || s.Registry().Count() > 0 {
		t.Errorf("UnregisterRun = %v, on disk %v, %d live; want nothing left", err, disk.ids(), s.Registry().Count())
	}
}

func TestAStoreThatFailsChangesNothing(t *testing.T) {
	s, c, disk, hook := onDiskWithLog(t, nil)
	ctx := t.Context()
	res, err := c.RegisterRun(ctx, RegisterRequest{RunID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	disk.fail(errors.New("disk full: s3cret"))
	for _, tt := range []struct {
		name string
		call func() error
	}{
		{"registration", func() error { return register(RegisterRequest{RunID: "b"})(ctx, c) }},
		{"registration under its token", func() error { return register(RegisterRequest{RunID: "a", AuthToken: res.AuthToken})(ctx, c) }},
		{"update", func() error { return c.UpdateRun(ctx, res.AuthToken, "c1") }},
		{"removal", func() error { return c.UnregisterRun(ctx, res.AuthToken) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hook.Reset()
			rc, _ := s.Registry().Lookup(res.AuthToken)
			err := tt.call()
			if err == nil || err.Error() != "status 500: internal error; the daemon's log has it" {
				t.Errorf("the client got %v, want an internal error and no more", err)
			}
			now, _ := s.Registry().Lookup(res.AuthToken)
			if s.Registry().Count() != 1 || now != rc || rc.GetContainerID() != "" {
				t.Errorf("%d runs, another one: %t, container %q; want the one as it was", s.Registry().Count(), now != rc, rc.GetContainerID())
			}
			if e := hook.LastEntry(); e == nil || e.Level != logrus.ErrorLevel || !strings.Contains(fmt.Sprint(e.Data[logrus.ErrorKey]), "disk full") {
				t.Errorf("the log has %v, want the error of the store", e)
			}
		})
	}
	disk.fail(nil)
	if err := register(RegisterRequest{RunID: "b"})(ctx, c); err != nil {
		t.Errorf("once the store works, RegisterRun(id that failed) = %v", err)
	}
}

func TestRefusedRegistrations(t *testing.T) {
	long := strings.Repeat("x", maxBody)
	for _, tt := range []struct {
		name string
		req  RegisterRequest
		want error
		text string // in the error
	}{
		{"no id", RegisterRequest{}, ErrBadRequest, "run_id is missing"},
		{"an id with a space", RegisterRequest{RunID: "a b"}, ErrBadRequest, "visible"},
		{"an id that is too long", RegisterRequest{RunID: long[:129]}, ErrBadRequest, "128"},
		{"a token with a line break", RegisterRequest{RunID: "a", AuthToken: "t\n"}, ErrBadRequest, "auth_token"},
		{"a token that is too long", RegisterRequest{RunID: "a", AuthToken: long[:513]}, ErrBadRequest, "512"},
		{"a body that is too long", RegisterRequest{RunID: "a", NetworkAllow: []string{long}}, ErrBadRequest, "too large"},
		{"a policy that there is not", RegisterRequest{RunID: "a", NetworkPolicy: "lax"}, ErrBadRequest, "lax"},
		{"a credential for no host", RegisterRequest{RunID: "a", Credentials: []CredentialSpec{{Host: "a b", Header: "X-Key", Value: "s3cret"}}}, ErrBadRequest, "rules"},
		{"a credential that is no header", RegisterRequest{RunID: "a", Credentials: []CredentialSpec{{"a.example", "X-Key", "s3cret\r\nX: y", ""}}}, ErrBadRequest, "a.example"},
		{"a grant that there is not", RegisterRequest{RunID: "a", Grants: []string{"gitlab", "odd"}}, ErrGrant, "run `moat grant gitlab`; grant odd: "},
		{"the id of another run", RegisterRequest{RunID: "taken"}, ErrRunExists, "taken is registered under another token"},
		{"the token of another run", RegisterRequest{RunID: "a", AuthToken: "token-of-other"}, ErrRunExists, "the token belongs to other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c, disk := onDisk(t, newVault(nil))
			restored(s.Registry(), "taken")
			s.Registry().RegisterWithToken(NewRunContext("other"), "token-of-other")
			_, err := c.RegisterRun(t.Context(), tt.req)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("RegisterRun = %v; want %v with %q, and no secret", err, tt.want, tt.text)
			}
			if s.Registry().Count() != 2 || len(disk.ids()) != 0 {
				t.Errorf("%d runs live, on disk %v; want the two others alone, on no disk", s.Registry().Count(), disk.ids())
			}
		})
	}
}

func TestARunThatRegistersAgainIsReplacedInPlace(t *testing.T) {
	v := newVault(map[string]string{"github": "s3cret"})
	s, c, disk := onDisk(t, v)
	ctx := t.Context()
	res, err := c.RegisterRun(ctx, RegisterRequest{RunID: "a", Grants: []string{"github"}})
	if err != nil {
		t.Fatal(err)
	}
	v.set("github", "")
	again, err := c.RegisterRun(ctx, RegisterRequest{RunID: "a", AuthToken: res.AuthToken, Grants: []string{"github"}, NetworkPolicy: "strict"})
	if err != nil || again.AuthToken != res.AuthToken {
		t.Fatalf("RegisterRun(own token, no credential) = %v; want the same token", err)
	}
	if got := outcome(t, live(t, s.Registry(), res.AuthToken), "other.example"); !strings.HasPrefix(got, "network-policy") {
		t.Errorf("a request gets %q, want it judged by the new policy", got)
	}
	runs, err := c.ListRuns(ctx)
	want := []RunInfo{{
		RunID: "a", State: StateDegraded, Grants: []string{"github"},
		Reason: "grant github: no credential; run `moat grant github`",
	}}
	if len(runs) == 1 {
		runs[0].RegisteredAt = ""
	}
	if d := cmp.Diff(want, runs); d != "" || err != nil {
		t.Errorf("ListRuns: %v (-want +got):\n%s", err, d)
	}
	if h, err := c.Health(ctx); err != nil || h.Degraded != 1 || h.RunCount != 1 {
		t.Errorf("Health = %+v, %v; want 1 run, degraded", h, err)
	}
	v.set("github", "new")
	if err := c.Reload(ctx); err != nil {
		t.Errorf("Reload = %v", err)
	}
	if got, want := outcome(t, live(t, s.Registry(), res.AuthToken), "github.example"), "Authorization: Bearer new"; got != want {
		t.Errorf("after Reload, a request gets %q, want %q", got, want)
	}
	if d := cmp.Diff([]string{"a"}, disk.ids()); d != "" {
		t.Errorf("on disk (-want +got):\n%s", d)
	}
}

// nonsense is a Granter whose rules cannot be compiled.
type nonsense struct{ noGranter }

func (nonsense) Configure(_ context.Context, _ string, into credential.ProxyConfigurer) error {
	into.SetCredential("no host", "s3cret")
	return nil
}

func TestAGrantWhoseRulesMakeNoSenseIsRefused(t *testing.T) {
	s, c, _ := onDisk(t, nonsense{})
	_, err := c.RegisterRun(t.Context(), RegisterRequest{RunID: "a", Grants: []string{"odd"}})
	if !errors.Is(err, ErrGrant) || strings.Contains(err.Error(), "s3cret") || s.Registry().Count() != 0 {
		t.Errorf("RegisterRun = %v, %d runs live; want ErrGrant and none", err, s.Registry().Count())
	}
}

func TestConcurrentChangesOfOneRunKeepMemoryAndDiskTheSame(t *testing.T) {
	s, c, disk := onDisk(t, nil)
	p := s.hooks.persister.Load()
	var wg sync.WaitGroup
	for w := range 4 {
		token := fmt.Sprint("token-", w%2) // two workers for each run
		wg.Go(func() {
			for i := range 40 {
				_, err := c.RegisterRun(context.Background(), RegisterRequest{RunID: "run-of-" + token, AuthToken: token})
				errs := []error{err, c.UpdateRun(context.Background(), token, fmt.Sprint("c", i)), c.UnregisterRun(context.Background(), token)}
				if err := errors.Join(errs...); err != nil && !errors.Is(err, ErrRunNotFound) {
					t.Error(err)
				}
			}
			if _, err := c.RegisterRun(context.Background(), RegisterRequest{RunID: "run-of-" + token, AuthToken: token}); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			for range 40 {
				if err := p.Save(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := []string{"run-of-token-0", "run-of-token-1"}
	var live []string
	for _, rc := range s.Registry().List() {
		live = append(live, rc.RunID)
	}
	if d := cmp.Diff(want, disk.ids()); d != "" || len(live) != 2 {
		t.Errorf("live: %v; on disk (-want +got):\n%s", live, d)
	}
}

func TestASaveDoesNotUndoARegistrationUnderWay(t *testing.T) {
	s, _, disk := onDisk(t, nil)
	p := s.hooks.persister.Load()
	done := p.change()
	rc := NewRunContext("a")
	rc.AuthToken = "t"
	saved := make(chan error)
	go func() { saved <- p.Save() }()
	if err := p.put(rc); err != nil {
		t.Fatal(err)
	}
	s.Registry().RegisterWithToken(rc, "t")
	done()
	if err := <-saved; err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a"}, disk.ids()); d != "" {
		t.Errorf("on disk after both (-want +got):\n%s", d)
	}
}

func TestARefreshMissesNoRunThatIsBeingRegistered(t *testing.T) {
	v := newVault(map[string]string{"github": "old"})
	s, c, _ := onDisk(t, v)
	var once sync.Once
	v.asked = func(string) { // after the registration has looked, before the run is live
		once.Do(func() {
			v.set("github", "new")
			s.Registry().Refresh(context.Background())
		})
	}
	res, err := c.RegisterRun(t.Context(), RegisterRequest{RunID: "a", Grants: []string{"github"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := outcome(t, live(t, s.Registry(), res.AuthToken), "github.example"), "Authorization: Bearer new"; got != want {
		t.Errorf("a request gets %q, want %q", got, want)
	}
}

func TestHooksMayBeSetWhileServing(t *testing.T) {
	s, c, _ := onDisk(t, nil)
	ctx := t.Context()
	var mu sync.Mutex
	var got []string
	saw := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, what)
	}
	set := func() {
		s.SetOnRegister(func() { saw("register") })
		s.SetOnUnregister(func(id string) { saw("unregister " + id) })
		s.SetOnEmpty(func() { saw("empty") })
		s.SetOnShutdown(func() { saw("shutdown") })
		s.SetProxyPort(1)
	}
	set()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 100 {
			set()
		}
	})
	for _, id := range []string{"a", "b"} {
		if _, err := c.RegisterRun(ctx, RegisterRequest{RunID: id, AuthToken: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.UnregisterRun(ctx, "a"), c.UnregisterRun(ctx, "b"), c.Shutdown(ctx)); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	want := []string{"register", "register", "unregister a", "unregister b", "empty", "shutdown"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("hooks (-want +got):\n%s", d)
	}
	s.SetOnRegister(nil)
	s.SetOnUnregister(nil)
	s.SetOnEmpty(nil)
	s.SetOnShutdown(nil)
	s.SetPersister(nil)
	_, err := c.RegisterRun(ctx, RegisterRequest{RunID: "c", AuthToken: "c"})
	if err = errors.Join(err, c.UnregisterRun(ctx, "c"), c.Shutdown(ctx)); err != nil {
		t.Errorf("without hooks and persister: %v", err)
	}
}

func TestOnlyTheOwnerIsServed(t *testing.T) {
	s := New(Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0") // its peers have no uid
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, ln) }()
	res, err := (&http.Client{Transport: new(http.Transport)}).Get("http://" + ln.Addr().String() + "/v1/health")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("over TCP, health = %s, want 403", res.Status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if !trusted(0) || trusted(4242424) {
		t.Errorf("trusted(root) = %t, trusted(another) = %t; want true, false", trusted(0), trusted(4242424))
	}
}

func TestServeLetsARequestInFlightEnd(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s, sock := New(Options{Reload: func(ctx context.Context) error {
		close(begun)
		<-goOn
		return ctx.Err()
	}}), tempSock(t)
	ln, err := activation.ListenUnix(t.Context(), sock)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served, reloaded := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	go func() { reloaded <- NewClient(sock).Reload(context.Background()) }()
	<-begun
	cancel()
	for { // until Serve has taken note
		if _, err := NewClient(sock).Health(t.Context()); err != nil {
			break
		}
	}
	select {
	case err := <-served:
		t.Fatalf("Serve = %v while a request is in flight", err)
	default:
	}
	close(goOn)
	if err := <-reloaded; err != nil {
		t.Errorf("the request in flight = %v, want nil", err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

func TestAReloadGoesOnWithoutItsClient(t *testing.T) {
	_, c := serve(t, Options{Reload: func(ctx context.Context) error {
		if ctx.Done() != nil {
			return errors.New("the context of a reload ends with its client")
		}
		return nil
	}})
	if err := c.Reload(t.Context()); err != nil {
		t.Errorf("Reload = %v", err)
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	ln, err := activation.ListenUnix(t.Context(), tempSock(t))
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := New(Options{}).Serve(t.Context(), ln); err == nil {
		t.Error("Serve(closed listener) = nil, want an error")
	}
}
