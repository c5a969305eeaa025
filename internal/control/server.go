package control

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/console"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/socket"
)

// Limits of the server. The socket is private, but TCP may not be, and a bug in
// a script must not cost the bot its memory.
const (
	maxBody        = 4 << 20 // a call may carry a small picture as base64
	maxHeader      = 16 << 10
	headerTimeout  = 5 * time.Second
	bodyTimeout    = 20 * time.Second
	idleTimeout    = 90 * time.Second
	writeTimeout   = 20 * time.Second // of one line of a stream as well
	maxConns       = 1536             // of each listener, if there are descriptors for as many
	reservedFDs    = 96               // kept for NapCat, the store, logs and the bot
	minConns       = 8                // of each listener, however few descriptors there are
	maxStreams     = 1024             // watch, events and logs together
	shutdownGrace  = 2 * time.Second
	keepAlive      = 15 * time.Second // an empty line on silent streams shows dead readers
	defaultTimeout = 60 * time.Second // of one ordinary request
)

// Options make a [Server]. Backend, Hub and Log are required.
type Options struct {
	Backend Backend
	Hub     *Hub
	Log     *slog.Logger
	Metrics *Metrics // nil: /metrics has only what Status tells
	// Socket is the path of the unix socket.
	Socket string
	// Listen is host:port of the TCP side, "" for none. Token is required with it.
	Listen string
	Token  config.Secret
	// TLS, if set, is what Listen speaks. Fingerprint, required with it, is that of
	// its certificate, "" for one that browsers can check by themselves.
	TLS         *tls.Config
	Fingerprint func() string
	// Hosts are further names by which Listen is reached.
	Hosts []string
	// Proxies, if any, are all that Listen serves, but for this machine itself.
	Proxies []netip.Prefix
	// Console lets browsers in; nil: none.
	Console *console.Console
	// LogDir is the home whose logs GET /v0/logs serves.
	LogDir string
	// Ready, if set, is called once, when the server listens everywhere it should.
	Ready func(addr string)
}

// Server serves the control API. Make one with [New], then [Server.Run] it.
type Server struct {
	o       Options
	token   [sha256.Size]byte
	streams atomic.Int64
	table   []route
	metrics *Metrics
	cookie  string // name of the sessions' cookie
	pages   http.Handler
	opens   chan opening
	mu      sync.Mutex
	at      *entrance // of TCP, nil while there is none
	// ending ends when Run does; streams last no longer. It is a field because
	// it is not the context of any one call.
	ending context.Context
}

// New returns a server that listens nowhere yet.
func New(o Options) (*Server, error) {
	if o.Listen != "" && o.Token == "" {
		return nil, errors.New("control API over TCP needs a token")
	}
	sum := sha256.Sum256([]byte(o.Token.Reveal()))
	s := &Server{o: o, token: sum, metrics: o.Metrics, table: handlers(), pages: console.Pages(), opens: make(chan opening)}
	if s.metrics == nil {
		s.metrics = NewMetrics()
	}
	// Cookies know no ports: two daemons of one machine need two names.
	name := sha256.Sum256([]byte("cookie:" + o.Socket))
	s.cookie = "ncatd_" + hex.EncodeToString(name[:6])
	s.metrics.attach(o.Backend, o.Hub)
	return s, nil
}

// serving is one run of a server.
type serving struct {
	s     *Server
	h     http.Handler
	g     *errgroup.Group
	ctx   context.Context // ends when any of g does
	limit int             // connections of each listener
}

// Run serves until ctx ends, then lets running requests finish for a short
// while, ends the streams, and removes the socket. It returns nil after an
// orderly end. An error means that it could not listen or stopped listening.
func (s *Server) Run(ctx context.Context) error {
	s.ending = ctx
	unixListener, err := socket.Listen(ctx, s.o.Socket)
	if err != nil {
		return err
	}
	defer unixListener.Close()
	g, gctx := errgroup.WithContext(ctx)
	r := &serving{s: s, h: s.routes(), g: g, ctx: gctx, limit: connLimit(openFiles(), 2)}
	addr := ""
	if s.o.Listen != "" {
		e, err := r.tcp(s.o.Listen, s.o.TLS)
		if err != nil {
			return err
		}
		addr = net.JoinHostPort(e.host, e.port)
	} else if s.o.Console != nil && s.o.Console.Listen() != "" {
		// A page that was open before finds the console where it was.
		if _, err := r.tcp(s.o.Console.Listen(), nil); err != nil {
			s.o.Log.Warn("the console cannot listen where it was", "err", err)
		}
	}
	r.serve(s.httpServer(r.h), unixListener, false)
	g.Go(r.open)
	if s.o.Ready != nil {
		s.o.Ready(addr)
	}
	return g.Wait()
}

