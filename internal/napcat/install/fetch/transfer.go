package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// partInfo is kept beside a part: whose bytes it holds.
type partInfo struct {
	URL    string `json:"url"`
	ETag   string `json:"etag,omitempty"`
	Total  int64  `json:"total"`
	SHA256 string `json:"sha256,omitempty"` // of the whole, when known
}

func (f *Fetcher) part(file File) string { return filepath.Join(f.dir, file.Name+".part") }
func (f *Fetcher) info(file File) string { return filepath.Join(f.dir, file.Name+".part.json") }

// dropPart removes what came of a file so far.
func (f *Fetcher) dropPart(file File) error {
	err := os.Remove(f.part(file))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if e := os.Remove(f.info(file)); !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// aside is where a part waits while another place is tried.
func (f *Fetcher) aside(file File) File { return File{Name: file.Name + ".aside"} }

// setAside keeps the part for [Fetcher.takeBack], unless a longer one waits.
func (f *Fetcher) setAside(file File) error {
	if f.partSize(file) <= f.partSize(f.aside(file)) {
		return f.dropPart(file)
	}
	return f.movePart(file, f.aside(file))
}

// takeBack brings back the part that waits, if it is longer than the present one.
func (f *Fetcher) takeBack(file File) error {
	if f.partSize(f.aside(file)) <= f.partSize(file) {
		return f.dropAside(file)
	}
	return f.movePart(f.aside(file), file)
}

func (f *Fetcher) dropAside(file File) error { return f.dropPart(f.aside(file)) }

// partSize is the length of a part, -1 if there is none.
func (f *Fetcher) partSize(file File) int64 {
	fi, err := os.Lstat(f.part(file))
	if err != nil {
		return -1
	}
	return fi.Size()
}

// movePart gives a part to another name. Killed in between, it leaves a part
// without its description, which is never continued.
func (f *Fetcher) movePart(from, to File) error {
	if err := f.dropPart(to); err != nil {
		return err
	}
	if err := os.Rename(f.part(from), f.part(to)); err != nil {
		return err
	}
	return os.Rename(f.info(from), f.info(to))
}

// resumable returns how many bytes are there that the place of t can continue.
// With a known digest any place can, since the digest judges the whole in the
// end; without one only the same address with the same entity tag.
func (f *Fetcher) resumable(file File, t trial) int64 {
	fi, err := os.Lstat(f.part(file))
	if err != nil || !fi.Mode().IsRegular() || !t.ranged || t.total < 0 || fi.Size() > t.total {
		return 0
	}
	b, err := os.ReadFile(f.info(file))
	if err != nil {
		return 0
	}
	var p partInfo
	if json.Unmarshal(b, &p) != nil || p.Total != t.total {
		return 0
	}
	sameDigest := file.SHA256 != "" && p.SHA256 == file.SHA256
	sameEntity := file.SHA256 == "" && p.URL == t.place.URL && p.ETag != "" && p.ETag == t.etag
	if !sameDigest && !sameEntity {
		return 0
	}
	return fi.Size()
}

// transfer brings the part of file to its full length from one place, going on
// from what is there. It returns the digest and size of the whole, and the
// offset at which it went on.
func (f *Fetcher) transfer(ctx context.Context, file File, t trial, report func(Event)) (sum string, size, from int64, err error) {
	from = f.resumable(file, t)
	if from == 0 {
		if err := f.dropPart(file); err != nil {
			return "", 0, 0, err
		}
	}
	if err := f.room(file, t.total-from); err != nil {
		return "", 0, from, &localError{err}
	}
	b, err := json.Marshal(partInfo{URL: t.place.URL, ETag: t.etag, Total: t.total, SHA256: file.SHA256})
	if err != nil {
		return "", 0, from, err
	}
	if err := atomicfile.Write(f.info(file), b, 0o644); err != nil {
		return "", 0, from, &localError{err}
	}
	h := sha256.New()
	if err := hashPart(h, f.part(file), from); err != nil {
		return "", 0, from, &localError{err}
	}
	report(Event{Kind: Chosen, Place: t.place, Bytes: from, Total: max(t.total, 0)})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	in := &body{f: f, file: file, t: t, hash: h, done: from, report: report}
	err = f.append(ctx, cancel, file, t, in)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if local := new(os.PathError); errors.As(err, &local) {
			err = &localError{err}
		}
		return "", 0, from, err
	}
	if t.total >= 0 && in.done != t.total {
		return "", 0, from, errTruncated
	}
	return hex.EncodeToString(h.Sum(nil)), in.done, from, nil
}

