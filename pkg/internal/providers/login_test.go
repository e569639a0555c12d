package providers_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/providers"
)

func TestLogin(t *testing.T) {
	const head = "name: acme\ninject: [{hosts: [api.acme.example], header: Authorization}]\noauth:\n"
	for _, tt := range []struct {
		name, text string
		want       providers.Login
		err        string // with the line
	}{
		{
			"all of it", "  {auth_url: 'https://a.example/a', token_url: 'https://a.example/t', client_id: c, scopes: [x, y], params: {prompt: consent}}",
			providers.Login{AuthURL: "https://a.example/a", TokenURL: "https://a.example/t", ClientID: "c", Scopes: []string{"x", "y"}, Params: map[string]string{"prompt": "consent"}},
			"",
		},
		{"this machine, without TLS", "  token_url: http://127.0.0.1:1/t", providers.Login{TokenURL: "http://127.0.0.1:1/t", Params: map[string]string{}}, ""},
		{"no URL for tokens", "  auth_url: https://a.example/a", providers.Login{}, "acme.yaml:4: oauth.token_url: must be there"},
		{"tokens without TLS", "  token_url: http://a.example/t", providers.Login{}, "acme.yaml:4: oauth.token_url: must be https"},
		{"a login with a password", "  token_url: https://a.example/t\n  auth_url: https://u:p@a.example/", providers.Login{}, "acme.yaml:5: oauth.auth_url: must be a URL with a host"},
		{"a parameter of moat's own", "  token_url: https://a.example/t\n  params: {state: x}", providers.Login{}, "acme.yaml:5: oauth.params.state: is set by moat itself"},
		{"a field that is not known", "  token_url: https://a.example/t\n  secret: x", providers.Login{}, "acme.yaml:5: oauth.secret: unknown field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := providers.Parse("acme.yaml", []byte(head+tt.text+"\n"))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("Parse: %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := p.Login(); !ok || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Login = %+v, %v; want %+v", got, ok, tt.want)
			}
		})
	}
}
