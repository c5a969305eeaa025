package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/jsonscan"
	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// bodyTime is how long the body of a call may take.
const bodyTime = 30 * time.Second

// cross lets pages of other origins make calls, as NapCat does; the token keeps them
// out. It reports whether the request only asked for that.
func cross(w http.ResponseWriter, r *http.Request) (asked bool) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
	if wants := r.Header.Get("Access-Control-Request-Headers"); wants != "" {
		h.Set("Access-Control-Allow-Headers", wants)
		h.Set("Vary", "Access-Control-Request-Headers")
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// callHTTP answers a call over HTTP (contract E.5).
func (a *App) callHTTP(ctx context.Context, w http.ResponseWriter, r *http.Request, acc *Account, path string) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	action := strings.Trim(path, "/")
	if action == "" {
		_, _ = io.WriteString(w, `{"status":"ok","retcode":0,"data":{},"message":"ncatd Is Running","wording":"","echo":null,"stream":"normal-action"}`)
		return
	}
	params, release, err := a.params(w, r)
	defer release()
	if err != nil {
		status := http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status = http.StatusRequestEntityTooLarge
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, err.Error()) // the app has gone
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.Context(), cancel)()
	req := &request{action: action, params: params, echo: echoOf(params)}
	began := time.Now()
	code, text := a.may(ctx, req)
	var body [][]byte
	switch {
	case code != 0:
		body = [][]byte{answer(code, text, req.echo)}
	case streams(action):
		rc := http.NewResponseController(w)
		code, body = acc.stream(ctx, a.c.Name, req, func(p [][]byte) error {
			return errors.Join(writeAll(w, append(p, []byte("\r\n\r\n"))), rc.Flush())
		})
		body = append(body, []byte("\r\n\r\n"))
	default:
		code, body = a.make(ctx, acc, req, func() {})
		body = overHTTP(req, code, body)
	}
	a.called(acc, req, code, time.Since(began))
	_ = writeAll(w, body) // the app has gone
}

// echoOf returns the echo of a call over HTTP, which is among its params, or one of
// our own.
func echoOf(params []byte) (echo []byte) {
	jsonscan.Fields(params, func(key, val []byte) {
		if string(key) == "echo" {
			echo = val
		}
	})
	if len(echo) == 0 || string(echo) == "null" {
		echo = strconv.AppendQuote(nil, rand.Text())
	}
	return echo
}

// overHTTP returns a refusal as NapCat's HTTP has it, which knows two codes only
// (contract E.5). Other answers stay as they are.
func overHTTP(r *request, code int, body [][]byte) [][]byte {
	if code != onebot.RetBadParams && code != onebot.RetFailed && code != onebot.RetUnsupported {
		return body
	}
	text := ""
	jsonscan.Fields(bytes.Join(body, nil), func(key, val []byte) {
		if string(key) == "message" && len(val) > 1 && val[0] == '"' {
			text = jsonscan.Unquote(string(val))
		}
	})
	switch code {
	case onebot.RetBadParams:
		return [][]byte{answer(onebot.RetHTTPBad, text, nil)}
	case onebot.RetUnsupported:
		text = "不支持的Api " + r.action
	}
	return [][]byte{answer(onebot.RetHTTPFailed, text, r.echo)}
}

