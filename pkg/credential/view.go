package credential

import (
	"fmt"
	"os"
)

// ViewFileStore is [OpenFileStore] for those who only look: it makes nothing,
// tidies nothing and leaves the mode of dir as it is. Without dir the error is
// [io/fs.ErrNotExist].
func ViewFileStore(dir string, key Key) (*FileStore, error) {
	_, err := os.ReadDir(dir)
	if key.raw == nil {
		err = errNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("look at the credentials in %s: %w", dir, err)
	}
	keys := fixed{current: key}
	return &FileStore{dir: dir, keys: keys, sealer: &Sealer{keys, purposeCredential}}, nil
}
