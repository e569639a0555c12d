package credential

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// LoadOrCreateKey loads the master key at path, or makes one there if there is
// none; created says which. The new file has mode 0600, a directory that it had
// to make 0700. However many processes do this at once, all end with one key.
//
// It never makes a second key because the first cannot be used: any other
// trouble than a missing file is an error that says what to do about it.
func LoadOrCreateKey(path string) (key Key, created bool, err error) {
	key, err = LoadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	key, err = createKey(path)
	if errors.Is(err, fs.ErrExist) { // another process was first
		key, err = LoadKey(path)
		return key, false, err
	}
	if err != nil {
		return Key{}, false, fmt.Errorf("create key file %s: %w", path, err)
	}
	return key, true, nil
}

// createKey makes the file appear whole or not at all: link(2), other than
// rename(2), does not replace. An error is [fs.ErrExist] if path exists.
func createKey(path string) (Key, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Key{}, err
	}
	if err := checkKeyDir(dir); err != nil {
		return Key{}, err
	}
	key := newKey(string(KeyInFile))
	if err := writeKey(path, key); err != nil {
		return Key{}, err
	}
	return key, nil
}

// writeKey puts the key at path, where nothing may be yet.
func writeKey(path string, key Key) error {
	raw := key.raw()
	temp, err := writeTemp(filepath.Dir(path), append(hex.AppendEncode(nil, raw[:]), '\n'))
	if err != nil {
		return err
	}
	onFileOp("link", path)
	if err = errors.Join(os.Link(temp, path), remove(temp)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// LoadKey loads the master key at path: 64 hex digits on one line, in a regular
// file that is ours and that nobody else may read. Without a file the error is
// [fs.ErrNotExist].
func LoadKey(path string) (Key, error) {
	key, err := readKey(path)
	switch {
	case err == nil:
		return key, nil
	case errors.Is(err, fs.ErrNotExist):
		return Key{}, fmt.Errorf("key file: %w", err) // err names the path
	}
	return Key{}, fmt.Errorf("key file %s: %w", path, err)
}

func readKey(path string) (Key, error) {
	f, info, err := openRegular(path)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	if err = checkKeyDir(filepath.Dir(path)); err != nil {
		return Key{}, err
	}
	if err = checkOwner(info); err != nil {
		return Key{}, err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return Key{}, fmt.Errorf("has mode %#o, so others may have read it; chmod 600 it, and replace the"+
			" credentials if that may be so", perm)
	}
	data, err := readAtMost(f, 4096)
	if err != nil {
		return Key{}, err
	}
	return decodeKey(data, KeyInFile)
}

// decodeKey parses a key as it is kept in from. Its errors show none of it.
func decodeKey(data []byte, from KeySource) (Key, error) {
	digits := bytes.TrimSuffix(data, []byte("\n"))
	var raw [keySize]byte
	if len(digits) != hex.EncodedLen(keySize) {
		return Key{}, fmt.Errorf("has %d bytes where a key has %d; put it back from a backup, or move it away and"+
			" grant the credentials again", len(digits), hex.EncodedLen(keySize))
	}
	if _, err := hex.Decode(raw[:], digits); err != nil {
		return Key{}, errors.New("does not hold a key in hex digits; put it back from a backup, or move it away and" +
			" grant the credentials again")
	}
	return makeKey(raw, string(from)), nil
}

// checkKeyDir refuses a directory in which others could exchange the file.
func checkKeyDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if err := checkOwner(info); err != nil {
		return fmt.Errorf("its directory %s %w", dir, err)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("its directory %s has mode %#o, so others may write there; chmod 700 it", dir, perm)
	}
	return nil
}

func checkOwner(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("has no owner that could be checked")
	}
	if uid := os.Geteuid(); int(st.Uid) != uid {
		return fmt.Errorf("belongs to user %d, and this is user %d; chown it, or run as its owner", st.Uid, uid)
	}
	return nil
}
