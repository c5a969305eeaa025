package store

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/ncat"
)

// openAgain is how long a file that could not be opened is left alone: a caller that
// asks meanwhile gets the same error at once and does not wait for the same lock.
const openAgain = time.Second

// Options configures a [Lazy].
type Options struct {
	// Log is told what happens to the file, once each. It may be nil.
	Log *slog.Logger
	// Failing is told why the file cannot be used, see [IsLocked], each time that
	// it cannot, and nil when it can be written again. It may be nil.
	Failing func(err error)
	// Mended is told of a damaged file that another has taken the place of. Nil:
	// nobody.
	Mended func(Mended)
	// Present are spaces of which a backup is worth nothing, because they tell how
	// things are now. They are taken from the damaged file as a whole or not at all.
	Present []string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Mended is a damaged file that was set aside.
type Mended struct {
	Aside string // where it is now
	// Backup is when the copy was made that took its place. It is zero if there
	// was none and the store is empty now, unless Whole: nothing was lost.
	Backup time.Time
	Whole  bool
}

// Lazy is the store file of a home. It is opened when it is first needed: a bot
// that remembers nothing costs no database. A file that is damaged is set aside
// and replaced by the newest of the backups that [Lazy.Tend] makes; one that was
// deleted while it was open is written anew. It is safe for concurrent use.
type Lazy struct {
	path  string
	o     Options
	epoch atomic.Uint64 // how often another file took the place of the one in use

	mu      sync.Mutex // guards the fields below
	db      *DB
	closed  bool
	failed  error       // of the last try to open the file
	again   time.Time   // not before; see openAgain
	failing bool        // Options.Failing was told of an error
	tended  time.Time   // when a backup was tried last
	looked  fs.FileInfo // of the file when it was last read whole
}

// NewLazy returns the store at path. It opens nothing.
func NewLazy(path string, o Options) *Lazy {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Failing == nil {
		o.Failing = func(error) {}
	}
	if o.Mended == nil {
		o.Mended = func(Mended) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Lazy{path: path, o: o}
}

var errClosed = errors.New("store: closed")

// Open returns the open file. Unless create is set it returns nil for a file
// that does not exist.
func (l *Lazy) Open(ctx context.Context, create bool) (*DB, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.openLocked(ctx, create)
}

func (l *Lazy) openLocked(ctx context.Context, create bool) (*DB, error) {
	if l.closed {
		return nil, errClosed
	}
	if l.db != nil && l.db.moved() {
		l.rescueLocked(ctx)
	}
	if l.db != nil {
		return l.db, nil
	}
	if l.o.Now().Before(l.again) {
		return nil, l.failed
	}
	if !create {
		if _, err := os.Lstat(l.path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	err := l.examine(ctx)
	if isDamage(err) {
		err = l.replaceLocked(ctx, err)
	}
	var db *DB
	if err == nil {
		db, err = Open(ctx, l.path)
	}
	if err != nil {
		if ctx.Err() == nil {
			l.failed, l.again = err, l.o.Now().Add(openAgain)
		}
		l.failLocked(ctx, err)
		return nil, err
	}
	l.db = db
	return db, nil
}

// failLocked tells that the file cannot be used. That a caller gave up waiting
// says nothing of it.
func (l *Lazy) failLocked(ctx context.Context, err error) {
	if ctx.Err() != nil && !IsLocked(err) {
		return
	}
	l.failing = true
	l.o.Failing(err)
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
	return s.l.use(ctx, false, fn, func(db *DB, fn func(ncat.Tx) error) error {
		return db.Space(s.owner).View(ctx, fn)
	})
}

// Update implements [ncat.Store].
func (s lazySpace) Update(ctx context.Context, fn func(ncat.Tx) error) error {
	return s.l.use(ctx, true, fn, func(db *DB, fn func(ncat.Tx) error) error {
		return db.Space(s.owner).Update(ctx, fn)
	})
}

// UpdateSoon is [ncat.Store]'s Update without waiting for the disk.
func (s lazySpace) UpdateSoon(ctx context.Context, fn func(ncat.Tx) error) error {
	return s.l.use(ctx, true, fn, func(db *DB, fn func(ncat.Tx) error) error {
		return (&space{db: db, name: s.owner}).UpdateSoon(ctx, fn)
	})
}

// Epoch counts how often another file took the place of the one in use. What was
// written before it advanced may be gone.
func (s lazySpace) Epoch() uint64 { return s.l.epoch.Load() }

// use runs a transaction on the file. One that had not begun when another file
// took its place runs on that.
func (l *Lazy) use(ctx context.Context, write bool, fn func(ncat.Tx) error, op func(*DB, func(ncat.Tx) error) error) error {
	for {
		db, err := l.Open(ctx, write)
		if err != nil {
			return err
		}
		if db == nil {
			return fn(emptyTx{})
		}
		ran := false
		err = op(db, func(tx ncat.Tx) error {
			ran = true
			return fn(tx)
		})
		if !l.judge(ctx, db, write, err) || ran {
			return err
		}
	}
}

// judge draws the conclusions of how a transaction on db ended. It reports whether
// another file has taken the place of db's.
func (l *Lazy) judge(ctx context.Context, db *DB, wrote bool, err error) (replaced bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.db != db:
		return err != nil && !l.closed
	case isDamage(err):
		if err := l.mendLocked(ctx, err); err != nil {
			l.failLocked(ctx, err)
		}
	case isFailure(err):
		l.failLocked(ctx, err)
	case err == nil && wrote && l.failing:
		l.failing = false
		l.o.Failing(nil)
	}
	return l.db != db && err != nil
}

// emptyTx is a view of a store that has no file.
type emptyTx struct{}

var errReadOnly = errors.New("store: a view cannot be written to")

func (emptyTx) Get(string) ([]byte, bool, error)              { return nil, false, nil }
func (emptyTx) Put(string, []byte, time.Duration) error       { return errReadOnly }
func (emptyTx) Delete(string) error                           { return errReadOnly }
func (emptyTx) Scan(string, func(string, []byte) error) error { return nil }
