package account

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// Store is accounts/NAME/state.json: the account's own part, [Saved], and the
// host's beside it in one object. It is safe for concurrent use.
type Store struct {
	path string

	told func(error)

	mu     sync.Mutex // guards the fields below
	saved  Saved
	host   func() any
	failed bool // the last save
}

// OpenStore reads the file at path, the host's part into host. Without a file, or
// with one that makes no sense, both are empty; the latter is told. Later saves
// ask state for the host's part. told hears why a save failed, each time, and nil
// when one succeeds again; it must return at once.
func OpenStore(path string, host any, state func() any, told func(error)) (*Store, error) {
	s := &Store{path: path, host: state, told: told}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		if err = json.Unmarshal(b, &s.saved); err == nil {
			err = json.Unmarshal(b, host)
		}
	}
	if err != nil {
		s.saved = Saved{}
		return s, fmt.Errorf("state of the account: %w", err)
	}
	return s, nil
}

// Saved returns the account's own part.
func (s *Store) Saved() Saved {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saved
}

// Set replaces the account's own part and saves.
func (s *Store) Set(saved Saved) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved = saved
	return s.saveLocked()
}

// Save writes both parts down, mode 0600, making the folder if need be.
func (s *Store) Save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saveLocked()
}

// Retry saves if the last save failed.
func (s *Store) Retry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		_ = s.saveLocked() // told again
	}
}

func (s *Store) saveLocked() error {
	err := s.writeLocked()
	if err != nil || s.failed {
		s.told(err)
	}
	s.failed = err != nil
	return err
}

func (s *Store) writeLocked() error {
	all := make(map[string]json.RawMessage)
	for _, part := range []any{s.saved, s.host()} {
		b, err := json.Marshal(part)
		if err != nil {
			return fmt.Errorf("save state: %w", err)
		}
		fields := make(map[string]json.RawMessage)
		if err := json.Unmarshal(b, &fields); err != nil {
			return fmt.Errorf("save state: %w", err)
		}
		maps.Copy(all, fields)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.path), 0o700)
	}
	if err == nil {
		err = atomicfile.Write(s.path, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}
