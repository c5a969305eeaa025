package home

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Lock is a held lock of a home. The lock ends with the process even if that
// is killed, so that a leftover file is never in anybody's way.
type Lock struct {
	f *os.File
}

// Acquire takes the lock of the home, creating the run folder if need be, and
// writes this process's pid into the file. It waits for a process that is
// dying, for at most 5 s, and for no other: a lock held by somebody else is a
// [*LockedError] naming that process.
func (d Dir) Acquire() (*Lock, error) {
	path := d.LockFile()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock the home: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the home: %w", err)
	}
	if err := lockUnlessAlive(f); err != nil {
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

// lockUnlessAlive is tryLock, but waits for a holder that was killed: until its
// last thread is gone the lock is its own.
func lockUnlessAlive(f *os.File) error {
	deadline := time.Now().Add(dyingTime)
	for alive := 0; ; {
		err := tryLock(f)
		if !errors.Is(err, errWouldBlock) {
			return err
		}
		if pid := readPID(f); pid != 0 && dying(pid) {
			alive = 0
		} else if alive++; alive > 1 { // between two signs of its end it shows none
			return err
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// dyingTime is how long a killed process may take to be gone.
const dyingTime = 5 * time.Second

// Holder returns the pid of the process that holds the lock, 0 if nobody does.
// It waits like [Dir.Acquire].
func (d Dir) Holder() (int, error) {
	f, err := os.OpenFile(d.LockFile(), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the lock: %w", err)
	}
	defer f.Close()
	err = lockUnlessAlive(f)
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
