package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// dockyard is a container engine on a socket: the answers, status and body, by
// path, and a stream of events.
type dockyard struct {
	path   string
	server *http.Server
	ln     net.Listener

	mu      sync.Mutex
	answers map[string]string // guarded by mu; by container "STATUS BODY"
	asked   []string          // guarded by mu
	events  chan string
}

func newDockyard(t *testing.T) *dockyard {
	t.Helper()
	d := &dockyard{path: tempSock(t), answers: make(map[string]string), events: make(chan string)}
	d.open(t)
	return d
}

// open begins to serve, on a socket of the same path.
func (d *dockyard) open(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("unix", d.path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containers/{id}/json", d.inspect)
	mux.HandleFunc("GET /events", d.stream)
	d.server, d.ln = &http.Server{Handler: mux}, ln
	go d.server.Serve(ln)
	t.Cleanup(d.close)
}

// close ends the engine and removes its socket.
func (d *dockyard) close() {
	d.server.Close()
	d.ln.Close() // should Serve not have come to it yet
}

func (d *dockyard) say(container, answer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[container] = answer
}

func (d *dockyard) forget(container string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.answers, container)
}

func (d *dockyard) inspect(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	d.mu.Lock()
	d.asked = append(d.asked, id)
	answer, ok := d.answers[id]
	d.mu.Unlock()
	if !ok {
		answer = `404 {"message":"No such container: ` + id + `"}`
	}
	var status int
	fmt.Sscan(answer, &status)
	w.WriteHeader(status)
	fmt.Fprint(w, answer[4:])
}

func (d *dockyard) stream(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).Flush()
	for {
		select {
		case ev := <-d.events:
			if ev == "" {
				return
			}
			fmt.Fprintln(w, ev)
			http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func state(status, policy string) string {
	return fmt.Sprintf(`200 {"Id":"x","State":{"Status":%q},"HostConfig":{"RestartPolicy":{"Name":%q}}}`, status, policy)
}

// program puts a command that prints out and errs, and ends with code, into PATH
// before all others.
func program(t *testing.T, name, out, errs string, code int) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$*\" >>%s/calls\nprintf '%%s' '%s'\nprintf '%%s' '%s' >&2\nexit %d\n", dir, out, errs, code)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// checker returns a checker of some engines.
func checker(engines ...engine) *CommandContainerChecker {
	return &CommandContainerChecker{engines: engines, homes: make(map[string]engine)}
}

func (d *dockyard) engine() *socketEngine { return newSocketEngine(d.path, false) }

func TestWhatAnEngineSaysOfAContainer(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		alive        bool
		err          string // part of it, "" for none
	}{
		{"running", state("running", ""), true, ""},
		{"paused, so that it may go on", state("paused", "no"), true, ""},
		{"about to run again", state("restarting", "always"), true, ""},
		{"not started yet", state("created", ""), true, ""},
		{"not started yet, in Podman's words", state("configured", ""), true, ""},
		{"ended", state("exited", "no"), false, ""},
		{"ended, in Podman's words", state("stopped", ""), false, ""},
		{"failed to be removed", state("dead", ""), false, ""},
		{"being removed", state("removing", ""), false, ""},
		{"ended for good after failures", state("exited", "on-failure"), false, ""},
		{"ended, and started with the engine", state("exited", "always"), false, "will start it again"},
		{"ended, and started with the engine unless stopped", state("exited", "unless-stopped"), false, "will start it again"},
		{"removed", `404 {"message":"No such container: c"}`, false, ""},
		{"removed, in Podman's words", `404 {"cause":"no such container","message":"no container with name or ID \"c\" found: no such container","response":404}`, false, ""},
		{"no engine at all, but a web server", `404 page not found`, false, "does not speak as a container engine"},
		{"JSON of something else", `404 {"message":"page not found"}`, false, "does not speak as a container engine"},
		{"an engine in trouble", `500 {"message":"oops"}`, false, "500 Internal Server Error"},
		{"a state of the future", state("hibernating", ""), false, `"hibernating"`},
		{"no JSON", `200 hello`, false, "no JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDockyard(t)
			d.say("c", tt.answer)
			got, err := checker(d.engine()).IsContainerRunning(t.Context(), "c")
			if got != tt.alive || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("IsContainerRunning = %v, %v; want %v and an error with %q", got, err, tt.alive, tt.err)
			}
		})
	}
}

