package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/jsonscan"
	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// Bounds on what one link may do.
const (
	// maxCalls is how many calls of a link may be under way. More are refused.
	maxCalls = 1024
	// maxInFlight is how many bytes of requests may be under way. A link with more
	// is not read from meanwhile.
	maxInFlight = 8 << 20
	// largeFrame is the size beyond which a request is read alone: of all links
	// together one such is in memory.
	largeFrame = 1 << 20
	// largePause is how long a large request may take for its next piece.
	largePause = 15 * time.Second
	// maxGarbage is how many frames that are no request a link may send.
	maxGarbage = 100
	// callTimeout ends a call that NapCat does not answer; it waits minutes for
	// QQ to take a large file.
	callTimeout = 3 * time.Minute
	// closeGrace is how long a wanted end waits for the peer.
	closeGrace = 250 * time.Millisecond
)

// role is what a link is for (contract E.1, E.4).
type role string

const (
	roleUniversal role = "Universal"
	roleAPI       role = "API"
	roleEvent     role = "Event"
)

// link is one WebSocket of an app to one account.
type link struct {
	app  *App
	acc  *Account
	role role
	out  *outbox
	ws   *websocket.Conn
	peer string

	calls    atomic.Int64
	garbage  int
	inFlight atomic.Int64
	freed    chan struct{} // 1 slot: inFlight has become less
	sends    chain
	others   chain
	wg       sync.WaitGroup // calls

	progress // guarded by acc.mu
}

// newLink returns a link without a connection.
func newLink(app *App, acc *Account, r role, peer string) *link {
	return &link{app: app, acc: acc, role: r, peer: peer, freed: make(chan struct{}, 1)}
}

// events reports whether the link gets events.
func (l *link) events() bool { return l.role != roleAPI }

// send queues a frame.
func (l *link) send(f frame) (end int64, ok bool) { return l.out.put(f) }

func (l *link) flush() { l.out.flush() }

// chain keeps calls in the order in which they were asked for.
type chain struct{ last chan struct{} }

// turn returns what a call waits for, and what lets the next one go.
func (c *chain) turn() (wait <-chan struct{}, release func()) {
	wait = c.last
	mine := make(chan struct{})
	c.last = mine
	return wait, sync.OnceFunc(func() { close(mine) })
}

// run serves the link until it ends or ctx does, and returns why.
func (l *link) run(ctx context.Context) error {
	// A context with an end would cost a timer a frame, and close the socket in
	// the middle of one.
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		l.out.put(encode(opClose, binary.BigEndian.AppendUint16(nil, uint16(websocket.StatusGoingAway))))
		l.flush()
		time.AfterFunc(closeGrace, func() { _ = l.out.Close() }) // its reader ends with it
	})
	defer stop()
	if l.events() {
		l.acc.join(l)
		l.acc.Flush()
		l.wg.Go(func() { l.catchUp(inner) })
	}
	err := l.readAll(inner)
	cancel(errGone)
	if l.events() {
		l.acc.leave(l)
	}
	if why := l.out.why(); why != nil {
		err = why
	}
	_ = l.out.Close() // before CloseNow, which waits for what is written
	_ = l.ws.CloseNow()
	l.wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

var errGone = errors.New("the app has left")

// catchUp sends what the app missed, until it is up to date.
func (l *link) catchUp(ctx context.Context) {
	l.acc.succeed(ctx, l)
	for ctx.Err() == nil {
		list, done := l.acc.next(l, missedAtOnce)
		if done {
			return
		}
		for _, e := range list {
			ev, ok := l.app.g.revive(e)
			wanted := ok && l.app.c.Filter.Wants(ev)
			l.acc.mu.Lock()
			if l.sent = e.seq; wanted {
				l.acc.eventLocked(l, &outgoing{seq: e.seq, raw: marked(e.raw, "replayed")}, time.Now())
				l.app.counts.events.Add(1)
				l.app.counts.replayed.Add(1)
			}
			l.acc.mu.Unlock()
		}
		l.acc.Flush()
		if empty := l.out.empty(); empty != nil {
			select {
			case <-empty:
			case <-ctx.Done():
			}
		}
		l.acc.follow(ctx, l)
	}
}

// readAll reads requests until the link ends.
func (l *link) readAll(ctx context.Context) error {
	for {
		b, release, err := l.read(ctx)
		if err != nil {
			return err
		}
		if err := l.handle(ctx, b, release); err != nil {
			return err
		}
	}
}

