// Package store keeps what plugins remember in one SQLite file. Its central
// type is [DB]; [DB.Space] gives a plugin its own [ncat.Store]. The file is in
// WAL mode with full syncing, so that a commit survives the death of the
// process and of the machine. It knows no plugins and no accounts.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/ncatd/ncatd/ncat"
)

// The limits that [ncat.Store] promises.
const (
	maxKey   = 512
	maxValue = 16 << 20
)

// sweepEvery is how often an update also removes what expired. Expired values
// are never returned; sweeping only gives their room back.
const sweepEvery = time.Minute

// ErrTooLarge is returned for a key or value beyond the limits.
var ErrTooLarge = errors.New("key or value too large")

// DB is an open store file. It is safe for concurrent use.
type DB struct {
	path  string
	write *sql.DB // one connection: SQLite has one writer
	read  *sql.DB
	now   func() time.Time

	// Of the goroutine that has the connection for writing:
	swept  time.Time
	synced bool // a commit waits for the disk

	files []named // see moved
}

// The rows lie beside the tree of their keys: in one with the keys (WITHOUT ROWID, as
// in earlier versions) each lookup that passes a large value would read all of it. The
// columns are the same, so that an earlier version goes on with it.
const schema = `
CREATE TABLE IF NOT EXISTS kv (
	space   TEXT NOT NULL,
	key     TEXT NOT NULL,
	expires INTEGER, -- Unix milliseconds, NULL: never
	value   BLOB NOT NULL,
	PRIMARY KEY (space, key)
);
CREATE INDEX IF NOT EXISTS kv_expires ON kv (expires) WHERE expires IS NOT NULL;
`

// Open opens the file at path, creating it (0600) and its folder (0700) if need
// be.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	f.Close()
	db := &DB{path: path, now: time.Now, synced: true}
	if db.write, err = open(path, false); err != nil {
		return nil, err
	}
	if db.read, err = open(path, true); err != nil {
		db.write.Close()
		return nil, err
	}
	if _, err := db.write.ExecContext(ctx, schema); err != nil {
		db.Close()
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	_ = renew(ctx, db.write) // as with a full disk: it works as it is, and the next Open tries again
	db.remember()
	return db, nil
}

