// Package manual writes the manual pages of a program from its cobra commands,
// in mdoc, which groff, mandoc and man(1) of macOS all read.
package manual

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// An Edition is what the pages say of themselves.
type Edition struct {
	Date    time.Time
	Product string // with its version: "moatd 1.2.3"
	// Also are pages that every page refers to, as "moatd 8".
	Also []string
	// More is mdoc for the end of a page, by the page's name: sections that no
	// command has, such as EXIT STATUS.
	More map[string]string
}

// Pages returns the pages of section 1 of cmd and all below it, by name:
// "moat", "moat-run". Commands that are hidden or deprecated have none.
func Pages(cmd *cobra.Command, e Edition) map[string]string {
	pages := map[string]string{name(cmd): e.page(cmd)}
	for _, sub := range commands(cmd) {
		maps.Copy(pages, Pages(sub, e))
	}
	return pages
}

func name(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// commands returns the subcommands that have pages. Cobra's own "help" says what
// the pages say.
func commands(cmd *cobra.Command) []*cobra.Command {
	var visible []*cobra.Command
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			visible = append(visible, sub)
		}
	}
	return visible
}

func (e Edition) page(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".Dd %s\n.Dt %s 1\n.Os %s\n", e.Date.UTC().Format("January 2, 2006"), strings.ToUpper(name(cmd)), e.Product)
	fmt.Fprintf(&b, ".Sh NAME\n.Nm %s\n.Nd %s\n", name(cmd), argument(decapitalised(cmd.Short)))
	b.WriteString(".Sh SYNOPSIS\n" + synopsis(cmd))
	b.WriteString(".Sh DESCRIPTION\n" + prose(description(cmd)))
	b.WriteString(list("COMMANDS", items(cmd)))
	cmd.InitDefaultHelpFlag() // which every command gets when it runs, not before
	b.WriteString(list("OPTIONS", flags(cmd.NonInheritedFlags())))
	b.WriteString(list("GLOBAL OPTIONS", flags(cmd.InheritedFlags())))
	b.WriteString(e.More[name(cmd)])
	if cmd.Example != "" {
		b.WriteString(".Sh EXAMPLES\n" + literal(strings.Split(cmd.Example, "\n")))
	}
	b.WriteString(e.seeAlso(cmd))
	return b.String()
}

func description(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return cmd.Long
	}
	return cmd.Short + "."
}

// synopsis is the way to call cmd, and the way to call a command below it.
func synopsis(cmd *cobra.Command) string {
	var lines string
	if cmd.Runnable() {
		use := strings.Fields(strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath()))
		lines += ".Nm " + cmd.CommandPath() + "\n"
		if len(use) > 0 {
			lines += text(strings.Join(use, " ")) + "\n"
		}
	}
	if len(commands(cmd)) > 0 {
		lines += ".Nm " + cmd.CommandPath() + "\n.Ar command\n.Op Ar argument ...\n"
	}
	return lines
}

// An item of a list: the mdoc of its head, and its text.
type item struct{ head, text string }

func items(cmd *cobra.Command) []item {
	var all []item
	for _, sub := range commands(cmd) {
		all = append(all, item{"Xr " + name(sub) + " 1", sub.Short + "."})
	}
	return all
}

func flags(set *pflag.FlagSet) []item {
	var all []item
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		head := "Fl " + argument("-"+f.Name)
		if f.Shorthand != "" {
			head = "Fl " + f.Shorthand + " , " + head
		}
		if value != "" {
			head += " Ar " + argument(value)
		}
		if f.DefValue != "" && !slices.Contains([]string{"false", "[]", "0", "0s"}, f.DefValue) {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		all = append(all, item{head, capitalised(usage) + "."})
	})
	return all
}

func list(title string, items []item) string {
	if len(items) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".Sh %s\n.Bl -tag -width Ds\n", title)
	for _, i := range items {
		fmt.Fprintf(&b, ".It %s\n%s", i.head, sentences(i.text))
	}
	b.WriteString(".El\n")
	return b.String()
}

// seeAlso refers to the command above, to those below, and to what every page
// refers to, in the order of section and name.
func (e Edition) seeAlso(cmd *cobra.Command) string {
	var refs []string
	if cmd.HasParent() {
		refs = append(refs, name(cmd.Parent())+" 1")
	}
	for _, sub := range commands(cmd) {
		refs = append(refs, name(sub)+" 1")
	}
	slices.Sort(refs)
	refs = append(refs, e.Also...)
	return ".Sh SEE ALSO\n.Xr " + strings.Join(refs, " ,\n.Xr ") + "\n"
}
