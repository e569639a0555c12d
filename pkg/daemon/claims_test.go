package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/proxy"
)

// layerOf returns the layer of a grant, "" for what a run was registered with,
// from lines such as "/acme X-Key", for the host h.example:
//
//	PATH HEADER       a credential; PATH is / for the whole host, and "~/p" is lent
//	:PORT/PATH HEADER the same, for a port
//	-HEADER           a header that is removed
//	+HEADER           an extra header
//	=TEXT             a placeholder
//	missing           there is no credential
func layerOf(grant string, lines ...string) *layer {
	l := newLayer()
	l.grant = grant
	for _, line := range lines {
		where, header, _ := strings.Cut(line, " ")
		port, path, _ := strings.Cut(where, "/")
		host := "h.example" + strings.TrimPrefix(port, "~")
		switch {
		case line == "missing":
			l.missing = proxy.Missing{Grant: grant, Reason: "none"}
		case line[0] == '-':
			l.RemoveRequestHeader("h.example", line[1:])
		case line[0] == '+':
			l.AddExtraHeader("h.example", line[1:], grant)
		case line[0] == '=':
			l.SetTokenSubstitution("h.example", line[1:], "secret of "+grant)
		case line[0] == '~':
			l.LendPathCredential(host, "/"+path, header, grant, grant)
		case path != "":
			l.SetPathCredential(host, "/"+path, header, grant, grant)
		default:
			l.SetCredentialWithGrant(host, header, grant, grant)
		}
	}
	return l
}

