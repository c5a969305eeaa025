package control

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ncatd/ncatd/internal/config"
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
	// ending ends when Run does; streams last no longer. It is a field because
	// it is not the context of any one call.
	ending context.Context
}

// New returns a server that listens nowhere yet.
func New(o Options) (*Server, error) {
	if o.Listen != "" && o.Token == "" {
		return nil, errors.New("control API over TCP needs a token")
	}
	s := &Server{o: o, token: sha256.Sum256([]byte(o.Token.Reveal())), metrics: o.Metrics, table: handlers()}
	if s.metrics == nil {
		s.metrics = NewMetrics()
	}
	s.metrics.attach(o.Backend, o.Hub)
	return s, nil
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
	h := s.routes()
	servers := []*http.Server{s.httpServer(h)}
	limit := connLimit(openFiles(), 1+btoi(s.o.Listen != ""))
	listeners := []net.Listener{limitConns(unixListener, limit)}
	addr := ""
	if s.o.Listen != "" {
		var lc net.ListenConfig
		tcp, err := lc.Listen(ctx, "tcp", s.o.Listen)
		if err != nil {
			return fmt.Errorf("control API: %w", err)
		}
		defer tcp.Close()
		addr = tcp.Addr().String()
		servers = append(servers, s.httpServer(s.guard(h, tcp.Addr())))
		listeners = append(listeners, limitConns(tcp, limit))
	}
	if s.o.Ready != nil {
		s.o.Ready(addr)
	}
	g, gctx := errgroup.WithContext(ctx)
	for i, hs := range servers {
		g.Go(func() error {
			if err := hs.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("control API: %w", err)
			}
			return nil
		})
		g.Go(func() error {
			<-gctx.Done()
			sctx, cancel := context.WithTimeout(context.WithoutCancel(gctx), shutdownGrace)
			defer cancel()
			if err := hs.Shutdown(sctx); err != nil {
				hs.Close()
			}
			return nil
		})
	}
	return g.Wait()
}

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

// guard lets a TCP request through if it carries the token and comes from no
// web page: a page in the user's browser could otherwise reach a loopback port
// by its own or, through DNS rebinding, by a foreign name.
func (s *Server) guard(h http.Handler, addr net.Addr) http.Handler {
	host, port, _ := net.SplitHostPort(addr.String())
	wide := net.ParseIP(host).IsUnspecified()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hostAllowed(r.Host, host, port, wide) {
			w.Header().Set("Connection", "close")
			writeError(w, &api.Error{Code: CodeForbidden, Message: "this Host is not served here"})
			return
		}
		if o := r.Header.Get("Origin"); o != "" && !sameOrigin(o, r.Host) || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			w.Header().Set("Connection", "close")
			writeError(w, &api.Error{Code: CodeForbidden, Message: "requests of other sites are refused"})
			return
		}
		if openPath(r.URL.Path) {
			w.Header().Set("Connection", "close") // nobody without the token keeps one
			h.ServeHTTP(w, r)
			return
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if !ok || subtle.ConstantTimeCompare(sum[:], s.token[:]) != 1 {
			w.Header().Set("Connection", "close")
			w.Header().Set("WWW-Authenticate", `Bearer realm="ncatd"`)
			writeError(w, &api.Error{Code: CodeUnauthorized, Message: "a valid bearer token is required",
				Hint: "the token is in secrets.json: control"})
			return
		}
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
