package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// says serves one answer to whatever is asked.
func says(t *testing.T, status int, typ, body string) *rpc.HTTP {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", typ)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return &rpc.HTTP{URL: srv.URL, MaxFrame: 20_000}
}

// What a call over HTTP comes to, by what the server says.
func TestWhatAnHTTPCallComesTo(t *testing.T) {
	const last = `{"status":"ok","retcode":0,"data":{"n":7}}`
	pkt := func(n int) string {
		return fmt.Sprintf(`{"status":"ok","retcode":0,"data":{"type":"stream","n":%d},"stream":"stream-action"}`, n)
	}
	long := func(n int) string {
		const head, tail = `{"status":"ok","retcode":0,"data":{"n":7,"s":"`, `"}}`
		return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	}
	sse := strings.Repeat("x", 3000)
	for name, c := range map[string]struct {
		status  int
		body    string
		packets int
		want    error // nil: it succeeds with n 7
		retcode int
		text    string
	}{
		"an answer":                   {status: 200, body: last},
		"an answer that is ended":     {status: 200, body: last + "\r\n\r\n"},
		"blank parts":                 {status: 200, body: "\r\n\r\n \r\n\r\n" + last},
		"packets":                     {status: 200, body: pkt(0) + "\r\n\r\n" + pkt(1) + "\r\n\r\n" + last, packets: 2},
		"packets and no answer":       {status: 200, body: pkt(0) + "\r\n\r\n", packets: 1, want: onebot.ErrUnknownOutcome, text: "ended the response"},
		"nothing":                     {status: 200, want: onebot.ErrUnknownOutcome, text: "ended the response"},
		"what is no answer":           {status: 200, body: `{"post_type":"notice"}`, want: onebot.ErrUnknownOutcome, text: "no OneBot answer"},
		"a page":                      {status: 200, body: "<html>", want: onebot.ErrUnknownOutcome, text: "no OneBot answer"},
		"as long as may be":           {status: 200, body: long(20_000) + "\r\n\r\n"},
		"too long":                    {status: 200, body: long(20_001) + "\r\n\r\n", want: rpc.ErrTooLarge},
		"a refusal":                   {status: 200, body: `{"status":"failed","retcode":1200,"message":"no"}`, retcode: 1200, text: "no"},
		"a bad request":               {status: 400, body: "Invalid JSON", retcode: onebot.RetHTTPBad, text: "Invalid JSON"},
		"a bad request with an essay": {status: 400, body: sse, retcode: onebot.RetHTTPBad, text: sse[:1<<10]},
		"unauthorized":                {status: 401, want: rpc.ErrBadToken, retcode: onebot.RetHTTPToken},
		"forbidden":                   {status: 403, want: rpc.ErrBadToken, retcode: onebot.RetHTTPToken},
		"an error of the server":      {status: 500, body: last, want: onebot.ErrUnknownOutcome, text: "500 Internal Server Error"},
		"multiple choices":            {status: 300, body: last, want: onebot.ErrUnknownOutcome, text: "redirects"},
		"399":                         {status: 399, body: last, want: onebot.ErrUnknownOutcome, text: "redirects"},
		"no content":                  {status: 204, want: onebot.ErrUnknownOutcome, text: "204"},
	} {
		t.Run(name, func(t *testing.T) {
			h := says(t, c.status, "application/json", c.body)
			packets := 0
			var got numbered
			err := h.Stream(t.Context(), "get", nil, func(data json.RawMessage) error {
				if want := fmt.Sprintf(`{"type":"stream","n":%d}`, packets); string(data) != want {
					t.Errorf("packet %s, want %s", data, want)
				}
				packets++
				return nil
			}, &got)
			var refused *onebot.Error
			switch {
			case c.want == nil && c.retcode == 0 && (err != nil || got.N != 7):
				t.Errorf("got %v, %v", got, err)
			case c.want != nil && !errors.Is(err, c.want):
				t.Errorf("got %v, want %v", err, c.want)
			case c.retcode != 0 && (!errors.As(err, &refused) || refused.RetCode != c.retcode || refused.Action != "get"):
				t.Errorf("got %v, want a refusal with %d", err, c.retcode)
			case c.retcode != 0 && c.want == nil && (refused.Message != c.text || !bytes.Contains(refused.Raw, []byte(c.text))):
				t.Errorf("the refusal says %q", refused.Message)
			case c.retcode == 0 && c.text != "" && !strings.Contains(err.Error(), c.text):
				t.Errorf("got %v, want %q in it", err, c.text)
			}
			if packets != c.packets {
				t.Errorf("%d packets", packets)
			}
		})
	}
}