func writeAll(w io.Writer, parts [][]byte) error {
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

var errNoParams = errors.New("Invalid JSON") //nolint:staticcheck // NapCat's words

// params reads what a call is given: the body, and the query, which wins.
func (a *App) params(w http.ResponseWriter, r *http.Request) (params []byte, release func(), err error) {
	release = func() {}
	query := r.URL.Query()
	query.Del("access_token")
	if r.Method == http.MethodGet {
		return object(query, nil), release, nil
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	in := http.MaxBytesReader(w, r.Body, rpc.MaxRequest)
	var b bytes.Buffer
	if _, err = io.CopyN(&b, in, largeFrame); err == nil { // there may be more
		select {
		case a.g.large <- struct{}{}:
			release = func() { <-a.g.large }
		case <-r.Context().Done():
			return nil, release, context.Cause(r.Context())
		}
		_, err = io.Copy(&b, in)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, release, err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	body := bytes.TrimSpace(bytes.TrimPrefix(b.Bytes(), bom))
	switch {
	case len(body) == 0:
		return object(query, nil), release, nil
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") && body[0] != '{': // as curl -d says of JSON
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, release, errNoParams
		}
		maps.Copy(form, query)
		return object(form, nil), release, nil
	case !jsonscan.Valid(body):
		if body = loose(body); body == nil {
			return nil, release, errNoParams
		}
	}
	switch {
	case body[0] != '{':
		return object(query, nil), release, nil
	case len(query) == 0:
		return body, release, nil
	}
	return object(query, body), release, nil
}

// object makes params of texts, added to an object.
func object(values url.Values, base []byte) []byte {
	m := map[string]json.RawMessage{}
	if base != nil && json.Unmarshal(base, &m) != nil {
		return base // NapCat says what is wrong with it
	}
	for k, v := range values {
		if len(v) > 0 {
			text, _ := json.Marshal(v[0]) // a string always encodes
			m[k] = text
		}
	}
	if len(m) == 0 {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return base
	}
	return b
}

// sse sends events (contract E.6). Each carries its number as an id, by which an
// app that comes back says what it has.
func (a *App) sse(ctx context.Context, w http.ResponseWriter, r *http.Request, acc *Account) {
	a.arrived()
	defer a.away(nil)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	rc := http.NewResponseController(w)
	if rc.Flush() != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.Context(), cancel)()
	had, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	c := acc.reader(a, had, err == nil)
	defer c.close()
	_ = c.each(ctx, func(e entry, raw []byte) error {
		_ = rc.SetWriteDeadline(time.Now().Add(stallTimeout))
		var b []byte
		b = strconv.AppendUint(append(b, "id: "...), e.seq, 10)
		b = append(b, "\ndata: "...)
		if err := writeAll(w, [][]byte{b, raw, []byte("\n\n")}); err != nil {
			return err
		}
		return rc.Flush()
	})
}

// reader goes through an account's events at its own pace, for transports that
// take one event after the other. What it has not got to yet is kept for it, up to
// the record's bytes.
type reader struct {
	acc  *Account
	app  *App
	pos  uint64
	live uint64 // what came later is not replayed
	wake chan struct{}
}

// reader returns a reader that goes on after what the app has: had, if it says so
// itself.
func (a *Account) reader(app *App, had uint64, says bool) *reader {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := &reader{acc: a, app: app, pos: a.record.last, live: a.record.last, wake: make(chan struct{}, 1)}
	known := says && had <= a.record.last
	if !known {
		had, known = a.record.had(app.c.Name)
	}
	if known {
		c.pos = a.record.start(had, a.record.last, app.c.Replay.Events, app.c.Replay.Age, time.Now())
	}
	a.record.has(app.c.Name, c.pos)
	a.readers = append(a.readers, c)
	return c
}

func (c *reader) close() {
	c.acc.mu.Lock()
	defer c.acc.mu.Unlock()
	for i, other := range c.acc.readers {
		if other == c {
			c.acc.readers = append(c.acc.readers[:i:i], c.acc.readers[i+1:]...)
			return
		}
	}
}

// each calls f with every event that the app wants until ctx ends or f fails. The
// app has an event when f returns nil.
func (c *reader) each(ctx context.Context, f func(e entry, raw []byte) error) error {
	for {
		c.acc.mu.Lock()
		var e entry
		list := c.acc.record.from(c.pos, 1)
		if len(list) > 0 {
			e = list[0]
		}
		c.acc.mu.Unlock()
		if len(list) == 0 {
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if ev, ok := c.app.g.revive(e); ok && c.app.c.Filter.Wants(ev) {
			raw := e.raw
			if e.seq <= c.live {
				raw = marked(raw, "replayed")
				c.app.counts.replayed.Add(1)
			}
			if err := f(e, raw); err != nil {
				return err
			}
			c.app.counts.events.Add(1)
		}
		c.acc.mu.Lock()
		c.pos = e.seq
		c.acc.record.has(c.app.c.Name, e.seq)
		c.acc.mu.Unlock()
	}
}
