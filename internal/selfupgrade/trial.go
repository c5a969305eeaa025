package selfupgrade

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// Trial is a version that a daemon runs from where it was staged. The program at
// the path is replaced only when the version has proved itself, so that whatever
// dies meanwhile (the version, who judges it, the machine), the next start is one
// of the program before.
type Trial struct {
	Version string    `json:"version"`
	Program string    `json:"program"` // its name in the folder of the program
	Time    time.Time `json:"time"`
}

// ErrTrial says that another version is on trial.
var ErrTrial = errors.New("another version is on trial")

// stagedName is how [Stage] names a program. A running one goes by that name
// although it has taken its place since, and by a mark of Linux's once it is
// removed.
var stagedName = regexp.MustCompile(`^\.(.+)\.new-[0-9]+$`)

// HomeOf returns where a program belongs that runs from path, which may be that of
// a staged one.
func HomeOf(path string) string {
	dir, name := filepath.Split(strings.TrimSuffix(path, " (deleted)"))
	if m := stagedName.FindStringSubmatch(name); m != nil {
		name = m[1]
	}
	return filepath.Join(dir, name)
}

// Program returns where this program belongs, with no links on the way.
func Program() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(HomeOf(exe))
}

// ErrBusy says that the program is being replaced already.
var ErrBusy = errors.New("the program is being replaced already")

// Lock keeps others from replacing exe until release is called or this process ends.
// While a version is on trial nobody gets it, also when who began with that is gone.
func Lock(exe string) (release func(), err error) {
	release = func() {}
	l, err := atomicfile.TryLock(filepath.Dir(exe))
	switch {
	case errors.Is(err, atomicfile.ErrLocked):
		return nil, ErrBusy
	case err == nil: // else the file system, or the system, has no locks of folders
		release = func() { _ = l.Unlock() } // it ends with the process in any case
	}
	if t, ok := ReadTrial(exe); ok && t.On(exe) {
		release()
		return nil, ErrTrial
	}
	return release, nil
}

func trialPath(exe string) string { return exe + ".trial.json" }

// Try writes down that the staged program may run in the place of exe, as long as
// this process lives and release was not called. A lock says so and no pid: the
// daemon may not see the processes of root.
func Try(staged, exe, version string) (release func() error, err error) {
	if t, ok := ReadTrial(exe); ok && t.On(exe) {
		return nil, ErrTrial
	}
	b, err := json.Marshal(Trial{Version: version, Program: filepath.Base(staged), Time: time.Now()})
	if err != nil {
		return nil, err
	}
	l, err := atomicfile.TryLock(staged)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(remove(notePath(exe)), atomicfile.Write(trialPath(exe), b, 0o644)); err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	return l.Unlock, nil
}

// On reports whether the process lives that called [Try].
func (t Trial) On(exe string) bool {
	l, err := atomicfile.TryLock(t.At(exe))
	if err == nil {
		_ = l.Unlock() // it ends with the descriptor in any case
	}
	return errors.Is(err, atomicfile.ErrLocked)
}

// At returns where the staged program lies.
func (t Trial) At(exe string) string { return filepath.Join(filepath.Dir(exe), t.Program) }

// ReadTrial returns what [Try] wrote last, unless that trial came to an end.
func ReadTrial(exe string) (t Trial, ok bool) {
	b, err := os.ReadFile(trialPath(exe))
	if err != nil || json.Unmarshal(b, &t) != nil {
		return Trial{}, false
	}
	return t, t.Version != "" && stagedName.MatchString(t.Program)
}

// Leave ends a trial: the program at exe stays, and a note says why. The staged one
// may still run.
func Leave(staged, exe string, n Note) error {
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return errors.Join(atomicfile.Write(notePath(exe), b, 0o644), remove(trialPath(exe)), remove(staged))
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
