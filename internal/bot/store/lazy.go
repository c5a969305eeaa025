package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// Lazy is a store file that is opened when somebody needs it: a bot that
// remembers nothing costs no database. It is safe for concurrent use.
type Lazy struct {
	path string

	mu     sync.Mutex // guards the fields below
	db     *DB
	closed bool
}

// NewLazy returns the store at path. It opens nothing.
func NewLazy(path string) *Lazy { return &Lazy{path: path} }

var errClosed = errors.New("store: closed")

// Open returns the open file. Unless create is set it returns nil for a file
// that does not exist.
func (l *Lazy) Open(ctx context.Context, create bool) (*DB, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.db != nil:
		return l.db, nil
	case l.closed:
		return nil, errClosed
	}
	if !create {
		if _, err := os.Stat(l.path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	db, err := Open(ctx, l.path)
	if err != nil {
		return nil, err
	}
	l.db = db
	return db, nil
}

// Close closes the file if it is open.
func (l *Lazy) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.db == nil {
		return nil
	}
	db := l.db
	l.db = nil
	return db.Close()
}

// Space is [DB.Space] on the file, which the first update creates.
func (l *Lazy) Space(owner string) ncat.Store { return lazySpace{l, owner} }

type lazySpace struct {
	l     *Lazy
	owner string
}

// View implements [ncat.Store].
func (s lazySpace) View(ctx context.Context, fn func(ncat.Tx) error) error {
	db, err := s.l.Open(ctx, false)
	if err != nil {
		return err
	}
	if db == nil {
		return fn(emptyTx{})
	}
	return db.Space(s.owner).View(ctx, fn)
}

// Update implements [ncat.Store].
func (s lazySpace) Update(ctx context.Context, fn func(ncat.Tx) error) error {
	db, err := s.l.Open(ctx, true)
	if err != nil {
		return err
	}
	return db.Space(s.owner).Update(ctx, fn)
}

// UpdateSoon is [ncat.Store]'s Update without waiting for the disk.
func (s lazySpace) UpdateSoon(ctx context.Context, fn func(ncat.Tx) error) error {
	db, err := s.l.Open(ctx, true)
	if err != nil {
		return err
	}
	return (&space{db: db, name: s.owner}).UpdateSoon(ctx, fn)
}

// emptyTx is a view of a store that has no file.
type emptyTx struct{}

var errReadOnly = errors.New("store: a view cannot be written to")

func (emptyTx) Get(string) ([]byte, bool, error)              { return nil, false, nil }
func (emptyTx) Put(string, []byte, time.Duration) error       { return errReadOnly }
func (emptyTx) Delete(string) error                           { return errReadOnly }
func (emptyTx) Scan(string, func(string, []byte) error) error { return nil }
