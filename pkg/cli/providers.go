package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/internal/providers"
)

func (a *app) providersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "providers [NAME]",
		Short: "List what can be granted",
		Long: `moat grant providers lists the providers, built in and the user's own, or shows
what one of them does. A file NAME.yaml in the directory providers of moat's home
describes another, or replaces a built-in one.`,
		Example: "  moat grant providers\n  moat grant providers github",
		Args:    arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := a.providers()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return print(a, all, func(w *tabwriter.Writer) { listProviders(w, all) })
			}
			i := slices.IndexFunc(all, func(p providerInfo) bool { return p.Name == args[0] })
			if i < 0 {
				_, err := a.provider("grant providers", args[0])
				return err
			}
			return print(a, all[i], all[i].print)
		},
	}
}

// providerInfo is what moat grant providers --json prints of each.
type providerInfo struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Hosts       []string          `json:"hosts"`
	Env         map[string]string `json:"env"`                    // the placeholders that runs get
	Scoped      bool              `json:"scoped"`                 // a scope says which paths a grant is for
	ValidateURL string            `json:"validate_url,omitempty"` // that is asked whether a secret is good
	File        string            `json:"file,omitempty"`         // of a user's own
	Replaces    bool              `json:"replaces,omitempty"`     // it stands for a built-in one
	Error       string            `json:"error,omitempty"`        // what is wrong with the file; such a provider cannot be used
}

// providers returns all providers, by name; those whose file is bad with the error.
func (a *app) providers() ([]providerInfo, error) {
	set, err := providers.Load(config.ProvidersDir(a.settings.Home))
	if set == nil {
		return nil, err
	}
	names := slices.Concat(set.Names(), providers.KeptNames(), set.BrokenNames())
	slices.Sort(names)
	var all []providerInfo
	for _, name := range slices.Compact(names) {
		all = append(all, describe(set, name))
	}
	return all, nil
}

func describe(set *providers.Set, name string) providerInfo {
	info := providerInfo{Name: name, File: set.File(name), Replaces: slices.Contains(set.Overrides(), name)}
	if bad := set.Broken(name); bad != nil {
		info.Error = strings.ReplaceAll(bad.Error(), "\n", "; ")
		return info
	}
	p, _ := set.Get(name) // it has no error, so it is there
	info.Description, info.Hosts, info.Env, info.Scoped = p.Description(), p.Hosts(), p.Env(), p.Scoped()
	if v, ok := p.Validation(); ok {
		info.ValidateURL = v.URL
	}
	return info
}

func listProviders(w *tabwriter.Writer, all []providerInfo) {
	fmt.Fprintln(w, "PROVIDER\tFROM\tVARIABLES\tDESCRIPTION")
	for _, p := range all {
		text := p.Description
		if p.Error != "" {
			text = p.Error
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, p.from(), dash(strings.Join(slices.Sorted(maps.Keys(p.Env)), ",")), dash(text))
	}
}

// from says whose the provider is.
func (p providerInfo) from() string {
	switch {
	case p.Error != "":
		return "broken"
	case p.Replaces:
		return "you, replaced"
	case p.File != "":
		return "you"
	}
	return "built in"
}

func (p providerInfo) print(w *tabwriter.Writer) {
	scopes := "one account from another"
	if p.Scoped {
		scopes = "the paths of a grant, as in " + p.Name + ":org/repo"
	}
	for _, line := range [][2]string{
		{"provider", p.Name},
		{"from", p.from()},
		{"file", p.File},
		{"error", p.Error},
		{"description", p.Description},
		{"hosts", strings.Join(p.Hosts, ", ")},
		{"scopes tell", scopes},
		{"validated at", p.ValidateURL},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		fmt.Fprintf(w, "variable\t%s=%s\n", name, p.Env[name])
	}
}
