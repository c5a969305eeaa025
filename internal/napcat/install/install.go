package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
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
	if err := s.makeHome(); err != nil {
		return Pair{}, err
	}
	l, err := lockFile(filepath.Join(s.releases(), "install.lock"), false)
	if err != nil {
		return Pair{}, err
	}
	defer l.Unlock()
	if err := s.clearStaging(); err != nil {
		return Pair{}, fmt.Errorf("remove what an earlier install left: %w", err)
	}
	in := &installer{store: s, req: req, emit: serial(progress), cat: req.Catalogue}
	if err := in.choose(ctx); err != nil {
		return Pair{}, err
	}
	var pair Pair
	if err := in.both(ctx, &pair); err != nil {
		// What is whole may stay for the next time, but not on a full disk.
		if IsDiskFull(err) {
			for _, dir := range in.created {
				err = errors.Join(err, s.removeRelease(dir))
			}
		}
		return Pair{}, err
	}
	if w := req.wish(); w.NoNapCat || w.NoQQ {
		in.notes(pair.NapCat.Version, pair.QQ.Version)
	}
	pair, err = s.activate(pair, time.Now().UTC())
	if err != nil {
		return Pair{}, fmt.Errorf("switch to the new pair: %w", err)
	}
	in.emit(Event{Kind: EventSwitched, Version: pair.NapCat.Version, QQ: pair.QQ.Version, Message: pair.String()})
	if err := in.prune(); err != nil {
		// The new pair is installed all the same.
		req.Log.Warn("remove old releases", "error", err)
	}
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

	cat    *catalogue.Catalogue
	choice catalogue.Choice

	mu      sync.Mutex // ncatd.lock, and:
	created []string   // folders of the releases that this run unpacked
}

// choose asks the catalogue for what does not come from elsewhere.
func (in *installer) choose(ctx context.Context) error {
	if in.cat == nil {
		c, err := in.store.catalogueAt(ctx, in.req.CatalogueSource, in.req.Transport)
		if err != nil {
			return err
		}
		in.cat = c
	}
	for _, v := range []string{in.req.NapCat.Version, in.req.QQ.Version} {
		if v != "" && checkVersion(v) != nil {
			return fmt.Errorf("%.80q is no version", v)
		}
	}
	ch, err := in.cat.Choose(in.req.wish())
	if err != nil {
		return err
	}
	in.choice = ch
	if w := in.req.wish(); !w.NoNapCat && !w.NoQQ {
		in.notes(ch.NapCat.Version, ch.QQ.Version)
	}
	return nil
}

// notes tells what the catalogue knows about a pair.
func (in *installer) notes(napcat, qq string) {
	for _, n := range in.cat.NotesFor(napcat, qq, Arch()) {
		in.req.Log.Warn("about this pair", "napcat_version", napcat, "qq_version", qq, "code", n.Code, "note", n.EN)
		in.emit(Event{Kind: EventNote, Code: n.Code, Message: n.EN})
	}
}

// both brings the two packages side by side. When one fails the other is given
// up, but not for a package that no source has: then the other one's sources are
// named too, and what it brings is there for the next time.
func (in *installer) both(ctx context.Context, pair *Pair) error {
	var wg sync.WaitGroup
	var napcatErr, qqErr error
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	side := func(p Product, pkg Package, r *Release, err *error) {
		if *r, *err = in.one(ctx, p, pkg); *err != nil && !errors.As(*err, new(*fetch.Error)) {
			cancel(fmt.Errorf("the other package cannot be had: %w", *err))
		}
	}
	wg.Go(func() { side(NapCat, in.req.NapCat, &pair.NapCat, &napcatErr) })
	wg.Go(func() { side(QQ, in.req.QQ, &pair.QQ, &qqErr) })
	wg.Wait()
	// Of two failures the one that ended the other is the one to tell.
	switch {
	case napcatErr != nil && (qqErr == nil || errors.Is(qqErr, napcatErr)):
		return &ProductError{NapCat, napcatErr}
	case qqErr != nil && (napcatErr == nil || errors.Is(napcatErr, qqErr)):
		return &ProductError{QQ, qqErr}
	case napcatErr != nil:
		return errors.Join(&ProductError{NapCat, napcatErr}, &ProductError{QQ, qqErr})
	}
	return nil
}

