package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// header begins every sealed file; the number is the version of what follows.
const (
	headerName = "moat-sealed "
	header     = headerName + "1\n"
)

var errNewer = errors.New("sealed by a newer version of moat, or damaged")

// record is what is sealed: JSON, so that fields can be added.
type record struct {
	Grant     string    `json:"grant"`
	Secret    []byte    `json:"secret"` // in base64, as a secret need not be UTF-8
	Source    string    `json:"source,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`

	RefreshedAt time.Time       `json:"refreshed_at,omitzero"`
	Renewal     json.RawMessage `json:"renewal,omitempty"` // a renewalRecord
}

func sealCredential(s *Sealer, c *Credential) ([]byte, error) {
	plain, err := encodeCredential(c)
	if err != nil {
		return nil, err
	}
	return sealRecord(s, c.Grant, plain)
}

// sealRecord returns the file of an encoded credential.
func sealRecord(s *Sealer, grant string, plain []byte) ([]byte, error) {
	sealed, err := s.Seal(grant, plain)
	if len(header)+len(sealed) > maxFile {
		return nil, fmt.Errorf("has more than %d bytes", maxFile)
	}
	return append([]byte(header), sealed...), err
}

func encodeCredential(c *Credential) ([]byte, error) {
	renewal, err := c.Renewal.encode()
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(record{
		Grant: c.Grant, Secret: []byte(c.Secret), Source: c.Source,
		CreatedAt: c.CreatedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(),
		RefreshedAt: c.RefreshedAt.UTC(), Renewal: renewal,
	})
	if err != nil {
		return nil, err
	}
	return c.newer.join(plain)
}

func openCredential(s *Sealer, grant string, data []byte) (*Credential, error) {
	plain, err := openRecord(s, grant, data)
	if err != nil {
		return nil, err
	}
	return decodeCredential(grant, plain)
}

// openRecord returns the encoded credential of a file.
func openRecord(s *Sealer, grant string, data []byte) ([]byte, error) {
	sealed, ok := bytes.CutPrefix(data, []byte(header))
	if !ok {
		if bytes.HasPrefix(data, []byte(headerName)) {
			return nil, errNewer
		}
		return nil, ErrDamaged
	}
	return s.Open(grant, sealed)
}

func decodeCredential(grant string, plain []byte) (*Credential, error) {
	var r record
	if err := json.Unmarshal(plain, &r); err != nil || r.Grant != grant {
		return nil, ErrDamaged // err could quote what was sealed
	}
	renewal, err := decodeRenewal(r.Renewal)
	if err != nil {
		return nil, ErrDamaged
	}
	return &Credential{
		Grant: r.Grant, Secret: Secret(r.Secret), Source: r.Source,
		CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
		RefreshedAt: r.RefreshedAt, Renewal: renewal, newer: unknownIn[record](plain),
	}, nil
}
