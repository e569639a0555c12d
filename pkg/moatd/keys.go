package moatd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/grants"
)

// purposeRuns is what the key is for that seals what runs were registered with.
const purposeRuns = "runs"

// openGrants opens the credentials. Without their key the daemon goes on: its
// runs are degraded with that reason until the key can be had.
func (d *parts) openGrants(ctx context.Context) error {
	home := d.opts.Settings.Home
	d.keys = d.opts.Keys
	if d.keys == nil {
		d.keys = credential.NewKeyChain(credential.KeyOptions{Home: home, Credentials: config.CredentialsDir(home)})
	}
	if err := d.keys.Unlock(ctx); err != nil { // health has it too, for as long as it is so
		d.log.WithError(err).Error("the credentials cannot be opened now; they are tried again")
	}
	secrets, err := d.keys.Store(config.CredentialsDir(home))
	if err != nil {
		return err
	}
	d.secrets = secrets
	d.resolver, err = grants.New(grants.Options{
		Store: secrets, ProvidersDir: config.ProvidersDir(home), Seen: d.redactor.Add,
	})
	return err
}

// The times between two attempts to have the key. A keyring is unlocked by a
// person, who then expects to go on.
const (
	firstAsk = time.Second
	lastAsk  = 15 * time.Second
)

// unlock asks for the key with back-off while it cannot be had, and mends the
// runs when it can; it ends a move to another key that had begun.
func (d *parts) unlock(ctx context.Context) error {
	wait := firstAsk
	for {
		changed := d.keys.Changed()
		var again <-chan time.Time // nil, so never ready, while the key is there
		switch {
		case d.keys.Err() != nil:
			again = time.After(wait)
			wait = min(2*wait, lastAsk)
		case wait != firstAsk: // it was not there before
			wait = firstAsk
			d.log.WithField("key", d.keys.Place().Source).Info("the credentials can be opened again")
			d.reload(ctx)
			fallthrough
		default:
			d.finishMove(ctx)
		}
		select {
		case <-again:
			_ = d.keys.Unlock(ctx) // what it says is what Err says
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// finishMove ends a move to another key that an earlier daemon had begun.
func (d *parts) finishMove(ctx context.Context) {
	if !d.keys.Moving() {
		return
	}
	done, err := d.keys.Finish(ctx, d.persister.SealAgain)
	if err != nil {
		d.log.WithError(err).Error("the move to another key could not be ended")
		return
	}
	if done.To.ID != "" { // nobody else has ended it meanwhile
		d.logMove(done)
	}
}

// rekey moves all that is sealed to a new key.
func (d *parts) rekey(ctx context.Context, to string) (daemon.RekeyResponse, error) {
	source, err := credential.ParseKeySource(to)
	if err != nil {
		return daemon.RekeyResponse{}, fmt.Errorf("%w: %w", daemon.ErrBadRequest, err)
	}
	done, err := d.keys.Rekey(ctx, source, d.persister.SealAgain)
	if err != nil {
		if !errors.Is(err, credential.ErrKeyLocked) && !errors.Is(err, credential.ErrKeyUnavailable) {
			err = fmt.Errorf("%w: %w", credential.ErrKeyUnavailable, err) // the client is the owner of all that it names
		}
		return daemon.RekeyResponse{}, err
	}
	d.logMove(done)
	d.reload(ctx)
	out := daemon.RekeyResponse{From: keyInfo(done.From), To: keyInfo(done.To), Credentials: done.Records}
	for _, err := range done.Skipped {
		out.Skipped = append(out.Skipped, err.Error())
	}
	return out, nil
}

func (d *parts) logMove(done credential.Moved) {
	for _, err := range done.Skipped {
		d.log.WithError(err).Warn("not moved to the new key, as no key opens it")
	}
	d.log.WithFields(logrus.Fields{"from": done.From.Source, "to": done.To.Source, "credentials": done.Records}).Info("moved to a new key")
}

func keyInfo(at credential.KeyPlace) daemon.KeyInfo {
	return daemon.KeyInfo{Source: string(at.Source), ID: at.ID}
}

// keyHealth is what health says of the key.
func (d *parts) keyHealth() daemon.KeyInfo {
	info := keyInfo(d.keys.Place())
	if err := d.keys.Err(); err != nil {
		info.Problem = err.Error()
	}
	return info
}
