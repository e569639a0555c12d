package daemon

import (
	"encoding/hex"
	"maps"
	"slices"

	"github.com/moatd/moatd/pkg/proxy"
)

// ToProxyContextData returns what the proxy sees of the run: an immutable
// snapshot. Rules that make no sense give one that refuses every request.
func (rc *RunContext) ToProxyContextData() *proxy.RunContextData {
	if snap := rc.snap.Load(); snap != nil {
		return snap
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return rc.compileLocked()
}

// publish makes the first snapshot, and each after a change of the grants.
func (rc *RunContext) publish(granted *layer, missing []proxy.MissingGrant) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.granted, rc.missing = granted, missing
	rc.snap.Store(rc.compileLocked())
}

// tell tells seen the secrets of the run's own.
func (rc *RunContext) tell(seen func(string)) {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	if b, err := hex.DecodeString(rc.AuthToken); err != nil || len(b) != tokenSize {
		seen(rc.AuthToken)
	}
	for _, c := range rc.Credentials {
		seen(c.Value)
	}
	for _, s := range rc.TokenSubstitutions {
		seen(s.RealToken)
	}
}

// check says what of the rules makes no sense.
func (rc *RunContext) check() error {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	_, err := proxy.NewRunContextData(rc.specLocked())
	return err
}

func (rc *RunContext) compileLocked() *proxy.RunContextData {
	data, err := proxy.NewRunContextData(rc.specLocked())
	if rc.broken = err; err != nil {
		return proxy.Refusing(rc.RunID, err)
	}
	return data
}

func (rc *RunContext) specLocked() proxy.RunSpec {
	return proxy.RunSpec{
		RunID:   rc.RunID,
		Policy:  rc.NetworkPolicy,
		Allow:   rc.NetworkAllow,
		Hosts:   rc.mergedLocked().rules(),
		Missing: rc.missing,
	}
}

// mergedLocked puts the two layers together, what the grants set over what the
// run was registered with.
func (rc *RunContext) mergedLocked() *layer {
	both := newLayer()
	both.add(&layer{rc.Credentials, rc.ExtraHeaders, rc.RemoveHeaders, rc.TokenSubstitutions, rc.ResponseTransformers})
	if rc.granted != nil {
		both.add(rc.granted)
	}
	return both
}

// add puts m over l: its credential and substitution for a host replace those
// of l, its headers join them.
func (l *layer) add(m *layer) {
	replace(l.credentials, m.credentials)
	replace(l.substitutions, m.substitutions)
	join(l.extra, m.extra)
	join(l.remove, m.remove)
	join(l.transformers, m.transformers)
}

// replace and join go by the sorted keys: two spellings of one host must not
// make a rule of today and another one of tomorrow.
func replace[V any](into, from map[string]V) {
	for _, k := range slices.Sorted(maps.Keys(from)) {
		c := key(k)
		if _, better := from[c]; c == k || !better {
			into[c] = from[k]
		}
	}
}

func join[V any](into, from map[string][]V) {
	for _, k := range slices.Sorted(maps.Keys(from)) {
		into[key(k)] = append(into[key(k)], from[k]...)
	}
}

// rules returns the rules by host. The entry of a host with a port takes what
// it does not have itself from the entry without.
func (l *layer) rules() map[string]*proxy.HostRules {
	names := make(map[string]struct{})
	for _, seq := range []func(func(string) bool){
		maps.Keys(l.credentials), maps.Keys(l.substitutions), maps.Keys(l.extra), maps.Keys(l.remove),
	} {
		for k := range seq {
			names[k] = struct{}{}
		}
	}
	rules := make(map[string]*proxy.HostRules, len(names))
	for name := range names {
		rules[name] = l.rulesFor(name)
	}
	return rules
}

func (l *layer) rulesFor(host string) *proxy.HostRules {
	r := new(proxy.HostRules)
	if c, ok := lookup(l.credentials, host); ok {
		r.Credentials = append(r.Credentials, proxy.Header{Name: c.Name, Value: c.Value, Grant: c.Grant})
	}
	if s, ok := lookup(l.substitutions, host); ok {
		r.Substitute = append(r.Substitute, proxy.Substitution{Placeholder: s.Placeholder, Secret: s.RealToken})
	}
	extra, _ := lookup(l.extra, host)
	for _, e := range extra {
		r.Extra = append(r.Extra, proxy.Header{Name: e.Name, Value: e.Value})
	}
	r.Remove, _ = lookup(l.remove, host)
	return r
}
