package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/parcel"
)

const (
	// savedNote says in a backup of a home what it is.
	savedNote = "ncatd-backup.json"
	// replacedDir is where restore leaves what it replaced, below the home.
	replacedDir = "before-restore"
	// passphraseName is the credential of systemd that has the passphrase.
	passphraseName = "ncatd.backup"
	// maxPassphrase bounds the file with the passphrase.
	maxPassphrase = 4096
)

// passphraseFile is the file that has the passphrase; "" to look elsewhere.
type passphraseFile string

// savedHome says what to save of a home.
type savedHome struct {
	all        bool // not only what the bot keeps
	encrypt    bool
	force      bool
	passphrase passphraseFile
}

// savedInfo is what savedNote has.
type savedInfo struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of ncatd
	Time    time.Time `json:"time"`
	All     bool      `json:"all"`
}

// saveHome writes what another machine needs into one file, as a whole or not at
// all. Downloads, programs and logs are not in it.
func (a *app) saveHome(ctx context.Context, h home.Dir, to string, o savedHome) (err error) {
	if _, err := os.Lstat(to); err == nil && !o.force {
		return fail(exitFailure, errString(a.t("err.backup_exists")), a.t("hint.backup_exists"))
	}
	parts, notes := []parcel.Part(nil), map[string][]byte{}
	if o.all { // QQ writes to its databases as long as it runs
		lock, err := h.Acquire()
		if err != nil {
			return err
		}
		defer lock.Release() //nolint:errcheck // the process ends
		if parts, err = homeParts(h); err != nil {
			return err
		}
		text, err := os.ReadFile(a.configPath(h))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		} else if err == nil {
			notes["ncatd.yaml"] = text
		}
	}
	passphrase := ""
	if o.encrypt {
		if passphrase, err = a.passphrase(ctx, o.passphrase, true); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(filepath.Dir(to), ".ncatd-backup-*") // 0700
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store := filepath.Join(dir, "data", storeFile)
	if err := os.Mkdir(filepath.Dir(store), 0o700); err != nil {
		return err
	}
	switch err := a.Store.Backup(ctx, filepath.Join(h.Data(), storeFile), store, false); {
	case err == nil:
		parts = append(parts, parcel.Part{Dir: dir, Names: []string{"data"}})
	case !o.all || a.Store.Reason(err) != "no_store":
		return err
	}
	if notes[savedNote], err = json.Marshal(savedInfo{Format: 1, Version: a.Version, Time: time.Now().UTC(), All: o.all}); err != nil {
		return err
	}
	return writeSaved(to, passphrase, parts, notes)
}

func writeSaved(to, passphrase string, parts []parcel.Part, notes map[string][]byte) error {
	f, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*.part") // 0600
	if err != nil {
		return err
	}
	tmp := f.Name()
	defer os.Remove(tmp) //nolint:errcheck // gone already when all went well
	err = parcel.Save(f, passphrase, parts, notes)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return atomicfile.Move(tmp, to)
}