// renew gives a store of an earlier version the present schema.
func renew(ctx context.Context, db *sql.DB) error {
	var old int
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'kv' AND sql LIKE '%WITHOUT ROWID%'").Scan(&old)
	if err != nil || old == 0 {
		return err
	}
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback() //nolint:errcheck // after a commit it does nothing
	for _, step := range []string{
		"DROP INDEX IF EXISTS kv_expires",
		"ALTER TABLE kv RENAME TO earlier",
		schema,
		"INSERT INTO kv (space, key, value, expires) SELECT space, key, value, expires FROM earlier ORDER BY space, key",
		"DROP TABLE earlier",
	} {
		if _, err := t.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	return t.Commit()
}

// busyTimeout is how long a lock of another program is waited for: less than
// a writer has time, so that the lock is what it hears of.
const busyTimeout = 4 * time.Second

func open(path string, readOnly bool) (*sql.DB, error) {
	q := url.Values{}
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous(FULL)")
	q.Add("_pragma", "cache_size(-1024)")
	conns := 1
	if readOnly {
		q.Add("_pragma", "query_only(1)")
		conns = 4
	} else {
		q.Set("_txlock", "immediate")
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(1)
	return db, nil
}

// Close waits for running transactions and closes the file.
func (db *DB) Close() error {
	return errors.Join(db.read.Close(), db.write.Close())
}

// Space returns the store of one owner, such as a plugin's id. Owners do not
// see each other's keys.
func (db *DB) Space(owner string) ncat.Store { return &space{db: db, name: owner} }

type space struct {
	db   *DB
	name string
}

// View implements [ncat.Store].
func (s *space) View(ctx context.Context, fn func(ncat.Tx) error) error {
	t, err := s.db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer t.Rollback() //nolint:errcheck // nothing was written
	return fn(&tx{ctx: ctx, t: t, space: s.name, now: s.db.now().UnixMilli()})
}

// Update implements [ncat.Store].
func (s *space) Update(ctx context.Context, fn func(ncat.Tx) error) error {
	return s.update(ctx, fn, true)
}

// UpdateSoon is Update without waiting for the disk: what it wrote survives the
// process at once, and the machine as soon as the system or the next Update has
// brought it to the disk.
func (s *space) UpdateSoon(ctx context.Context, fn func(ncat.Tx) error) error {
	return s.update(ctx, fn, false)
}

func (s *space) update(ctx context.Context, fn func(ncat.Tx) error, sync bool) error {
	c, err := s.db.write.Conn(ctx) // the only one
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer c.Close()
	if sync != s.db.synced {
		mode := "NORMAL"
		if sync {
			mode = "FULL"
		}
		if _, err := c.ExecContext(ctx, "PRAGMA synchronous="+mode); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		s.db.synced = sync
	}
	t, err := c.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer t.Rollback() //nolint:errcheck // after a commit it does nothing
	now := s.db.now()
	if err := fn(&tx{ctx: ctx, t: t, space: s.name, now: now.UnixMilli()}); err != nil {
		return err
	}
	if now.Sub(s.db.swept) > sweepEvery {
		if _, err := t.ExecContext(ctx, "DELETE FROM kv WHERE expires <= ?", now.UnixMilli()); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		s.db.swept = now
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

type tx struct {
	ctx   context.Context // of the one call of View or Update
	t     *sql.Tx
	space string
	now   int64
}

// Get implements [ncat.Tx].
func (x *tx) Get(key string) ([]byte, bool, error) {
	var v []byte
	err := x.t.QueryRowContext(x.ctx, "SELECT value FROM kv WHERE space = ? AND key = ? AND (expires IS NULL OR expires > ?)", x.space, key, x.now).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("store: reading %q: %w", key, err)
	}
	return v, true, nil
}

// Put implements [ncat.Tx].
func (x *tx) Put(key string, value []byte, ttl time.Duration) error {
	if len(key) > maxKey || len(value) > maxValue {
		return fmt.Errorf("store: writing %.40q (key of %d bytes, value of %d): %w", key, len(key), len(value), ErrTooLarge)
	}
	var expires any
	if ttl > 0 {
		expires = x.now + max(ttl.Milliseconds(), 1)
	}
	if value == nil {
		value = []byte{}
	}
	if _, err := x.t.ExecContext(x.ctx, "INSERT INTO kv (space, key, value, expires) VALUES (?, ?, ?, ?) ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, expires = excluded.expires", x.space, key, value, expires); err != nil {
		return fmt.Errorf("store: writing %q: %w", key, err)
	}
	return nil
}

// Delete implements [ncat.Tx].
func (x *tx) Delete(key string) error {
	if _, err := x.t.ExecContext(x.ctx, "DELETE FROM kv WHERE space = ? AND key = ?", x.space, key); err != nil {
		return fmt.Errorf("store: deleting %q: %w", key, err)
	}
	return nil
}

// Scan implements [ncat.Tx].
func (x *tx) Scan(prefix string, each func(key string, value []byte) error) error {
	query, args := "SELECT key, value FROM kv WHERE space = ? AND (expires IS NULL OR expires > ?) AND key >= ?", []any{x.space, x.now, prefix}
	if end, ok := after(prefix); ok {
		query, args = query+" AND key < ?", append(args, end)
	}
	rows, err := x.t.QueryContext(x.ctx, query+" ORDER BY key", args...)
	if err != nil {
		return fmt.Errorf("store: scanning %q: %w", prefix, err)
	}
	defer rows.Close()
	for rows.Next() {
		var k string
		var v []byte
		if err := rows.Scan(&k, &v); err != nil {
			return fmt.Errorf("store: scanning %q: %w", prefix, err)
		}
		if err := each(k, v); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: scanning %q: %w", prefix, err)
	}
	return nil
}

// after returns the least text that is greater than every text beginning with
// prefix; ok is false if there is none.
func after(prefix string) (end string, ok bool) {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1]), true
		}
	}
	return "", false
}
