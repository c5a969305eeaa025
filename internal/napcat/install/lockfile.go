package install

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// digestLock is the file ncatd.lock: what every package that was ever accepted
// from the network looked like. A package without a digest from anywhere else
// must look so again.
type digestLock struct {
	Schema   int                   `json:"schema"`
	Packages map[string]lockedFile `json:"packages"` // by product/file name
}

type lockedFile struct {
	SHA256   string    `json:"sha256"`
	Size     int64     `json:"size"`
	Source   string    `json:"source"`
	Accepted time.Time `json:"accepted"`
}

const digestLockSchema = 1

func (s *Store) digestLockPath() string { return filepath.Join(s.home, "ncatd.lock") }

func (s *Store) readDigestLock() (digestLock, error) {
	l := digestLock{Schema: digestLockSchema, Packages: map[string]lockedFile{}}
	b, err := os.ReadFile(s.digestLockPath())
	if missing(err) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, &atomicfile.DamagedError{Path: s.digestLockPath(), Err: err}
	}
	if l.Schema > digestLockSchema {
		return l, fmt.Errorf("%s was written by a newer ncatd (schema %d)", s.digestLockPath(), l.Schema)
	}
	if l.Packages == nil {
		l.Packages = map[string]lockedFile{}
	}
	return l, nil
}

func lockKey(p Product, name string) string { return string(p) + "/" + name }

// lockDigest records an accepted package. It needs the install lock, and mu for
// the two packages of one install.
func (in *installer) lockDigest(p Product, name string, f lockedFile) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	l, err := in.store.readDigestLock()
	if err != nil {
		return err
	}
	if old, ok := l.Packages[lockKey(p, name)]; ok && old.SHA256 == f.SHA256 {
		return nil
	}
	l.Packages[lockKey(p, name)] = f
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(in.store.digestLockPath(), append(b, '\n'), 0o644)
}
