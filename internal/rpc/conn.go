package rpc

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/onebot"
)

// ErrBadToken ends [Conn.Run] or [Dial] when the endpoint refused the token
// (contract E.1: retcode 1403 after the upgrade; HTTP 401 or 403 before it).
// Trying again with the same token is useless.
var ErrBadToken = errors.New("token refused")

// ErrTooLarge says that a request or an answer was over the limit on frames. A
// request is not sent; an answer that is too large is thrown away, and its
// error wraps [onebot.ErrUnknownOutcome] as well.
var ErrTooLarge = errors.New("frame too large")

// Limits of a connection.
const (
	// MaxRequest is the largest request that NapCat takes; it closes the
	// connection on a larger one (contract E.1).
	MaxRequest = 50 << 20
	// inlineWrite is the largest request written on the caller's goroutine.
	// A larger one may block for long, so that its caller could not keep its
	// deadline.
	inlineWrite = 64 << 10
	// manyCalls are so many calls on their way that the next ones are likely about to
	// be made, so that one write for several is worth a turn of the scheduler.
	manyCalls = 8
	// closeGrace is how long a wanted end waits for the peer's close frame.
	closeGrace = 250 * time.Millisecond
)

// Options configures a connection. The zero value is usable.
type Options struct {
	// Token is sent as a bearer token; empty sends none. It takes the place
	// of an access_token in the URL.
	Token string
	// Header is sent with the upgrade request.
	Header http.Header
	// Event gets every event frame in the order they came, one at a time. frame
	// is valid until it returns, which must be soon: until then nothing is read,
	// no answer is matched and no ping is answered. It reports whether it woke
	// goroutines that may answer, which then run before more is read. Nil drops events.
	Event func(frame []byte) (woke bool)
	// Idle is called whenever all that was read has been handled and the next
	// frame must be waited for: the moment to send on what was gathered. It must
	// not block. It may be nil.
	Idle func()
	// CallTimeout ends a call whose context has no deadline. 0: 30 s. It is
	// kept to within a fiftieth of it.
	CallTimeout time.Duration
	// PingInterval is the time between pings of our own, by which a peer
	// that vanished without a word is noticed; NapCat sends none. 0: 15 s;
	// negative: no pings.
	PingInterval time.Duration
	// PingTimeout is how long a ping may go unanswered while nothing else moves
	// either. 0: 10 s.
	PingTimeout time.Duration
	// MaxFrame is the largest frame accepted, in bytes; larger ones are
	// thrown away and counted. 0: 64 MiB.
	MaxFrame int
	// TLS configures wss endpoints. Nil: the system's roots.
	TLS *tls.Config
	// Trust is asked about a new connection before anything is sent on it; an
	// error ends it and the attempt to dial. No proxy is used then. Nil trusts any.
	Trust func(net.Conn) error
	// Logger gets odd frames at debug. Nil: none.
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	if o.CallTimeout <= 0 {
		o.CallTimeout = 30 * time.Second
	}
	if o.PingInterval == 0 {
		o.PingInterval = 15 * time.Second
	}
	if o.PingTimeout <= 0 {
		o.PingTimeout = 10 * time.Second
	}
	if o.MaxFrame <= 0 {
		o.MaxFrame = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Stats counts what a connection saw.
type Stats struct {
	Events    uint64 // event frames handed on
	Answers   uint64 // answers that matched a call
	Unmatched uint64 // answers that no call waits for, mostly late ones
	Garbage   uint64 // frames that are neither event nor answer
	TooLarge  uint64 // frames over MaxFrame
	Pending   int    // calls that wait for their answer now
}

// Conn is one connection. It is safe for concurrent use; Run may be called
// once.
type Conn struct {
	ws   *websocket.Conn
	wire *wire // under ws
	o    Options

	client bool // frames are masked
	tls    bool // the wire carries TLS

	writing chan struct{} // held while a frame is written
	ending  atomic.Bool   // a closing handshake begins: nothing more is written
	writers sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	calls   map[uint64]*pending
	lastID  uint64
	lost    error // why the link ended; nil while it is up
	running bool

	down   atomic.Bool   // lost is set
	tick   atomic.Uint32 // advances CallTimeout in ticks
	events atomic.Uint64
	hits   atomic.Uint64
	misses atomic.Uint64
	junk   atomic.Uint64
	large  atomic.Uint64
}

var _ onebot.Streamer = (*Conn)(nil)

// Dial connects to a forward WebSocket endpoint at rawURL (ws or wss; http and
// https are taken for them) and returns once the upgrade was answered. NapCat
// checks the token after that, so that a bad one shows in Run. ctx bounds
// dialling only. No error holds the token. An address that can never work gives
// an error that wraps [ErrBadAddress]; redirects are not followed.
func Dial(ctx context.Context, rawURL string, o Options) (*Conn, error) {
	o.setDefaults()
	u, err := endpointURL(rawURL, "ws", "wss", "http", "https")
	if err != nil {
		return nil, err
	}
	header := o.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	q := u.Query()
	token := o.Token
	if token == "" {
		token = q.Get("access_token")
	}
	// A token in the query beats the header (contract E.1), and would be
	// repeated in every error text.
	if q.Has("access_token") {
		q.Del("access_token")
		u.RawQuery = q.Encode()
	}
	shown := u.Redacted()
	if err := authorize(header, token); err != nil {
		return nil, fmt.Errorf("dial %s: %w", shown, err)
	}
	secure := strings.EqualFold(u.Scheme, "wss") || strings.EqualFold(u.Scheme, "https")
	var under *wire
	transport := &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: o.TLS,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			if o.Trust != nil {
				if err := o.Trust(conn); err != nil {
					return nil, errors.Join(err, conn.Close())
				}
			}
			under = newWire(conn)
			if !secure {
				under.frames.Store(upgrades)
			}
			return under, nil
		},
	}
	if o.Trust != nil {
		transport.Proxy = nil // it would be what is asked about
	}
	defer transport.CloseIdleConnections()
	ws, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{
		HTTPClient:      &http.Client{Transport: transport, CheckRedirect: noRedirects},
		HTTPHeader:      header,
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", shown, dialError(ctx, resp, err))
	}
	c := newConn(ws, under, o)
	if c.client, c.tls = true, secure; !secure {
		under.frames.Store(framed)
		under.onThread()
	}
	return c, nil
}

