package main

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// bill lists programs, and the modules and the standard library that are in them.
func bill(version string, built time.Time, programs []program) *cdx.BOM {
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: built.Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef: "moatd", Type: cdx.ComponentTypeApplication, Name: "moatd", Version: version,
			PackageURL: "pkg:golang/github.com/moatd/moatd@v" + version,
			Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
			ExternalReferences: &[]cdx.ExternalReference{
				{Type: cdx.ERTypeVCS, URL: "https://github.com/moatd/moatd"},
			},
		},
	}
	components := map[string]cdx.Component{}
	needs := map[string][]string{}
	identity := version
	for _, p := range programs {
		identity += " " + p.sha256
		components["program:"+p.name] = application(p, version)
		needs["moatd"] = append(needs["moatd"], "program:"+p.name)
		for _, c := range append(modules(p.info.Deps), standard(p.info.GoVersion)) {
			components[c.BOMRef] = c
			needs["program:"+p.name] = append(needs["program:"+p.name], c.BOMRef)
		}
	}
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, []byte(identity)).URN()
	var list []cdx.Component
	for _, ref := range slices.Sorted(maps.Keys(components)) {
		list = append(list, components[ref])
	}
	bom.Components = &list
	var edges []cdx.Dependency
	for _, ref := range slices.Sorted(maps.Keys(needs)) {
		slices.Sort(needs[ref])
		on := needs[ref]
		edges = append(edges, cdx.Dependency{Ref: ref, Dependencies: &on})
	}
	bom.Dependencies = &edges
	return bom
}

func application(p program, version string) cdx.Component {
	settings := []cdx.Property{{Name: "go:version", Value: p.info.GoVersion}}
	for _, s := range p.info.Settings {
		settings = append(settings, cdx.Property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	return cdx.Component{
		BOMRef: "program:" + p.name, Type: cdx.ComponentTypeApplication, Name: p.name, Version: version,
		Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: p.sha256}},
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		Properties: &settings,
	}
}

// modules are libraries; of one that was replaced, what took its place.
func modules(deps []*debug.Module) []cdx.Component {
	var all []cdx.Component
	for _, m := range deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := library(m.Path, m.Version)
		if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(sum) > 0 {
			// Not the SHA-256 of a file, but that of go.sum, of all its files.
			c.Properties = &[]cdx.Property{{Name: "go:sum:h1", Value: hex.EncodeToString(sum)}}
		}
		all = append(all, c)
	}
	return all
}

func standard(goVersion string) cdx.Component {
	return library("std", strings.TrimPrefix(goVersion, "go"))
}

func library(path, version string) cdx.Component {
	url := "pkg:golang/" + path + "@" + version
	return cdx.Component{
		BOMRef: url, Type: cdx.ComponentTypeLibrary, Scope: cdx.ScopeRequired,
		Name: path, Version: version, PackageURL: url,
	}
}