// ProductError says which of the two packages an install failed with.
type ProductError struct {
	Product Product
	Err     error
}

// Error implements error.
func (e *ProductError) Error() string { return fmt.Sprintf("install %s: %v", e.Product, e.Err) }

// Unwrap returns what went wrong.
func (e *ProductError) Unwrap() error { return e.Err }

// one brings one product to the point where it is a release on disk.
func (in *installer) one(ctx context.Context, p Product, pkg Package) (Release, error) {
	if pkg.Use != nil {
		if err := whole(p, pkg.Use.Dir); err != nil {
			// Not the errors of a package: none was given.
			return Release{}, fmt.Errorf("what is installed in %s is not whole any more: %s", pkg.Use.Dir, err.Error())
		}
		return *pkg.Use, nil
	}
	pkg.Source = strings.ReplaceAll(pkg.Source, "{version}", pkg.Version)
	if path, ok := pkg.local(); ok {
		return in.local(ctx, p, pkg, path)
	}
	return in.remote(ctx, p, pkg)
}

// local installs a package that lies on this machine, where it lies, without a
// copy: [hashedFile] sees to it that what is unpacked is what was hashed.
func (in *installer) local(ctx context.Context, p Product, pkg Package, path string) (Release, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Release{}, err
	}
	fi, err := os.Stat(abs)
	if err != nil {
		return Release{}, err
	}
	if !fi.Mode().IsRegular() { // a FIFO would not even open
		return Release{}, fmt.Errorf("%s: %w", abs, ErrNoFile)
	}
	f, err := os.Open(abs)
	if err != nil {
		return Release{}, err
	}
	defer f.Close()
	in.emit(Event{Kind: EventPlan, Product: p, Version: pkg.Version, URL: abs, Total: fi.Size()})
	h, err := hashFile(ctx, f)
	if err != nil {
		return Release{}, fmt.Errorf("read %s: %w", abs, err)
	}
	sha := h.sum
	if pkg.SHA256 != "" && !strings.EqualFold(sha, pkg.SHA256) {
		return Release{}, &DigestError{URL: abs, Want: strings.ToLower(pkg.SHA256), Got: sha, From: fromConfig}
	}
	in.emit(Event{Kind: EventVerified, Product: p, URL: abs, Total: fi.Size(), SHA256: sha})
	if r, ok := in.store.findRelease(p, sha); ok {
		return r, nil
	}
	r, err := in.publish(ctx, p, h, h.size, releaseInfo{SHA256: sha, Source: abs}, pkg.Version)
	if err != nil {
		return Release{}, fmt.Errorf("unpack %s: %w", abs, err)
	}
	return r, nil
}

// publish is the store's, remembering what it made.
func (in *installer) publish(ctx context.Context, p Product, f io.ReaderAt, size int64, info releaseInfo, want string) (Release, error) {
	r, err := in.store.publish(ctx, p, f, size, info, want, in.emit)
	if err == nil {
		in.mu.Lock()
		in.created = append(in.created, r.Dir)
		in.mu.Unlock()
	}
	return r, err
}

// ErrNoFile is a package path that names a folder or a device.
var ErrNoFile = errors.New("not a file")

// DigestError is a package whose content is not the one that was expected.
type DigestError struct {
	URL       string // or path
	Want, Got string // SHA-256 in hex
	From      string // where Want comes from
}

// Error implements error.
func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has SHA-256 %s, but %s says %s", e.URL, e.Got, e.From, e.Want)
}
