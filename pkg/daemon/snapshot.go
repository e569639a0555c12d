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
func (rc *RunContext) publish(granted *granted, missing []proxy.MissingGrant) {
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
	_, err := rc.dataLocked()
	return err
}

func (rc *RunContext) compileLocked() *proxy.RunContextData {
	data, err := rc.dataLocked()
	if rc.broken = err; err != nil {
		return proxy.Refusing(rc.RunID, err)
	}
	return data
}

func (rc *RunContext) dataLocked() (*proxy.RunContextData, error) {
	spec, err := rc.specLocked()
	if err != nil {
		return nil, err
	}
	return proxy.NewRunContextData(spec)
}

func (rc *RunContext) specLocked() (proxy.RunSpec, error) {
	rules, err := rc.layersLocked().rules()
	if err != nil {
		return proxy.RunSpec{}, err
	}
	return proxy.RunSpec{
		RunID:   rc.RunID,
		Policy:  rc.NetworkPolicy,
		Allow:   rc.NetworkAllow,
		Hosts:   rules,
		Missing: rc.granted.closed(rc.missing),
		Servers: rc.serversLocked(),
		AWS:     rc.awsHandler,
	}, nil
}

// layersLocked returns the layers of the run, that which it was registered with
// first.
func (rc *RunContext) layersLocked() layers {
	base := newLayer()
	for _, t := range rc.TransformerSpecs {
		base.kinds[key(t.Host)] = append(base.kinds[key(t.Host)], t.Kind)
	}
	base.add(&layer{
		credentials: rc.Credentials, extra: rc.ExtraHeaders, remove: rc.RemoveHeaders,
		substitutions: rc.TokenSubstitutions, transformers: rc.ResponseTransformers,
	})
	if rc.granted == nil {
		return layers{base}
	}
	return append(layers{base}, rc.granted.layers...)
}

// mergedLocked puts the layers together, what the grants set over what the run
// was registered with.
func (rc *RunContext) mergedLocked() *layer {
	all := newLayer()
	for _, l := range rc.layersLocked() {
		if l.missing.Grant == "" {
			all.add(l)
		}
	}
	return all
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
