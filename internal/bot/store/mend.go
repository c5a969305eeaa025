package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"modernc.org/sqlite"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/ncat"
)

// SQLite's primary result codes that mean something to us.
const (
	codeError    = 1
	codePerm     = 3
	codeBusy     = 5
	codeLocked   = 6
	codeReadOnly = 8
	codeIO       = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

const (
	magic  = "SQLite format 3\x00"
	header = 100 // bytes
	// quickMax is the size up to which a file is read whole before it is used,
	// which takes half a second at most.
	quickMax = 256 << 20
	// lookMax is the size up to which it is while it is in use, which keeps a
	// transaction waiting for a few hundredths of a second.
	lookMax = 16 << 20
	// stamp is how the time is written in the names of backups and damaged files.
	stamp = "20060102-150405"
	// keptBackups is how many backups there are at most.
	keptBackups = 3
	// backupEvery is the time between two backups, backupAgain that after one that
	// failed.
	backupEvery = 24 * time.Hour
	backupAgain = time.Hour
	// mendTimeout is how long mending waits for what writes.
	mendTimeout = 5 * time.Second
)

// errDamaged says that a file is no sound store.
var errDamaged = errors.New("damaged")

// code returns SQLite's primary result code, 0 if err is not SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func isDamage(err error) bool {
	c := code(err)
	return errors.Is(err, errDamaged) || c == codeCorrupt || c == codeNotADB
}

// isFailure reports whether err is the fault of the file or its disk and not of
// what was asked.
func isFailure(err error) bool {
	switch code(err) {
	case codePerm, codeBusy, codeLocked, codeReadOnly, codeIO, codeFull, codeCantOpen:
		return true
	}
	return false
}

// IsLocked reports whether a store could not be used because another program had
// locked it.
func IsLocked(err error) bool {
	c := code(err)
	return c == codeBusy || c == codeLocked
}

// examine looks at the file before it is opened. The error wraps errDamaged for
// one that is no sound store; a file that is not there is none.
func (l *Lazy) examine(ctx context.Context) error {
	st, err := os.Stat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("opening the store: %w", err)
	case !st.Mode().IsRegular():
		return fmt.Errorf("%w: it is no file", errDamaged)
	case st.Size() == 0:
		// As it is for a moment when it is made; but one that had a backup held
		// something.
		wal, err := os.Stat(l.path + "-wal")
		if err == nil && wal.Size() > 0 || len(backups(l.path)) > 0 {
			return fmt.Errorf("%w: it is empty", errDamaged)
		}
		return nil
	}
	if err := checkHeader(l.path); err != nil {
		return err
	}
	if st.Size() > quickMax {
		return nil
	}
	return checked(ctx, l.path, "quick_check")
}

// checkHeader reads the beginning of a store without SQLite, which may have it in
// memory.
func checkHeader(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	defer f.Close()
	var b [header]byte
	if _, err := io.ReadFull(f, b[:]); err != nil {
		return fmt.Errorf("%w: it is too short", errDamaged)
	}
	if string(b[:len(magic)]) != magic {
		return fmt.Errorf("%w: it is no database", errDamaged)
	}
	page := int64(binary.BigEndian.Uint16(b[16:]))
	if page == 1 {
		page = 1 << 16
	}
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	pages := int64(binary.BigEndian.Uint32(b[28:]))
	if st.Size() < pages*page && (page < 512 || !inLog(path, page, st.Size()/page, pages)) {
		return fmt.Errorf("%w: %d of %d bytes are there", errDamaged, st.Size(), pages*page)
	}
	return nil
}

// checked wants that the file at path is a store that passes a check of SQLite's.
func checked(ctx context.Context, path, check string) error {
	db, err := open(path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA "+check+"(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	if verdict != "ok" {
		return fmt.Errorf("checking %s: %w: %s", path, errDamaged, verdict)
	}
	var tables, rows int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'kv'").Scan(&tables); err != nil || tables == 0 {
		return err
	}
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT space, key, value, expires FROM kv LIMIT 1)").Scan(&rows)
	if code(err) == codeError {
		return fmt.Errorf("checking %s: %w: it is of another program: %w", path, errDamaged, err)
	}
	return err
}

