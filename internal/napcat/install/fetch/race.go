package fetch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sort"
	"time"
)

// tailBytes is how much of a file's end a trial reads: enough to show that the
// place has the file to its end and serves ranges, too little to matter.
const tailBytes = 16 << 10

// trial is what the first read of a place showed.
type trial struct {
	place  Place
	err    error
	late   bool  // to be asked last, anew: flaw says why
	flaw   error // nil but for a late one
	rate   float64
	total  int64 // -1: not said
	ranged bool
	etag   string
	head   string // digest of the first Limits.TryBytes
	whole  string // digest of all, of a small file
}

// race tries all places at the same time and returns the usable ones, the
// fastest first, then those that had not answered when it ended; and the ones to
// give up.
func (f *Fetcher) race(ctx context.Context, file File, places []Place, report func(Event)) (ranked []trial, bad []*PlaceError) {
	results := make(chan trial, len(places))
	ctx, cancel := context.WithCancel(ctx)
	for _, p := range places {
		// Each sends once into a channel with room for all, and all have ended
		// when as many results were taken.
		go func() { results <- f.try(ctx, file, p) }()
	}
	var grace <-chan time.Time
	over := false
	for range places {
		var t trial
		select {
		case t = <-results:
		case <-grace:
			over = true
			cancel()
			t = <-results
		}
		switch {
		case over && t.err != nil && !t.decided():
			t.late, t.flaw, t.err = true, &slowError{f.lim.Grace}, nil
		case causeOf(t.err) == CauseTruncated:
			// It may have been the connection; the others come first.
			t.late, t.flaw, t.err = true, t.err, nil
		}
		switch {
		case t.err != nil:
			bad = append(bad, &PlaceError{Place: t.place, Cause: causeOf(t.err), Err: t.err})
		default:
			ranked = append(ranked, t)
			if grace == nil && !t.late {
				grace = time.After(f.lim.Grace)
			}
		}
	}
	cancel()
	ranked, differ := compare(ranked)
	bad = append(bad, differ...)
	// What came already is worth more than a faster place that cannot go on
	// from it.
	going := func(t trial) bool { return !t.late && f.resumable(file, t) > 0 }
	sort.SliceStable(ranked, func(i, j int) bool {
		a, b := ranked[i], ranked[j]
		return cmp.Or(order(!a.late, !b.late), order(going(a), going(b)), cmp.Compare(b.rate, a.rate)) < 0
	})
	for _, t := range ranked {
		if t.late {
			f.log.Warn("download source kept for the end", "file", file.Name, "source", t.place.Via, "cause", causeOf(t.flaw), "error", t.flaw)
			report(Event{Kind: Tried, Place: t.place, Err: t.flaw})
			continue
		}
		f.log.Info("download source answers", "file", file.Name, "source", t.place.Via, "bytes_per_second", int64(t.rate), "bytes", t.total)
		report(Event{Kind: Tried, Place: t.place, Rate: t.rate, Total: t.total})
	}
	for _, e := range bad {
		f.log.Warn("download source given up", "file", file.Name, "source", e.Place.Via, "cause", e.Cause, "error", e.Err)
		report(Event{Kind: Tried, Place: e.Place, Err: e})
	}
	return ranked, bad
}

// order puts true before false.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// decided reports whether t's error says something about the place, and not
// only that the race was over.
func (t trial) decided() bool { return !errors.Is(t.err, context.Canceled) }

// compare finds places that serve another file than the rest: than the
// publisher, if it answered, else than most of at least three.
func compare(all []trial) (same []trial, differ []*PlaceError) {
	type content struct {
		total       int64
		head, whole string
	}
	votes := map[content]int{}
	var want content
	reason := errOtherCrowd
	n := 0
	for _, t := range all {
		if t.late {
			continue
		}
		n++
		c := content{t.total, t.head, t.whole}
		votes[c]++
		if t.place.Trusted && reason != errOtherBytes {
			want, reason = c, errOtherBytes
		}
	}
	if reason == errOtherCrowd {
		for c, v := range votes {
			if n >= 3 && v*2 > n {
				want = c
			}
		}
	}
	for _, t := range all {
		// A server that hides the size is judged by the rest.
		alike := t.head == want.head && (t.total == want.total || t.total < 0 || want.total < 0) &&
			(t.whole == want.whole || t.whole == "" || want.whole == "")
		if t.late || want.head == "" || alike {
			same = append(same, t)
			continue
		}
		differ = append(differ, &PlaceError{Place: t.place, Cause: causeOf(reason), Err: reason})
	}
	return same, differ
}

