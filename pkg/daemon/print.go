package daemon

import (
	"fmt"
	"io"
)

// The types of this package that hold a secret or a token print without it,
// whatever the verb.

// Format implements [fmt.Formatter]; it prints [RunContext.String].
func (rc *RunContext) Format(w fmt.State, _ rune) { show(w, rc.String()) }

// String implements [fmt.Stringer]; there is no secret in it.
func (rc *RunContext) String() string { return "run " + rc.RunID }

// GoString implements [fmt.GoStringer]; there is no secret in it.
func (rc *RunContext) GoString() string { return rc.String() }

// Format implements [fmt.Formatter]; it leaves the secret out.
func (e CredentialEntry) Format(w fmt.State, _ rune) { show(w, e.String()) }

// String implements [fmt.Stringer]; it leaves the secret out.
func (e CredentialEntry) String() string { return e.Name + ": [secret]" }

// GoString implements [fmt.GoStringer]; it leaves the secret out.
func (e CredentialEntry) GoString() string { return e.String() }

// Format implements [fmt.Formatter]; it leaves the secret out.
func (e TokenSubstitutionEntry) Format(w fmt.State, _ rune) { show(w, e.String()) }

// String implements [fmt.Stringer]; it leaves the secret out.
func (e TokenSubstitutionEntry) String() string { return e.Placeholder + " -> [secret]" }

// GoString implements [fmt.GoStringer]; it leaves the secret out.
func (e TokenSubstitutionEntry) GoString() string { return e.String() }

// Format implements [fmt.Formatter]; it leaves token and secrets out.
func (req RegisterRequest) Format(w fmt.State, _ rune) { show(w, "registration of run "+req.RunID) }

// Format implements [fmt.Formatter]; it leaves the token out.
func (r RegisterResponse) Format(w fmt.State, _ rune) {
	show(w, fmt.Sprintf("registered, proxy port %d, token [secret]", r.ProxyPort))
}

// Format implements [fmt.Formatter]; it leaves the secret out.
func (c CredentialSpec) Format(w fmt.State, _ rune) { show(w, c.Host+" "+c.Header+": [secret]") }

// Format implements [fmt.Formatter]; it leaves the secret out.
func (s TokenSubstitutionSpec) Format(w fmt.State, _ rune) {
	show(w, s.Host+" "+s.Placeholder+" -> [secret]")
}

// Format implements [fmt.Formatter]; it leaves the token out.
func (r PersistedRun) Format(w fmt.State, _ rune) { show(w, "run "+r.RunID) }

func show(w fmt.State, text string) { _, _ = io.WriteString(w, text) } // fmt has no use for the error
