package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Install brings the pair that req asks for and makes it the current one, as a
// [Trial] until [Store.Confirm]. A product whose exact package is unpacked
// already is not fetched or unpacked again; when both are and the pair is the
// current one, Install changes nothing.
//
// progress is called from one goroutine at a time with every step; it may be
// nil. On an error, and when ctx ends (the error is its cause), the pair that
// was current stays so, and nothing stays behind but the part of a download that
// the next Install resumes. [ErrBusy] is returned when another process installs
// in this home.
func (s *Store) Install(ctx context.Context, req Request, progress func(Event)) (Pair, error) {
	if err := os.MkdirAll(s.releases(), 0o755); err != nil {
		return Pair{}, err
	}
	l, err := lockFile(filepath.Join(s.releases(), "install.lock"), false)
	if err != nil {
		return Pair{}, err
	}
	defer l.unlock()
	if err := s.clearStaging(); err != nil {
		return Pair{}, fmt.Errorf("remove what an earlier install left: %w", err)
	}
	in := &installer{store: s, req: req, emit: serial(progress)}
	var pair Pair
	if err := in.both(ctx, &pair); err != nil {
		return Pair{}, err
	}
	pair, err = s.activate(pair, time.Now().UTC())
	if err != nil {
		return Pair{}, fmt.Errorf("switch to %s: %w", pair, err)
	}
	in.emit(Event{Kind: EventSwitched, Message: pair.String()})
	return pair, nil
}

// serial makes one goroutine at a time call f, with the time filled in.
func serial(f func(Event)) func(Event) {
	var mu sync.Mutex
	return func(e Event) {
		if f == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		e.Time = time.Now()
		f(e)
	}
}

// installer is one run of Install.
type installer struct {
	store *Store
	req   Request
	emit  func(Event)
}

func (in *installer) both(ctx context.Context, pair *Pair) error {
	var wg sync.WaitGroup
	var napcatErr, qqErr error
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	wg.Go(func() {
		if pair.NapCat, napcatErr = in.one(ctx, NapCat, in.req.NapCat); napcatErr != nil {
			cancel(fmt.Errorf("the other package cannot be had: %w", napcatErr))
		}
	})
	wg.Go(func() {
		if pair.QQ, qqErr = in.one(ctx, QQ, in.req.QQ); qqErr != nil {
			cancel(fmt.Errorf("the other package cannot be had: %w", qqErr))
		}
	})
	wg.Wait()
	switch {
	case napcatErr != nil && qqErr != nil && errors.Is(qqErr, napcatErr):
		return fmt.Errorf("install NapCat: %w", napcatErr)
	case napcatErr != nil && qqErr != nil && errors.Is(napcatErr, qqErr):
		return fmt.Errorf("install QQ: %w", qqErr)
	case napcatErr != nil:
		return fmt.Errorf("install NapCat: %w", napcatErr)
	case qqErr != nil:
		return fmt.Errorf("install QQ: %w", qqErr)
	}
	return nil
}

// one brings one product to the point where it is a release on disk.
func (in *installer) one(ctx context.Context, p Product, pkg Package) (Release, error) {
	path, ok := pkg.local()
	if !ok {
		return Release{}, fmt.Errorf("no source for %s", p)
	}
	return in.local(ctx, p, pkg, path)
}

// local installs a package that lies on this machine, where it lies: it is
// hashed and unpacked through the same open file and not copied.
func (in *installer) local(ctx context.Context, p Product, pkg Package, path string) (Release, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Release{}, err
	}
	f, err := os.Open(abs)
	if err != nil {
		return Release{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return Release{}, err
	}
	if !fi.Mode().IsRegular() {
		return Release{}, fmt.Errorf("%s is no file", abs)
	}
	in.emit(Event{Kind: EventPlan, Product: p, Version: pkg.Version, URL: abs, Total: fi.Size()})
	sha, err := hashFile(ctx, f)
	if err != nil {
		return Release{}, fmt.Errorf("read %s: %w", abs, err)
	}
	if pkg.SHA256 != "" && !strings.EqualFold(sha, pkg.SHA256) {
		return Release{}, &DigestError{URL: abs, Want: strings.ToLower(pkg.SHA256), Got: sha, From: "request"}
	}
	in.emit(Event{Kind: EventVerified, Product: p, URL: abs, Total: fi.Size(), SHA256: sha})
	if r, ok := in.store.findRelease(p, sha); ok && (pkg.Version == "" || pkg.Version == r.Version) {
		return r, nil
	}
	r, err := in.store.publish(ctx, p, f, releaseInfo{SHA256: sha, Source: abs}, pkg.Version, in.emit)
	if err != nil {
		return Release{}, fmt.Errorf("unpack %s: %w", abs, err)
	}
	return r, nil
}

// hashFile returns the SHA-256 of a file's whole content in hex.
func hashFile(ctx context.Context, f *os.File) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, &contextReader{ctx, f}, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// contextReader reads until ctx ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// DigestError is a package whose content is not the one that was expected.
type DigestError struct {
	URL       string // or path
	Want, Got string // SHA-256 in hex
	From      string // where Want comes from: request, catalogue, ncatd.lock, github
}

// Error implements error.
func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has SHA-256 %s, but %s says %s", e.URL, e.Got, e.From, e.Want)
}