// What an event stream comes to, by what the server says.
func TestWhatAnEventStreamComesTo(t *testing.T) {
	const sse = "text/event-stream; charset=utf-8"
	event := func(n int) string {
		const head, tail = `{"post_type":"notice","s":"`, `"}`
		return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	}
	two := `{"post_type":"notice",` + "\n" + `"s":1}`
	for name, c := range map[string]struct {
		status int
		typ    string
		body   string
		events []string
		up     bool
		want   error
		text   string
	}{
		"events":             {status: 200, typ: sse, up: true, body: "data: " + event(50) + "\n\ndata:" + event(60) + "\r\n\r\n", events: []string{event(50), event(60)}, text: "ended the response"},
		"other fields":       {status: 200, typ: sse, up: true, body: ": hello\nid: 1\nevent: x\ndata: " + event(50) + "\nretry: 5\n\n", events: []string{event(50)}, text: "ended the response"},
		"an event in lines":  {status: 200, typ: sse, up: true, body: "data: {\"post_type\":\"notice\",\ndata: \"s\":1}\n\n", events: []string{two}, text: "ended the response"},
		"a long one first":   {status: 200, typ: sse, up: true, body: "data: " + event(19_000) + "\n\ndata: " + event(50) + "\n\n", events: []string{event(19_000), event(50)}, text: "ended the response"},
		"what is no event":   {status: 200, typ: sse, up: true, body: "data: {\"a\":1}\n\ndata: " + event(50) + "\n\n", events: []string{event(50)}, text: "ended the response"},
		"half an event":      {status: 200, typ: sse, up: true, body: "data: " + event(50) + "\n", text: "ended the response"},
		"cut off in a line":  {status: 200, typ: sse, up: true, body: "data: " + event(50) + "\n\ndata: {", events: []string{event(50)}, text: "ended the response"},
		"one line too long":  {status: 200, typ: sse, up: true, body: "data: " + event(21_000) + "\n\n", text: "too long"},
		"lines too long":     {status: 200, typ: sse, up: true, body: strings.Repeat("data: "+strings.Repeat("x", 6000)+"\n", 4), want: rpc.ErrTooLarge, text: "20000 bytes"},
		"as long as may be":  {status: 200, typ: sse, up: true, body: "data:" + event(15_000) + "\ndata:" + strings.Repeat(" ", 4999) + "\n\n", events: []string{event(15_000) + "\n" + strings.Repeat(" ", 4998)}, text: "ended the response"},
		"a page":             {status: 200, typ: "text/html", text: "text/html"},
		"unauthorized":       {status: 401, typ: sse, want: rpc.ErrBadToken, text: "401"},
		"forbidden":          {status: 403, typ: sse, want: rpc.ErrBadToken, text: "403"},
		"no such page":       {status: 404, typ: sse, body: "data: " + event(50) + "\n\n", text: "404 Not Found"},
		"elsewhere":          {status: 302, typ: sse, text: "redirects"},
		"nothing to be said": {status: 204, typ: sse, text: "204"},
	} {
		t.Run(name, func(t *testing.T) {
			h := says(t, c.status, c.typ, c.body)
			var events []string
			up := false
			err := h.Events(t.Context(), func() { up = true }, func(f []byte) { events = append(events, string(f)) })
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
			if up != c.up || fmt.Sprintf("%q", events) != fmt.Sprintf("%q", c.events) {
				t.Errorf("up %v, got %q", up, events)
			}
			if again := h.Events(t.Context(), nil, func([]byte) {}); again == nil || again.Error() != err.Error() {
				t.Errorf("the second time: %v", again)
			}
		})
	}
}

