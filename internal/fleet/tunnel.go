package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ncatd/ncatd/internal/fleet/bus"
)

// The control API of one host reaches another through the bus: a request is one
// message, its answer a row of messages, of which the first carries the status and
// the last has no bus.HeaderMore. The asker says that it is still there by messages
// on a subject of its own; the answering host does by messages with headStill, if the
// request has it, anywhere in the row.
const (
	chunk       = 256 << 10
	maxTunnel   = 128 // requests at a time
	headMethod  = "Ncatd-Method"
	headPath    = "Ncatd-Path"
	headType    = "Content-Type"
	headAlive   = "Ncatd-Alive" // where the asker tells that it is there; of an answer: its host does too
	headStill   = "Ncatd-Still" // the answer goes on
	stillEvery  = 5 * time.Second
	goneAfter   = 4 * stillEvery
	answerFirst = 15 * time.Second // for the first message of an answer
)

// serveTunnel answers the requests of other hosts by h until ctx ends, while mine
// says that they are meant for this host.
func serveTunnel(ctx context.Context, b *bus.Bus, host string, h http.Handler, mine func() bool, log *slog.Logger) error {
	slots := make(chan struct{}, maxTunnel)
	var wg sync.WaitGroup
	defer wg.Wait()
	sub, err := b.NC.Subscribe(bus.HostSubject(host), func(m *nats.Msg) {
		if !mine() {
			return
		}
		select {
		case slots <- struct{}{}:
		default:
			answer(m, http.StatusTooManyRequests, []byte("too many requests"), log)
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := serveOne(ctx, b, h, m); err != nil {
				log.Debug("request of another host not answered", "path", m.Header.Get(headPath), "err", err)
			}
		})
	})
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	<-ctx.Done()
	return sub.Unsubscribe()
}

func answer(m *nats.Msg, status int, body []byte, log *slog.Logger) {
	out := &nats.Msg{Header: nats.Header{bus.HeaderStatus: {strconv.Itoa(status)}}, Data: body}
	if err := m.RespondMsg(out); err != nil {
		log.Debug("request of another host not answered", "err", err)
	}
}

func serveOne(ctx context.Context, b *bus.Bus, h http.Handler, m *nats.Msg) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if alive := m.Header.Get(headAlive); alive != "" {
		gone := time.AfterFunc(goneAfter, cancel)
		defer gone.Stop()
		sub, err := b.NC.Subscribe(alive, func(m *nats.Msg) {
			if len(m.Data) == 0 {
				cancel()
				return
			}
			gone.Reset(goneAfter)
		})
		if err != nil {
			return err
		}
		defer func() { _ = sub.Unsubscribe() }() // the connection has ended: so has the subscription
	}
	r, err := http.NewRequestWithContext(ctx, m.Header.Get(headMethod), m.Header.Get(headPath), bytes.NewReader(m.Data))
	if err != nil {
		return err
	}
	r.Header.Set(headType, m.Header.Get(headType))
	w := &tunnelWriter{msg: m, header: http.Header{}, most: b.Room(chunk)}
	if m.Header.Get(headStill) != "" {
		w.tells = true
		defer w.tellStill(ctx)()
	}
	h.ServeHTTP(w, r)
	return w.end()
}

// tunnelWriter is an answer on its way.
type tunnelWriter struct {
	msg    *nats.Msg
	header http.Header
	most   int // bytes of a message
	status int // 0: not told yet
	buf    []byte
	told   bool
	tells  bool // that the answer goes on
}

