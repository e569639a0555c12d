package credential

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// archiveVersion is the version of an archive.
const archiveVersion = 1

// archive is credentials on their way to another home, in clear: whoever writes
// one encrypts it.
type archive struct {
	V           int               `json:"v"`
	Credentials []json.RawMessage `json:"credentials"` // records
}

// maxArchive is the longest archive that is read, in bytes.
const maxArchive = 64 << 20

// WriteArchive writes all that is known of the credentials to w, their secrets in
// clear.
func WriteArchive(w io.Writer, all []Credential) error {
	out := archive{V: archiveVersion}
	for _, c := range all {
		rec, err := encodeCredential(&c)
		if err != nil {
			return fmt.Errorf("encode credential %s: %w", c.Grant, err)
		}
		out.Credentials = append(out.Credentials, rec)
	}
	return json.NewEncoder(w).Encode(out)
}

// ReadArchive reads what [WriteArchive] wrote, all or nothing: each credential is
// one that a [Store] takes, and none is there twice. Its errors show no secret.
func ReadArchive(r io.Reader) ([]Credential, error) {
	data, err := readAtMost(r, maxArchive)
	if err != nil {
		return nil, err
	}
	var in archive
	if json.Unmarshal(data, &in) != nil || in.V < 1 { // the error could quote what is secret
		return nil, errors.New("it holds no credentials of moat")
	}
	if in.V > archiveVersion {
		return nil, fmt.Errorf("it has version %d, written by a newer version of moat", in.V)
	}
	seen := make(map[string]bool)
	var all []Credential
	for i, val := range in.Credentials {
		c, err := readArchived(val)
		if err == nil && seen[c.Grant] {
			err = fmt.Errorf("credential %s is there twice", c.Grant)
		}
		if err != nil {
			return nil, fmt.Errorf("credential number %d: %w", i+1, err)
		}
		seen[c.Grant] = true
		all = append(all, *c)
	}
	return all, nil
}

func readArchived(val json.RawMessage) (*Credential, error) {
	var name struct {
		Grant string `json:"grant"`
	}
	if json.Unmarshal(val, &name) != nil {
		return nil, ErrDamaged
	}
	if _, _, err := ParseGrant(name.Grant); err != nil {
		return nil, err
	}
	c, err := decodeCredential(name.Grant, val)
	if err != nil {
		return nil, err
	}
	return c, checkSecret(c)
}
