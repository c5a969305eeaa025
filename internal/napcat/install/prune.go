package install

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// defaultKeep is how many pairs stay on disk by default.
const defaultKeep = 2

// partLife is how long the part of an abandoned download stays.
const partLife = 14 * 24 * time.Hour

// Prune removes the releases that belong to none of the keep newest good pairs,
// their downloaded packages, and old parts of downloads. What runs is never
// removed: neither what inUse returns (it may be nil) nor what a process of this
// machine runs from. A current pair that is still a [Trial] keeps the pair before
// it, whatever keep says. It returns the removed release folders, and [ErrBusy]
// while another process installs.
func (s *Store) Prune(keep int, inUse func() []string) ([]string, error) {
	if err := s.makeHome(); err != nil {
		return nil, err
	}
	l, err := lockFile(filepath.Join(s.releases(), "install.lock"), false)
	if err != nil {
		return nil, err
	}
	defer l.Unlock()
	return s.pruneLocked(keep, inUse)
}

func (in *installer) prune() error {
	gone, err := in.store.pruneLocked(in.req.Keep, in.req.InUse)
	for _, dir := range gone {
		in.emit(Event{Kind: EventPruned, URL: dir})
	}
	return err
}

// pruneLocked needs the install lock.
func (s *Store) pruneLocked(keep int, inUse func() []string) ([]string, error) {
	if keep <= 0 {
		keep = defaultKeep
	}
	var kept []Pair
	err := s.change(func(p *pointer) error {
		kept = nil
		if p.Current == nil {
			return nil
		}
		kept = append(kept, *p.Current)
		room := keep - 1
		if p.Current.State != Good {
			room = max(room, 1)
		}
		var previous []Pair
		for _, old := range p.Previous {
			if old.State != Good && old.State != Trial || room == 0 {
				continue
			}
			previous = append(previous, old)
			room--
		}
		p.Previous = previous
		kept = append(kept, previous...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var stay []string
	for _, p := range kept {
		for _, r := range []Release{p.NapCat, p.QQ} {
			stay = append(stay, filepath.Join(s.releases(), filepath.FromSlash(r.Dir)))
		}
	}
	used := runningFrom(s.releases())
	if inUse != nil {
		used = append(used, inUse()...)
	}
	var gone []string
	archives := map[string]bool{}
	for _, p := range []Product{NapCat, QQ} {
		dirs, err := s.releaseDirs(p)
		if err != nil {
			return gone, err
		}
		for _, dir := range dirs {
			if slices.Contains(stay, dir) || slices.ContainsFunc(used, func(u string) bool { return within(dir, u) }) {
				if info, err := readRelease(dir); err == nil {
					archives[info.Archive] = true
				}
				continue
			}
			if err := s.removeRelease(dir); err != nil {
				return gone, fmt.Errorf("remove %s: %w", dir, err)
			}
			gone = append(gone, dir)
		}
	}
	return gone, s.pruneDownloads(archives)
}

// removeRelease takes a release out of sight by one rename before it is taken
// apart, so that a kill in between leaves no half of one.
func (s *Store) removeRelease(dir string) error {
	tmp, err := os.MkdirTemp(s.releases(), stagingPrefix+"old-*")
	if err != nil {
		return err
	}
	if err := os.Rename(dir, filepath.Join(tmp, "release")); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return os.RemoveAll(tmp)
}

func (s *Store) pruneDownloads(archives map[string]bool) error {
	entries, err := os.ReadDir(s.downloads())
	if missing(err) {
		return nil
	}
	var errs []error
	for _, e := range entries {
		name := e.Name()
		if archives[name] {
			continue
		}
		if strings.HasSuffix(name, ".part") || strings.HasSuffix(name, ".part.json") {
			if fi, err := e.Info(); err != nil || time.Since(fi.ModTime()) < partLife {
				continue
			}
		}
		errs = append(errs, os.RemoveAll(filepath.Join(s.downloads(), name)))
	}
	return errors.Join(append(errs, err)...)
}

// within reports whether path is dir or lies below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
