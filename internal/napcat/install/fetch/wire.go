package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxRedirects is more than GitHub and the mirrors before it need together.
const maxRedirects = 8

// New returns a Fetcher.
func New(o Options) *Fetcher {
	lim := o.Limits.orDefault()
	rt := o.Transport
	if rt == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = (&net.Dialer{Timeout: lim.Connect, KeepAlive: 30 * time.Second}).DialContext
		t.TLSHandshakeTimeout = lim.Connect
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		t.ResponseHeaderTimeout = lim.Header
		// A transparently unpacked answer has no usable length or ranges.
		t.DisableCompression = true
		t.MaxIdleConnsPerHost = 2
		t.IdleConnTimeout = 10 * time.Second
		rt = t
	}
	f := &Fetcher{dir: o.Dir, lim: lim, log: o.Log, space: o.Space}
	f.client = &http.Client{Transport: agent{rt, o.UserAgent}, CheckRedirect: checkRedirect}
	return f
}

// agent adds the headers that every request has.
type agent struct {
	rt   http.RoundTripper
	name string
}

func (a agent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if a.name != "" {
		r.Header.Set("User-Agent", a.name)
	}
	r.Header.Set("Accept-Encoding", "identity")
	return a.rt.RoundTrip(r)
}

func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return errRedirects
	}
	for _, earlier := range via {
		if earlier.URL.String() == r.URL.String() {
			return errRedirects
		}
	}
	if via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errDowngrade
	}
	return nil
}

// answer is a response to a ranged request that carries bytes of the file.
type answer struct {
	resp   *http.Response
	start  int64 // of the first byte in the file
	total  int64 // of the file, -1 when the server does not say
	ranged bool
	etag   string
}

// get asks for the bytes of a file from start on, up to and including end, or to
// the last one with end < 0. A server may answer with the whole file instead.
func (f *Fetcher) get(ctx context.Context, rawURL string, start, end int64, ifRange string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return answer{}, err
	}
	if start > 0 || end >= 0 {
		r := "bytes=" + strconv.FormatInt(start, 10) + "-"
		if end >= 0 {
			r += strconv.FormatInt(end, 10)
		}
		req.Header.Set("Range", r)
		if ifRange != "" {
			req.Header.Set("If-Range", ifRange)
		}
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return answer{}, plainError(ctx, err)
	}
	a := answer{resp: resp, total: -1, etag: strongETag(resp.Header.Get("Etag"))}
	switch resp.StatusCode {
	case http.StatusOK:
		a.total = resp.ContentLength
	case http.StatusPartialContent:
		a.ranged = true
		a.start, a.total, err = parseContentRange(resp.Header.Get("Content-Range"))
	default:
		err = &StatusError{Code: resp.StatusCode, Status: resp.Status}
	}
	if err != nil {
		resp.Body.Close()
		return answer{}, err
	}
	return a, nil
}

// plainError takes the URL out of what http.Client says: the place is named
// beside it, and mirrors' URLs are long.
func plainError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// strongETag returns an entity tag that promises equal bytes, or nothing.
func strongETag(s string) string {
	if strings.HasPrefix(s, "W/") {
		return ""
	}
	return s
}

// parseContentRange reads "bytes 0-99/1234"; total is -1 for an unknown one.
func parseContentRange(s string) (start, total int64, err error) {
	spec, ok := strings.CutPrefix(s, "bytes ")
	rng, size, ok2 := strings.Cut(spec, "/")
	first, last, ok3 := strings.Cut(rng, "-")
	start, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	total = -1
	var err3 error
	if size != "*" {
		total, err3 = strconv.ParseInt(size, 10, 64)
	}
	if !ok || !ok2 || !ok3 || err1 != nil || err2 != nil || err3 != nil || start < 0 || end < start || total >= 0 && end >= total || total < -1 {
		return 0, 0, fmt.Errorf("unusable Content-Range %.80q", s)
	}
	return start, total, nil
}

// watchedBody ends a body that brings too little for too long.
type watchedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	every  time.Duration
	need   int64
	got    int64 // since the timer was set; touched by Read only
	left   int64 // bytes that the answer must still bring, -1 for unknown
}

func (f *Fetcher) watch(ctx context.Context, cancel context.CancelCauseFunc, a answer, left int64) *watchedBody {
	b := &watchedBody{ReadCloser: a.resp.Body, ctx: ctx, cancel: cancel, every: f.lim.Stall, left: left}
	b.need = max(1, int64(f.lim.Stall.Seconds()*float64(f.lim.MinRate)))
	b.timer = time.AfterFunc(b.every, func() { cancel(errStalled) })
	return b
}

// Read implements io.Reader. The timer is set anew only when enough has come
// since it was set, so that a trickle counts as standing still.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.got += int64(n)
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if b.got >= b.need {
		b.got = 0
		b.timer.Reset(b.every)
	}
	switch {
	case err == nil:
	case b.ctx.Err() != nil:
		err = context.Cause(b.ctx)
	case errors.Is(err, io.EOF) && b.left <= 0:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errTruncated
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	b.timer.Stop()
	return b.ReadCloser.Close()
}
