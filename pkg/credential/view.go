package credential

import (
	"fmt"
	"os"
)

// ViewFileStore is [OpenFileStore] for those who only look: it makes nothing,
// tidies nothing and leaves the mode of dir as it is. Without dir the error is
// [io/fs.ErrNotExist].
func ViewFileStore(dir string, key Key) (*FileStore, error) {
	prints, err := newFingerprinter(key)
	if err == nil {
		_, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("look at the credentials in %s: %w", dir, err)
	}
	return &FileStore{dir: dir, sealer: NewSealer(key, "credential"), prints: prints}, nil
}
