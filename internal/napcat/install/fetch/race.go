package fetch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"
)

// tailBytes is how much of a file's end a trial reads: enough to show that the
// place has the file to its end and serves ranges, too little to matter.
const tailBytes = 16 << 10

// trial is what the first read of a place showed.
type trial struct {
	place  Place
	err    error
	late   bool // the race ended before the answer
	rate   float64
	total  int64 // -1: not said
	ranged bool
	etag   string
	head   string // digest of the first bytes
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
		if over && t.err != nil && !t.decided() {
			t.late, t.err = true, nil
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
	slices.SortStableFunc(ranked, func(a, b trial) int {
		if a.late != b.late {
			if a.late {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.rate, a.rate)
	})
	for _, t := range ranked {
		if t.late {
			f.log.Info("download source is slow, kept for the end", "file", file.Name, "source", t.place.Via, "waited", f.lim.Grace)
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

// decided reports whether t's error says something about the place, and not
// only that the race was over.
func (t trial) decided() bool { return !errors.Is(t.err, context.Canceled) }

// compare finds places that serve another file than the rest: than the
// publisher, if it answered, else than most of at least three.
func compare(all []trial) (same []trial, differ []*PlaceError) {
	type content struct {
		total int64
		head  string
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
		c := content{t.total, t.head}
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
		if t.late || want.head == "" || t.head == want.head && (t.total == want.total || t.total < 0 || want.total < 0) {
			same = append(same, t)
			continue
		}
		differ = append(differ, &PlaceError{Place: t.place, Cause: causeOf(reason), Err: reason})
	}
	return same, differ
}

// try reads the first bytes of a file and, where the place serves ranges, the
// last ones.
func (f *Fetcher) try(ctx context.Context, file File, p Place) trial {
	ctx, cancel := context.WithTimeoutCause(ctx, f.lim.Try, errStalled)
	defer cancel()
	t := trial{place: p}
	t.err = f.tryHead(ctx, file, &t)
	if t.err == nil && t.ranged && t.total > f.lim.TryBytes {
		t.err = f.tryTail(ctx, t)
	}
	if t.err != nil && ctx.Err() != nil {
		t.err = context.Cause(ctx)
	}
	return t
}

func (f *Fetcher) tryHead(ctx context.Context, file File, t *trial) error {
	began := time.Now()
	a, err := f.get(ctx, t.place.URL, 0, f.lim.TryBytes-1, "")
	if err != nil {
		return err
	}
	defer a.resp.Body.Close()
	t.total, t.ranged, t.etag = a.total, a.ranged, a.etag
	want := f.lim.TryBytes
	if t.total >= 0 {
		want = min(want, t.total)
	}
	head, err := io.ReadAll(io.LimitReader(a.resp.Body, want))
	if file.Sniff != nil && len(head) > 0 {
		if err := file.Sniff(head); err != nil {
			return err
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.ErrUnexpectedEOF), err == nil && t.total >= 0 && int64(len(head)) < want:
		return errTruncated
	case err != nil:
		return err
	case a.start != 0:
		return errRangeLost
	case file.Size > 0 && t.total >= 0 && t.total != file.Size:
		return &sizeError{want: file.Size, got: t.total}
	case t.total > f.lim.MaxBytes:
		return &sizeError{want: f.lim.MaxBytes, got: t.total}
	}
	sum := sha256.Sum256(head)
	t.head = hex.EncodeToString(sum[:])
	if int64(len(head)) == t.total && file.SHA256 != "" && t.head != file.SHA256 {
		return &DigestError{Want: file.SHA256, Got: t.head, From: file.DigestFrom}
	}
	if d := time.Since(began).Seconds(); d > 0 {
		t.rate = float64(len(head)) / d
	}
	return nil
}

func (f *Fetcher) tryTail(ctx context.Context, t trial) error {
	start := t.total - min(tailBytes, t.total)
	a, err := f.get(ctx, t.place.URL, start, t.total-1, "")
	if err != nil {
		return err
	}
	defer a.resp.Body.Close()
	if !a.ranged || a.start != start || a.total != t.total {
		return errNoRangeTail
	}
	n, err := io.Copy(io.Discard, io.LimitReader(a.resp.Body, tailBytes))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if n != t.total-start {
		return errNoRangeTail
	}
	return nil
}
