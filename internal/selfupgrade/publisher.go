package selfupgrade

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"aead.dev/minisign"

	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// Base is where the publisher's releases lie.
const Base = "https://github.com/ncatd/ncatd/releases"

// The channels of releases. The newest of beta has a tag of its name.
const (
	Stable = "stable"
	Beta   = "beta"
)

const (
	// placeTimeout bounds what one place may take for the files that describe a
	// release, which are small.
	placeTimeout = 20 * time.Second
	// others is how long, after one place answered, the others may still name a
	// newer version: a mirror may serve what it fetched last week.
	others = 1500 * time.Millisecond
	// maxProgram bounds the unpacked program.
	maxProgram = 128 << 20
)

// Publisher is where releases are looked for.
type Publisher struct {
	// Base is the address, or a folder on this machine that has the files of one
	// release.
	Base string
	// Mirrors are prefixes of addresses that serve what lies at Base.
	Mirrors []string
	// Roots are the keys that vouch for signing keys.
	Roots  []minisign.PublicKey
	Log    *slog.Logger
	Client *http.Client
}

// Wish is which release is looked for.
type Wish struct {
	Version string // empty: the newest of Channel
	Channel string
	// Than is the version that is in use: an older one is refused, unless it was
	// asked for by Version.
	Than string
}

// Release is a release that was found and verified.
type Release struct {
	signed.Manifest
	Via string // the place that had it
}

// PlaceError says why a place had no release to use.
type PlaceError struct {
	Via string
	Err error
}

// Error implements error.
func (e *PlaceError) Error() string { return e.Via + ": " + e.Err.Error() }

// Unwrap returns what went wrong.
func (e *PlaceError) Unwrap() error { return e.Err }

// OlderError refuses a release that is older than the program in use.
type OlderError struct{ Has, Than string }

// Error implements error.
func (e *OlderError) Error() string { return fmt.Sprintf("has %s, older than %s", e.Has, e.Than) }

// local reports whether the releases lie in a folder.
func (p *Publisher) local() bool { return !strings.Contains(p.Base, "://") }

// places are the beginnings of addresses, the publisher's own first.
func (p *Publisher) places() []fetch.Place {
	all := []fetch.Place{{URL: strings.TrimSuffix(p.Base, "/"), Via: "direct"}}
	if !p.local() {
		for _, m := range p.Mirrors {
			all = append(all, fetch.Place{URL: strings.TrimSuffix(m, "/") + "/" + all[0].URL, Via: m})
		}
	}
	return all
}

// Find asks all places at once and returns the newest release that one of them
// proved to have. The error names each place with its cause.
func (p *Publisher) Find(ctx context.Context, w Wish) (Release, error) {
	path := "latest/download"
	switch {
	case w.Version != "":
		path = "download/v" + w.Version
	case w.Channel == Beta:
		path = "download/" + Beta
	}
	ctx, cancel := context.WithTimeout(ctx, placeTimeout)
	defer cancel()
	type answer struct {
		r   Release
		err error
	}
	places := p.places()
	answers := make(chan answer, len(places))
	for _, pl := range places {
		go func() { // ends with ctx, and needs no reader
			r, err := p.at(ctx, pl.URL, path, w)
			r.Via = pl.Via
			if err != nil {
				err = &PlaceError{pl.Via, err}
			}
			answers <- answer{r, err}
		}()
	}
	var best Release
	var errs []error
	var enough <-chan time.Time
	for range places {
		select {
		case a := <-answers:
			switch {
			case a.err != nil:
				errs = append(errs, a.err)
				continue
			case best.Version == "" || signed.Older(best.Version, a.r.Version):
				best = a.r
			}
			if w.Version != "" {
				return best, nil
			}
			if enough == nil {
				enough = time.After(others)
			}
		case <-enough:
			return best, nil
		}
	}
	if best.Version == "" {
		return best, errors.Join(errs...)
	}
	return best, nil
}

// at reads and verifies what describes the release at one place.
func (p *Publisher) at(ctx context.Context, base, path string, w Wish) (Release, error) {
	key, err := p.key(ctx, base, path)
	if err != nil {
		return Release{}, err
	}
	text, err := p.signedFile(ctx, key, base, path, signed.ManifestName)
	if err != nil {
		return Release{}, err
	}
	m, err := signed.ParseManifest(text)
	switch {
	case err != nil:
		return Release{}, err
	case w.Version != "" && m.Version != w.Version:
		return Release{}, fmt.Errorf("has %s, not %s", m.Version, w.Version)
	case w.Version == "" && signed.Older(m.Version, w.Than):
		return Release{}, &OlderError{m.Version, w.Than}
	}
	return Release{Manifest: m}, nil
}

