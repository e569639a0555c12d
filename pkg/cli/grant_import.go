package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	agefile "filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/credential"
)

// maxExport is the longest export that is read, in bytes.
const maxExport = 64 << 20

func (a *app) grantImportCommand() *cobra.Command {
	var from sealFlags
	var replace bool
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Store the credentials of an encrypted file",
		Long: `moat grant import stores the credentials of a file that moat grant export wrote. A
file that is damaged, or that the passphrase does not open, changes nothing; nor
does one with a credential that is there already, without --replace.`,
		Example: "  moat grant import grants.age",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.grantImport(cmd.Context(), args[0], from, replace)
		},
	}
	cmd.Flags().StringVar(&from.passphrase, "passphrase-file", "", "take the passphrase from the `file`")
	cmd.Flags().StringVar(&from.identity, "identity", "", "decrypt with the identities of age in the `file` instead")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace credentials that are there already")
	return cmd
}

// imported is what moat grant import --json prints.
type imported struct {
	Grants   []string `json:"grants"`
	Replaced []string `json:"replaced"`
	Live     bool     `json:"live"` // a running daemon has them already
}

func (a *app) grantImport(ctx context.Context, path string, from sealFlags, replace bool) error {
	all, err := a.readExport(path, from)
	if err != nil {
		return fmt.Errorf("import %s: %w", path, err)
	}
	secrets, err := a.secrets(ctx)
	if err != nil {
		return err
	}
	out := imported{Grants: grantsOf(all), Replaced: []string{}}
	for _, name := range out.Grants {
		if _, err = secrets.Get(ctx, name); !errors.Is(err, credential.ErrNotFound) { // one that cannot be read is there too
			out.Replaced = append(out.Replaced, name)
		}
	}
	if len(out.Replaced) > 0 && !replace {
		return hinted{fmt.Errorf("there is a credential already for %s; nothing was imported", strings.Join(out.Replaced, ", ")), "--replace replaces what is there"}
	}
	for i := range all {
		if err = secrets.Put(ctx, &all[i]); err != nil {
			return hinted{fmt.Errorf("%d of %d credentials were imported: %w", i, len(all), err), "import the file again with --replace"}
		}
	}
	if out.Live, err = a.tellDaemon(ctx); err != nil {
		return err
	}
	return print(a, out, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "imported %s\n", strings.Join(out.Grants, ", "))
		if len(out.Replaced) > 0 {
			fmt.Fprintf(w, "in place of what was there for %s\n", strings.Join(out.Replaced, ", "))
		}
	})
}

// readExport decrypts and checks the whole file before anything of it is used.
func (a *app) readExport(path string, from sealFlags) ([]credential.Credential, error) {
	data, err := a.exportFile(path)
	if err != nil {
		return nil, err
	}
	with, err := a.identities(from)
	if err != nil {
		return nil, err
	}
	plain, err := agefile.Decrypt(bytes.NewReader(data), with...)
	if _, wrong := errors.AsType[*agefile.NoIdentityMatchError](err); wrong {
		return nil, errors.New("neither the passphrase nor an identity opens it")
	}
	if err != nil {
		return nil, errors.New("it is no file of age, or it is damaged") // err could quote a file that holds a secret
	}
	all, err := credential.ReadArchive(plain)
	if err == nil && len(all) == 0 {
		err = errors.New("it holds no credentials of moat")
	}
	return all, err
}

func (a *app) exportFile(path string) ([]byte, error) {
	from := io.Reader(a.process.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, maxExport+1))
	if err == nil && len(data) > maxExport {
		err = fmt.Errorf("it is longer than %d bytes", maxExport)
	}
	return data, err
}

func (a *app) identities(from sealFlags) ([]agefile.Identity, error) {
	if from.identity == "" {
		word, err := a.passphrase(from.passphrase, false)
		if err != nil {
			return nil, err
		}
		id, err := agefile.NewScryptIdentity(word)
		return []agefile.Identity{id}, err
	}
	f, err := os.Open(from.identity)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := agefile.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("%s: no identities of age", from.identity) // err could quote one
	}
	return all, nil
}
