package keyring

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/moatd/moatd/pkg/credential"
)

// The names of the Secret Service API, version 0.2,
// https://specifications.freedesktop.org/secret-service.
const (
	busName        = "org.freedesktop.secrets"
	servicePath    = dbus.ObjectPath("/org/freedesktop/secrets")
	ifService      = "org.freedesktop.Secret.Service"
	ifCollection   = "org.freedesktop.Secret.Collection"
	ifItem         = "org.freedesktop.Secret.Item"
	nowhere        = dbus.ObjectPath("/") // no prompt, no such object
	defaultAlias   = "default"
	attributeKey   = "key"
	attributeOwner = "service"
	owner          = "moatd"
)

var _ credential.Keyring = (*SecretService)(nil)

// SecretService is the [credential.Keyring] of a D-Bus session. Whatever it
// would have to ask a person for, it does not do: that is
// [credential.ErrKeyLocked].
type SecretService struct{ address string }

// NewSecretService returns the service on the bus at address, as
// $DBUS_SESSION_BUS_ADDRESS has it. It does not connect.
func NewSecretService(address string) *SecretService { return &SecretService{address} }

// A session is one connection to the service.
type session struct {
	conn    *dbus.Conn
	service dbus.BusObject
	path    dbus.ObjectPath // of the session, in which secrets travel
}

// A secret is one as it travels.
type secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// open connects. The bus is a socket of the user's own, so a secret may travel
// on it as it is.
func (s *SecretService) open(ctx context.Context) (*session, error) {
	conn, err := dbus.Connect(s.address, dbus.WithContext(ctx)) // ctx ends the connection, too
	if err != nil {
		return nil, fmt.Errorf("connect to D-Bus: %w", err)
	}
	in := &session{conn: conn, service: conn.Object(busName, servicePath)}
	var ignored dbus.Variant
	err = in.service.CallWithContext(ctx, ifService+".OpenSession", 0, "plain", dbus.MakeVariant("")).Store(&ignored, &in.path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a session of the Secret Service: %w", err), conn.Close())
	}
	return in, nil
}

// do calls fn in a session, which it ends.
func (s *SecretService) do(ctx context.Context, fn func(*session) error) error {
	in, err := s.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(fn(in), closed(in.conn.Close()))
}

// closed leaves out that the end of the context has closed the connection.
func closed(err error) error {
	if errors.Is(err, dbus.ErrClosed) {
		return nil
	}
	return err
}

// Ready implements [credential.Keyring]: there is a collection for new entries,
// and it is not locked.
func (s *SecretService) Ready(ctx context.Context) error {
	return s.do(ctx, func(in *session) error {
		_, err := in.collection(ctx)
		return err
	})
}

// Get implements [credential.Keyring].
func (s *SecretService) Get(ctx context.Context, id string) (text credential.Secret, err error) {
	err = s.do(ctx, func(in *session) error {
		item, failed := in.find(ctx, id)
		if failed != nil {
			return failed
		}
		var got secret
		failed = in.conn.Object(busName, item).CallWithContext(ctx, ifItem+".GetSecret", 0, in.path).Store(&got)
		text = credential.Secret(got.Value)
		return locked(failed)
	})
	return text, err
}

// Set implements [credential.Keyring].
func (s *SecretService) Set(ctx context.Context, id string, text credential.Secret) error {
	return s.do(ctx, func(in *session) error {
		to, err := in.collection(ctx)
		if err != nil {
			return err
		}
		properties := map[string]dbus.Variant{
			ifItem + ".Label":      dbus.MakeVariant("The key of moatd's credentials, " + id),
			ifItem + ".Attributes": dbus.MakeVariant(attributes(id)),
		}
		value := secret{Session: in.path, Parameters: []byte{}, Value: []byte(text), ContentType: "text/plain"}
		var item, prompt dbus.ObjectPath
		err = to.CallWithContext(ctx, ifCollection+".CreateItem", 0, properties, value, true).Store(&item, &prompt)
		return unasked(prompt, err)
	})
}

// Delete implements [credential.Keyring].
func (s *SecretService) Delete(ctx context.Context, id string) error {
	return s.do(ctx, func(in *session) error {
		item, err := in.find(ctx, id)
		if err != nil {
			return err
		}
		var prompt dbus.ObjectPath
		err = in.conn.Object(busName, item).CallWithContext(ctx, ifItem+".Delete", 0).Store(&prompt)
		return unasked(prompt, err)
	})
}

func attributes(id string) map[string]string {
	return map[string]string{attributeOwner: owner, attributeKey: id}
}

// unasked reports a prompt, which nobody will show, as locked.
func unasked(prompt dbus.ObjectPath, err error) error {
	if err == nil && prompt != nowhere {
		return credential.ErrKeyLocked
	}
	return locked(err)
}

// locked translates the error of an object that was locked meanwhile.
func locked(err error) error {
	if said, ok := errors.AsType[dbus.Error](err); ok && said.Name == "org.freedesktop.Secret.Error.IsLocked" {
		return credential.ErrKeyLocked
	}
	return err
}

// collection returns the one for new entries. One that is lost at the end of
// the session is never the default.
func (in *session) collection(ctx context.Context) (dbus.BusObject, error) {
	var path dbus.ObjectPath
	if err := in.service.CallWithContext(ctx, ifService+".ReadAlias", 0, defaultAlias).Store(&path); err != nil {
		return nil, fmt.Errorf("find the default keyring: %w", err)
	}
	if path == nowhere {
		return nil, errors.New("there is no default keyring yet; make one, as by storing a password of the desktop")
	}
	is, err := in.isLocked(ctx, path)
	if err == nil && is {
		err = credential.ErrKeyLocked
	}
	return in.conn.Object(busName, path), err
}

// find returns an entry that is not locked. Where there is none and something
// is locked, the entry may be in there.
func (in *session) find(ctx context.Context, id string) (dbus.ObjectPath, error) {
	var open, shut []dbus.ObjectPath
	if err := in.service.CallWithContext(ctx, ifService+".SearchItems", 0, attributes(id)).Store(&open, &shut); err != nil {
		return "", fmt.Errorf("search the keyring: %w", err)
	}
	if len(open) > 0 {
		return open[0], nil
	}
	if len(shut) > 0 {
		return "", credential.ErrKeyLocked
	}
	is, err := in.anyLocked(ctx)
	if err == nil && is {
		err = credential.ErrKeyLocked
	}
	if err == nil {
		err = credential.ErrNotFound
	}
	return "", err
}

func (in *session) anyLocked(ctx context.Context) (bool, error) {
	var all []dbus.ObjectPath
	if err := in.property(ctx, servicePath, ifService, "Collections", &all); err != nil {
		return false, err
	}
	for _, path := range all {
		if is, err := in.isLocked(ctx, path); is || err != nil {
			return is, err
		}
	}
	return false, nil
}

func (in *session) isLocked(ctx context.Context, path dbus.ObjectPath) (is bool, err error) {
	err = in.property(ctx, path, ifCollection, "Locked", &is)
	return is, err
}

func (in *session) property(ctx context.Context, path dbus.ObjectPath, iface, name string, into any) error {
	err := in.conn.Object(busName, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, iface, name).Store(into)
	if err != nil {
		return fmt.Errorf("read %s of the keyring: %w", name, err)
	}
	return nil
}
