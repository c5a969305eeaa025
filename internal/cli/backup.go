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
	var asJSON, force bool
	c := a.command("backup", "backup FILE", between(1, 1, "FILE"), func(c *cobra.Command, args []string) error {
		h, err := a.daemonHome()
		if err != nil {
			return err
		}
		r := backupResult{File: args[0], Store: filepath.Join(h.Data(), storeFile)}
		if st, err := os.Stat(r.File); err == nil && st.IsDir() {
			return usagef(a, "backup.folder", r.File)
		}
		if err := a.Store.Backup(c.Context(), r.Store, r.File, force); err != nil {
			return err
		}
		return a.backupDone(&r, asJSON, "backup.done")
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.Flags().BoolVar(&force, "force", false, a.t("flag.force"))
	return c
}

func newRestore(a *app) *cobra.Command {
	var asJSON, yes bool
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
		if _, err := os.Stat(r.Store); err == nil && !yes && isTerminal(a.Stdin) && a.out.errTTY {
			ok, err := a.askTwice(c.Context(), "restore.ask", r.Store)
			if err != nil {
				return err
			}
			if !ok {
				return failf(a, exitFailure, "restore.left")
			}
		}
		if r.Kept, err = a.Store.Restore(c.Context(), r.File, r.Store); err != nil {
			return err
		}
		return a.backupDone(&r, asJSON, "restore.done")
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.Flags().BoolVarP(&yes, "yes", "y", false, a.t("flag.restore_yes"))
	return c
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
