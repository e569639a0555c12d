package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// header begins every sealed file; the number is the version of what follows.
const header = "moat-sealed 1\n"

// record is what is sealed: JSON, so that fields can be added.
type record struct {
	Grant     string    `json:"grant"`
	Secret    []byte    `json:"secret"` // in base64, as a secret need not be UTF-8
	Source    string    `json:"source,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func sealCredential(s *Sealer, c *Credential) ([]byte, error) {
	plain, err := json.Marshal(record{
		Grant: c.Grant, Secret: []byte(c.Secret), Source: c.Source,
		CreatedAt: c.CreatedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(),
	})
	if err != nil {
		return nil, err
	}
	sealed, err := s.Seal(c.Grant, plain)
	return append([]byte(header), sealed...), err
}

func openCredential(s *Sealer, grant string, data []byte) (*Credential, error) {
	sealed, ok := bytes.CutPrefix(data, []byte(header))
	if !ok {
		if bytes.HasPrefix(data, []byte("moat-sealed ")) {
			return nil, errors.New("sealed by a newer version of moat, or damaged")
		}
		return nil, ErrDamaged
	}
	plain, err := s.Open(grant, sealed)
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(plain, &r); err != nil || r.Grant != grant {
		return nil, ErrDamaged // err could quote what was sealed
	}
	return &Credential{
		Grant: r.Grant, Secret: Secret(r.Secret), Source: r.Source,
		CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
	}, nil
}
