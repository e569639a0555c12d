package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// socketTimeout is how long an engine may take to answer a question.
const socketTimeout = 5 * time.Second

// maxAnswer is the longest answer that is read, in bytes. Of a container with
// many mounts and labels an engine says some ten thousand.
const maxAnswer = 4 << 20

// socketEngine is an engine that speaks Docker's API on a Unix socket: Docker,
// or Podman, which has it too.
type socketEngine struct {
	path string
	sure bool // a socket that is not there is down, rather than not of this machine
	http *http.Client
}

func newSocketEngine(path string, sure bool) *socketEngine {
	var d net.Dialer
	return &socketEngine{path: path, sure: sure, http: &http.Client{Transport: &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
		IdleConnTimeout: time.Minute,
	}}}
}

// name returns the command of the engine, as its socket is called.
func (e *socketEngine) name() string {
	if strings.Contains(e.path, "podman") {
		return "podman"
	}
	return "docker"
}

func (e *socketEngine) present() bool {
	_, err := os.Stat(e.path)
	return e.sure || !errors.Is(err, fs.ErrNotExist)
}

// get sends a request without a version in its path: every engine takes it for
// the newest that it has. The caller closes the body.
func (e *socketEngine) get(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "engine", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := e.http.Do(req)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if err != nil {
		return nil, fmt.Errorf("the engine at %s: %v", e.path, err)
	}
	return res, nil
}

func (e *socketEngine) condition(ctx context.Context, container string) (condition, error) {
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	res, err := e.get(ctx, "/containers/"+container+"/json", nil)
	if err != nil {
		return absent, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotFound {
		return absent, e.denied(res.Body)
	}
	if res.StatusCode != http.StatusOK {
		return absent, fmt.Errorf("the engine at %s answers %s", e.path, res.Status)
	}
	var said struct {
		State      struct{ Status string }
		HostConfig struct{ RestartPolicy struct{ Name string } }
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&said); err != nil {
		return absent, fmt.Errorf("the engine at %s says what is no JSON of a container", e.path)
	}
	return conditionOf(said.State.Status, said.HostConfig.RestartPolicy.Name)
}

// denied tells an engine that has no such container from a server that has no
// such page: whoever it is that listens there, it is no engine.
func (e *socketEngine) denied(body io.Reader) error {
	var said struct{ Message string }
	err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&said)
	if err != nil || !denies(said.Message) {
		return fmt.Errorf("the server at %s does not speak as a container engine", e.path)
	}
	return nil
}