// read reads one frame. release is called when its memory is not needed any more.
func (l *link) read(ctx context.Context) (b []byte, release func(), err error) {
	for l.inFlight.Load() > maxInFlight {
		select {
		case <-l.freed:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
	_, r, err := l.ws.Reader(ctx)
	if err != nil {
		return nil, nil, err
	}
	buf := make([]byte, 0, 512)
	for {
		if len(buf) == cap(buf) {
			if len(buf) >= largeFrame {
				return l.readLarge(ctx, r, buf)
			}
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			n := int64(len(buf))
			l.inFlight.Add(n)
			return buf, func() { l.free(n) }, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

func (l *link) free(n int64) {
	l.inFlight.Add(-n)
	select {
	case l.freed <- struct{}{}:
	default:
	}
}

// readLarge reads the rest of a request that begins with head, once no other
// large one is under way.
func (l *link) readLarge(ctx context.Context, r io.Reader, head []byte) ([]byte, func(), error) {
	select {
	case l.app.g.large <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	release := sync.OnceFunc(func() { <-l.app.g.large })
	slow := time.AfterFunc(largePause, func() { _ = l.out.Close() })
	defer slow.Stop()
	pieces, size := [][]byte{head}, len(head)
	for size <= rpc.MaxRequest {
		piece := make([]byte, largeFrame)
		n, err := io.ReadFull(r, piece)
		slow.Reset(largePause)
		pieces, size = append(pieces, piece[:n]), size+n
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			whole := make([]byte, 0, size)
			for i, p := range pieces {
				whole = append(whole, p...)
				pieces[i] = nil
			}
			return whole, release, nil
		}
		if err != nil {
			release()
			return nil, nil, err
		}
	}
	release()
	return nil, nil, fmt.Errorf("a request of more than %d bytes", rpc.MaxRequest)
}

// handle deals with one frame.
func (l *link) handle(ctx context.Context, b []byte, release func()) error {
	r, err := parse(b)
	if err != nil {
		release()
		if l.garbage++; l.garbage > maxGarbage {
			return errors.New("speaks garbage")
		}
		if errors.Is(err, errNotJSON) {
			l.reply(encode(opText, answer(onebot.RetBadParams, "json解析失败,请检查数据格式", nil)))
		}
		return nil
	}
	if code, text := l.app.may(ctx, &r); code != 0 {
		l.reply(encode(opText, answer(code, text, r.echo)))
		l.app.called(l.acc, &r, code, 0)
		release()
		return nil
	}
	if l.calls.Add(1) > maxCalls {
		l.calls.Add(-1)
		l.reply(encode(opText, answer(RetTooMany, "too many calls at once; this one was not made", r.echo)))
		l.app.called(l.acc, &r, RetTooMany, 0)
		release()
		return nil
	}
	c := &l.others
	if sends(&r) {
		c = &l.sends
	}
	wait, next := c.turn()
	l.wg.Go(func() {
		defer l.calls.Add(-1)
		defer release()
		defer next()
		if wait != nil {
			<-wait
		}
		l.call(ctx, &r, next)
	})
	return nil
}

// call makes a call and answers it.
func (l *link) call(ctx context.Context, r *request, sent func()) {
	began := time.Now()
	var code int
	var body [][]byte
	if streams(r.action) {
		sent()
		code, body = l.acc.stream(ctx, l.app.c.Name, r, func(p [][]byte) error {
			l.reply(encode(opText, p...))
			return l.settle(ctx)
		})
	} else {
		code, body = l.app.make(ctx, l.acc, r, sent)
	}
	l.reply(encode(opText, body...))
	l.app.called(l.acc, r, code, time.Since(began))
}

// settle waits while the app has much to read.
func (l *link) settle(ctx context.Context) error {
	for l.out.waiting() > maxQueued/2 {
		empty := l.out.empty()
		if empty == nil {
			break
		}
		select {
		case <-empty:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if l.out.why() != nil {
		return errGone
	}
	return nil
}

func (l *link) reply(f frame) {
	l.send(f)
	l.flush()
}

// sends reports whether a call sends a message (contract E.7, F.2).
func sends(r *request) bool {
	return strings.HasPrefix(r.action, "send_") && strings.Contains(r.action, "msg") ||
		strings.HasPrefix(r.action, "forward_") && strings.Contains(r.action, "_single_msg") ||
		quickly(r.action) && bytes.Contains(r.params, []byte(`"reply"`))
}

// unheard reports whether a call is one that NapCat does not answer on a WebSocket, as it
// does over HTTP: a message without a message (contract E.2, E.5).
func unheard(r *request) bool {
	kind, sends := strings.CutPrefix(Base(r.action), "send_")
	if kind, ok := strings.CutSuffix(kind, "msg"); !sends || !ok || kind != "" && kind != "group_" && kind != "private_" {
		return false
	}
	has := false
	jsonscan.Fields(r.params, func(key, _ []byte) { has = has || string(key) == "message" })
	return !has
}

// quickly reports whether an action is a quick operation (contract E.7).
func quickly(action string) bool { return strings.HasSuffix(Base(action), "_quick_operation") }

// streams reports whether an action is answered with many packets (contract E.3).
func streams(action string) bool {
	action = Base(action)
	return strings.Contains(action, "download_") && strings.HasSuffix(action, "_stream")
}

// host returns the address without its port.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
