package fleet

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"modernc.org/sqlite"

	"github.com/ncatd/ncatd/onebot"
)

// maxSpool is how many bytes of events wait on disk. Beyond it the oldest give way.
const maxSpool = 256 << 20

// spool is events that wait on disk for the bus, in order. The file exists only
// while some do.
type spool struct {
	path string
	max  int64
	log  *slog.Logger

	mu    sync.Mutex // guards the fields below
	db    *sql.DB    // nil: nothing waits
	count int
	bytes int64
}

// openSpool returns the spool at path, with what an earlier process left there. One that
// is damaged keeps nothing from going on.
func openSpool(path string, maxBytes int64, log *slog.Logger) (*spool, error) {
	s := &spool{path: path, max: maxBytes, log: log}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.openLocked(); err != nil && !s.setAsideLocked(err) {
		return nil, err
	}
	return s, nil
}

// What SQLite says of a damaged file.
const (
	codeCorrupt = 11
	codeNotADB  = 26
)

// setAsideLocked puts a damaged file aside, so that another can take its place, and
// reports whether err is one of a damaged file.
func (s *spool) setAsideLocked(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) || e.Code()&0xff != codeCorrupt && e.Code()&0xff != codeNotADB {
		return false
	}
	_ = s.closeLocked() // there is nothing in it that can be read
	s.count, s.bytes = 0, 0
	aside := s.path + ".damaged"
	for _, more := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(s.path+more, aside+more); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.log.Error("damaged file of events for the bus not set aside", "file", s.path+more, "err", err)
		}
	}
	s.log.Error("events for the bus lost: their file is damaged and was set aside", "file", aside, "err", err)
	return true
}

func (s *spool) openLocked() error {
	if s.db != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would make it readable to all
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+s.path+"?_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=busy_timeout(5000)&_pragma=auto_vacuum(full)")
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, head TEXT NOT NULL, raw BLOB NOT NULL)"); err != nil {
		return errors.Join(fmt.Errorf("spool: %w", err), db.Close())
	}
	if err := db.QueryRow("SELECT count(*), coalesce(sum(length(raw)), 0) FROM events").Scan(&s.count, &s.bytes); err != nil {
		return errors.Join(fmt.Errorf("spool: %w", err), db.Close())
	}
	s.db = db
	return nil
}

// head is what of an [Event] is not its bytes.
type head struct {
	Account    string        `json:"account"`
	Self       onebot.UserID `json:"self"`
	Kind       string        `json:"kind"`
	Chat       string        `json:"chat"`
	ID         string        `json:"id,omitempty"`
	Backfilled bool          `json:"backfilled,omitempty"`
}

// add appends events. lost is how many older ones, or of these, had to give way.
func (s *spool) add(events []Event) (lost int, err error) {
	if len(events) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.setAsideLocked(err) }()
	if err := s.openLocked(); err != nil {
		return 0, err
	}
	tx, err := s.db.Begin()
	if err != nil {
		return 0, fmt.Errorf("spool: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	count, bytes := s.count, s.bytes
	for _, e := range events {
		h, err := json.Marshal(head{e.Account, e.Self, e.Kind, e.Chat, e.ID, e.Backfilled})
		if err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		if _, err := tx.Exec("INSERT INTO events (head, raw) VALUES (?, ?)", string(h), e.Raw); err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		count, bytes = count+1, bytes+int64(len(e.Raw))
	}
	for bytes > s.max && count > 0 {
		var id, size int64
		if err := tx.QueryRow("SELECT id, length(raw) FROM events ORDER BY id LIMIT 1").Scan(&id, &size); err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		if _, err := tx.Exec("DELETE FROM events WHERE id = ?", id); err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		count, bytes, lost = count-1, bytes-size, lost+1
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("spool: %w", err)
	}
	s.count, s.bytes = count, bytes
	return lost, nil
}

// first returns the oldest events, at most n, and the number of the last of them.
func (s *spool) first(n int) (events []Event, last int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil, 0, nil
	}
	defer func() { s.setAsideLocked(err) }()
	rows, err := s.db.Query("SELECT id, head, raw FROM events ORDER BY id LIMIT ?", n)
	if err != nil {
		return nil, 0, fmt.Errorf("spool: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		var e Event
		if err := rows.Scan(&last, &text, &e.Raw); err != nil {
			return nil, 0, fmt.Errorf("spool: %w", err)
		}
		var h head
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			return nil, 0, fmt.Errorf("spool: %w", err)
		}
		e.Account, e.Self, e.Kind, e.Chat, e.ID, e.Backfilled = h.Account, h.Self, h.Kind, h.Chat, h.ID, h.Backfilled
		events = append(events, e)
	}
	return events, last, rows.Err()
}

// remove forgets the events up to the one numbered last. The file goes with the
// last event.
func (s *spool) remove(last int64) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.setAsideLocked(err) }()
	if s.db == nil {
		return nil
	}
	if _, err := s.db.Exec("DELETE FROM events WHERE id <= ?", last); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.db.QueryRow("SELECT count(*), coalesce(sum(length(raw)), 0) FROM events").Scan(&s.count, &s.bytes); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if s.count > 0 {
		return nil
	}
	if err := s.closeLocked(); err != nil {
		return err
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// len returns how many events wait.
func (s *spool) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeLocked()
}

func (s *spool) closeLocked() error {
	if s.db == nil {
		return nil
	}
	err := s.db.Close()
	s.db = nil
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}
