package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Store is the releases of one home folder. Its methods may be called at the
// same time, also from several processes: what changes the pointer is ordered by
// a lock file, and [Store.Install] allows one at a time ([ErrBusy]).
type Store struct {
	home string
}

// Open returns the store of a home folder. It creates nothing: the folders
// appear with the first install.
func Open(home string) (*Store, error) {
	abs, err := filepath.Abs(home)
	if err != nil {
		return nil, fmt.Errorf("home folder: %w", err)
	}
	return &Store{home: abs}, nil
}

// Home is the absolute home folder.
func (s *Store) Home() string { return s.home }

func (s *Store) releases() string  { return filepath.Join(s.home, "releases") }
func (s *Store) downloads() string { return filepath.Join(s.home, "downloads") }
func (s *Store) pointer() string   { return filepath.Join(s.releases(), "current") }

func (s *Store) productDir(p Product) string { return filepath.Join(s.releases(), string(p)) }

// makeHome creates the folders that an install needs. The home itself is for
// its owner alone, since secrets come to lie in it.
func (s *Store) makeHome() error {
	if err := os.MkdirAll(s.home, 0o700); err != nil {
		return err
	}
	return os.MkdirAll(s.releases(), 0o755)
}

// Current returns the pair to run, with the paths of its two programs, or
// [ErrNotInstalled]. A pair whose files are gone is an error that wraps
// [ErrNotInstalled] and names what is missing.
func (s *Store) Current() (Pair, error) {
	p, err := s.readPointer()
	if err != nil {
		return Pair{}, err
	}
	if p.Current == nil {
		return Pair{}, ErrNotInstalled
	}
	return s.resolve(*p.Current)
}

// Previous returns the pair that a rollback would go to, or [ErrNoPrevious].
func (s *Store) Previous() (Pair, error) {
	p, err := s.readPointer()
	if err != nil {
		return Pair{}, err
	}
	return s.previous(p)
}

// previous is the newest earlier pair whose files are all there.
func (s *Store) previous(p pointer) (Pair, error) {
	for _, old := range p.Previous {
		if old.State == Bad {
			continue
		}
		if pair, err := s.resolve(old); err == nil {
			return pair, nil
		}
	}
	return Pair{}, ErrNoPrevious
}

// resolve makes the folders of a stored pair absolute and finds its programs.
func (s *Store) resolve(p Pair) (Pair, error) {
	for _, dir := range []string{p.NapCat.Dir, p.QQ.Dir} {
		if !filepath.IsLocal(filepath.FromSlash(dir)) {
			return Pair{}, fmt.Errorf("%w: %s names %q, which is not below %s", ErrNotInstalled, s.pointer(), dir, s.releases())
		}
	}
	p.NapCat.Dir = filepath.Join(s.releases(), filepath.FromSlash(p.NapCat.Dir))
	p.QQ.Dir = filepath.Join(s.releases(), filepath.FromSlash(p.QQ.Dir))
	var err error
	if p.NapCatMain, err = findNapCat(p.NapCat.Dir); err != nil {
		return Pair{}, fmt.Errorf("%w: NapCat %s is damaged: %w", ErrNotInstalled, p.NapCat.Version, err)
	}
	app, err := findApp(p.QQ.Dir)
	if err != nil {
		return Pair{}, fmt.Errorf("%w: QQ %s is damaged: %w", ErrNotInstalled, p.QQ.Version, err)
	}
	p.QQExe = app.exe
	return p, nil
}

// relative is the opposite of resolve: the form in which a pair is stored.
func (s *Store) relative(p Pair) (Pair, error) {
	for _, r := range []*Release{&p.NapCat, &p.QQ} {
		rel, err := filepath.Rel(s.releases(), r.Dir)
		if err != nil || !filepath.IsLocal(rel) {
			return Pair{}, fmt.Errorf("release folder %s is not below %s", r.Dir, s.releases())
		}
		r.Dir = filepath.ToSlash(rel)
	}
	return p, nil
}

// Arch is this machine's architecture in Debian's words, as packages are named.
func Arch() string { return runtime.GOARCH }

// exists reports whether a regular file is there.
func exists(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
	}
	return nil
}

// missing reports whether err says that something is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
