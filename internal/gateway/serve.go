package gateway

import (
	"bufio"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// Bounds on what connects to an app's endpoint.
const (
	// maxConns is how many connections one endpoint has at once.
	maxConns = 256
	// maxLinks is how many WebSockets and streams of events are among them.
	maxLinks = 64
	// headTime is how long a request's header may take.
	headTime = 10 * time.Second
	// idleTime is how long a connection may wait for its next request.
	idleTime = 2 * time.Minute
	// maxWrong is how many wrong tokens one address may try within wrongTime.
	maxWrong  = 20
	wrongTime = time.Minute
	// maxAddresses is how many addresses are remembered that tried wrong tokens.
	maxAddresses = 1024
)

// guard counts wrong tokens.
type guard struct {
	mu    sync.Mutex
	since time.Time
	wrong map[string]int
	told  bool
}

// refused notes a wrong token, and reports whether the address has tried too
// many, and whether that is to be told.
func (g *guard) refused(addr string) (many, tell bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); g.wrong == nil || now.Sub(g.since) > wrongTime {
		g.since, g.wrong, g.told = now, map[string]int{}, false
	}
	if len(g.wrong) < maxAddresses || g.wrong[addr] > 0 {
		g.wrong[addr]++
	}
	many = g.wrong[addr] > maxWrong || len(g.wrong) >= maxAddresses
	tell = g.wrong[addr] == 1 || many && !g.told
	g.told = g.told || many
	return many, tell
}

// blocked reports whether an address has tried so many wrong tokens that even the
// right one is refused for a while. Programs of this machine are not kept out: one
// that has the wrong token would keep out one that has the right one.
func (g *guard) blocked(addr string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	ip := net.ParseIP(addr)
	return g.wrong[addr] > maxWrong && time.Since(g.since) <= wrongTime && ip != nil && !ip.IsLoopback()
}

// listen serves the app's endpoint until ctx ends.
func (a *App) listen(ctx context.Context) error {
	ln, err := a.open(ctx)
	if err != nil {
		return err
	}
	if a.c.Listening != nil {
		a.c.Listening(ln.Addr().String())
	}
	a.log.Info("app is waited for", "listen", ln.Addr().String())
	// Links outlive the requests that they came from.
	var links sync.WaitGroup
	srv := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.answerHTTP(ctx, &links, w, r) }),
		ReadHeaderTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	err = srv.Serve(&limited{Listener: ln, slots: make(chan struct{}, maxConns)})
	links.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// open listens at the app's address. A port that is taken is tried for a while.
func (a *App) open(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	for try := 1; ; try++ {
		ln, err := lc.Listen(ctx, "tcp", a.c.Listen)
		if err == nil {
			return ln, nil
		}
		a.fail(err)
		if try == 1 {
			a.log.Error("app's endpoint cannot be opened, trying on", "listen", a.c.Listen, "err", err)
		}
		t := time.NewTimer(min(time.Duration(try)*100*time.Millisecond, 5*time.Second))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, context.Cause(ctx)
		}
	}
}

// limited is a listener of so many connections at once. One too many is closed.
type limited struct {
	net.Listener
	slots chan struct{}
}

// Accept implements [net.Listener].
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &slotConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			_ = c.Close()
		}
	}
}

type slotConn struct {
	net.Conn
	free func()
}

// Close implements [net.Conn].
func (c *slotConn) Close() error {
	c.free()
	return c.Conn.Close()
}

// answerHTTP answers one request to the app's endpoint.
func (a *App) answerHTTP(ctx context.Context, links *sync.WaitGroup, w http.ResponseWriter, r *http.Request) {
	upgrade := strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
	if !upgrade && (a.c.HTTP || a.c.SSE) && cross(w, r) {
		return
	}
	if !a.admit(w, r, upgrade) {
		return
	}
	acc, path := a.account(r.URL.Path)
	switch {
	case acc == nil:
		a.notFound(w, "no account of this app; begin the path with one of /"+strings.Join(names(a.accs), ", /"))
	case upgrade && a.c.WebSocket:
		if !a.takePlace(w) {
			return
		}
		defer a.leavePlace()
		links.Add(1)
		defer links.Done()
		a.accept(ctx, w, r, acc, path)
	case !upgrade && a.c.SSE && strings.TrimSuffix(path, "/") == "/_events":
		if !a.takePlace(w) {
			return
		}
		defer a.leavePlace()
		a.sse(ctx, w, r, acc)
	case !upgrade && a.c.HTTP:
		a.callHTTP(ctx, w, r, acc, path)
	default:
		a.notFound(w, "this app has no such transport; see apps."+a.c.Name+".transports in ncatd.yaml")
	}
}