func TestWhatACommandSaysOfAContainer(t *testing.T) {
	for _, tt := range []struct {
		name, out, errs string
		code            int
		alive           bool
		err             string
	}{
		{"running", "running no\n", "", 0, true, ""},
		{"ended", "exited \n", "", 0, false, ""},
		{"ended, and started with the engine", "exited always\n", "", 0, false, "will start it again"},
		{"removed, in Docker's words", "\n", "Error: No such container: c\n", 1, false, ""},
		{"removed, in the words of Docker's daemon", "", "Error response from daemon: No such container: c", 1, false, ""},
		{"removed, in Podman's words", "", "Error: no such container c", 125, false, ""},
		{"an engine that is down", "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", 1, false, "Cannot connect"},
		{"it says nothing", "", "", 0, false, "says nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program(t, "docker", tt.out, tt.errs, tt.code)
			list := brand("docker", []string{filepath.Join(t.TempDir(), "none.sock")})
			got, err := checker(list...).IsContainerRunning(t.Context(), "c")
			if got != tt.alive || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("IsContainerRunning = %v, %v; want %v and an error with %q", got, err, tt.alive, tt.err)
			}
		})
	}
}

func TestWhatApplesCommandSaysOfAContainer(t *testing.T) {
	for _, tt := range []struct {
		name, out string
		alive     bool
		err       bool
	}{
		{"running", `[{"status":"running","configuration":{"id":"c"}}]`, true, false},
		{"stopped", `[{"status":"stopped"}]`, false, false},
		{"none of this name", `[]`, false, false},
		{"no JSON", `c running`, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir()+":/bin:/usr/bin")
			program(t, "container", tt.out, "", 0)
			list := enginesOf(ContainerOptions{}, "darwin")
			got, err := checker(list[len(list)-1]).IsContainerRunning(t.Context(), "c")
			if got != tt.alive || (err != nil) != tt.err {
				t.Errorf("IsContainerRunning = %v, %v; want %v and an error: %v", got, err, tt.alive, tt.err)
			}
		})
	}
}

func TestTheEngineOfAContainerIsRemembered(t *testing.T) {
	docker, podman := newDockyard(t), newDockyard(t)
	podman.say("c", state("running", ""))
	c := checker(docker.engine(), podman.engine())
	ask := func(id string) string {
		t.Helper()
		alive, err := c.IsContainerRunning(t.Context(), id)
		if err != nil {
			return "not to be found out"
		}
		return map[bool]string{true: "runs", false: "gone"}[alive]
	}
	for _, step := range []struct {
		name string
		do   func()
		id   string
		want string
	}{
		{"one of the engines has it", func() {}, "c", "runs"},
		{"its engine is down, though another has never heard of it", podman.close, "c", "not to be found out"},
		{"an engine that is down and has removed its socket may be told nothing of a strange container", func() {}, "d", "gone"},
		{"its engine is back", func() { podman.open(t) }, "c", "runs"},
		{"its engine has removed it", func() { podman.forget("c") }, "c", "gone"},
		{"what is forgotten is asked of all", func() { c.keep(nil); docker.say("c", state("running", "")) }, "c", "runs"},
	} {
		if step.do(); ask(step.id) != step.want {
			t.Errorf("%s: %s, want %s", step.name, ask(step.id), step.want)
		}
	}
	if n := len(docker.asked); n != 3 {
		t.Errorf("the first engine was asked %d times (%v), want 3: at first, about d, and after it was forgotten", n, docker.asked)
	}
}

func TestEnginesThatCannotBeAsked(t *testing.T) {
	dead := tempSock(t) // a socket file that nobody listens on
	ln, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	t.Setenv("PATH", t.TempDir())
	live := newDockyard(t)
	for _, tt := range []struct {
		name    string
		engines []engine
		want    error // nil for some error
	}{
		{"none on this machine", enginesOf(ContainerOptions{}, "linux")[:0], errNoEngine},
		{"neither socket nor command", brand("nosuchengine", []string{"/nonexistent/a.sock"}), errNoEngine},
		{"a dead socket beside an engine that knows nothing", []engine{newSocketEngine(dead, false), live.engine()}, nil},
		{"a socket that there is for sure, and is not there", []engine{newSocketEngine("/nonexistent/a.sock", true), live.engine()}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := checker(tt.engines...).IsContainerRunning(t.Context(), "c")
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("IsContainerRunning: error %v, want %v: it may be there", err, tt.want)
			}
		})
	}
}

