package home

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// Lock is a held lock of a home. The lock ends with the process even if that
// is killed, so that a leftover file is never in anybody's way.
type Lock struct {
	lock *atomicfile.Lock
	path string // of the file with the pid
}

// Acquire takes the lock of the home, creating the run folder if need be, and
// writes this process's pid into the file. It waits for a process that is
// dying, for at most 5 s, and for no other: a lock held by another process is a
// [*LockedError] naming that process.
func (d Dir) Acquire() (*Lock, error) {
	path := d.LockFile()
	if err := d.noLink(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock the home: %w", err)
	}
	l, err := lockUnlessAlive(path, atomicfile.TryCreateLock)
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, &LockedError{PID: readPID(path), Path: path}
	}
	if err != nil {
		return nil, fmt.Errorf("lock the home: %w", err)
	}
	if err := writePID(path, strconv.Itoa(os.Getpid())+"\n"); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the home: %w", err), l.Unlock())
	}
	return &Lock{l, path}, nil
}

// noLink refuses a run folder that is a link: it may lead root to another's file.
func (d Dir) noLink() error {
	dir := filepath.Dir(d.LockFile())
	if fi, err := os.Lstat(dir); err == nil && !fi.IsDir() {
		return fmt.Errorf("lock the home: %s is not a folder; remove it", dir)
	}
	return nil
}

// Release empties the file and gives the lock up. The file stays: removing it
// would let two processes lock two different files of the same name.
func (l *Lock) Release() error {
	_ = writePID(l.path, "") // only a courtesy to readers; the lock is what counts
	return l.lock.Unlock()
}

// lockable is the file that is locked to lock the one at path. Windows does not
// let others read a file that is locked.
func lockable(path string) string {
	if runtime.GOOS == "windows" {
		return path + ".lock"
	}
	return path
}

// lockUnlessAlive tries to lock, but waits for a holder that was killed: until
// its last thread is gone the lock is its own.
func lockUnlessAlive(path string, try func(string) (*atomicfile.Lock, error)) (*atomicfile.Lock, error) {
	deadline := time.Now().Add(dyingTime)
	for alive := 0; ; {
		l, err := try(lockable(path))
		if !errors.Is(err, atomicfile.ErrLocked) {
			return l, err
		}
		if pid := readPID(path); pid != 0 && dying(pid) {
			alive = 0
		} else if alive++; alive > 1 { // between two signs of its end it shows none
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// dyingTime is how long a killed process may take to be gone.
const dyingTime = 5 * time.Second

// Holder returns the pid of the process that holds the lock, 0 if none does.
// It waits like [Dir.Acquire].
func (d Dir) Holder() (int, error) {
	if err := d.noLink(); err != nil {
		return 0, err
	}
	l, err := lockUnlessAlive(d.LockFile(), atomicfile.TryLock)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case errors.Is(err, atomicfile.ErrLocked):
		return readPID(d.LockFile()), nil
	case err != nil:
		return 0, fmt.Errorf("read the lock: %w", err)
	}
	return 0, l.Unlock()
}

func writePID(path, text string) error {
	f, err := atomicfile.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func readPID(path string) int {
	f, err := atomicfile.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}
