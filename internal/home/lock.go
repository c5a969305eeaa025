package home

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Lock is a held lock of a home. The lock ends with the process even if that
// is killed, so that a leftover file is never in anybody's way.
type Lock struct {
	f *os.File
}

// Acquire takes the lock of the home, creating the run folder if need be, and
// writes this process's pid into the file. It does not wait: a lock held by
// somebody else is a [*LockedError] naming that process.
func (d Dir) Acquire() (*Lock, error) {
	path := d.LockFile()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock the home: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the home: %w", err)
	}
	if err := tryLock(f); err != nil {
		pid := readPID(f)
		f.Close()
		if errors.Is(err, errWouldBlock) {
			return nil, &LockedError{PID: pid, Path: path}
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Lock{f: f}, nil
}

// Release empties the file and gives the lock up. The file stays: removing it
// would let two processes lock two different files of the same name.
func (l *Lock) Release() error {
	_ = l.f.Truncate(0) // only a courtesy to readers; the lock is what counts
	return l.f.Close()
}

// Holder returns the pid of the process that holds the lock, 0 if nobody does.
func (d Dir) Holder() (int, error) {
	f, err := os.OpenFile(d.LockFile(), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the lock: %w", err)
	}
	defer f.Close()
	err = tryLock(f)
	switch {
	case err == nil:
		return 0, nil
	case errors.Is(err, errWouldBlock):
		return readPID(f), nil
	}
	return 0, fmt.Errorf("read the lock: %w", err)
}

func readPID(f *os.File) int {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}