// tellStill tells the asker that its request is still being answered, until ctx ends or
// stop is called.
func (w *tunnelWriter) tellStill(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(stillEvery)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				// The asker gives up if none of these arrives.
				_ = w.msg.RespondMsg(&nats.Msg{Header: nats.Header{headStill: {"1"}}})
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

var _ http.Flusher = (*tunnelWriter)(nil)

func (w *tunnelWriter) Header() http.Header { return w.header }

func (w *tunnelWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *tunnelWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	for rest := p; len(rest) > 0; {
		n := min(len(rest), w.most-len(w.buf))
		w.buf = append(w.buf, rest[:n]...)
		rest = rest[n:]
		if len(w.buf) == w.most {
			if err := w.push(true); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// Flush implements http.Flusher.
func (w *tunnelWriter) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController calls.
func (w *tunnelWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	return w.push(true)
}

// SetWriteDeadline is what http.ResponseController calls; a message leaves or
// fails at once.
func (w *tunnelWriter) SetWriteDeadline(time.Time) error { return nil }

func (w *tunnelWriter) push(more bool) error {
	if more && w.told && len(w.buf) == 0 {
		return nil
	}
	out := &nats.Msg{Data: w.buf, Header: nats.Header{}}
	if !w.told {
		out.Header[bus.HeaderStatus] = []string{strconv.Itoa(w.status)}
		out.Header[headType] = []string{w.header.Get(headType)}
		if w.tells {
			out.Header[headAlive] = []string{"1"}
		}
	}
	if more {
		out.Header[bus.HeaderMore] = []string{"1"}
	}
	w.told, w.buf = true, nil
	return w.msg.RespondMsg(out)
}

func (w *tunnelWriter) end() error {
	w.WriteHeader(http.StatusOK)
	return w.push(false)
}

// tunnel is an http.RoundTripper to the control API of another host.
type tunnel struct {
	bus    *bus.Bus
	host   string
	silent func(ctx context.Context, host string) error // what is known of it if it does not answer
}

// RoundTrip implements http.RoundTripper.
func (t *tunnel) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	inbox, alive := t.bus.NC.NewInbox(), t.bus.NC.NewInbox()
	sub, err := t.bus.NC.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: bus.HostSubject(t.host), Reply: inbox, Data: body, Header: nats.Header{
		headMethod: {r.Method}, headPath: {r.URL.RequestURI()}, headType: {r.Header.Get(headType)}, headAlive: {alive}, headStill: {"1"},
	}}
	if err := t.bus.NC.PublishMsg(m); err != nil {
		return nil, errors.Join(err, sub.Unsubscribe())
	}
	b := &tunnelBody{ctx: r.Context(), nc: t.bus.NC, sub: sub, alive: alive, patience: answerFirst, stop: make(chan struct{})}
	go b.tellAlive() // ends with Close
	first, err := b.next()
	if err == nil && first.Header.Get("Status") == "503" || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, errStill) {
		err = t.silent(r.Context(), t.host)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", t.host, err), b.Close())
	}
	status, err := strconv.Atoi(first.Header.Get(bus.HeaderStatus))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: answer without a status", t.host), b.Close())
	}
	b.msg, b.patience = first, 0 // an older host does not tell that it is there
	if first.Header.Get(headAlive) != "" {
		b.patience = goneAfter
	}
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{headType: {first.Header.Get(headType)}}, Body: b, ContentLength: -1, Request: r,
	}, nil
}

// tunnelBody reads an answer as it comes.
type tunnelBody struct {
	ctx      context.Context // the request's
	nc       *nats.Conn
	sub      *nats.Subscription
	alive    string
	patience time.Duration // how long nothing may come; 0: for as long as ctx lasts
	msg      *nats.Msg     // being read; nil after the last
	once     sync.Once
	stop     chan struct{}
}

// errStill says that a host no longer tells that it is there.
var errStill = errors.New("the host was not heard in the middle of its answer")

// next returns the next message of an answer.
func (b *tunnelBody) next() (*nats.Msg, error) {
	for {
		ctx, cancel := b.ctx, context.CancelFunc(func() {})
		if b.patience > 0 {
			ctx, cancel = context.WithTimeout(b.ctx, b.patience)
		}
		m, err := b.sub.NextMsgWithContext(ctx)
		cancel()
		if err != nil {
			if ctx.Err() != nil && b.ctx.Err() == nil {
				err = errStill
			}
			return nil, err
		}
		if m.Header.Get(headStill) == "" {
			return m, nil
		}
		b.patience = goneAfter
	}
}

func (b *tunnelBody) tellAlive() {
	t := time.NewTicker(stillEvery)
	defer t.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-t.C:
			_ = b.nc.Publish(b.alive, []byte("1")) // the other side gives up if none of these arrives
		}
	}
}

// Read implements io.Reader.
func (b *tunnelBody) Read(p []byte) (int, error) {
	for {
		if b.msg == nil {
			return 0, io.EOF
		}
		if len(b.msg.Data) > 0 {
			n := copy(p, b.msg.Data)
			b.msg.Data = b.msg.Data[n:]
			return n, nil
		}
		if b.msg.Header.Get(bus.HeaderMore) == "" {
			b.msg = nil
			continue
		}
		m, err := b.next()
		if err != nil {
			return 0, err
		}
		b.msg = m
	}
}

// Close implements io.Closer.
func (b *tunnelBody) Close() error {
	var err error
	b.once.Do(func() {
		close(b.stop)
		_ = b.nc.Publish(b.alive, nil) // see tellAlive
		err = b.sub.Unsubscribe()
	})
	return err
}
