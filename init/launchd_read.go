package initfiles

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// ReadAgent returns the agent that the text of a plist describes, as
// [Agent.Plist] wrote it, of this version or of another. It is an error if the
// text is no plist in XML, or not one of moatd's.
func ReadAgent(text string) (Agent, error) {
	leaves, err := readPlist(text)
	if err != nil {
		return Agent{}, fmt.Errorf("read the plist: %w", err)
	}
	if got := leaves.one("Label"); got != AgentLabel {
		return Agent{}, fmt.Errorf("read the plist: its label is %q, not %q", got, AgentLabel)
	}
	a := Agent{
		Exe:  leaves.one("ProgramArguments"),
		Home: leaves.one("EnvironmentVariables/MOAT_HOME"),
		Log:  leaves.one("StandardErrorPath"),
	}
	if a.Exe == "" {
		return Agent{}, errors.New("read the plist: it starts no program")
	}
	hosts, ports := leaves["Sockets/proxy/SockNodeName"], leaves["Sockets/proxy/SockServiceName"]
	if len(hosts) != len(ports) {
		return Agent{}, errors.New("read the plist: a socket of the proxy lacks its address or its port")
	}
	for i, host := range hosts {
		at, err := netip.ParseAddrPort(joinHostPort(host, ports[i]))
		if err != nil {
			return Agent{}, fmt.Errorf("read the plist: address of the proxy: %w", err)
		}
		if at != proxyAddr {
			a.Listen = append(a.Listen, at)
		}
	}
	return a, nil
}

func joinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

// plistLeaves are the texts in a plist by the keys that lead to them, joined by
// slashes. The members of an array have the key of the array.
type plistLeaves map[string][]string

func (l plistLeaves) one(at string) string {
	if texts := l[at]; len(texts) > 0 {
		return texts[0]
	}
	return ""
}

// plistDepth is more than a launchd.plist(5) has; it bounds what a file costs.
const plistDepth = 16

// readPlist reads as much of a plist as launchd's need: dictionaries, arrays,
// and all else as text.
func readPlist(text string) (plistLeaves, error) {
	var (
		leaves = make(plistLeaves)
		dec    = xml.NewDecoder(strings.NewReader(text))
		open   []string // elements
		keys   = []string{""}
	)
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return leaves, nil
		}
		if err != nil {
			return nil, err
		}
		switch el := token.(type) {
		case xml.StartElement:
			switch {
			case len(open) == 0 && el.Name.Local != "plist":
				return nil, fmt.Errorf("it is a %s, not a plist", el.Name.Local)
			case len(open) >= plistDepth:
				return nil, errors.New("it is nested too deeply")
			case el.Name.Local == "dict":
				keys = append(keys, "")
			}
			open = append(open, el.Name.Local)
		case xml.EndElement:
			if open = open[:len(open)-1]; el.Name.Local == "dict" {
				keys = keys[:len(keys)-1]
			}
		case xml.CharData:
			leaves.add(open, keys, string(el))
		}
	}
}

// add takes the text inside the innermost of the open elements: a key, or a leaf
// below keys.
func (l plistLeaves) add(open, keys []string, text string) {
	if len(open) == 0 {
		return
	}
	switch open[len(open)-1] {
	case "key":
		keys[len(keys)-1] = text
	case "string", "integer":
		at := strings.Join(slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == "" }), "/")
		l[at] = append(l[at], text)
	}
}