// room asks for space, which a part that was set aside makes way for.
func (f *Fetcher) room(file File, need int64) error {
	if f.space == nil || need <= 0 {
		return nil
	}
	err := f.space(need)
	if err == nil || f.partSize(f.aside(file)) < 0 {
		return err
	}
	if err := f.dropAside(file); err != nil {
		return err
	}
	return f.space(need)
}

// hashPart feeds the first n bytes of a part to h.
func hashPart(h hash.Hash, path string, n int64) error {
	if n == 0 {
		return nil
	}
	p, err := os.Open(path)
	if err != nil {
		return err
	}
	got, err := io.CopyBuffer(h, struct{ io.Reader }{io.LimitReader(p, n)}, make([]byte, 1<<20))
	if err == nil && got != n {
		err = fmt.Errorf("%s became shorter", path)
	}
	return errors.Join(err, p.Close())
}

// localError is a failure of this machine: no other place would do better.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// append asks the place of t for what the part lacks and writes it there.
func (f *Fetcher) append(ctx context.Context, cancel context.CancelCauseFunc, file File, t trial, in *body) (err error) {
	part, err := atomicfile.OpenFile(f.part(file), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	if t.total >= 0 && in.done >= t.total {
		return nil
	}
	a, err := f.get(ctx, t.place.URL, in.done, -1, t.etag)
	if err != nil {
		return err
	}
	if err := t.accept(a, in.done); err != nil {
		return errors.Join(err, a.resp.Body.Close())
	}
	left := int64(-1)
	if t.total >= 0 {
		left = t.total - in.done
	}
	in.watchedBody = f.watch(ctx, cancel, a, left)
	_, err = io.CopyBuffer(struct{ io.Writer }{part}, in, make([]byte, 64<<10))
	return errors.Join(err, in.Close())
}

// accept checks that an answer continues a part at start.
func (t trial) accept(a answer, start int64) error {
	switch {
	case start > 0 && (!a.ranged || a.start != start):
		return errRangeLost
	case start == 0 && a.start != 0:
		return errRangeLost
	case t.total >= 0 && a.total >= 0 && a.total != t.total:
		return &sizeError{want: t.total, got: a.total}
	}
	return nil
}

// body is what comes from a place: it is judged by its first bytes, hashed and
// reported while it is read.
type body struct {
	*watchedBody
	f      *Fetcher
	file   File
	t      trial
	hash   hash.Hash
	done   int64 // bytes hashed
	report func(Event)
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.watchedBody.Read(p)
	if b.done == 0 && n >= minSniff && b.file.Sniff != nil {
		if e := b.file.Sniff(p[:n]); e != nil {
			return 0, e
		}
	}
	b.hash.Write(p[:n])
	b.done += int64(n)
	switch {
	case b.t.total >= 0 && b.done > b.t.total:
		err = &sizeError{want: b.t.total, got: b.done}
	case b.done > b.f.lim.MaxBytes:
		err = &sizeError{want: b.f.lim.MaxBytes, got: b.done}
	}
	if n > 0 {
		b.report(Event{Kind: Arriving, Place: b.t.place, Bytes: b.done, Total: max(b.t.total, 0)})
	}
	return n, err
}

// minSniff is how many first bytes are needed to judge a file by them; a first
// read that brought fewer is judged by the check of the whole.
const minSniff = 16