// dialError returns why there is no connection.
func dialError(ctx context.Context, resp *http.Response, err error) error {
	if resp != nil && (resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("%w (HTTP %d)", ErrBadToken, resp.StatusCode)
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if elsewhere := redirected(resp); elsewhere != nil {
		err = elsewhere
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

func newConn(ws *websocket.Conn, w *wire, o Options) *Conn {
	ws.SetReadLimit(-1) // Run bounds frames itself, without losing the link
	w.idle = o.Idle
	return &Conn{ws: ws, wire: w, o: o, writing: make(chan struct{}, 1), calls: map[uint64]*pending{}}
}

// Run reads frames until the link ends and returns why: the cause of ctx after
// a wanted end, an error that wraps [ErrBadToken] if the endpoint refused the
// token, any other error for a lost link. Before it returns all pending calls
// have failed and all goroutines of the connection have ended.
func (c *Conn) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.running {
		c.mu.Unlock()
		return errors.New("rpc: Run called twice")
	}
	c.running = true
	c.mu.Unlock()

	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		// Close waits seconds for the peer's close frame; a peer that hangs
		// gets less.
		t := time.AfterFunc(closeGrace, func() { c.wire.Close() })
		defer t.Stop()
		c.ending.Store(true)
		c.writing <- struct{}{} // nothing may follow the close frame
		<-c.writing
		c.ws.Close(websocket.StatusNormalClosure, "")
	})
	// Reads and writes get a context without an end: coder/websocket would
	// arm a timer per frame and close the link when one call is cancelled.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	var pingErr error
	if c.o.PingInterval > 0 {
		wg.Go(func() { pingErr = c.pings(inner) })
	}
	wg.Go(func() { c.deadlines(inner) })
	err := plainly(c.readAll(context.WithoutCancel(ctx)))
	c.fail(err) // first of all: callers wait
	cancel()
	if !stop() {
		<-closed
	}
	c.ws.CloseNow()
	wg.Wait()
	c.writers.Wait()
	switch {
	case errors.Is(err, ErrBadToken):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case pingErr != nil:
		return pingErr
	}
	return fmt.Errorf("link lost: %w", err)
}

