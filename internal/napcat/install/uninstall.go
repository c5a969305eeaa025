package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// InUseError says that something runs from the releases.
type InUseError struct{ Paths []string }

// Error implements error.
func (e *InUseError) Error() string {
	return "still running: " + strings.Join(e.Paths, ", ")
}

// homeNames is everything that ncatd keeps in its home. Only these are removed:
// a home may be a folder that holds other things too.
var homeNames = []string{
	"ncatd.yaml", "secrets.json", "catalogue.json", "ncatd.lock",
	"accounts", "apps", "console", "data", "plugins", "logs", "run",
}

// Uninstall removes all releases and downloads; with purge also the config, the
// accounts with their logins, and all else that ncatd keeps in this home, and the
// home itself if nothing else lies in it. It returns an *[InUseError] while a
// process runs from a release, and [ErrBusy] while another process installs.
func (s *Store) Uninstall(purge bool) error {
	if _, err := os.Stat(s.releases()); missing(err) && !purge {
		return nil
	}
	if _, err := os.Stat(s.home); missing(err) {
		return nil
	}
	if err := s.makeHome(); err != nil {
		return err
	}
	l, err := lockFile(filepath.Join(s.releases(), "install.lock"), false)
	if err != nil {
		return err
	}
	defer l.Unlock()
	if used := runningFrom(s.releases()); len(used) > 0 {
		return &InUseError{Paths: used}
	}
	// First nothing is current, then the files go: a kill in between leaves a
	// home in which nothing is installed.
	if err := os.Remove(s.pointer()); err != nil && !missing(err) {
		return err
	}
	errs := []error{os.RemoveAll(s.downloads()), os.RemoveAll(s.releases())}
	if purge {
		for _, name := range homeNames {
			errs = append(errs, os.RemoveAll(filepath.Join(s.home, name)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	if purge {
		// Not empty: it holds what is not ours, and stays. In a folder that is not
		// the user's, such as /var/lib, the empty home is whose that is to remove.
		if rest, err := os.ReadDir(s.home); err == nil && len(rest) == 0 {
			if err := os.Remove(s.home); err != nil && !errors.Is(err, fs.ErrPermission) {
				return err
			}
		}
	}
	return nil
}
