package credential

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A KeyPlace says where a key is; none of it is secret.
type KeyPlace struct {
	Source KeySource `json:"source"`
	ID     string    `json:"id"` // [Key.ID]
}

// keyRecordVersion is the version of a keyRecord.
const keyRecordVersion = 1

// keyRecord says which keys a home has sealed with. It is written before a key
// is used, so that no other is taken for it.
type keyRecord struct {
	V       int      `json:"v"`
	Current KeyPlace `json:"current"`
	// Previous is the key before, while not all that it had sealed is known to
	// be sealed with the current one.
	Previous *KeyPlace `json:"previous,omitempty"`
	// Moved says that nothing needs Previous any more but its removal.
	Moved bool `json:"moved,omitempty"`
	// Next is a key that is about to be stored in a keyring, so that it can be
	// found there if nothing comes of it. Nothing is sealed with it.
	Next *KeyPlace `json:"next,omitempty"`
}

// RecordedKey says where the key of a home is, without asking for it. For a home
// that has noted none the error is [fs.ErrNotExist].
func RecordedKey(home string) (KeyPlace, error) {
	rec, _, err := readKeyRecord(filepath.Join(home, recordName))
	return rec.Current, err
}

// recordName is the file of the keyRecord in a home.
const recordName = "key.json"

// readKeyRecord returns the record at path, and its bytes, by which it can be
// compared; without a file the error is [fs.ErrNotExist].
func readKeyRecord(path string) (rec keyRecord, text string, err error) {
	f, _, err := openRegular(path)
	if err == nil {
		defer f.Close()
		var data []byte
		if data, err = readAtMost(f, 4096); err == nil {
			rec, err = decodeKeyRecord(data)
			return rec, string(data), wrapRecord(path, err)
		}
	}
	return rec, "", wrapRecord(path, err)
}

func wrapRecord(path string, err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w: %s: %v; put it back from a backup", ErrKeyUnavailable, path, err)
}

func decodeKeyRecord(data []byte) (rec keyRecord, err error) {
	if json.Unmarshal(data, &rec) != nil || rec.V < 1 || !rec.Current.known() || !rec.Previous.absentOrKnown() || !rec.Next.absentOrKnown() {
		return keyRecord{}, errors.New("does not say where the key is")
	}
	if rec.V > keyRecordVersion {
		return keyRecord{}, fmt.Errorf("has version %d, written by a newer version of moat", rec.V)
	}
	return rec, nil
}

func (p KeyPlace) known() bool {
	source, err := ParseKeySource(string(p.Source))
	return err == nil && source != KeyAuto && len(p.ID) == 16 && !notHex(p.ID)
}

func (p *KeyPlace) absentOrKnown() bool { return p == nil || p.known() }

func notHex(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return true
		}
	}
	return false
}

// writeKeyRecord stores rec, durably, and returns its bytes.
func writeKeyRecord(path string, rec keyRecord) (text string, err error) {
	rec.V = keyRecordVersion
	data, err := json.Marshal(rec)
	if err != nil {
		return "", err
	}
	data = append(data, '\n')
	if err := replaceFile(path, data); err != nil {
		return "", fmt.Errorf("note where the key is, in %s: %w", path, err)
	}
	return string(data), nil
}

// exists reports whether there is anything at path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
