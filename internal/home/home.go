// Package home knows where things lie under ncatd's one directory (the "home")
// and holds the lock that keeps two daemons out of it. Its central type is
// [Dir]. It reads no config and creates nothing but what it is told to.
package home

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
)

// Dir is the absolute path of a home.
type Dir string

// Find returns the home to use: flag if it is not empty, else the value of
// NCATD_HOME from getenv, else fallback (".ncatd" or ".ncatd-sim") in the
// user's home directory. The result is absolute; nothing is created.
func Find(flag string, getenv func(string) string, fallback string) (Dir, error) {
	d := flag
	if d == "" {
		d = getenv("NCATD_HOME")
	}
	if d == "" {
		h := getenv("HOME")
		if h == "" {
			var err error
			if h, err = userHome(); err != nil {
				return "", err
			}
		}
		d = filepath.Join(h, fallback)
	}
	abs, err := filepath.Abs(d)
	if err != nil {
		return "", fmt.Errorf("find a home: %w", err)
	}
	return Dir(abs), nil
}

// ErrNoHome is returned by [Find] when nothing tells where the user's home is.
var ErrNoHome = errors.New("the user has no home directory")

// userHome is the user's home directory where HOME does not tell it, as in jobs
// and services that start with an empty environment.
func userHome() (string, error) {
	if h, err := os.UserHomeDir(); err == nil {
		return h, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoHome, err)
	}
	if !filepath.IsAbs(u.HomeDir) {
		return "", ErrNoHome
	}
	return u.HomeDir, nil
}

// Join returns a path under the home.
func (d Dir) Join(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// Config is the config file.
func (d Dir) Config() string { return d.Join("ncatd.yaml") }

// Secrets is the file of generated tokens.
func (d Dir) Secrets() string { return d.Join("secrets.json") }

// Socket is the control API's unix socket.
func (d Dir) Socket() string { return d.Join("run", "ncatd.sock") }

// LockFile is the file whose lock the running daemon holds and which names its pid.
func (d Dir) LockFile() string { return d.Join("run", "ncatd.pid") }

// Logs is the folder of ncatd's own log files.
func (d Dir) Logs() string { return d.Join("logs") }

// Data is the folder of the SQLite database.
func (d Dir) Data() string { return d.Join("data") }

// Account is the folder of one account.
func (d Dir) Account(name string) string { return d.Join("accounts", name) }

// Make creates the home and its run, logs, data and accounts folders, all 0700.
func (d Dir) Make() error {
	for _, p := range []string{string(d), d.Join("run"), d.Logs(), d.Data(), d.Join("accounts")} {
		if err := os.MkdirAll(p, 0o700); err != nil {
			return fmt.Errorf("make the home: %w", err)
		}
	}
	return nil
}

// LockedError says that another process holds the lock of a home.
type LockedError struct {
	PID  int // 0 if the file does not tell
	Path string
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("already running with pid %d (lock %s)", e.PID, e.Path)
}

// Locked reports whether err is a [*LockedError], and whose pid it names.
func Locked(err error) (pid int, ok bool) {
	var e *LockedError
	if errors.As(err, &e) {
		return e.PID, true
	}
	return 0, false
}
