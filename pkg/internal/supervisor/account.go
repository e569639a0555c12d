package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// The account of the system's service.
const (
	Account     = "moat"
	AccountHome = "/var/lib/moat"
)

// account makes the account of the system's service, and its home.
func (in *installation) account(ctx context.Context) error {
	if !in.systemd.opts.System {
		return nil
	}
	if _, err := in.run.output(ctx, "systemd-sysusers", "--inline", fmt.Sprintf("u %s - %q %s", Account, "Moat credential proxy", AccountHome)); err != nil {
		return err
	}
	u, err := user.Lookup(Account)
	if err != nil {
		return fmt.Errorf("the account %s was made, and is not found: %w", Account, err)
	}
	if u.HomeDir != AccountHome {
		return &Problem{
			What: fmt.Sprintf("there is an account %s of another purpose: its home is %s and not %s", Account, u.HomeDir, AccountHome),
			Todo: "rename that account, or install for a user: moat daemon install",
		}
	}
	return in.makeHome(u)
}

func (in *installation) makeHome(u *user.User) error {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	for _, dir := range []string{AccountHome, filepath.Join(AccountHome, ".moat"), filepath.Join(AccountHome, ".moat", "run")} {
		dir = in.path(dir)
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the home of the account: %w", err)
		}
		if err := os.Lchown(dir, uid, gid); err != nil {
			return fmt.Errorf("give the account its home: %w", err)
		}
	}
	return nil
}

// RemoveAccount removes the account of the system's service, whose processes
// have ended. That there is none is no error.
func RemoveAccount(ctx context.Context, opts Options) error {
	_, err := user.Lookup(Account)
	if _, none := errors.AsType[user.UnknownUserError](err); none {
		return nil
	}
	_, err = commands{env: opts.Environ}.output(ctx, "userdel", Account)
	return err
}
