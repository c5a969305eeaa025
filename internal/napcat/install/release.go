package install

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/napcat/install/unpack"
)

// releaseFile lies in every release folder and is written last: a folder
// without it is no release.
const releaseFile = ".ncatd-release.json"

// releaseInfo is what releaseFile holds.
type releaseInfo struct {
	Product Product `json:"product"`
	Version string  `json:"version"`
	SHA256  string  `json:"sha256"`
	Source  string  `json:"source"`
	// Archive is the package's name in downloads/, empty for a local package.
	Archive   string    `json:"archive,omitempty"`
	Bytes     int64     `json:"bytes"` // unpacked
	Installed time.Time `json:"installed"`
}

// stagingPrefix begins the folders that an install works in.
const stagingPrefix = ".staging-"

// readRelease reads what a release folder says of itself.
func readRelease(dir string) (releaseInfo, error) {
	b, err := os.ReadFile(filepath.Join(dir, releaseFile))
	if err != nil {
		return releaseInfo{}, err
	}
	var r releaseInfo
	if err := json.Unmarshal(b, &r); err != nil {
		return releaseInfo{}, fmt.Errorf("%s: %w", filepath.Join(dir, releaseFile), err)
	}
	return r, nil
}

// releaseDirs are the release folders of one product.
func (s *Store) releaseDirs(p Product) ([]string, error) {
	entries, err := os.ReadDir(s.productDir(p))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			dirs = append(dirs, filepath.Join(s.productDir(p), e.Name()))
		}
	}
	return dirs, nil
}

// findRelease looks for an unpacked release made of the package with this
// digest.
func (s *Store) findRelease(p Product, sha string) (Release, bool) {
	dirs, err := s.releaseDirs(p)
	if err != nil || sha == "" {
		return Release{}, false
	}
	for _, dir := range dirs {
		info, err := readRelease(dir)
		if err == nil && info.SHA256 == sha && whole(p, dir) == nil {
			return Release{Version: info.Version, Dir: dir, SHA256: sha, Source: info.Source}, true
		}
	}
	return Release{}, false
}

// whole looks whether the programs of a release are still there.
func whole(p Product, dir string) error {
	if p == QQ {
		_, err := findApp(dir)
		return err
	}
	_, err := findNapCat(dir)
	return err
}

// inspect finds the program below dir and returns its version.
func inspect(p Product, dir string) (string, error) {
	if p == QQ {
		a, err := findApp(dir)
		return a.version, err
	}
	main, err := findNapCat(dir)
	if err != nil {
		return "", err
	}
	return napcatVersion(main)
}

// clearStaging removes what interrupted installs left. It needs the install
// lock.
func (s *Store) clearStaging() error {
	found, err := filepath.Glob(filepath.Join(s.releases(), stagingPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range found {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// publish unpacks a verified package file into a folder of its own and renames
// it to where releases live. want is the version it should have, empty for any.
// On any error nothing of it stays.
func (s *Store) publish(ctx context.Context, p Product, f io.ReaderAt, size int64, info releaseInfo, want string, progress func(Event)) (r Release, err error) {
	if err := os.MkdirAll(s.productDir(p), 0o755); err != nil {
		return r, err
	}
	staging, err := os.MkdirTemp(s.releases(), stagingPrefix+string(p)+"-*")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging)) }()
	dir := filepath.Join(staging, "release")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return r, err
	}
	sum, err := unpack.Check(f, size)
	if err != nil {
		return r, err
	}
	if err := checkArch(p, sum.Control); err != nil {
		return r, err
	}
	if err := checkSpace(s.releases(), sum.Bytes); err != nil {
		return r, err
	}
	tick := newTicker(progress, Event{Kind: EventUnpack, Product: p, Version: want, Total: sum.Bytes})
	res, err := unpack.Extract(ctx, f, size, dir, unpack.Options{Progress: tick.bytes})
	if err != nil {
		return r, err
	}
	tick.done(res.Bytes)
	version, err := inspect(p, dir)
	if err != nil {
		return r, err
	}
	switch {
	case version == placeholder && want != "":
		version = want
	case want != "" && version != want:
		progress(Event{Kind: EventNote, Product: p, Version: version, Code: "version_differs",
			Message: fmt.Sprintf("the package holds version %s, %s was asked for", version, want)})
	}
	if p == QQ {
		if err := Patch(dir); err != nil {
			return r, fmt.Errorf("make QQ load NapCat: %w", err)
		}
	}
	info.Product, info.Version, info.Bytes, info.Installed = p, version, res.Bytes, time.Now().UTC()
	b, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return r, err
	}
	if err := atomicfile.Write(filepath.Join(dir, releaseFile), append(b, '\n'), 0o644); err != nil {
		return r, err
	}
	if err := syncTree(dir); err != nil {
		return r, err
	}
	final, err := s.place(p, dir, version, info.SHA256)
	if err != nil {
		return r, err
	}
	r = Release{Version: version, Dir: final, SHA256: info.SHA256, Source: info.Source}
	progress(Event{Kind: EventReleased, Product: p, Version: version, URL: info.Source, SHA256: info.SHA256, Bytes: res.Bytes})
	return r, nil
}

// place renames a complete folder to its name. A name that is taken by another
// package of the same version, which may be running, is left alone and the
// digest tells the two apart.
func (s *Store) place(p Product, dir, version, sha string) (string, error) {
	final := filepath.Join(s.productDir(p), version)
	for n := 0; ; n++ {
		_, err := os.Lstat(final)
		if missing(err) {
			break
		}
		if err != nil {
			return "", err
		}
		final = filepath.Join(s.productDir(p), version+"+"+sha[:8])
		if n > 0 {
			final += fmt.Sprintf(".%d", n)
		}
	}
	if err := os.Rename(dir, final); err != nil {
		return "", err
	}
	return final, syncDir(s.productDir(p))
}

// ArchError is a package made for another processor.
type ArchError struct {
	Package, Machine string
}

// Error implements error.
func (e *ArchError) Error() string {
	return fmt.Sprintf("the package is made for %s, this machine is %s", e.Package, e.Machine)
}

func checkArch(p Product, c unpack.Control) error {
	if p != QQ || c.Architecture == "" || c.Architecture == "all" || c.Architecture == Arch() {
		return nil
	}
	return &ArchError{Package: c.Architecture, Machine: Arch()}
}