// notFound refuses a request, and notes why: the app itself may not tell.
func (a *App) notFound(w http.ResponseWriter, why string) {
	a.fail(errors.New(why))
	http.Error(w, why, http.StatusNotFound)
}

// takePlace takes one of the places for WebSockets and streams of events, which
// [App.leavePlace] gives back, or refuses the request.
func (a *App) takePlace(w http.ResponseWriter) bool {
	a.mu.Lock()
	free := a.served < maxLinks
	if free {
		a.served++
	}
	a.mu.Unlock()
	if !free {
		a.fail(fmt.Errorf("more than %d links", maxLinks))
		w.Header().Set("Connection", "close")
		http.Error(w, fmt.Sprintf("more than %d links", maxLinks), http.StatusServiceUnavailable)
	}
	return free
}

func (a *App) leavePlace() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.served--
}

// admit checks the token. A WebSocket is refused as NapCat does: after the
// upgrade, with an answer (contract E.1).
func (a *App) admit(w http.ResponseWriter, r *http.Request, upgrade bool) bool {
	addr := host(r.RemoteAddr)
	if !a.doors.blocked(addr) && subtle.ConstantTimeCompare([]byte(rpc.GivenToken(r)), []byte(a.c.Token)) == 1 {
		return true
	}
	many, tell := a.doors.refused(addr)
	if tell {
		a.log.Warn("app refused: wrong token", "peer", addr, "many", many)
		a.fail(fmt.Errorf("wrong token from %s", addr))
	}
	w.Header().Set("Connection", "close")
	switch {
	case many:
		http.Error(w, "too many wrong tokens", http.StatusTooManyRequests)
	case upgrade:
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
		if err != nil {
			return false
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		_ = ws.Write(ctx, websocket.MessageText, answer(onebot.RetBadToken, "token验证失败", nil))
		_ = ws.CloseNow()
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"token verify failed!"}`)
	}
	return false
}

// accept serves a forward WebSocket.
func (a *App) accept(ctx context.Context, w http.ResponseWriter, r *http.Request, acc *Account, path string) {
	l := newLink(a, acc, roleUniversal, r.RemoteAddr)
	switch strings.TrimSuffix(path, "/") {
	case "/api":
		l.role = roleAPI
	case "/event":
		l.role = roleEvent
	}
	h := &hijacked{ResponseWriter: w}
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the token keeps pages of other origins out
		CompressionMode:    websocket.CompressionDisabled, OnPongReceived: l.pong,
		Subprotocols: firstOffered(r.Header),
	})
	if err != nil {
		a.fail(err)
		return
	}
	ws.SetReadLimit(rpc.MaxRequest)
	l.ws, l.out = ws, h.out
	_ = a.serve(ctx, l) // it was noted
}

// firstOffered returns the first subprotocol that a client offers, which NapCat takes
// whatever it is.
func firstOffered(h http.Header) []string {
	first, _, _ := strings.Cut(h.Get("Sec-WebSocket-Protocol"), ",")
	if first = strings.TrimSpace(first); first == "" {
		return nil
	}
	return []string{first}
}

// hijacked puts an outbox under the connection that is taken from a server.
type hijacked struct {
	http.ResponseWriter
	out *outbox
}

// Hijack implements [http.Hijacker].
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	wire := conn
	if s, ok := conn.(*slotConn); ok {
		wire = s.Conn
	}
	h.out = newOutbox(conn, wire, false)
	return h.out, bufio.NewReadWriter(rw.Reader, bufio.NewWriter(h.out)), nil
}
