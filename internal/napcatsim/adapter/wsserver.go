package adapter

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// listen opens the port of a server as the host does: 0.0.0.0 means every
// interface of both families, port 0 means none unless the options allow it.
func (n *Network) listen(c Entry) (ln net.Listener, addr string, err error) {
	host := c.Host
	if host == "0.0.0.0" {
		host = ""
	}
	addr = net.JoinHostPort(host, strconv.Itoa(int(c.Port)))
	if c.Port == 0 && !n.o.Ephemeral {
		return nil, addr, errPortZero
	}
	if c.Port < 0 || c.Port > 65535 || c.Port != float64(int(c.Port)) {
		return nil, addr, errors.New("options.port should be >= 0 and < 65536")
	}
	ln, err = (&net.ListenConfig{}).Listen(n.ctx, "tcp", addr)
	if host == "" {
		addr = ":::" + strconv.Itoa(int(c.Port))
	}
	return ln, addr, err
}

var errPortZero = errors.New("port 0 switches the server off")

func isAddrInUse(err error) bool {
	// 10048 is WSAEADDRINUSE, which package syscall does not name everywhere.
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.Errno(10048))
}

// authorized reports whether a request carries token: in the query, which wins
// if it is there, or in the header after its last "Bearer ".
func authorized(token string, r *http.Request) bool {
	if token == "" {
		return true
	}
	got := r.URL.Query().Get("access_token")
	if got == "" {
		got = r.Header.Get("Authorization")
		if i := strings.LastIndex(got, "Bearer "); i >= 0 {
			got = got[i+len("Bearer "):]
		}
	}
	return subtle.ConstantTimeCompare([]byte(got), []byte(token)) == 1
}

// hub is what a forward WebSocket server keeps: its clients and the one
// heartbeat timer they share. The HTTP servers have one too.
type hub struct {
	n       *Network
	fixed   time.Duration // heartbeat interval that no configuration changes; 0: as configured
	limit   int64         // bytes of a frame
	unknown string

	mu      sync.Mutex
	c       Entry
	open    bool
	clients map[*link]struct{}
	beat    chan struct{} // closed to stop the heartbeat; nil: none runs
}

func newHub(n *Network, c Entry) *hub {
	return &hub{n: n, c: c, limit: maxPayload, unknown: "不支持的API ", clients: make(map[*link]struct{})}
}

func (h *hub) entry() Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.c
}

// serve upgrades a request and lives as long as the socket.
func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	h.n.gate()
	if h.n.Faults().Away {
		panic(http.ErrAbortHandler)
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return
	}
	raw, _ := r.Context().Value(rawConn{}).(net.Conn)
	api := r.URL.Path == "/api" || r.URL.Path == "/api/"
	ok := authorized(h.entry().Token, r)
	l := h.n.newLink(ws, raw, ok && !api, h.limit)
	h.mu.Lock()
	switch {
	case !h.open:
		l.end()
		ok = false
	case !ok:
		l.send(refused(1403, "token验证失败", nil))
		l.end()
	case !api:
		l.send(h.n.lifecycle())
		h.clients[l] = struct{}{}
		h.startBeatLocked()
	default:
		h.clients[l] = struct{}{}
	}
	h.mu.Unlock()
	if ok && !api {
		h.n.o.Connected()
	}
	l.read(func(frame []byte) {
		if ok {
			h.n.request(frame, h.entry(), h.unknown, l.send)
		}
	})
	h.mu.Lock()
	delete(h.clients, l)
	h.mu.Unlock()
}

func (h *hub) startBeatLocked() {
	ms := h.c.HeartInterval
	if h.fixed > 0 {
		ms = float64(h.fixed.Milliseconds())
	}
	if h.beat != nil || ms <= 0 || !h.open {
		return
	}
	stop := make(chan struct{})
	h.beat = stop
	h.n.goes(func() { h.beats(ms, stop) })
}

func (h *hub) beats(ms float64, stop chan struct{}) {
	t := time.NewTicker(max(time.Millisecond, time.Duration(ms*float64(time.Millisecond))))
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-stop:
			return
		case <-h.n.ctx.Done():
			return
		}
		if !h.n.Faults().NoHeartbeat {
			h.broadcast(h.n.heartbeat(ms))
		}
	}
}

func (h *hub) stopBeatLocked() {
	if h.beat != nil {
		close(h.beat)
		h.beat = nil
	}
}

func (h *hub) broadcast(frame []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.clients {
		if l.events {
			l.send(frame)
		}
	}
}

func (h *hub) eventClients() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := 0
	for l := range h.clients {
		if l.events {
			k++
		}
	}
	return k
}

// shut closes every client, without a code.
func (h *hub) shut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = false
	h.stopBeatLocked()
	for l := range h.clients {
		l.end()
	}
}

// wsServer is a forward WebSocket server (contract E.1).
type wsServer struct {
	*hub
	srv  *http.Server
	addr string
	err  error
}

// newWSServer listens at once, although clients are turned away until open.
func newWSServer(n *Network, c Entry) *wsServer {
	s := &wsServer{hub: newHub(n, c)}
	s.listen()
	return s
}

func (s *wsServer) kind() Kind { return WebSocketServers }

func (s *wsServer) listen() {
	c := s.entry()
	ln, addr, err := s.n.listen(c)
	srv := &http.Server{
		Handler:     http.HandlerFunc(s.serve),
		ConnContext: withRaw,
		BaseContext: func(net.Listener) context.Context { return s.n.ctx },
	}
	s.mu.Lock()
	s.srv, s.err, s.addr = srv, err, addr
	if err == nil {
		s.addr = ln.Addr().String()
	}
	s.mu.Unlock()
	if err != nil {
		s.n.o.Log("info", "[OneBot] [WebSocket Server] Server Error: "+listenError(err, addr))
		return
	}
	s.n.goes(func() { _ = srv.Serve(ln) }) // ends with close
}

func (s *wsServer) open() {
	s.mu.Lock()
	s.hub.open = true
	c := s.c
	s.mu.Unlock()
	// With a host the socket is bound only after a look-up, so its address is not
	// known when the line is printed.
	where := "undefined:undefined"
	if c.Host == "0.0.0.0" {
		where = ":::" + strconv.Itoa(int(c.Port))
	}
	s.n.o.Log("info", "[OneBot] [WebSocket Server] Server Started "+where)
}

func (s *wsServer) close() {
	s.shut()
	s.mu.Lock()
	srv := s.srv
	s.mu.Unlock()
	_ = srv.Close() // the listener is gone either way
}

func (s *wsServer) reload(c Entry) (gone bool) {
	s.mu.Lock()
	old := s.c
	s.c = c
	s.mu.Unlock()
	if !c.Enable {
		s.close()
		return true
	}
	if old.Host != c.Host || old.Port != c.Port {
		s.close()
		s.listen()
		s.open()
		return false
	}
	if old.HeartInterval != c.HeartInterval {
		s.mu.Lock()
		s.stopBeatLocked()
		if len(s.clients) > 0 {
			s.startBeatLocked()
		}
		s.mu.Unlock()
	}
	return false
}

func (s *wsServer) active() bool { return s.eventClients() > 0 }

func (s *wsServer) emit(e *event) {
	if c := s.entry(); e.wanted(c) {
		s.broadcast(e.encode(c))
	}
}

func (s *wsServer) status() Status {
	k := s.eventClients()
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Name: s.c.Name, Kind: WebSocketServers, Enabled: s.hub.open, Addr: s.addr, Up: s.err == nil, Error: text(s.err), Clients: k}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