// moved reports whether the files that db has open are no longer those under
// their names.
func (db *DB) moved() bool {
	for _, f := range db.files {
		st, err := os.Stat(f.name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(st, f.info) {
			return true
		}
	}
	return false
}

// named is a file and the name under which it was opened.
type named struct {
	name string
	info os.FileInfo
}

// remember notes which files db has open.
func (db *DB) remember() {
	for _, name := range []string{db.path, db.path + "-wal"} {
		if st, err := os.Stat(name); err == nil {
			db.files = append(db.files, named{name, st})
		}
	}
}

// stale reports whether another program put a file in the place of db's.
func (db *DB) stale() bool {
	st, err := os.Stat(db.path)
	return err == nil && len(db.files) > 0 && !os.SameFile(st, db.files[0].info)
}

// rescueLocked writes a store anew whose files were deleted while they were open.
// As long as that fails the deleted ones are used.
func (l *Lazy) rescueLocked(ctx context.Context) {
	if l.o.Now().Before(l.again) {
		return
	}
	if l.db.stale() {
		l.o.Log.Warn("another database took the place of the bot's while it was in use; it is used from now on", "path", l.path)
		_ = l.db.Close() // it has no user any more
		l.db = nil
		l.epoch.Add(1)
		return
	}
	tmp := l.path + ".restore"
	defer remove(tmp)
	free, err := l.copyOpenLocked(ctx, tmp)
	defer free()
	if err == nil {
		err = l.swapLocked(tmp, "")
	}
	if err != nil {
		l.again = l.o.Now().Add(openAgain)
		l.failLocked(ctx, fmt.Errorf("the database was deleted while in use, and cannot be written anew: %w", err))
		return
	}
	l.o.Log.Warn("the bot's database was deleted while in use; it was written anew, nothing is lost", "path", l.path)
}

// copyOpenLocked writes a checked copy of what the open store holds. Nothing writes
// to that until free is called.
func (l *Lazy) copyOpenLocked(ctx context.Context, to string) (free func(), err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mendTimeout)
	defer cancel()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return func() {}, err
	}
	c, err := l.db.write.Conn(ctx) // the only one
	if err != nil {
		return func() {}, err
	}
	free = func() { _ = c.Close() } // it goes back to a pool that is closed, or is used again
	remove(to)
	if _, err := c.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return free, err
	}
	return free, checked(ctx, to, "integrity_check")
}

// swapLocked puts the store at tmp in the place of the present one, which goes to
// aside, or nowhere. Whenever it is interrupted, one of both is there.
func (l *Lazy) swapLocked(tmp, aside string) error {
	if l.db != nil {
		_ = l.db.Close() // it is damaged, or deleted
		l.db = nil
	}
	l.epoch.Add(1)
	if aside != "" {
		if tmp == "" || os.Link(l.path, aside) != nil {
			if err := rename(l.path, aside); err != nil { // also for a folder, or without hard links
				return err
			}
		}
		if err := rename(l.path+"-wal", aside+"-wal"); err != nil {
			return err
		}
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} { // a log of the old one would be taken for the new one's
		os.Remove(l.path + suffix)
	}
	if tmp != "" {
		return atomicfile.Move(tmp, l.path)
	}
	return nil
}

// mendLocked replaces an open store that turned out to be damaged: by what is in
// memory of it if that is sound, else by a backup.
func (l *Lazy) mendLocked(ctx context.Context, why error) error {
	tmp := l.path + ".restore"
	defer remove(tmp)
	free, err := l.copyOpenLocked(ctx, tmp)
	defer free()
	if err != nil {
		return l.replaceLocked(ctx, why)
	}
	return l.setAsideLocked(tmp, why, Mended{Whole: true})
}

// replaceLocked replaces a damaged store by the newest backup that is sound, or by
// nothing.
func (l *Lazy) replaceLocked(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mendTimeout)
	defer cancel()
	tmp := l.path + ".restore"
	defer remove(tmp)
	for _, b := range slices.Backward(backups(l.path)) {
		remove(tmp)
		if err := copyFile(b.path, tmp); err != nil {
			return fmt.Errorf("restoring the database: %w", err)
		}
		if err := sound(ctx, tmp); err != nil {
			l.o.Log.Warn("a backup of the bot's database is damaged too", "path", b.path, "error", err)
			continue
		}
		if err := l.renew(ctx, tmp); err != nil {
			return fmt.Errorf("restoring the database: %w", err)
		}
		return l.setAsideLocked(tmp, why, Mended{Backup: b.made})
	}
	return l.setAsideLocked("", why, Mended{})
}

func (l *Lazy) setAsideLocked(tmp string, why error, m Mended) error {
	m.Aside = l.asideName()
	if err := l.swapLocked(tmp, m.Aside); err != nil {
		return fmt.Errorf("setting the damaged database aside: %w", err)
	}
	attrs := []any{"error", why, "aside", m.Aside}
	switch {
	case m.Whole:
		l.o.Log.Error("the bot's database is damaged; it was set aside and written anew, nothing is lost", attrs...)
	case m.Backup.IsZero():
		l.o.Log.Error("the bot's database is damaged; it was set aside, and there is no backup: the bot begins with an empty one", attrs...)
	default:
		l.o.Log.Error("the bot's database is damaged; it was set aside, and a backup is in its place", append(attrs, "backup", m.Backup)...)
	}
	l.again = time.Time{}
	l.o.Mended(m)
	return nil
}