// describe writes rules down, one line for each part of a host.
func describe(rules map[string]*proxy.HostRules) []string {
	var lines []string
	for host, r := range rules {
		lines = append(lines, strings.TrimSpace(host+"/ "+describeRules(r)))
		for prefix, p := range r.Parts {
			line := host + prefix + " " + describeRules(p.Rules)
			if p.Missing.Grant != "" {
				line += "missing " + p.Missing.Grant
			}
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.Sort(lines)
	return lines
}

func describeRules(r *proxy.HostRules) string {
	text := ""
	for _, h := range r.Credentials {
		text += fmt.Sprintf("%s=%s ", h.Name, h.Value)
	}
	for _, h := range r.Extra {
		text += fmt.Sprintf("+%s=%s ", h.Name, h.Value)
	}
	for _, s := range r.Substitute {
		text += fmt.Sprintf("%s=%s ", s.Placeholder, s.Grant)
	}
	for _, name := range r.Remove {
		text += "-" + name + " "
	}
	return text
}

func TestRulesOfSeveralGrants(t *testing.T) {
	for _, tt := range []struct {
		name   string
		layers layers
		want   []string
	}{
		{"different headers go together", layers{layerOf("a", "/ X-Key"), layerOf("b", "/ X-App")}, []string{"h.example/ X-Key=a X-App=b"}},
		{
			"the most specific path wins, whatever the order",
			layers{layerOf("s", "/acme X"), layerOf("r", "/acme/app X"), layerOf("w", "/ X")},
			[]string{"h.example/ X=w", "h.example/acme X=s", "h.example/acme/app X=r"},
		},
		{
			"without a grant for the whole host the rest gets nothing, not even the agent's own",
			layers{layerOf("s", "/acme X")},
			[]string{"h.example/ -X", "h.example/acme X=s"},
		},
		{
			"the parts of a grant's own host go by path",
			layers{layerOf("a", "/ Authorization", "/api X-Token")},
			[]string{"h.example/ Authorization=a -X-Token", "h.example/api X-Token=a -Authorization"},
		},
		{
			"what is lent goes to the only one that wants it",
			layers{layerOf("s", "/acme X", "~/graphql X")},
			[]string{"h.example/ -X", "h.example/acme X=s", "h.example/graphql X=s"},
		},
		{
			"what two want to be lent is nobody's",
			layers{layerOf("s", "/acme X", "~/graphql X"), layerOf("r", "/other X", "~/graphql X")},
			[]string{"h.example/ -X", "h.example/acme X=s", "h.example/other X=r"},
		},
		{
			"what is lent gives way to the whole host",
			layers{layerOf("s", "/acme X", "~/graphql X"), layerOf("w", "/ X")},
			[]string{"h.example/ X=w", "h.example/acme X=s"},
		},
		{
			"what is lent gives way to its owner",
			layers{layerOf("s", "/acme/app X", "~/acme X"), layerOf("o", "/acme X")},
			[]string{"h.example/ -X", "h.example/acme X=o", "h.example/acme/app X=s"},
		},
		{
			"another header goes to the whole host, parts included",
			layers{layerOf("s", "/acme X"), layerOf("w", "/ Y")},
			[]string{"h.example/ Y=w -X", "h.example/acme X=s Y=w"},
		},
		{
			"a grant for a part may take out the header of the whole host",
			layers{layerOf("s", "/acme X", "-Y"), layerOf("w", "/ Y", "+Beta")},
			[]string{"h.example/ Y=w +Beta=w -X", "h.example/acme X=s -Y -Y"},
		},
		{
			"extra headers go with their credential",
			layers{layerOf("s", "/acme X", "+Beta"), layerOf("w", "/ X", "+Alpha")},
			[]string{"h.example/ X=w +Alpha=w", "h.example/acme X=s +Beta=s"},
		},
		{
			"and without one they go everywhere",
			layers{layerOf("s", "/acme X"), layerOf("e", "+Alpha")},
			[]string{"h.example/ +Alpha=e -X", "h.example/acme X=s +Alpha=e"},
		},
		{
			"a grant replaces what the run was registered with",
			layers{layerOf("", "/ X"), layerOf("w", "/ Y")},
			[]string{"h.example/ Y=w"},
		},
		{
			"a grant for a part leaves it the rest",
			layers{layerOf("", "/ X"), layerOf("s", "/acme X")},
			[]string{"h.example/ X=", "h.example/acme X=s"},
		},
		{
			"what the run removes is in no credential's way",
			layers{layerOf("", "-X"), layerOf("w", "/ X")},
			[]string{"h.example/ X=w -X"},
		},
		{
			"a missing grant closes its part",
			layers{layerOf("s", "/acme X", "missing"), layerOf("w", "/ X")},
			[]string{"h.example/ X=w", "h.example/acme -X missing s"},
		},
		{
			"a missing grant for the whole host does not close the parts of others",
			layers{layerOf("s", "/acme X"), layerOf("w", "/ X", "missing")},
			[]string{"h.example/ -X", "h.example/acme X=s"}, // the proxy closes the rest
		},
		{
			"but it does where its header is due too",
			layers{layerOf("s", "/acme X"), layerOf("w", "/ Y", "missing")},
			[]string{"h.example/ -X -Y", "h.example/acme X=s -Y missing w"},
		},
		{
			"a port comes before the host",
			layers{layerOf("a", "/ X"), layerOf("b", ":8443/ X")},
			[]string{"h.example/ X=a", "h.example:8443/ X=b"},
		},
		{
			"different placeholders go together",
			layers{layerOf("a", "=PLACE-A"), layerOf("b", "=PLACE-B")},
			[]string{"h.example/ PLACE-A=a PLACE-B=b"},
		},
		{
			"the placeholder of a grant replaces that of the registration",
			layers{layerOf("", "=PLACE-A"), layerOf("b", "=PLACE-B")},
			[]string{"h.example/ PLACE-B=b"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := tt.layers.rules()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, describe(rules)); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGrantsThatCollide(t *testing.T) {
	for _, tt := range []struct {
		name   string
		layers layers
		where  string
	}{
		{"one header for the whole host", layers{layerOf("a", "/ Authorization"), layerOf("b", "/ authorization")}, "all paths"},
		{"one header for a part", layers{layerOf("a", "/acme X"), layerOf("b", "/acme X")}, "paths below /acme"},
		{"one takes out the header of the other", layers{layerOf("a", "/ X", "-Y"), layerOf("b", "/ Y")}, "all paths"},
		{"the other way round", layers{layerOf("a", "/ X"), layerOf("b", "/ Y", "-X")}, "all paths"},
		{"one has no credential now", layers{layerOf("a", "/acme X"), layerOf("b", "/acme X", "missing")}, "paths below /acme"},
		{"one placeholder", layers{layerOf("a", "=PLACE-A"), layerOf("b", "=PLACE-A")}, "all paths"},
		{"one placeholder is part of the other", layers{layerOf("a", "=PLACE-A"), layerOf("b", "=PLACE-AB")}, "all paths"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.layers.rules()
			want := "host h.example: the grants a and b each have a credential for " + tt.where
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("rules: %v, want %s", err, want)
			}
		})
	}
}

// TestMissingPartsCloseNoHost checks which hosts a missing grant closes whole.
func TestMissingPartsCloseNoHost(t *testing.T) {
	g := &granted{layers: layers{layerOf("s", "/acme X", "missing"), layerOf("w", "/ X", "/api Y", "missing")}}
	for _, tt := range []struct {
		name string
		in   proxy.MissingGrant
		want []proxy.MissingGrant
	}{
		{"a part", proxy.MissingGrant{Grant: "s", Hosts: []string{"H.example"}}, nil},
		{"a part, and another host", proxy.MissingGrant{Grant: "s", Hosts: []string{"h.example", "o.example"}}, []proxy.MissingGrant{{Grant: "s", Hosts: []string{"o.example"}}}},
		{"the whole host", proxy.MissingGrant{Grant: "w", Hosts: []string{"h.example"}}, []proxy.MissingGrant{{Grant: "w", Hosts: []string{"h.example"}}}},
		{"nobody knows", proxy.MissingGrant{Grant: "odd"}, []proxy.MissingGrant{{Grant: "odd"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, g.closed([]proxy.MissingGrant{tt.in})); diff != "" {
				t.Errorf("closed (-want +got):\n%s", diff)
			}
		})
	}
}
