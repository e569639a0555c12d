package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// conditionOf reads the status of a container in the words of Docker's and
// Podman's API, and the name of its restart policy.
func conditionOf(status, policy string) (condition, error) {
	switch status {
	case "running", "paused", "restarting", "created", "configured", "initialized", "stopping":
		return alive, nil
	case "exited", "stopped", "dead", "removing":
		if policy == "always" || policy == "unless-stopped" {
			return absent, errReturns // when the machine or the engine starts
		}
		return stopped, nil
	}
	return absent, fmt.Errorf("the engine calls its state %.40q", status)
}

// readStatus reads what the commands of Docker and Podman print: the status and
// the restart policy, which may be empty.
func readStatus(out []byte) (condition, error) {
	words := strings.Fields(string(out))
	if len(words) == 0 {
		return absent, errors.New("the engine says nothing of it")
	}
	return conditionOf(words[0], strings.Join(words[1:], " "))
}

// readApple reads what Apple's container prints: a list of what it has of that
// name.
func readApple(out []byte) (condition, error) {
	var list []struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return absent, errors.New("the engine's answer is no list of containers")
	}
	if len(list) == 0 {
		return absent, nil
	}
	return conditionOf(list[0].Status, "")
}

// denials are what the commands say, in lower case, of a container that there
// is not: docker, podman, and Apple's container.
var denials = []string{"no such container", "no such object", "no container with name or id", "container not found"}

// denies reports whether a command that failed means that there is no such
// container.
func denies(stderr string) bool {
	stderr = strings.ToLower(stderr)
	return slices.ContainsFunc(denials, func(d string) bool { return strings.Contains(stderr, d) })
}
