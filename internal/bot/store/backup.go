package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

var (
	// ErrExists says that a backup would overwrite a file.
	ErrExists = errors.New("file exists already")
	// ErrNoStore says that there is no store to back up: nothing was ever kept.
	ErrNoStore = errors.New("there is no store yet")
	// ErrNoBackup says that a file is not what Backup wrote.
	ErrNoBackup = errors.New("file is no backup of a store")
)

// Reason names the error of a backup or a restore in one word: exists, no_store
// or no_backup; any other is empty.
func Reason(err error) string {
	switch {
	case errors.Is(err, ErrExists):
		return "exists"
	case errors.Is(err, ErrNoStore):
		return "no_store"
	case errors.Is(err, ErrNoBackup):
		return "no_backup"
	}
	return ""
}

// Backup writes a consistent copy to path while the store is in use. Updates
// wait for it. A file that is there is overwritten only if overwrite is set, as a
// whole; else the error wraps [ErrExists].
func (db *DB) Backup(ctx context.Context, path string, overwrite bool) error {
	return backup(ctx, db.write, path, overwrite)
}

// Backup is [DB.Backup] for the file at from, which another process may be
// using. The error wraps [ErrNoStore] if it does not exist.
func Backup(ctx context.Context, from, to string, overwrite bool) error {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("backup: %s: %w", from, ErrNoStore)
	}
	db, err := open(from, false)
	if err != nil {
		return err
	}
	defer db.Close()
	return backup(ctx, db, to, overwrite)
}

func backup(ctx context.Context, db *sql.DB, path string, overwrite bool) error {
	if _, err := os.Lstat(path); err == nil && !overwrite {
		return fmt.Errorf("backup: %s: %w", path, ErrExists)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part") // 0600
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	tmp := f.Name()
	defer os.Remove(tmp) // gone already when all went well
	f.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", tmp); err != nil {
		return fmt.Errorf("backup to %s: %w", path, err)
	}
	if err := atomicfile.Move(tmp, path); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// Restore puts the backup at from in the place of the store at path, which no
// process may be using. The store that was there stays beside it, with
// ".before-restore" at the end of its name, in the place of an older one; kept is
// its path, empty if there was none. The error wraps [ErrNoBackup] if from is not
// sound; then nothing was changed. Whenever it is interrupted, the old store or
// the new one is there, whole.
func Restore(ctx context.Context, from, path string) (kept string, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if st, err := os.Stat(from + "-wal"); err == nil && st.Size() > 0 {
		return "", fmt.Errorf("restore: %s: %w: a part of it is in %s-wal", from, ErrNoBackup, filepath.Base(from))
	}
	tmp := path + ".restore"
	remove(tmp) // of one that was interrupted
	defer remove(tmp)
	if err := copyFile(from, tmp); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if err := sound(ctx, tmp); err != nil {
		return "", fmt.Errorf("restore: %s: %w: %w", from, ErrNoBackup, err)
	}
	if _, err := os.Lstat(path); err == nil {
		kept = path + ".before-restore"
		remove(kept)
		if err := settle(ctx, path); err != nil {
			// It cannot be read: what there is of it is kept as it lies.
			if err := rename(path+"-wal", kept+"-wal"); err != nil {
				return "", fmt.Errorf("restore: %w", err)
			}
			os.Remove(path + "-shm")
		}
		if err := os.Link(path, kept); err != nil {
			if err := rename(path, kept); err != nil { // no hard links here
				return "", fmt.Errorf("restore: %w", err)
			}
		}
	}
	if err := atomicfile.Move(tmp, path); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	return kept, nil
}

// sound wants that the file at path is a store whose integrity is beyond doubt.
func sound(ctx context.Context, path string) error {
	if err := Check(ctx, path); err != nil {
		return err
	}
	db, err := open(path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	var n int
	return db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT space, key, value, expires FROM kv LIMIT 1)").Scan(&n)
}

// settle brings everything of the store at path into the one file.
func settle(ctx context.Context, path string) error {
	db, err := open(path, false)
	if err != nil {
		return err
	}
	var busy, pages, done int
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &done)
	return errors.Join(err, db.Close())
}

// Check runs SQLite's integrity check on the file at path.
func Check(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	db, err := open(path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&verdict); err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	if verdict != "ok" {
		return fmt.Errorf("checking %s: %s", path, verdict)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// remove removes a database file with what SQLite has beside it.
func remove(path string) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		os.Remove(path + suffix)
	}
}

// rename renames a file if there is one.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