// try reads the first bytes of a file and, where the place serves ranges, the
// last ones. A small file it reads to its end, and judges it as a whole.
func (f *Fetcher) try(ctx context.Context, file File, p Place) trial {
	ctx, cancel := context.WithTimeoutCause(ctx, f.lim.Try, errStalled)
	defer cancel()
	t := trial{place: p}
	h := sha256.New()
	n, err := f.tryHead(ctx, file, &t, h)
	switch {
	case err != nil || !t.ranged || n >= t.total:
	case t.total <= f.lim.TryWhole:
		err = f.tryRange(ctx, t, n, h)
	default:
		err = f.tryRange(ctx, t, t.total-min(tailBytes, t.total), io.Discard)
	}
	if err == nil && t.total >= 0 && t.total <= max(f.lim.TryWhole, n) {
		t.whole = hex.EncodeToString(h.Sum(nil))
		if file.SHA256 != "" && t.whole != file.SHA256 {
			err = &DigestError{Want: file.SHA256, Got: t.whole, From: file.DigestFrom}
		}
	}
	if t.err = err; err != nil && ctx.Err() != nil {
		t.err = context.Cause(ctx)
	}
	return t
}

// tryHead reads the first bytes into h and returns their number.
func (f *Fetcher) tryHead(ctx context.Context, file File, t *trial, h hash.Hash) (int64, error) {
	began := time.Now()
	a, err := f.get(ctx, t.place.URL, 0, f.lim.TryBytes-1, "")
	if err != nil {
		return 0, err
	}
	defer a.resp.Body.Close()
	t.total, t.ranged, t.etag = a.total, a.ranged, a.etag
	want := f.lim.TryBytes
	switch {
	case t.total >= 0 && !t.ranged && t.total <= f.lim.TryWhole:
		want = t.total
	case t.total >= 0:
		want = min(want, t.total)
	}
	first := &firstBytes{w: h}
	n, err := io.Copy(first, io.LimitReader(a.resp.Body, min(want, f.lim.TryBytes)))
	t.head = hex.EncodeToString(h.Sum(nil))
	if err == nil && n < want {
		var more int64
		more, err = io.Copy(h, io.LimitReader(a.resp.Body, want-n))
		n += more
	}
	if file.Sniff != nil && n > 0 {
		if err := file.Sniff(first.head); err != nil {
			return n, err
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return n, context.Cause(ctx)
	case errors.Is(err, io.ErrUnexpectedEOF), err == nil && t.total >= 0 && n < want:
		return n, errTruncated
	case err != nil:
		return n, err
	case a.start != 0:
		return n, errRangeLost
	case file.Size > 0 && t.total >= 0 && t.total != file.Size:
		return n, &sizeError{want: file.Size, got: t.total}
	case t.total > f.lim.MaxBytes:
		return n, &sizeError{want: f.lim.MaxBytes, got: t.total}
	}
	if d := time.Since(began).Seconds(); d > 0 {
		t.rate = float64(n) / d
	}
	return n, nil
}

// sniffed is how many first bytes a file is judged by.
const sniffed = 512

// firstBytes keeps what sniffing needs of what is written through it.
type firstBytes struct {
	w    io.Writer
	head []byte
}

func (f *firstBytes) Write(p []byte) (int, error) {
	if n := sniffed - len(f.head); n > 0 {
		f.head = append(f.head, p[:min(n, len(p))]...)
	}
	return f.w.Write(p)
}

// tryRange reads the file from start to its end into w.
func (f *Fetcher) tryRange(ctx context.Context, t trial, start int64, w io.Writer) error {
	a, err := f.get(ctx, t.place.URL, start, t.total-1, "")
	if err != nil {
		return err
	}
	defer a.resp.Body.Close()
	if !a.ranged || a.start != start || a.total != t.total {
		return errNoRangeTail
	}
	n, err := io.Copy(w, io.LimitReader(a.resp.Body, t.total-start))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if n != t.total-start {
		return errNoRangeTail
	}
	return nil
}