func (l *Lazy) asideName() string {
	for t := l.o.Now(); ; t = t.Add(time.Second) {
		name := l.path + ".damaged-" + t.Format(stamp)
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
}

// renew takes what tells how things are now out of the backup at path, and puts
// what the damaged store has of it there, if all of that can be read.
func (l *Lazy) renew(ctx context.Context, path string) error {
	db, err := open(path, false)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, space := range l.o.Present {
		if _, err := db.ExecContext(ctx, "DELETE FROM kv WHERE space = ?", space); err != nil {
			return err
		}
		rows, err := readSpace(ctx, l.path, space)
		if err != nil {
			l.o.Log.Warn("a part of the damaged database cannot be read and begins anew", "space", space, "error", err)
			continue
		}
		for _, r := range rows {
			if _, err := db.ExecContext(ctx, "INSERT INTO kv (space, key, value, expires) VALUES (?, ?, ?, ?)", space, r.key, r.value, r.expires); err != nil {
				return err
			}
		}
	}
	// All of it must be in the one file that is renamed.
	var busy, pages, done int
	return db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &done)
}

type row struct {
	key     string
	value   []byte
	expires *int64
}

func readSpace(ctx context.Context, path, space string) ([]row, error) {
	db, err := open(path, true)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT key, value, expires FROM kv WHERE space = ?", space)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.key, &r.value, &r.expires); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// madeBackup is a backup that Tend made.
type madeBackup struct {
	path string
	made time.Time
}

// backups returns the backups of the store at path, the oldest first.
func backups(path string) []madeBackup {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	prefix := filepath.Base(path) + ".backup-"
	var out []madeBackup
	for _, e := range entries {
		if len(e.Name()) <= len(prefix) || e.Name()[:len(prefix)] != prefix {
			continue
		}
		if t, err := time.ParseInLocation(stamp, e.Name()[len(prefix):], time.Local); err == nil {
			out = append(out, madeBackup{filepath.Join(filepath.Dir(path), e.Name()), t})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].made.Before(out[j].made) })
	return out
}

// Tend does what is due now and then: it looks whether a file that failed works
// again, and whether the one in use is still sound, and makes a backup once a day.
// It is to be called every few seconds. A store that was never needed is left
// alone.
func (l *Lazy) Tend(ctx context.Context) {
	l.mu.Lock()
	l.lookLocked(ctx)
	failing := l.failing && !l.closed
	l.mu.Unlock()
	if failing {
		if ncat.Put(ctx, lazySpace{l, "ncat.store"}, "works", l.o.Now()) != nil {
			return // it was told
		}
	}
	if db := l.backupDue(ctx); db != nil {
		l.backup(ctx, db)
	}
}

// lookLocked looks at the file in use past SQLite, which has it in memory and in
// its log, and would write its next checkpoint into whatever is there.
func (l *Lazy) lookLocked(ctx context.Context) {
	if l.closed || l.db == nil || l.db.moved() {
		return
	}
	cctx, cancel := context.WithTimeout(ctx, openAgain)
	defer cancel()
	c, err := l.db.write.Conn(cctx) // so that no checkpoint is at half
	if err != nil {
		return
	}
	if err = checkHeader(l.path); err == nil {
		err = l.lookInsideLocked(cctx)
	}
	_ = c.Close() // back to its pool
	if isDamage(err) {
		if err := l.mendLocked(ctx, err); err != nil {
			l.failLocked(ctx, err)
		}
	}
}

// lookInsideLocked reads a file whole that was written to since it was last looked
// at: by a checkpoint, or by somebody else, whose damage a checkpoint may hide from
// whoever reads the header only.
func (l *Lazy) lookInsideLocked(ctx context.Context) error {
	st, err := os.Stat(l.path)
	if err != nil || st.Size() > lookMax || l.looked != nil && st.ModTime().Equal(l.looked.ModTime()) && st.Size() == l.looked.Size() {
		return err
	}
	if err := checked(ctx, l.path, "quick_check"); err != nil {
		return err
	}
	l.looked = st
	return nil
}

// backupDue returns the store if a backup of it is due, else nil.
func (l *Lazy) backupDue(ctx context.Context) *DB {
	l.mu.Lock()
	defer l.mu.Unlock()
	db, err := l.openLocked(ctx, false)
	if err != nil || db == nil {
		return nil
	}
	now := l.o.Now()
	if now.Sub(l.tended) < backupAgain {
		return nil
	}
	have := backups(l.path)
	if n := len(have); n > 0 && now.Sub(have[n-1].made).Abs() < backupEvery {
		return nil
	}
	l.tended = now
	return db
}

func (l *Lazy) backup(ctx context.Context, db *DB) {
	to := l.path + ".backup-" + l.o.Now().Format(stamp)
	tmp := to + ".part"
	defer remove(tmp)
	remove(tmp)
	_, err := db.write.ExecContext(ctx, "VACUUM INTO ?", tmp)
	if err == nil {
		err = sound(ctx, tmp)
	}
	if err == nil {
		err = atomicfile.Move(tmp, to)
	}
	if err != nil {
		if ctx.Err() == nil {
			l.o.Log.Warn("the daily backup of the bot's database failed", "error", err)
		}
		l.judge(ctx, db, false, err)
		return
	}
	l.o.Log.Debug("backup of the bot's database made", "path", to)
	have := backups(l.path)
	for _, b := range have[:max(0, len(have)-keptBackups)] {
		os.Remove(b.path)
	}
}
