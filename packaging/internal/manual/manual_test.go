package manual_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/moatd/moatd/packaging/internal/manual"
)

var edition = manual.Edition{
	Date:    time.Date(2026, 11, 25, 23, 59, 0, 0, time.UTC),
	Product: "tool 1.2.3",
	Also:    []string{"toold 8"},
	More:    map[string]string{"tool": ".Sh EXIT STATUS\n.Ex -std\n"},
}

// tool is a program with one of each.
func tool() *cobra.Command {
	root := &cobra.Command{Use: "tool", Short: "Do things", Long: "tool does things. It is quick.\n\n  tool do   do it\n\n.Sh is no macro here.\n'Nor is this."}
	root.PersistentFlags().Bool("json", false, "print JSON, for programs")
	do := &cobra.Command{
		Use: "do [flags] THING", Short: "Do a thing", Example: "  tool do --times 3 \\dishes",
		Run: func(*cobra.Command, []string) {},
	}
	do.Flags().IntP("times", "t", 1, "how `often`")
	do.Flags().String("No", "", "PEM `file`")
	do.Flags().Bool("secret", false, "for tests")
	if err := do.Flags().MarkHidden("secret"); err != nil {
		panic(err)
	}
	inner := &cobra.Command{Use: "all", Short: "Do all of it", Run: do.Run}
	group := &cobra.Command{Use: "group", Short: "Do things together"}
	group.AddCommand(inner)
	hidden := &cobra.Command{Use: "hidden", Hidden: true, Run: do.Run}
	root.AddCommand(do, group, hidden)
	return root
}

func TestPages_haveOneForEachCommand(t *testing.T) {
	got := slices.Sorted(maps.Keys(manual.Pages(tool(), edition)))
	if want := []string{"tool", "tool-do", "tool-group", "tool-group-all"}; !slices.Equal(got, want) {
		t.Errorf("Pages: %q, want %q", got, want)
	}
}

func TestPages_ofACommand(t *testing.T) {
	const want = `.Dd November 25, 2026
.Dt TOOL-DO 1
.Os tool 1.2.3
.Sh NAME
.Nm tool-do
.Nd do a thing
.Sh SYNOPSIS
.Nm tool do
[flags] THING
.Sh DESCRIPTION
Do a thing.
.Sh OPTIONS
.Bl -tag -width Ds
.It Fl \-No Ar file
PEM file.
.It Fl h , Fl \-help
Help for do.
.It Fl t , Fl \-times Ar often
How often (default 1).
.El
.Sh GLOBAL OPTIONS
.Bl -tag -width Ds
.It Fl \-json
Print JSON, for programs.
.El
.Sh EXAMPLES
.Bd -literal -offset indent
tool do \-\-times 3 \edishes
.Ed
.Sh SEE ALSO
.Xr tool 1 ,
.Xr toold 8
`
	if diff := cmp.Diff(want, manual.Pages(tool(), edition)["tool-do"]); diff != "" {
		t.Errorf("page of tool do (-want +got):\n%s", diff)
	}
}

func TestPages_ofAGroup(t *testing.T) {
	page := manual.Pages(tool(), edition)["tool"]
	for _, want := range []string{
		".Sh DESCRIPTION\ntool does things.\nIt is quick.\n.Bd -literal -offset indent\ntool do   do it\n.Ed\n.Pp\n\\&.Sh is no macro here. 'Nor is this.\n",
		".It Xr tool-do 1\nDo a thing.\n.It Xr tool-group 1\n",
		".El\n.Sh EXIT STATUS\n.Ex -std\n.Sh SEE ALSO\n.Xr tool-do 1 ,\n.Xr tool-group 1 ,\n.Xr toold 8\n",
		".Sh SYNOPSIS\n.Nm tool\n.Ar command\n", // it does nothing by itself
	} {
		if !strings.Contains(page, want) {
			t.Errorf("page of tool:\n%s\nwant in it:\n%s", page, want)
		}
	}
}

func TestPages_areCleanToMandoc(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("no mandoc here")
	}
	for name, page := range manual.Pages(tool(), edition) {
		file := filepath.Join(t.TempDir(), name+".1")
		if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), mandoc, "-T", "lint", "-W", "warning", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("mandoc -T lint: %v\n%s", err, out)
		}
	}
}

// Whatever a help says, no line of it is a macro, and no escape gets through.
func FuzzPages(f *testing.F) {
	f.Add("A text.\n\n  with code\n\nand .Sh at\n.Sh the\n'br beginning", "Short \"quoted\" No", `a \fB`)
	f.Fuzz(func(t *testing.T, long, short, example string) {
		if strings.ContainsFunc(long+short+example, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x85 || r == 0xa0 || r > 0x7f }) {
			return // people write help; what it is made of is their choice
		}
		cmd := &cobra.Command{Use: "x", Short: strings.ReplaceAll(short, "\n", " "), Long: long, Example: example, Run: func(*cobra.Command, []string) {}}
		empty := &cobra.Command{Use: "x", Short: "s", Long: "l", Example: "e", Run: cmd.Run}
		got, want := macros(manual.Pages(cmd, edition)["x"]), macros(manual.Pages(empty, edition)["x"])
		for m := range want {
			delete(got, m)
		}
		for _, ours := range []string{".Pp", ".Bd", ".Ed", ".Sh"} {
			delete(got, ours)
		}
		if len(got) > 0 {
			t.Errorf("help %q %q %q brought macros in: %v", long, short, example, got)
		}
		if page := manual.Pages(cmd, edition)["x"]; strings.Count(page, "\n.Sh ") > 7 {
			t.Errorf("help %q %q %q brought sections in:\n%s", long, short, example, page)
		}
	})
}

// macros returns what the lines that are macros begin with.
func macros(page string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(page) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); line[0] == '.' || line[0] == '\'' {
			all[name] = true
		}
	}
	return all
}
