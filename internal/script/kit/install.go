package kit

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/script"
)

// The bounds of a plugin that is installed.
const (
	maxPackage  = 16 << 20
	maxFiles    = 2000
	fetchWithin = 2 * time.Minute
)

// Package is a plugin that can be installed: it lies in a folder beside the others
// that no bot sees.
type Package struct {
	Source   string
	SHA256   string
	Manifest script.Manifest
	Problems []script.Problem

	given    string // Source as it was given
	dir      string // of all plugins
	tmp      string
	held     *atomicfile.Lock // of tmp
	rehearse script.Rehearsal
	path     string // the plugin, within tmp
}

// Open brings the plugin at source, a file, an archive, a folder or the http or
// https address of one of the first two, near dir, the folder of all plugins. The
// Package must be closed.
func Open(ctx context.Context, dir, source string) (_ *Package, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	tmp, held, err := stage(dir)
	if err != nil {
		return nil, err
	}
	p := &Package{Source: source, given: source, dir: dir, tmp: tmp, held: held, rehearse: Rehearse(ctx)}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if u, uerr := url.Parse(source); uerr == nil && (u.Scheme == "http" || u.Scheme == "https") {
		p.Source = u.Redacted() // others read the lock file
		p.given = p.Source
		name, text, err := get(ctx, u)
		if err != nil {
			return nil, err
		}
		return p, p.unpack(name, text)
	}
	if p.Source, err = filepath.Abs(source); err != nil {
		return nil, err
	}
	info, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return p, p.copyDir(p.Source)
	}
	if !info.Mode().IsRegular() { // it may never end
		return nil, script.Fail(api.Because(api.CodeScriptPackFile, source), nil)
	}
	if info.Size() > maxPackage {
		return nil, tooLarge(source)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		return nil, err
	}
	return p, p.unpack(filepath.Base(source), text)
}

// tooLarge says that source is no plugin for its size.
func tooLarge(source string) error {
	return script.Fail(api.Because(api.CodeScriptPackSize, source, maxPackage>>20), nil)
}

// get fetches a plugin and returns its name, too.
func get(ctx context.Context, u *url.URL) (name string, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	fail := func(why any, err error) (string, []byte, error) {
		return "", nil, script.Fail(api.Because(api.CodeScriptPackFetch, u.Redacted(), why), err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if told := new(url.Error); errors.As(err, &told) {
			err = told.Err // without the address, which is told
		}
		return fail(err, err)
	}
	defer resp.Body.Close() // it was only read
	if resp.StatusCode != http.StatusOK {
		return fail(resp.Status, nil)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxPackage+1))
	if err != nil {
		return fail(err, err)
	}
	if len(b) > maxPackage {
		return "", nil, tooLarge(u.Redacted())
	}
	return nameOf(u, resp), b, nil
}

// nameOf returns what a file is called that was fetched: as the address says or, if
// that names no file, the one to which it led.
func nameOf(u *url.URL, resp *http.Response) string {
	if path.Ext(u.Path) == "" {
		u = resp.Request.URL
	}
	return path.Base(u.Path)
}

// unpack makes a plugin of a file's content.
func (p *Package) unpack(name string, text []byte) error {
	sum := sha256.Sum256(text)
	p.SHA256 = hex.EncodeToString(sum[:])
	low := strings.ToLower(name)
	switch { // no source begins as an archive does, whose name may say nothing
	case strings.HasSuffix(low, ".zip"), bytes.HasPrefix(text, []byte("PK\x03\x04")):
		return p.archive(stem(name, ".zip"), func(put func(string, io.Reader) error) error { return unzip(text, put) })
	case strings.HasSuffix(low, ".tar.gz"), strings.HasSuffix(low, ".tgz"), bytes.HasPrefix(text, []byte("\x1f\x8b")):
		return p.archive(stem(name, ".tar.gz", ".tgz"), func(put func(string, io.Reader) error) error { return untar(text, put) })
	}
	if err := os.WriteFile(filepath.Join(p.tmp, filepath.Base(name)), text, 0o644); err != nil {
		return err
	}
	return p.read(filepath.Join(p.tmp, filepath.Base(name)))
}

// stem returns name without the ending of an archive.
func stem(name string, endings ...string) string {
	for _, e := range endings {
		if n := len(name) - len(e); n > 0 && strings.EqualFold(name[n:], e) {
			return name[:n]
		}
	}
	return name
}

