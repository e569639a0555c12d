package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	agefile "filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/providers"
)

func (a *app) grantExportCommand() *cobra.Command {
	var to sealFlags
	cmd := &cobra.Command{
		Use:   "export FILE|- [GRANT]...",
		Short: "Write stored credentials to an encrypted file, for another machine",
		Long: `moat grant export writes the named credentials, or all, to a file in the format of
age, which moat grant import reads on another machine, and age -d anywhere. It
is encrypted with a passphrase, which is asked for on a terminal, or for
recipients. Whatever fails, no half a file is left.`,
		Example: `  moat grant export grants.age
  moat grant export --recipient age1… - github | ssh other moat grant import --identity key.txt -`,
		Args: arguments(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.grantExport(cmd.Context(), args[0], args[1:], to)
		},
	}
	cmd.Flags().StringVar(&to.passphrase, "passphrase-file", "", "take the passphrase from the `file`")
	cmd.Flags().StringArrayVar(&to.recipients, "recipient", nil, "encrypt for the `recipient` of age instead: age1…; may be given again")
	return cmd
}

// sealFlags say how an export is encrypted.
type sealFlags struct {
	passphrase string // file of it
	recipients []string
	identity   string // file, to decrypt
}

func (a *app) grantExport(ctx context.Context, path string, names []string, to sealFlags) error {
	secrets, err := a.secrets(ctx)
	if err != nil {
		return err
	}
	all, err := chosen(ctx, secrets, names)
	if err != nil {
		return err
	}
	readers, err := a.recipients(to)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := encrypt(&out, all, readers); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if path == "-" {
		_, err := a.process.Stdout.Write(out.Bytes())
		return err
	}
	if err := writeWhole(path, out.Bytes()); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return print(a, exported{path, grantsOf(all)}, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "exported %s to %s\n", strings.Join(grantsOf(all), ", "), path)
	})
}

// exported is what moat grant export --json prints, unless the file goes there.
type exported struct {
	File   string   `json:"file"`
	Grants []string `json:"grants"`
}

func grantsOf(all []credential.Credential) []string {
	names := make([]string, 0, len(all))
	for _, c := range all {
		names = append(names, c.Grant)
	}
	return names
}

// chosen returns the named credentials, or all; each must be readable.
func chosen(ctx context.Context, secrets *credential.FileStore, names []string) ([]credential.Credential, error) {
	if len(names) == 0 {
		listed, err := secrets.List(ctx)
		if err != nil {
			return nil, hinted{err, "name the grants to export, to leave out what cannot be read"}
		}
		names = grantsOf(listed)
	}
	if len(names) == 0 {
		return nil, errors.New("there is no credential to export")
	}
	var all []credential.Credential
	for _, name := range names {
		c, err := secrets.Get(ctx, name)
		if errors.Is(err, credential.ErrNotFound) {
			return nil, hinted{fmt.Errorf("there is no credential %s", name), stored(ctx, secrets)}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, *c)
	}
	return all, nil
}

func (a *app) recipients(to sealFlags) ([]agefile.Recipient, error) {
	if len(to.recipients) > 0 && to.passphrase != "" {
		return nil, usageError{errors.New("--recipient and --passphrase-file exclude each other"), "moat grant export"}
	}
	if len(to.recipients) > 0 {
		all, err := agefile.ParseRecipients(strings.NewReader(strings.Join(to.recipients, "\n")))
		if err != nil {
			return nil, usageError{fmt.Errorf("--recipient: %w", err), "moat grant export"}
		}
		return all, nil
	}
	word, err := a.passphrase(to.passphrase, true)
	if err != nil {
		return nil, err
	}
	r, err := agefile.NewScryptRecipient(word)
	return []agefile.Recipient{r}, err
}

// passphrase reads a passphrase from a file, or asks for it, twice for a new one.
func (a *app) passphrase(file string, fresh bool) (string, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		return notEmpty(providers.TrimSecret(string(data)).Reveal())
	}
	if !term.IsTerminal(int(a.process.Stdin.Fd())) {
		return "", hinted{errors.New("there is no terminal to ask for a passphrase on"), "name a file that has it with --passphrase-file, or use --recipient and --identity"}
	}
	word, err := a.prompt("this export, a passphrase")
	if err == nil && fresh {
		var again string
		if again, err = a.prompt("this export, the passphrase again"); err == nil && again != word {
			err = errors.New("these are two passphrases")
		}
	}
	if err != nil {
		return "", fmt.Errorf("read the passphrase: %w", err)
	}
	return notEmpty(word)
}

func notEmpty(word string) (string, error) {
	if word == "" {
		return "", errors.New("the passphrase is empty")
	}
	return word, nil
}

func encrypt(out io.Writer, all []credential.Credential, to []agefile.Recipient) error {
	w, err := agefile.Encrypt(out, to...)
	if err != nil {
		return err
	}
	return errors.Join(credential.WriteArchive(w, all), w.Close())
}

// writeWhole makes path hold data, of mode 0600, or leaves it as it was.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".moat-export-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