// key reads a place's signing key, which a root vouches for.
func (p *Publisher) key(ctx context.Context, base, path string) (signed.Key, error) {
	text, err := p.read(ctx, base, path, signed.KeyName)
	if err != nil {
		return signed.Key{}, err
	}
	sig, err := p.read(ctx, base, path, signed.KeyName+signed.Suffix)
	if err != nil {
		return signed.Key{}, err
	}
	key, err := signed.VerifyKey(p.Roots, text, sig)
	if err == nil && key.Serial < signed.OldestSerial {
		err = fmt.Errorf("signing key %d was replaced", key.Serial)
	}
	return key, err
}

// signedFile reads a file that the key signed.
func (p *Publisher) signedFile(ctx context.Context, key signed.Key, base, path, name string) ([]byte, error) {
	text, err := p.read(ctx, base, path, name)
	if err != nil {
		return nil, err
	}
	sig, err := p.read(ctx, base, path, name+signed.Suffix)
	if err != nil {
		return nil, err
	}
	return text, key.Verify(name, text, sig)
}

// read reads a small file of a release.
func (p *Publisher) read(ctx context.Context, base, path, name string) ([]byte, error) {
	var r io.ReadCloser
	if p.local() {
		f, err := os.Open(filepath.Join(p.Base, name))
		if err != nil {
			return nil, err
		}
		r = f
	} else {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/"+path+"/"+name, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("User-Agent", "ncatd")
		resp, err := p.client().Do(req)
		if err != nil {
			return nil, err
		}
		r = resp.Body
		if resp.StatusCode != http.StatusOK {
			return nil, errors.Join(fmt.Errorf("%s: HTTP %s", name, resp.Status), r.Close())
		}
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, signed.MaxBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > signed.MaxBytes:
		return nil, fmt.Errorf("%s is too large", name)
	case len(b) == 0:
		return nil, fmt.Errorf("%s is empty", name)
	case bytes.HasPrefix(bytes.TrimSpace(b), []byte("<")):
		return nil, fmt.Errorf("%s is an HTML page", name)
	}
	return b, nil
}

func (p *Publisher) client() *http.Client {
	if p.Client != nil {
		return p.Client
	}
	return http.DefaultClient
}

// Program fetches the program of a release for this platform into dir, which
// exists, and returns its path. The file has the mode of a program.
func (p *Publisher) Program(ctx context.Context, r Release, dir string, report func(fetch.Event)) (string, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	arch, ending := runtime.GOARCH, ".tar.gz"
	if arch == "arm" {
		platform, arch = platform+"v7", "armv7"
	}
	if runtime.GOOS == "windows" {
		ending = ".zip"
	}
	name := fmt.Sprintf("ncatd_%s_%s_%s%s", r.Version, runtime.GOOS, arch, ending)
	file, ok := r.Find(name)
	if !ok || file.Platform != platform {
		return "", fmt.Errorf("release %s has no program for %s", r.Version, platform)
	}
	archive := filepath.Join(p.Base, name)
	if !p.local() {
		var group []fetch.Place
		for _, pl := range p.places() {
			group = append(group, fetch.Place{URL: pl.URL + "/download/v" + r.Version + "/" + name, Via: pl.Via, Trusted: pl.Via == "direct"})
		}
		f := fetch.New(fetch.Options{Dir: dir, Log: p.Log, UserAgent: "ncatd", Transport: p.client().Transport})
		got, err := f.Fetch(ctx, fetch.File{Name: name, Places: [][]fetch.Place{group}, SHA256: file.SHA256, DigestFrom: "signature", Size: file.Size}, report)
		if err != nil {
			return "", err
		}
		archive = got.Path
	} else if err := check(archive, file); err != nil {
		return "", err
	}
	to := filepath.Join(dir, "ncatd.new")
	if err := unpack(archive, to); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return to, nil
}

// unpack takes the program out of an archive whose digest was right.
func unpack(archive, to string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	if strings.HasSuffix(archive, ".zip") {
		st, err := f.Stat()
		if err != nil {
			return err
		}
		z, err := zip.NewReader(f, st.Size())
		if err != nil {
			return err
		}
		m, err := z.Open("ncatd.exe")
		if err != nil {
			return err
		}
		defer func() { _ = m.Close() }() // it was only read
		return program(m, to)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for t := tar.NewReader(io.LimitReader(z, 2*maxProgram)); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("there is no program in it")
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg && h.Name == "ncatd" {
			return program(t, to)
		}
	}
}

func program(r io.Reader, to string) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(r, maxProgram+1))
	if err == nil && n > maxProgram {
		err = errors.New("the program is too large")
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Chmod(to, 0o755)) // whatever the umask
}
