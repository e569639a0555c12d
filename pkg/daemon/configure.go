package daemon

import (
	"maps"
	"slices"

	"github.com/moatd/moatd/pkg/credential"
)

var _ credential.ProxyConfigurer = (*RunContext)(nil)

// base returns the rules that the run was registered with, as a layer over the
// exported maps, whichever of them the caller has made.
func (rc *RunContext) base() *layer {
	made := func(missing bool, make func()) {
		if missing {
			make()
		}
	}
	empty := newLayer()
	made(rc.Credentials == nil, func() { rc.Credentials = empty.credentials })
	made(rc.ExtraHeaders == nil, func() { rc.ExtraHeaders = empty.extra })
	made(rc.RemoveHeaders == nil, func() { rc.RemoveHeaders = empty.remove })
	made(rc.TokenSubstitutions == nil, func() { rc.TokenSubstitutions = empty.substitutions })
	made(rc.ResponseTransformers == nil, func() { rc.ResponseTransformers = empty.transformers })
	respell(rc.Credentials, func(have, _ CredentialEntry) CredentialEntry { return have })
	respell(rc.TokenSubstitutions, func(have, _ TokenSubstitutionEntry) TokenSubstitutionEntry { return have })
	respell(rc.ExtraHeaders, joined[ExtraHeaderEntry])
	respell(rc.RemoveHeaders, joined[string])
	respell(rc.ResponseTransformers, joined[credential.ResponseTransformer])
	return &layer{rc.Credentials, rc.ExtraHeaders, rc.RemoveHeaders, rc.TokenSubstitutions, rc.ResponseTransformers}
}

// respell makes the keys of m canonical, as those of the setters are: a setter
// must find what the caller wrote in another spelling.
func respell[V any](m map[string]V, both func(have, more V) V) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		c := key(k)
		if c == k {
			continue
		}
		if have, taken := m[c]; taken {
			m[c] = both(have, m[k])
		} else {
			m[c] = m[k]
		}
		delete(m, k)
	}
}

func joined[V any](have, more []V) []V { return append(slices.Clip(have), more...) }

// change changes the rules that the run was registered with. Requests under way
// keep the snapshot that they have; the next one sees the change.
func (rc *RunContext) change(fn func(base *layer)) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	fn(rc.base())
	if rc.snap.Load() != nil {
		rc.snap.Store(rc.compileLocked())
	}
}

// SetCredential sets Authorization to value in requests for host. The methods
// that implement [credential.ProxyConfigurer] are safe for concurrent use, also
// while the run is served: requests under way keep what they have.
func (rc *RunContext) SetCredential(host, value string) {
	rc.change(func(l *layer) { l.SetCredential(host, value) })
}

// SetCredentialHeader sets a header with a secret in requests for host.
func (rc *RunContext) SetCredentialHeader(host, headerName, headerValue string) {
	rc.change(func(l *layer) { l.SetCredentialHeader(host, headerName, headerValue) })
}

// SetCredentialWithGrant does so, and names the grant that it comes from.
func (rc *RunContext) SetCredentialWithGrant(host, headerName, headerValue, grant string) {
	rc.change(func(l *layer) { l.SetCredentialWithGrant(host, headerName, headerValue, grant) })
}

// AddExtraHeader merges a header into requests for host.
func (rc *RunContext) AddExtraHeader(host, headerName, headerValue string) {
	rc.change(func(l *layer) { l.AddExtraHeader(host, headerName, headerValue) })
}

// AddResponseTransformer adds a transformer of the answers of host.
func (rc *RunContext) AddResponseTransformer(host string, transformer credential.ResponseTransformer) {
	rc.change(func(l *layer) { l.AddResponseTransformer(host, transformer) })
}

// RemoveRequestHeader takes a header out of requests for host.
func (rc *RunContext) RemoveRequestHeader(host, headerName string) {
	rc.change(func(l *layer) { l.RemoveRequestHeader(host, headerName) })
}

// SetTokenSubstitution makes the placeholder realToken in requests for host.
func (rc *RunContext) SetTokenSubstitution(host, placeholder, realToken string) {
	rc.change(func(l *layer) { l.SetTokenSubstitution(host, placeholder, realToken) })
}

// find looks a host up in the rules of the run, those of its grants included.
func find[V any](rc *RunContext, host string, table func(*layer) map[string]V) (V, bool) {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	return lookup(table(rc.mergedLocked()), host)
}

// GetCredential returns the credential for host, which may have a port; one
// for the port comes before one for the host alone.
func (rc *RunContext) GetCredential(host string) (CredentialEntry, bool) {
	return find(rc, host, func(l *layer) map[string]CredentialEntry { return l.credentials })
}

// GetExtraHeaders returns the extra headers for host, found as
// [RunContext.GetCredential] finds.
func (rc *RunContext) GetExtraHeaders(host string) []ExtraHeaderEntry {
	v, _ := find(rc, host, func(l *layer) map[string][]ExtraHeaderEntry { return l.extra })
	return slices.Clone(v)
}

// GetRemoveHeaders returns the headers to remove for host, found as
// [RunContext.GetCredential] finds.
func (rc *RunContext) GetRemoveHeaders(host string) []string {
	v, _ := find(rc, host, func(l *layer) map[string][]string { return l.remove })
	return slices.Clone(v)
}

// GetResponseTransformers returns the transformers for host, found as
// [RunContext.GetCredential] finds.
func (rc *RunContext) GetResponseTransformers(host string) []credential.ResponseTransformer {
	v, _ := find(rc, host, func(l *layer) map[string][]credential.ResponseTransformer { return l.transformers })
	return slices.Clone(v)
}

// GetTokenSubstitution returns the substitution for host, found as
// [RunContext.GetCredential] finds.
func (rc *RunContext) GetTokenSubstitution(host string) (TokenSubstitutionEntry, bool) {
	return find(rc, host, func(l *layer) map[string]TokenSubstitutionEntry { return l.substitutions })
}
