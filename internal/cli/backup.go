package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// Store is how a program copies what the bot and its plugins keep; see the
// functions of the same names in package store.
type Store struct {
	Backup  func(ctx context.Context, from, to string, overwrite bool) error
	Restore func(ctx context.Context, from, to string) (kept string, err error)
	// Reason says in a word why they failed: exists, no_store, no_backup, or
	// nothing.
	Reason func(err error) string
}

// storeFile is what the bot and its plugins keep, in a home.
const storeFile = "ncatd.db"

// backupResult is what backup and restore print as JSON.
type backupResult struct {
	File  string `json:"file"`  // the backup
	Store string `json:"store"` // what it is of
	Bytes int64  `json:"bytes"` // of the backup
	Kept  string `json:"kept,omitempty"`
}

func newBackup(a *app) *cobra.Command {
	var asJSON, force, all, encrypt bool
	var from passphraseFile
	c := a.command("backup", "backup FILE", between(1, 1, "FILE"), func(c *cobra.Command, args []string) error {
		h, err := a.daemonHome()
		if err != nil {
			return err
		}
		r := backupResult{File: args[0], Store: filepath.Join(h.Data(), storeFile)}
		if st, err := os.Stat(r.File); err == nil && st.IsDir() {
			return usagef(a, "backup.folder", r.File)
		}
		if _, err := os.Stat(filepath.Dir(r.File)); err != nil {
			return err
		}
		if all || encrypt || from != "" {
			r.Store = string(h)
			err = a.saveHome(c.Context(), h, r.File, savedHome{all: all, encrypt: encrypt || from != "", passphrase: from, force: force})
		} else {
			err = a.Store.Backup(c.Context(), r.Store, r.File, force)
		}
		if err != nil {
			return err
		}
		return a.backupDone(&r, asJSON, "backup.done")
	})
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, a.t("flag.json"))
	f.BoolVar(&force, "force", false, a.t("flag.force"))
	f.BoolVar(&all, "all", false, a.t("flag.backup_all"))
	f.BoolVar(&encrypt, "encrypt", false, a.t("flag.encrypt"))
	f.StringVar((*string)(&from), "passphrase-file", "", a.t("flag.passphrase_file"))
	return c
}

func newRestore(a *app) *cobra.Command {
	var asJSON, yes bool
	var from passphraseFile
	c := a.command("restore", "restore FILE", between(1, 1, "FILE"), func(c *cobra.Command, args []string) error {
		h, err := a.daemonHome()
		if err != nil {
			return err
		}
		r := backupResult{File: args[0], Store: filepath.Join(h.Data(), storeFile)}
		if st, err := os.Stat(r.File); err != nil || !st.Mode().IsRegular() { // a FIFO would not even open
			return usagef(a, "restore.no_file", r.File)
		}
		if err := h.Make(); err != nil {
			return err
		}
		lock, err := h.Acquire() // no daemon runs, and none may start under our hands
		if err != nil {
			return err
		}
		defer lock.Release() //nolint:errcheck // the process ends
		whole, err := savedFile(r.File)
		if err != nil {
			return err
		}
		if whole {
			r.Store = string(h)
			if r.Kept, err = a.loadHome(c.Context(), h, r.File, from, yes); err != nil {
				return err
			}
			return a.backupDone(&r, asJSON, "restore.done")
		}
		if _, err := os.Stat(r.Store); err == nil && !yes {
			if err := a.mayReplace(c.Context(), r.Store); err != nil {
				return err
			}
		}
		if r.Kept, err = a.Store.Restore(c.Context(), r.File, r.Store); err != nil {
			return err
		}
		return a.backupDone(&r, asJSON, "restore.done")
	})
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, a.t("flag.json"))
	f.BoolVarP(&yes, "yes", "y", false, a.t("flag.restore_yes"))
	f.StringVar((*string)(&from), "passphrase-file", "", a.t("flag.passphrase_file"))
	return c
}

// mayReplace asks whether what is at path may be replaced, where somebody can
// answer.
func (a *app) mayReplace(ctx context.Context, path string) error {
	if !isTerminal(a.Stdin) || !a.out.errTTY {
		return nil
	}
	ok, err := a.askTwice(ctx, "restore.ask", path)
	if err != nil || ok {
		return err
	}
	return failf(a, exitFailure, "restore.left")
}

func (a *app) backupDone(r *backupResult, asJSON bool, code string) error {
	st, err := os.Stat(r.File)
	if err != nil {
		return err
	}
	r.Bytes = st.Size()
	if r.File, err = filepath.Abs(r.File); err != nil {
		return err
	}
	if asJSON {
		return a.out.json(r, false)
	}
	a.out.say("%s", a.t(code, r.File, r.Bytes))
	if r.Kept != "" {
		a.out.say("%s", a.t("restore.kept", r.Kept))
	}
	return nil
}

// explainStore words what can go wrong with a store's file.
func (a *app) explainStore(err error) (msg, hint string, ok bool) {
	if a.Store.Reason == nil {
		return "", "", false
	}
	switch a.Store.Reason(err) {
	case "exists":
		return a.t("err.backup_exists"), a.t("hint.backup_exists"), true
	case "no_store":
		return a.t("err.no_store"), a.t("hint.no_store"), true
	case "no_backup":
		return a.t("err.no_backup", err.Error()), a.t("hint.no_backup"), true
	}
	return "", "", false
}
