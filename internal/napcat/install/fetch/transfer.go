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
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	getter "github.com/hashicorp/go-getter/v2"

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
	w := &wire{f: f, ctx: ctx, cancel: cancel, file: file, t: t, hash: h, done: from, report: report}
	c := &getter.Client{
		Getters:       []getter.Getter{&getter.HttpGetter{Client: &http.Client{Transport: w}, XTerraformGetDisabled: true}},
		Decompressors: map[string]getter.Decompressor{},
	}
	// go-getter gives a meaning to "//" and to query parameters of the address,
	// and a mirror's address has the former in its middle: it is shown another
	// one, and wire asks for the real one.
	_, err = c.Get(ctx, &getter.Request{Src: "http://place.invalid/file", Dst: f.part(file), GetMode: getter.ModeFile})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if w.err != nil {
			err = w.err
		}
		if local := new(os.PathError); errors.As(err, &local) {
			err = &localError{err}
		}
		return "", 0, from, err
	}
	if t.total >= 0 && w.done != t.total {
		return "", 0, from, errTruncated
	}
	return hex.EncodeToString(h.Sum(nil)), w.done, from, nil
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

// wire is the transport below go-getter for one transfer. It answers the HEAD
// request, which decides about continuing, from what the trial showed, since
// several mirrors refuse HEAD; and turns the GET into a request to the place
// whose answer is checked, watched and hashed while go-getter writes it down.
type wire struct {
	f      *Fetcher
	ctx    context.Context
	cancel context.CancelCauseFunc
	file   File
	t      trial
	hash   hash.Hash
	done   int64 // bytes hashed
	err    error // what ended the transfer, in better words than go-getter's
	report func(Event)
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodHead {
		return w.head(r), nil
	}
	resp, err := w.getFrom(r)
	if err != nil {
		w.err = err
	}
	return resp, err
}

func (w *wire) head(r *http.Request) *http.Response {
	h := http.Header{}
	if w.t.ranged && w.t.total >= 0 {
		h.Set("Accept-Ranges", "bytes")
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, ContentLength: w.t.total, Body: http.NoBody, Request: r,
	}
}

func (w *wire) getFrom(r *http.Request) (*http.Response, error) {
	var start int64
	if spec, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		n, err := strconv.ParseInt(strings.TrimSuffix(spec, "-"), 10, 64)
		if err != nil {
			return nil, err
		}
		start = n
	}
	if start != w.done {
		return nil, fmt.Errorf("part has %d bytes, %d of them hashed", start, w.done)
	}
	a, err := w.f.get(w.ctx, w.t.place.URL, start, -1, w.t.etag)
	if err != nil {
		return nil, err
	}
	if err := w.accept(a, start); err != nil {
		a.resp.Body.Close()
		return nil, err
	}
	left := int64(-1)
	if w.t.total >= 0 {
		left = w.t.total - start
	}
	body := w.f.watch(w.ctx, w.cancel, a, left)
	resp := *a.resp
	resp.Request, resp.ContentLength = r, left
	resp.Body = &hashedBody{watchedBody: body, w: w}
	return &resp, nil
}

// accept checks that an answer continues the part.
func (w *wire) accept(a answer, start int64) error {
	switch {
	case start > 0 && (!a.ranged || a.start != start):
		return errRangeLost
	case start == 0 && a.start != 0:
		return errRangeLost
	case w.t.total >= 0 && a.total >= 0 && a.total != w.t.total:
		return &sizeError{want: w.t.total, got: a.total}
	}
	return nil
}

// hashedBody hashes what go-getter reads.
type hashedBody struct {
	*watchedBody
	w *wire
}

// Read implements io.Reader.
func (b *hashedBody) Read(p []byte) (int, error) {
	n, err := b.watchedBody.Read(p)
	w := b.w
	if w.done == 0 && n > 0 && w.file.Sniff != nil {
		if e := w.file.Sniff(p[:n]); e != nil && n >= minSniff {
			w.err = e
			return 0, e
		}
	}
	w.hash.Write(p[:n])
	w.done += int64(n)
	switch {
	case w.t.total >= 0 && w.done > w.t.total:
		err = &sizeError{want: w.t.total, got: w.done}
	case w.done > w.f.lim.MaxBytes:
		err = &sizeError{want: w.f.lim.MaxBytes, got: w.done}
	}
	if n > 0 {
		w.report(Event{Kind: Arriving, Place: w.t.place, Bytes: w.done, Total: max(w.t.total, 0)})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// minSniff is how many first bytes are needed to judge a file by them; a first
// read that brought fewer is judged by the check of the whole.
const minSniff = 16