// homeParts are what of a home another machine needs besides the store and the
// config: tokens, plugins, and of each account QQ's home with the login tickets and
// NapCat's folder.
func homeParts(h home.Dir) ([]parcel.Part, error) {
	names := []string{filepath.Base(h.Secrets()), "plugins", "console"}
	accounts, err := os.ReadDir(h.Join("accounts"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, acc := range accounts {
		for _, folder := range []string{"home", "napcat"} {
			names = append(names, filepath.Join("accounts", acc.Name(), folder))
		}
	}
	return []parcel.Part{{Dir: string(h), Names: names}}, nil
}

// savedFile reports whether a file is a backup that saveHome wrote.
func savedFile(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return false, err
	}
	return parcel.Saved(head[:n]), nil
}

// loadHome puts what saveHome saved into the home. Until all of it was read and
// found whole nothing is changed. It returns where what was there lies now, "" if
// nothing was.
func (a *app) loadHome(ctx context.Context, h home.Dir, from string, pf passphraseFile, yes bool) (kept string, err error) {
	f, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer f.Close()
	dir, err := os.MkdirTemp(string(h), ".restore-*")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	err = parcel.Load(f, func() (string, error) { return a.passphrase(ctx, pf, false) }, dir)
	switch {
	case errors.Is(err, parcel.ErrPassphrase):
		return "", fail(exitFailure, errString(a.t("err.passphrase_wrong", from)), a.t("hint.passphrase_wrong"))
	case err != nil && (exitCode(err) != exitFailure || ctx.Err() != nil):
		return "", err // about the passphrase
	case err != nil:
		return "", fail(exitFailure, errString(a.t("err.no_backup", err.Error())), a.t("hint.no_backup"))
	}
	var info savedInfo
	b, err := os.ReadFile(filepath.Join(dir, savedNote))
	if err != nil || json.Unmarshal(b, &info) != nil || info.Format != 1 {
		return "", fail(exitFailure, errString(a.t("err.no_backup", savedNote)), a.t("hint.no_backup"))
	}
	pieces, err := savedPieces(dir)
	if err != nil {
		return "", err
	}
	if !yes && anyThere(h, pieces) {
		if err := a.mayReplace(ctx, string(h)); err != nil {
			return "", err
		}
	}
	store := filepath.Join("data", storeFile)
	if _, err := os.Stat(filepath.Join(dir, store)); err == nil { // it is checked first
		if kept, err = a.Store.Restore(ctx, filepath.Join(dir, store), h.Join(store)); err != nil {
			return "", err
		}
	}
	return replaceAll(h, dir, pieces, kept)
}

// savedPieces lists what is put into the home by renaming, in an order that puts
// the config last: without it the home is one that was not set up yet.
func savedPieces(dir string) ([]string, error) {
	pieces := []string{"secrets.json", "plugins", "console"}
	folders, err := filepath.Glob(filepath.Join(dir, "accounts", "*", "*"))
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		rel, err := filepath.Rel(dir, f)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, rel)
	}
	pieces = append(pieces, "ncatd.yaml")
	var there []string
	for _, p := range pieces {
		if _, err := os.Lstat(filepath.Join(dir, p)); err == nil {
			there = append(there, p)
		}
	}
	return there, nil
}

func anyThere(h home.Dir, pieces []string) bool {
	for _, p := range append(pieces, filepath.Join("data", storeFile)) {
		if _, err := os.Lstat(h.Join(p)); err == nil {
			return true
		}
	}
	return false
}

// replaceAll renames pieces of dir into the home; what they replace stays below
// replacedDir, in the place of what an earlier restore left there.
func replaceAll(h home.Dir, dir string, pieces []string, kept string) (string, error) {
	aside := h.Join(replacedDir)
	if anyThere(h, pieces) {
		if err := os.RemoveAll(aside); err != nil {
			return kept, err
		}
	}
	for _, p := range pieces {
		to, old := h.Join(p), filepath.Join(aside, p)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return kept, err
		}
		if _, err := os.Lstat(to); err == nil {
			if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
				return kept, err
			}
			if err := os.Rename(to, old); err != nil {
				return kept, err
			}
			kept = aside
		}
		if err := os.Rename(filepath.Join(dir, p), to); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// passphrase returns what encrypts a backup: from a file, the environment or a
// credential of systemd, else from whoever types it, without echo and, if it is
// new, twice. It is no argument: those can be seen by everybody.
func (a *app) passphrase(ctx context.Context, from passphraseFile, fresh bool) (string, error) {
	if dir := a.getenv("CREDENTIALS_DIRECTORY"); from == "" && dir != "" {
		path := filepath.Join(dir, passphraseName)
		if _, err := os.Stat(path); err == nil {
			from = passphraseFile(path)
		}
	}
	text := []byte(a.getenv("NCATD_PASSPHRASE"))
	switch {
	case from != "":
		fi, err := os.Stat(string(from))
		if err != nil || !fi.Mode().IsRegular() || fi.Size() > maxPassphrase { // a FIFO would not even open
			return "", usagef(a, "err.passphrase_file", from)
		}
		if text, err = os.ReadFile(string(from)); err != nil {
			return "", err
		}
		text, _, _ = bytes.Cut(text, []byte("\n"))
		text = bytes.TrimSuffix(text, []byte("\r"))
	case len(text) == 0:
		var err error
		if text, err = a.readSecret(ctx, "backup.passphrase_prompt"); err != nil {
			return "", err
		}
		if fresh && isTerminal(a.Stdin) {
			again, err := a.readSecret(ctx, "backup.passphrase_again")
			if err != nil {
				return "", err
			}
			if !bytes.Equal(text, again) {
				return "", usagef(a, "err.passphrase_differs")
			}
		}
	}
	if len(text) > maxPassphrase || strings.TrimSpace(string(text)) == "" {
		return "", fail(exitUsage, errString(a.t("err.passphrase_empty")), a.t("hint.passphrase"))
	}
	return string(text), nil
}
