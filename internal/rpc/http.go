package rpc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// HTTP makes calls over NapCat's HTTP server (contract E.5). The codes of
// refusals differ from those of a WebSocket; the predicates of package onebot
// know both. Stream actions work on the plain HTTP server; the SSE server sends
// their packets elsewhere (contract E.6). An HTTP is safe for concurrent use;
// the fields must not be changed after the first call.
type HTTP struct {
	// URL is where the server is, such as http://127.0.0.1:3000.
	URL   string
	Token string
	// CallTimeout ends a call whose context has no deadline; 0: 30 s.
	CallTimeout time.Duration
	// MaxFrame is the largest answer, packet or event accepted; 0: 64 MiB.
	MaxFrame int
	// Client makes the requests, but follows no redirect; nil: one like
	// http.DefaultClient.
	Client *http.Client
}

var _ onebot.Streamer = (*HTTP)(nil)

// errEnded is why a stream of packets or events ended early.
var errEnded = errors.New("the server ended the response")

// Call implements [onebot.Caller].
func (h *HTTP) Call(ctx context.Context, action string, params, result any) error {
	return h.Stream(ctx, action, params, func(json.RawMessage) error { return nil }, result)
}

// Stream implements [onebot.Streamer].
func (h *HTTP) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	if _, ok := ctx.Deadline(); !ok {
		timeout := h.CallTimeout
		if timeout <= 0 {
			timeout = 30 * time.Second
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errDeadline)
		defer cancel()
	}
	body, err := appendParams(nil, params)
	if err != nil {
		return fmt.Errorf("%s: encode params: %w", action, err)
	}
	resp, err := h.do(ctx, http.MethodPost, "/"+url.PathEscape(action), body)
	if err != nil {
		return lostError(action, outcome(err), h.cause(ctx, err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusBadRequest:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return &onebot.Error{Action: action, RetCode: onebot.RetHTTPBad, Message: string(text), Raw: text}
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrBadToken, &onebot.Error{Action: action, RetCode: onebot.RetHTTPToken, Message: "token refused"})
	default:
		return fmt.Errorf("%s: HTTP status %s: %w", action, resp.Status, onebot.ErrUnknownOutcome)
	}
	in := newScanner(resp.Body, h.maxFrame(), "\r\n\r\n")
	for in.Scan() {
		frame := in.Bytes()
		if len(bytes.TrimSpace(frame)) == 0 {
			continue
		}
		k, r := classify(frame)
		if k != answer {
			return fmt.Errorf("%s: the answer is no OneBot answer: %w", action, onebot.ErrUnknownOutcome)
		}
		if r.isPacket() {
			if err := packet(r.data); err != nil {
				return err
			}
			continue
		}
		return r.finish(action, frame, result)
	}
	err = in.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		err = ErrTooLarge
	case err == nil:
		err = errEnded
	}
	return lostError(action, onebot.ErrUnknownOutcome, h.cause(ctx, err))
}

// Events reads the events of an SSE server (contract E.6) until the link ends,
// and hands them on as [Options.Event] does. It returns the cause of ctx, an
// error that wraps [ErrBadToken], or why the link was lost. SSE has neither
// lifecycle nor heartbeat. up, if it is not nil, is called once the server has
// accepted.
func (h *HTTP) Events(ctx context.Context, up func(), event func(frame []byte)) error {
	resp, err := h.do(ctx, http.MethodGet, "/_events", nil)
	if err != nil {
		return fmt.Errorf("read events: %w", h.cause(ctx, err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("read events: %w (HTTP %d)", ErrBadToken, resp.StatusCode)
	default:
		return fmt.Errorf("read events: HTTP status %s", resp.Status)
	}
	if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") {
		return fmt.Errorf("read events: the server has no event stream (content type %q)", ct)
	}
	if up != nil {
		up()
	}
	in := newScanner(resp.Body, h.maxFrame(), "\n")
	var data []byte
	for in.Scan() {
		line := bytes.TrimSuffix(in.Bytes(), []byte("\r"))
		if len(line) == 0 {
			if k, _ := classify(data); k == eventFrame {
				event(bytes.Clone(data))
			}
			if data = data[:0]; cap(data) > maxKept {
				data = nil
			}
			continue
		}
		if text, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			if len(data) > 0 {
				data = append(data, '\n')
			}
			if len(data)+len(text) > h.maxFrame() {
				return fmt.Errorf("read events: %w: an event of more than %d bytes", ErrTooLarge, h.maxFrame())
			}
			data = append(data, bytes.TrimPrefix(text, []byte(" "))...)
		}
	}
	err = in.Err()
	if err == nil {
		err = errEnded
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("read events: %w", h.cause(ctx, err))
}

// KeepEvents is Events that connects again when the link is lost, at the pace of
// a [Redialer].
func (h *HTTP) KeepEvents(ctx context.Context, up func(), down func(error), event func(frame []byte)) error {
	return redial(ctx, h.URL, down, func(ctx context.Context) (linked bool, err error) {
		err = h.Events(ctx, func() {
			linked = true
			if up != nil {
				up()
			}
		}, event)
		return linked, err
	})
}

func (h *HTTP) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(body)
	}
	if _, err := endpointURL(h.URL, "http", "https"); err != nil {
		return nil, fmt.Errorf("%w: %w", onebot.ErrNotSent, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(h.URL, "/")+path, in)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", onebot.ErrNotSent, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := authorize(req.Header, h.Token); err != nil {
		return nil, fmt.Errorf("%w: %w", onebot.ErrNotSent, err)
	}
	client := http.Client{CheckRedirect: noRedirects}
	if h.Client != nil {
		client = *h.Client
		client.CheckRedirect = noRedirects
	}
	resp, err := client.Do(req)
	if err == nil {
		if err = redirected(resp); err != nil {
			resp.Body.Close()
			return nil, err
		}
	}
	return resp, err
}

// cause returns what to say of a request that failed, without its URL, which
// may hold the token.
func (h *HTTP) cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// outcome tells whether a request that failed may have been carried out: not if
// there was no connection to begin with.
func outcome(err error) error {
	var op *net.OpError
	if errors.Is(err, onebot.ErrNotSent) || errors.As(err, &op) && op.Op == "dial" {
		return onebot.ErrNotSent
	}
	return onebot.ErrUnknownOutcome
}

func (h *HTTP) maxFrame() int {
	if h.MaxFrame > 0 {
		return h.MaxFrame
	}
	return 64 << 20
}

// newScanner splits r at each end, the last piece with or without it.
func newScanner(r io.Reader, limit int, end string) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 8<<10), limit+len(end))
	seen := 0 // of the present piece; a large one comes in many reads
	s.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		from := max(seen-len(end), 0)
		if i := bytes.Index(data[from:], []byte(end)); i >= 0 {
			seen = 0
			return from + i + len(end), data[:from+i], nil
		}
		if atEOF && len(data) > 0 {
			seen = 0
			return len(data), data, nil
		}
		seen = len(data)
		return 0, nil, nil
	})
	return s
}