// Close ends the link without a close handshake; Run then returns. Pending
// calls fail.
func (c *Conn) Close() error {
	c.fail(errors.New("closed"))
	return c.ws.CloseNow()
}

// Stats returns the counters as they stand.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	n := len(c.calls)
	c.mu.Unlock()
	return Stats{
		Events: c.events.Load(), Answers: c.hits.Load(), Unmatched: c.misses.Load(),
		Garbage: c.junk.Load(), TooLarge: c.large.Load(), Pending: n,
	}
}

// readAll reads and handles frames until the link ends.
func (c *Conn) readAll(ctx context.Context) error {
	buf := make([]byte, 0, 8<<10)
	for {
		var err error
		var size int
		buf, size, err = c.read(ctx, buf)
		if err != nil {
			return err
		}
		if size > c.o.MaxFrame {
			c.tooLarge(buf, size)
		} else if err = c.handle(buf); err != nil {
			return err
		}
		if len(buf) > maxKept { // it has another owner now
			buf = make([]byte, 0, 8<<10)
		}
	}
}

// plainly takes away in which of its steps the WebSocket library met the end of a
// link: people read this.
func plainly(err error) error {
	var closed websocket.CloseError
	var op *net.OpError
	switch {
	case errors.As(err, &closed):
		return closed
	case errors.As(err, &op):
		return op
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return err
}

// bom is the byte order mark, which some writers put before their JSON.
var bom = []byte("\ufeff")

// handle deals with one frame, which it may keep only if it is longer than
// maxKept.
func (c *Conn) handle(frame []byte) error {
	if len(frame) > 0 && frame[0] == bom[0] {
		frame = bytes.TrimPrefix(frame, bom)
	}
	k, r := classify(frame)
	switch k {
	case eventFrame:
		c.events.Add(1)
		if c.o.Event != nil && c.o.Event(frame) {
			c.wire.woke.Add(1)
		}
	case answer:
		if c.answer(echoID(r.echo), frame, &r) {
			return nil
		}
		if r.retCode == 1403 && nothing(r.echo) {
			return fmt.Errorf("%w: %w", ErrBadToken, &onebot.Error{
				Action: "connect", RetCode: r.retCode, Message: unquote(r.message), Wording: unquote(r.wording),
				Raw: append([]byte(nil), frame...),
			})
		}
		c.misses.Add(1)
		c.o.Logger.Debug("answer without a call", "echo", string(r.echo), "retcode", r.retCode)
	default:
		c.junk.Add(1)
		c.o.Logger.Debug("frame is neither event nor answer", "bytes", len(frame))
	}
	return nil
}

// pings keeps asking the peer for a sign of life and closes the link when none
// comes. A peer that stopped reading is found here too, since the ping then
// cannot be written. While a long frame is on its way, either way, the answer has to
// wait for its end: that bytes move is sign enough then.
func (c *Conn) pings(ctx context.Context) error {
	t := time.NewTicker(c.o.PingInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		before, _ := c.wire.signs()
		one, cancel := context.WithTimeout(ctx, c.o.PingTimeout)
		err := c.ws.Ping(one)
		cancel()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if moved, busy := c.wire.signs(); errors.Is(err, context.DeadlineExceeded) && (busy || moved != before) {
				continue
			}
			err = fmt.Errorf("link lost: no answer to a ping in %v", c.o.PingTimeout)
			c.fail(err)
			c.ws.CloseNow()
			return err
		}
	}
}

// Redact returns an endpoint's URL without its token and password, for logs.
func Redact(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "an address that cannot be read"
	}
	q := u.Query()
	if q.Has("access_token") {
		q.Del("access_token")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}
