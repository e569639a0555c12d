package routing

import (
	"bytes"
	_ "embed" // for the page
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// csp allows the page its own style sheet and nothing else: no script, no frame.
const csp = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// answer writes p in the form that the client prefers.
func answer(w http.ResponseWriter, r *http.Request, p page) {
	if p.listed != nil {
		p.Agents = links(p.listed, r)
	}
	write, kind := p.json, "application/json"
	if prefersHTML(strings.Join(r.Header.Values("Accept"), ","), p.Status == http.StatusOK) {
		write, kind = p.html, "text/html; charset=utf-8"
	}
	body, err := write()
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError) // cannot be: the page is made of text alone
		return
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store") // the next answer may come from the service
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", csp)
	h.Set("Referrer-Policy", "no-referrer")
	if p.Code != "" {
		h.Set("X-Moat-Error", p.Code) // tells our answers from those of the service
	}
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the client is gone; nothing to tell it
}

func (p page) json() ([]byte, error) {
	body, err := json.Marshal(p)
	return append(body, '\n'), err
}

func (p page) html() ([]byte, error) {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, p)
	return b.Bytes(), err
}

// links returns where the client of r finds the services: at the port and under
// the scheme that it has used itself.
func links(agents []*Agent, r *http.Request) []agentLinks {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	var port string
	if h, err := hosts.Parse(r.Host); err == nil && h.Port != 0 {
		port = ":" + strconv.Itoa(h.Port)
	}
	all := make([]agentLinks, len(agents))
	for i, a := range agents {
		base := a.Name + ".localhost" + port + "/"
		all[i] = agentLinks{Name: a.Name, URL: scheme + "://" + base, Default: a.Default}
		for _, service := range a.Services() {
			all[i].Services = append(all[i].Services, link{service, scheme + "://" + service + "." + base})
		}
	}
	return all
}