// archive writes the files of an archive. One folder that holds all of them is
// left out.
func (p *Package) archive(name string, each func(put func(string, io.Reader) error) error) error {
	into := filepath.Join(p.tmp, name)
	if !filepath.IsLocal(name) {
		return badName(name)
	}
	files, size := 0, int64(0)
	err := each(func(name string, r io.Reader) error {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return script.Fail(api.Because(api.CodeScriptPackOut, name), nil)
		}
		if hidden(name) {
			return nil
		}
		if files++; files > maxFiles {
			return script.Fail(api.Because(api.CodeScriptPackMany, p.given, maxFiles), nil)
		}
		b, err := io.ReadAll(io.LimitReader(r, maxPackage-size+1))
		if size += int64(len(b)); err == nil && size > maxPackage {
			err = tooLarge(p.given)
		}
		if err != nil {
			return err
		}
		at := filepath.Join(into, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		return os.WriteFile(at, b, 0o644)
	})
	if f := script.Fault(err); f.Code == api.CodeScriptPackSize || f.Code == api.CodeScriptPackMany {
		return err
	} else if err != nil {
		return script.Fail(api.Because(api.CodeScriptPackBroken, p.given).With(f), err)
	}
	if files == 0 {
		return script.ErrNoPlugin
	}
	entries, err := os.ReadDir(into)
	if err != nil {
		return err
	}
	if len(entries) == 1 && entries[0].IsDir() {
		into = filepath.Join(into, entries[0].Name())
	}
	return p.read(into)
}

// hidden reports whether a file of an archive is none of the plugin: one that
// begins with a dot, or what macOS adds.
func hidden(name string) bool {
	return slices.ContainsFunc(strings.Split(path.Clean(name), "/"), func(s string) bool { return strings.HasPrefix(s, ".") || s == "__MACOSX" })
}

func unzip(text []byte, put func(string, io.Reader) error) error {
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		if !f.Mode().IsRegular() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		if err := errors.Join(put(f.Name, r), r.Close()); err != nil {
			return err
		}
	}
	return nil
}

func untar(text []byte, put func(string, io.Reader) error) error {
	g, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return err
	}
	t := tar.NewReader(g)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if err := put(h.Name, t); err != nil {
				return err
			}
		}
	}
}

// copyDir copies a folder; the digest is of all its files by name.
func (p *Package) copyDir(from string) error {
	root, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer root.Close() // it was only read
	sum := sha256.New()
	err = p.archive(filepath.Base(from), func(put func(string, io.Reader) error) error {
		return script.EachFile(root.FS(), func(name string, b []byte) error {
			script.AddDigest(sum, name, b)
			return put(name, bytes.NewReader(b))
		})
	})
	p.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return err
}

func (p *Package) read(at string) error {
	p.path = at
	var err error
	if p.Manifest, err = script.Read(at); err != nil {
		return err
	}
	p.Problems, err = script.Check(at, p.rehearse)
	return err
}

// Before returns what the lock file says of the plugin as it is now.
func (p *Package) Before() (script.Locked, bool, error) {
	all, err := script.ReadLock(p.dir)
	l, ok := all[p.Manifest.ID]
	return l, ok, err
}

// Install puts the plugin among the others, in the place of an earlier version of
// the same name, and writes the lock file, in which what it asked for is granted.
func (p *Package) Install(now time.Time) (to string, err error) {
	lock, err := holdFolder(p.dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	all, err := script.ReadLock(p.dir)
	if err != nil {
		return "", err
	}
	name := filepath.Base(p.path)
	if info, err := os.Stat(p.path); err == nil && info.IsDir() {
		name = p.Manifest.ID
	}
	to = filepath.Join(p.dir, name)
	before, err := script.Find(p.dir, p.Manifest.ID) // a file may become a folder
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(to); err == nil && !slices.Contains(before, to) {
		before = append(before, to)
	}
	if _, known := all[p.Manifest.ID]; !known && len(before) > 0 {
		return "", script.Fail(api.Because(api.CodeScriptPackInTheWay, before[0]), ErrExists)
	}
	perms := p.Manifest.Permissions
	perms.Fetch = slices.Clone(perms.Fetch)
	next := script.Locked{Source: p.Source, SHA256: p.SHA256, Version: p.Manifest.Version, Installed: now.UTC().Truncate(time.Second), Granted: perms}
	return to, p.place(all, next, before, to)
}

// Close removes what Open brought and Install did not take.
func (p *Package) Close() error { return errors.Join(p.held.Unlock(), os.RemoveAll(p.tmp)) }
