package ncat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// Bounds on connections that have not shown a token yet.
const (
	maxStrangers  = 128
	strangerTime  = 10 * time.Second // for a whole request
	strangerBytes = 16 << 10         // of its header
)

// Serve runs the bot for every OneBot host that connects to ln by reverse
// WebSocket (NapCat's websocketClients, contract E.4), on any path, until ctx
// ends, whose cause it returns. Each connection is an account of its own; a host
// that makes two, with the roles Event and API (X-Client-Role), is one. Hosts
// whose token is not token are refused; an empty one accepts everybody but web
// pages of other origins. Serve closes ln.
func (b *Bot) Serve(ctx context.Context, ln net.Listener, token string, opts ...DialOption) error {
	if ln == nil {
		return errors.New(`ncat: Serve needs a listener, such as net.Listen("tcp", "127.0.0.1:8080") returns`)
	}
	v := &reverse{b: b, token: token, apis: map[onebot.UserID]*rpc.Conn{}}
	calls, endCalls := context.WithCancelCause(context.WithoutCancel(ctx)) // outlives the handlers
	defer endCalls(nil)
	for _, o := range opts {
		o(&v.do)
	}
	srv := &http.Server{
		ReadTimeout: strangerTime, IdleTimeout: strangerTime, MaxHeaderBytes: strangerBytes,
		ErrorLog: slog.NewLogLogger(b.core.log.Handler(), slog.LevelDebug),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if roleOf(r) == "api" {
				v.calls.Add(1)
				defer v.calls.Done()
				v.serveCalls(calls, w, r)
				return
			}
			v.links.Add(1)
			defer v.links.Done()
			v.serveEvents(ctx, w, r)
		}),
	}
	few := &fewStrangers{Listener: ln, open: map[net.Conn]bool{}}
	srv.ConnState = few.state
	served := make(chan error, 1)
	go func() { served <- srv.Serve(few) }()
	var err error
	select {
	case <-ctx.Done():
		err = context.Cause(ctx)
		_ = srv.Close()
		_ = <-served
	case err = <-served:
	}
	v.links.Wait()
	endCalls(err)
	v.calls.Wait()
	return err
}

// reverse takes the connections of OneBot hosts.
type reverse struct {
	b     *Bot
	token string
	do    dialOptions
	links sync.WaitGroup // connections with events
	calls sync.WaitGroup // those for calls only

	mu   sync.Mutex // guards the field below
	apis map[onebot.UserID]*rpc.Conn
}

// roleOf returns what a connection is for: "event", "api", or anything else for
// both.
func roleOf(r *http.Request) string {
	return strings.ToLower(strings.TrimSpace(r.Header.Get("X-Client-Role")))
}

func (v *reverse) accept(w http.ResponseWriter, r *http.Request, event func(frame []byte) bool) *rpc.Conn {
	c, err := rpc.Accept(w, r, rpc.Options{Token: v.token, Logger: v.b.core.log, CallTimeout: v.do.callTimeout, Event: event})
	if err != nil {
		v.b.core.log.Warn("connection refused", "remote", r.RemoteAddr, "error", err)
		return nil
	}
	return c
}

// serveEvents runs the session of a connection with events.
func (v *reverse) serveEvents(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	var s *session
	c := v.accept(w, r, func(frame []byte) bool { s.Feed(frame); return true })
	if c == nil {
		return
	}
	self := rpc.SelfID(r)
	var caller onebot.Streamer = c
	if roleOf(r) == "event" {
		caller = &apart{v: v, self: self}
	}
	s = v.b.newSession("", caller)
	s.sharedDisk = v.do.shared
	s.self.Store(int64(self))
	up, down := s.linkLog("remote", r.RemoteAddr)
	up()
	down(s.runWith(ctx, c.Run))
}

// serveCalls runs a connection that is for calls only.
func (v *reverse) serveCalls(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	c := v.accept(w, r, nil)
	if c == nil {
		return
	}
	self := rpc.SelfID(r)
	v.mu.Lock()
	v.apis[self] = c
	v.mu.Unlock()
	err := c.Run(ctx)
	v.b.core.log.Debug("connection for calls ended", "remote", r.RemoteAddr, "error", err)
	v.mu.Lock()
	if v.apis[self] == c {
		delete(v.apis, self)
	}
	v.mu.Unlock()
}

// apart makes the calls of an account whose host uses a connection of their own
// for them.
type apart struct {
	v    *reverse
	self onebot.UserID
}

func (a *apart) conn(action string) (*rpc.Conn, error) {
	a.v.mu.Lock()
	defer a.v.mu.Unlock()
	if c := a.v.apis[a.self]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%s: %w: the host has not connected with the role API", action, onebot.ErrNotSent)
}

// Call implements [onebot.Caller].
func (a *apart) Call(ctx context.Context, action string, params, result any) error {
	c, err := a.conn(action)
	if err != nil {
		return err
	}
	return c.Call(ctx, action, params, result)
}

// Stream implements [onebot.Streamer].
func (a *apart) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	c, err := a.conn(action)
	if err != nil {
		return err
	}
	return c.Stream(ctx, action, params, packet, result)
}

// fewStrangers is a listener that closes new connections while too many are open
// that have not become a link.
type fewStrangers struct {
	net.Listener

	mu   sync.Mutex // guards the field below
	open map[net.Conn]bool
}

// Accept implements [net.Listener].
func (l *fewStrangers) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		full := len(l.open) >= maxStrangers
		if !full {
			l.open[c] = true
		}
		l.mu.Unlock()
		if !full {
			return c, nil
		}
		c.Close()
	}
}

// state implements [http.Server.ConnState].
func (l *fewStrangers) state(c net.Conn, s http.ConnState) {
	if s == http.StateHijacked || s == http.StateClosed {
		l.mu.Lock()
		delete(l.open, c)
		l.mu.Unlock()
	}
}
