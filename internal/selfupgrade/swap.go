package selfupgrade

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// check compares a file with what the manifest says of it.
func check(path string, want signed.File) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want.SHA256 {
		return fmt.Errorf("%s has the digest %s, not %s", want.Name, got, want.SHA256)
	}
	return nil
}

// Previous is where the program lies that was at exe before, for going back.
func Previous(exe string) string { return exe + ".previous" }

// notePath is where it is written why a version was left. It lies beside the
// program, since that is what root may write to and every daemon can read.
func notePath(exe string) string { return exe + ".left.json" }

// Note says which version was left for the one before, and why.
type Note struct {
	Version string    `json:"version"`
	Reason  string    `json:"reason"`
	Time    time.Time `json:"time"`
}

// ReadNote returns the note that [Leave] wrote, if there is one.
func ReadNote(exe string) (n Note, ok bool) {
	b, err := os.ReadFile(notePath(exe))
	if err != nil || json.Unmarshal(b, &n) != nil {
		return Note{}, false
	}
	return n, n.Version != ""
}

// staleAfter is the age from which a staged program is one that is not swapped any
// more: checking it takes seconds.
const staleAfter = 10 * time.Minute

// Stageable reports why nothing can be brought into the folder of exe, before
// something is fetched for it.
func Stageable(exe string) error {
	f, err := os.CreateTemp(filepath.Dir(exe), "."+filepath.Base(exe)+".new-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Stage brings a program into the folder of exe, from where it can take its
// place in one step.
func Stage(program, exe string) (staged string, err error) {
	from, err := os.Open(program)
	if err != nil {
		return "", err
	}
	defer from.Close()
	pattern := "." + filepath.Base(exe) + ".new-"
	left, err := filepath.Glob(filepath.Join(filepath.Dir(exe), pattern+"*"))
	if err != nil {
		return "", err
	}
	for _, p := range left { // by one that was killed
		if fi, err := os.Lstat(p); err == nil && time.Since(fi.ModTime()) > staleAfter {
			_ = os.Remove(p) // the next one tries again
		}
	}
	f, err := os.CreateTemp(filepath.Dir(exe), pattern+"*")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Chmod(0o755)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// Swap puts the staged program in the place of exe, which stays as [Previous], and
// ends a trial of it. A kill at any moment leaves a whole program at exe.
func Swap(staged, exe string) error {
	if err := keep(exe); err != nil {
		return err
	}
	if err := place(staged, exe); err != nil {
		return err
	}
	return errors.Join(remove(trialPath(exe)), remove(notePath(exe)))
}

// keep makes Previous the program that is at exe.
func keep(exe string) error {
	tmp := Previous(exe) + ".tmp"
	if err := remove(tmp); err != nil {
		return err
	}
	if err := os.Link(exe, tmp); err != nil {
		if err := clone(exe, tmp); err != nil { // a file system without links
			return err
		}
	}
	return os.Rename(tmp, Previous(exe))
}

func clone(from, to string) error {
	staged, err := Stage(from, to)
	if err != nil {
		return err
	}
	return os.Rename(staged, to)
}

// place renames a program to exe. It may run: nothing may open it to write.
func place(program, exe string) error {
	if runtime.GOOS == "windows" { // a program that runs can be renamed, not replaced
		aside := exe + ".old"
		_ = os.Remove(aside) // it may be the one that runs
		if err := os.Rename(exe, aside); err != nil {
			return err
		}
		if err := os.Rename(program, exe); err != nil {
			return errors.Join(err, os.Rename(aside, exe))
		}
		return nil
	}
	if err := os.Rename(program, exe); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(exe))
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every file system has this of folders
	return dir.Close()
}
