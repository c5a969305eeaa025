// Package sqlite keeps what a bot remembers in one SQLite file, for bots that
// run by [ncat.Bot.Dial]; under ncatd there is such a file in its home anyway.
//
//	db, err := sqlite.Open(ctx, "bot.db")
//	…
//	defer db.Close()
//	b := ncat.New(ncat.WithStore(db.Space))
//
// The file is in WAL mode with full syncing: what was committed survives the
// death of the process and of the machine. With it the bot's permissions,
// schedules that were missed, and the messages it has seen outlive a restart as
// well. The driver is pure Go and adds some 4 MiB to the program.
package sqlite

import (
	"context"

	"github.com/ncatd/ncatd/internal/bot/store"
	"github.com/ncatd/ncatd/ncat"
)

// ErrExists says that a backup would have overwritten a file.
var ErrExists = store.ErrExists

// ErrTooLarge says that a key is over 512 bytes or a value over 16 MiB.
var ErrTooLarge = store.ErrTooLarge

// DB is an open file. It is safe for concurrent use, by one process at a time.
type DB struct{ db *store.DB }

// Open opens the file at path, creating it (0600) and its folder (0700) if need
// be.
func Open(ctx context.Context, path string) (*DB, error) {
	db, err := store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return &DB{db}, nil
}

// Space returns the store of one owner: the bot itself or a plugin. Owners do
// not see each other's keys. It is what [ncat.WithStore] asks for.
func (d *DB) Space(owner string) ncat.Store { return d.db.Space(owner) }

// Backup writes a consistent copy to path while the store is in use; updates
// wait for it. A file that is there is overwritten only if overwrite is set, as
// a whole; else the error wraps [ErrExists].
func (d *DB) Backup(ctx context.Context, path string, overwrite bool) error {
	return d.db.Backup(ctx, path, overwrite)
}

// Close waits for running transactions and closes the file.
func (d *DB) Close() error { return d.db.Close() }