// tcp begins to serve on addr.
func (r *serving) tcp(addr string, t *tls.Config) (entrance, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(r.ctx, "tcp", addr)
	if err != nil {
		return entrance{}, fmt.Errorf("control API: %w", err)
	}
	e := entranceOf(l.Addr(), t != nil)
	hs := r.s.httpServer(r.s.guard(r.h, e))
	hs.TLSConfig = t
	r.serve(hs, l, t != nil)
	r.s.mu.Lock()
	r.s.at = &e
	r.s.mu.Unlock()
	return e, nil
}

func (r *serving) serve(hs *http.Server, l net.Listener, secure bool) {
	l = limitConns(l, r.limit)
	r.g.Go(func() error {
		err := error(nil)
		if secure {
			err = hs.ServeTLS(l, "", "")
		} else {
			err = hs.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("control API: %w", err)
		}
		return nil
	})
	r.g.Go(func() error {
		<-r.ctx.Done()
		sctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), shutdownGrace)
		defer cancel()
		if err := hs.Shutdown(sctx); err != nil {
			hs.Close()
		}
		return nil
	})
}

// opening asks for an entrance over TCP.
type opening chan<- opened

type opened struct {
	e   entrance
	err error
}

// open opens the console's own port when it is first asked for.
func (r *serving) open() error {
	for {
		select {
		case <-r.ctx.Done():
			return nil
		case answer := <-r.s.opens:
			r.s.mu.Lock()
			at := r.s.at
			r.s.mu.Unlock()
			if at != nil {
				answer <- opened{e: *at}
				continue
			}
			e, err := r.tcp(DefaultListen, nil)
			if err != nil {
				e, err = r.tcp("127.0.0.1:0", nil)
			}
			answer <- opened{e, err}
		}
	}
}

// open returns the entrance over TCP, which it opens on loopback if there is
// none.
func (s *Server) open(ctx context.Context) (entrance, error) {
	answer := make(chan opened, 1)
	select {
	case s.opens <- answer:
	case <-ctx.Done():
		return entrance{}, context.Cause(ctx)
	case <-s.ending.Done():
		return entrance{}, Refuse(CodeStopping, api.Because(api.CodeShutdown))
	}
	select {
	case o := <-answer:
		return o.e, o.err
	case <-ctx.Done():
		return entrance{}, context.Cause(ctx)
	}
}

func (s *Server) isToken(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return s.o.Token != "" && subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1
}

// Handler returns the API without its guard, for requests that come by another way
// than its listeners.
func (s *Server) Handler() http.Handler { return s.protect(s.routes()) }

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           s.protect(h),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
}

// protect bounds what one request may cost.
func (s *Server) protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		now := time.Now()
		// Errors here mean that the transport has no deadlines, as in tests.
		_ = rc.SetReadDeadline(now.Add(bodyTimeout))
		_ = rc.SetWriteDeadline(now.Add(defaultTimeout + writeTimeout))
		if r.ContentLength > maxBody {
			w.Header().Set("Connection", "close")
			writeError(w, &api.Error{Code: CodeTooLarge, Message: fmt.Sprintf("request body is over %d bytes", maxBody)})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		h.ServeHTTP(w, r)
	})
}

// openPath tells the paths that need no token: probes of an orchestrator, which
// answer with one word and no detail.
func openPath(p string) bool { return p == "/healthz" || p == "/readyz" }

// hostAllowed tells whether a request for Host h may be served by a listener on
// host:port. A name other than localhost is never allowed on loopback; on a
// wildcard listener any literal address with the right port is.
func hostAllowed(h, host, port string, wide bool) bool {
	name, p, err := net.SplitHostPort(h)
	if err != nil {
		name, p = strings.Trim(h, "[]"), "80"
	}
	if p != port {
		return false
	}
	if strings.EqualFold(name, "localhost") {
		return wide || net.ParseIP(host).IsLoopback()
	}
	ip := net.ParseIP(name)
	if ip == nil {
		return false
	}
	return wide || ip.Equal(net.ParseIP(host))
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host)
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"answer does not encode"}}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the reader has gone; nothing to tell it
}

// writeError answers with err in the one shape that all errors have.
func writeError(w http.ResponseWriter, err error) {
	e := asError(err)
	writeJSON(w, httpStatus(e.Code), api.ErrorBody{Error: *e})
}
