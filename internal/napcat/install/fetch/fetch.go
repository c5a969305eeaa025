package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Fetch brings file into the Fetcher's folder and returns it once its digest and
// its check are right. A file that is there already with the right digest is not
// fetched again. report is called from one goroutine at a time and may be nil.
//
// When no place has the file, the error is an *[Error] that names each place and
// its cause. A failure of this machine, such as a full disk, ends the fetch at
// once and the part is removed; when ctx ends, its cause is returned and the part
// stays for the next time.
func (f *Fetcher) Fetch(ctx context.Context, file File, report func(Event)) (Got, error) {
	if report == nil {
		report = func(Event) {}
	}
	file.SHA256 = strings.ToLower(file.SHA256)
	if got, ok, err := f.have(ctx, file); ok || err != nil {
		return got, err
	}
	// A killed fetch may have left the longer part aside.
	if err := f.takeBack(file); err != nil {
		return Got{}, err
	}
	failure := &Error{Name: file.Name}
	for _, group := range file.Places {
		places, refused := allowed(file, group)
		for _, e := range refused {
			f.log.Warn("download source not used", "file", file.Name, "source", e.Place.Via, "cause", e.Cause)
		}
		failure.Places = append(failure.Places, refused...)
		if len(places) == 0 {
			continue
		}
		ranked, bad := f.race(ctx, file, places, report)
		failure.Places = append(failure.Places, bad...)
		if ctx.Err() != nil {
			return Got{}, context.Cause(ctx)
		}
		got, bad, err := f.from(ctx, file, ranked, report)
		failure.Places = append(failure.Places, bad...)
		if err != nil || got.Path != "" {
			return got, err
		}
	}
	return Got{}, failure
}

// allowed leaves out the places that may not be asked without a digest.
func allowed(file File, group []Place) (places []Place, refused []*PlaceError) {
	for _, p := range group {
		if file.SHA256 == "" && !file.Insecure && !(p.Trusted && strings.HasPrefix(strings.ToLower(p.URL), "https://")) {
			refused = append(refused, &PlaceError{Place: p, Cause: CauseNoDigest, Err: errNoDigest})
			continue
		}
		places = append(places, p)
	}
	return places, refused
}

// have looks whether the file was fetched before. Only a known digest can tell;
// a file that does not have it goes.
func (f *Fetcher) have(ctx context.Context, file File) (Got, bool, error) {
	path := filepath.Join(f.dir, file.Name)
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return Got{}, false, nil
	}
	if err != nil {
		return Got{}, false, err
	}
	if fi.Mode().IsRegular() && file.SHA256 != "" {
		h := sha256.New()
		if err := hashPart(h, path, fi.Size()); err != nil {
			return Got{}, false, err
		}
		if hex.EncodeToString(h.Sum(nil)) == file.SHA256 {
			return Got{Path: path, SHA256: file.SHA256, Size: fi.Size()}, true, nil
		}
		f.log.Warn("file in the download folder is not the one wanted, removing it", "file", file.Name)
	}
	if ctx.Err() != nil {
		return Got{}, false, context.Cause(ctx)
	}
	return Got{}, false, os.Remove(path)
}

// from asks the places in turn for the whole file, each from its first byte, so
// that each is judged by what it sends itself. One that breaks off or stalls comes
// again after the others, for as long as that brings the file further: only when
// all others failed do the bytes of several places make one file, which the
// digest then judges.
func (f *Fetcher) from(ctx context.Context, file File, queue []trial, report func(Event)) (Got, []*PlaceError, error) {
	var bad []*PlaceError
	attempts := map[Place]int{}
	for len(queue) > 0 {
		t := queue[0]
		queue = queue[1:]
		if attempts[t.place]++; attempts[t.place] > 1 {
			if err := f.takeBack(file); err != nil {
				return Got{}, bad, err
			}
		}
		got, grew, err := f.whole(ctx, file, t, report)
		if err == nil {
			return got, bad, f.dropAside(file)
		}
		if ctx.Err() != nil {
			return Got{}, bad, errors.Join(context.Cause(ctx), f.takeBack(file))
		}
		if local := new(localError); errors.As(err, &local) {
			return Got{}, bad, errors.Join(local.err, f.dropPart(file), f.dropAside(file))
		}
		e := &PlaceError{Place: t.place, Cause: causeOf(err), Err: err}
		again := transient(e.Cause) && grew && attempts[t.place] < f.lim.Attempts
		f.log.Warn("download source given up", "file", file.Name, "source", t.place.Via, "cause", e.Cause, "error", e.Err, "attempt", attempts[t.place], "again", again)
		report(Event{Kind: GivenUp, Place: t.place, Err: e})
		if again {
			queue = append(queue, t)
		} else {
			bad = append(bad, e)
		}
		if len(queue) > 0 && queue[0].place != t.place {
			if err := f.setAside(file); err != nil {
				return Got{}, bad, err
			}
		}
	}
	return Got{}, bad, f.takeBack(file)
}

// whole transfers and verifies the file from one place. grew reports whether
// bytes came that stay.
func (f *Fetcher) whole(ctx context.Context, file File, t trial, report func(Event)) (got Got, grew bool, err error) {
	if t.late {
		if t = f.try(ctx, file, t.place); t.err != nil {
			return Got{}, false, t.err
		}
	}
	sum, size, from, err := f.transfer(ctx, file, t, report)
	if err == nil {
		err = f.verify(file, sum, size)
	}
	// Bytes from another place, or of another day, came first: this place is
	// judged by its own alone.
	if err != nil && from > 0 && (errors.Is(err, errRangeLost) || causeOf(err) == CauseDigest || causeOf(err) == CauseDamaged) {
		if err := f.dropPart(file); err != nil {
			return Got{}, false, &localError{err}
		}
		if sum, size, from, err = f.transfer(ctx, file, t, report); err == nil {
			err = f.verify(file, sum, size)
		}
	}
	if err != nil {
		if !transient(causeOf(err)) && ctx.Err() == nil {
			return Got{}, false, errors.Join(err, f.dropPart(file))
		}
		fi, statErr := os.Stat(f.part(file))
		return Got{}, statErr == nil && fi.Size() > from, err
	}
	path := filepath.Join(f.dir, file.Name)
	// Not synced: a later use of the file hashes it first.
	if err := os.Rename(f.part(file), path); err != nil {
		return Got{}, false, &localError{err}
	}
	if err := f.dropPart(file); err != nil {
		return Got{}, false, &localError{err}
	}
	f.log.Info("download complete", "file", file.Name, "source", t.place.Via, "bytes", size, "sha256", sum)
	report(Event{Kind: Complete, Place: t.place, Bytes: size, Total: size, SHA256: sum})
	return Got{Path: path, SHA256: sum, Size: size, Place: t.place}, true, nil
}

// verify judges a complete part.
func (f *Fetcher) verify(file File, sum string, size int64) error {
	if file.SHA256 != "" && sum != file.SHA256 {
		return &DigestError{Want: file.SHA256, Got: sum, From: file.DigestFrom}
	}
	if file.Size > 0 && size != file.Size {
		return &sizeError{want: file.Size, got: size}
	}
	if file.Check == nil {
		return nil
	}
	p, err := os.Open(f.part(file))
	if err != nil {
		return &localError{err}
	}
	return errors.Join(file.Check(p, size), p.Close())
}