// A request is what NapCat takes: JSON posted to the action's path, or a plain GET.
func TestHTTPRequests(t *testing.T) {
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprintf("%s %s %q %q %s", r.Method, r.URL.EscapedPath(), r.Header.Get("Content-Type"), r.Header.Get("Authorization"), body))
		io.WriteString(w, `{"status":"ok","retcode":0}`)
	}))
	defer srv.Close()
	for _, url := range []string{srv.URL, srv.URL + "/", srv.URL + "/napcat/"} {
		h := &rpc.HTTP{URL: url, Token: "k"}
		if err := h.Call(t.Context(), "a/b", numbered{3}, nil); err != nil {
			t.Error(err)
		}
	}
	h := &rpc.HTTP{URL: srv.URL}
	if err := h.Call(t.Context(), "get", nil, nil); err != nil {
		t.Error(err)
	}
	_ = h.Events(t.Context(), nil, nil)
	want := []string{
		`POST /a%2Fb "application/json" "Bearer k" {"n":3}`, `POST /a%2Fb "application/json" "Bearer k" {"n":3}`,
		`POST /napcat/a%2Fb "application/json" "Bearer k" {"n":3}`,
		`POST /get "application/json" "" {}`, `GET /_events "" "" `,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q", got)
	}
	if err := h.Call(t.Context(), "x", func() {}, nil); err == nil || rpc.Lost(err) || len(got) != len(want) {
		t.Errorf("params that cannot be written: %v", err)
	}
	enough := errors.New("enough")
	h = says(t, 200, "application/json", packet(json.RawMessage("1"), `{"type":"stream"}`)+"\r\n\r\n")
	if err := h.Stream(t.Context(), "x", nil, func(json.RawMessage) error { return enough }, nil); err != enough {
		t.Errorf("a stream that is given up: %v", err)
	}
}

// A call over HTTP ends after CallTimeout, half a minute if none is set, or when
// its context says so.
func TestHTTPDeadlines(t *testing.T) {
	why := errors.New("the reason")
	for _, c := range []struct {
		timeout, own, cancel, want time.Duration
		is                         error
	}{
		{0, 0, 0, 30 * time.Second, context.DeadlineExceeded},
		{-1, 0, 0, 30 * time.Second, context.DeadlineExceeded},
		{time.Minute, 0, 0, time.Minute, context.DeadlineExceeded},
		{time.Minute, time.Hour, 0, time.Hour, context.DeadlineExceeded},
		{time.Hour, time.Minute, 0, time.Minute, context.DeadlineExceeded},
		{time.Hour, 0, time.Second, time.Second, why},
	} {
		synctest.Test(t, func(t *testing.T) {
			tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go io.Copy(io.Discard, far) // and nothing comes back
				return near, nil
			}}
			defer tr.CloseIdleConnections()
			h := &rpc.HTTP{URL: "http://napcat:3000", CallTimeout: c.timeout, Client: &http.Client{Transport: tr}}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if c.cancel > 0 {
				time.AfterFunc(c.cancel, func() { cancel(why) })
			}
			if c.own > 0 {
				var stop func()
				ctx, stop = context.WithTimeout(ctx, c.own)
				defer stop()
			}
			start := time.Now()
			err := h.Call(ctx, "x", nil, nil)
			if took := time.Since(start); !errors.Is(err, c.is) || !errors.Is(err, onebot.ErrUnknownOutcome) || took != c.want {
				t.Errorf("%+v: %v after %v", c, err, took)
			}
		})
	}
}