func TestNamesThatNoEngineGives(t *testing.T) {
	d := newDockyard(t)
	for _, id := range []string{"", "-v", "--format={{json .}}", "../images/x", "a/b", "a b", "a?b", ".", "ünï", "a\n"} {
		if _, err := checker(d.engine()).IsContainerRunning(t.Context(), id); !errors.Is(err, errStrange) {
			t.Errorf("IsContainerRunning(%q): error %v, want that no engine calls one so", id, err)
		}
	}
	if len(d.asked) > 0 {
		t.Errorf("the engine was asked for %q", d.asked)
	}
}

func TestThePlacesOfEngines(t *testing.T) {
	places := func(opts ContainerOptions, system string) string {
		var out []string
		for _, e := range enginesOf(opts, system) {
			switch e := e.(type) {
			case *socketEngine:
				out = append(out, e.path)
			case *commandEngine:
				out = append(out, e.name)
			}
		}
		return strings.Join(out, " ")
	}
	for _, tt := range []struct {
		name   string
		opts   ContainerOptions
		system string
		want   string
	}{
		{"nothing known", ContainerOptions{}, "linux", "/var/run/docker.sock docker /run/podman/podman.sock podman"},
		{
			"a runtime directory",
			ContainerOptions{RuntimeDir: "/run/user/1000"},
			"linux",
			"/var/run/docker.sock /run/user/1000/docker.sock docker /run/podman/podman.sock /run/user/1000/podman/podman.sock podman",
		},
		{"a socket of the user's", ContainerOptions{Sockets: []string{"/x.sock"}}, "linux", "/x.sock /var/run/docker.sock docker /run/podman/podman.sock podman"},
		{
			"macOS",
			ContainerOptions{UserHome: "/Users/a"},
			"darwin",
			"/var/run/docker.sock /Users/a/.docker/run/docker.sock /Users/a/.docker/desktop/docker.sock /Users/a/.colima/default/docker.sock " +
				"/Users/a/.rd/docker.sock docker /run/podman/podman.sock podman container",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := places(tt.opts, tt.system); got != tt.want {
				t.Errorf("the engines are\n%s, want\n%s", got, tt.want)
			}
		})
	}
}

func TestAContainerThatIsRemovedAsItEndsIsOneOfTheEngineThatSaidSo(t *testing.T) {
	const id = "0123456789abcdef"
	for _, name := range []string{id, id[:12], "n"} {
		d := newDockyard(t)
		down := newSocketEngine("/nonexistent/a.sock", true)
		c := checker(d.engine(), down)
		if _, err := c.IsContainerRunning(t.Context(), name); err == nil {
			t.Errorf("IsContainerRunning(%q) = gone, want an error: it may be of the engine that is down", name)
		}
		ctx, cancel := context.WithCancel(t.Context())
		heard, ended := make(chan notice), make(chan struct{})
		go func() {
			defer close(ended)
			c.watch(ctx, func(n notice) { heard <- n })
		}()
		<-heard
		d.events <- `{"Action":"die","Actor":{"ID":"` + id + `","Attributes":{"name":"n"}}}`
		<-heard
		if alive, err := c.IsContainerRunning(t.Context(), name); alive || err != nil {
			t.Errorf("IsContainerRunning(%q) = %v, %v, want it gone: its engine has told of its end", name, alive, err)
		}
		cancel()
		<-ended
	}
}

func TestEventsOfAnEngine(t *testing.T) {
	d := newDockyard(t)
	d.close()
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan notice)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		checker(d.engine()).watch(ctx, func(n notice) { heard <- n })
	}()
	next := func(want notice) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard %+v, want %+v", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("heard nothing, want %+v", want)
		}
	}
	d.open(t) // after the first attempt, or before it
	next(notice{})
	d.events <- `{"Type":"container","Action":"start","Actor":{"ID":"aa"}}`
	d.events <- `{"Type":"container","Action":"exec_create: sh","Actor":{"ID":"aa"}}`
	d.events <- `{"Type":"container","Action":"die","Actor":{"ID":"aa","Attributes":{"name":"n","exitCode":"0"}}}`
	next(notice{"aa", "n"})
	d.events <- `{"Type":"container","Action":"died","Actor":{"ID":"bb"}}`
	next(notice{"bb", ""})
	d.events <- `{"Type":"container","Action":"die"}`
	d.events <- "" // the stream breaks off
	next(notice{})
	cancel()
	<-ended
}
