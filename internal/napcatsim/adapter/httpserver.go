package adapter

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// httpServer is an HTTP server and, of the other kind, one with a stream of
// events (contract E.5 and E.6).
type httpServer struct {
	n   *Network
	k   Kind
	hub *hub // for enableWebsocket

	mu      sync.Mutex
	c       Entry
	srv     *http.Server
	enabled bool
	up      bool
	addr    string
	err     error
	streams map[chan []byte]struct{} // the clients of /_events
}

func newHTTPServer(n *Network, c Entry, k Kind) *httpServer {
	s := &httpServer{n: n, k: k, c: c, hub: newHub(n, c), streams: make(map[chan []byte]struct{})}
	s.hub.fixed = 30 * time.Second // the interval here is not configurable
	s.hub.limit = maxPayloadHTTP
	return s
}

func (s *httpServer) kind() Kind { return s.k }

func (s *httpServer) entry() Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c
}

func (s *httpServer) open() {
	c := s.entry()
	ln, addr, err := s.n.listen(c)
	srv := &http.Server{
		Handler:     http.HandlerFunc(s.serve),
		ConnContext: withRaw,
		BaseContext: func(net.Listener) context.Context { return s.n.ctx },
	}
	s.mu.Lock()
	s.enabled, s.srv, s.err, s.addr, s.up = true, srv, err, addr, err == nil
	if err == nil {
		s.addr = ln.Addr().String()
	}
	s.mu.Unlock()
	if err != nil {
		s.n.o.Log("error", "[NapCat] [Error] Unhandled Exception: "+listenError(err, addr))
		return
	}
	s.hub.mu.Lock()
	s.hub.c, s.hub.open = c, c.EnableWebsocket
	s.hub.mu.Unlock()
	s.n.o.Log("info", fmt.Sprintf("[OneBot] [HTTP Server Adapter] Start On %s:%d", c.Host, int(c.Port)))
	s.n.goes(func() { _ = srv.Serve(ln) }) // ends with close
}

func (s *httpServer) close() {
	s.hub.shut()
	s.mu.Lock()
	srv := s.srv
	s.enabled, s.up = false, false
	for c := range s.streams {
		close(c)
	}
	clear(s.streams)
	s.mu.Unlock()
	if srv != nil {
		_ = srv.Close() // the listener is gone either way
	}
}

func (s *httpServer) reload(c Entry) (gone bool) {
	s.mu.Lock()
	old := s.c
	s.c = c
	s.mu.Unlock()
	s.hub.mu.Lock()
	s.hub.c = c
	s.hub.mu.Unlock()
	if !c.Enable {
		s.close()
		return true
	}
	if old.Host != c.Host || old.Port != c.Port || old.EnableWebsocket != c.EnableWebsocket {
		s.close()
		s.open()
	}
	return false
}

func (s *httpServer) active() bool {
	s.mu.Lock()
	n := len(s.streams)
	s.mu.Unlock()
	return n > 0 || s.hub.eventClients() > 0
}

func (s *httpServer) emit(e *event) {
	c := s.entry()
	if !e.wanted(c) {
		return
	}
	frame := e.encode(c)
	s.push(frame)
	s.hub.broadcast(frame)
}

// push hands a frame to the clients of /_events. One that cannot keep up with
// its large queue is cut off, since nothing here may block.
func (s *httpServer) push(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.streams {
		select {
		case c <- frame:
		default:
			close(c)
			delete(s.streams, c)
		}
	}
}

func (s *httpServer) status() Status {
	k := s.hub.eventClients()
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Name: s.c.Name, Kind: s.k, Enabled: s.enabled, Addr: s.addr, Up: s.up, Error: text(s.err), Clients: k + len(s.streams)}
}

func (s *httpServer) serve(w http.ResponseWriter, r *http.Request) {
	if !s.n.alive(r.Context()) {
		return
	}
	c := s.entry()
	if c.EnableWebsocket && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		s.hub.serve(w, r)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
		if a := r.Header.Get("Access-Control-Request-Headers"); a != "" {
			h.Set("Access-Control-Allow-Headers", a)
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, err := readBody(r)
	if err != nil {
		plain(w, http.StatusBadRequest, "Invalid JSON")
		return
	}
	if !authorized(c.Token, r) {
		plain(w, http.StatusForbidden, `{"message":"token verify failed!"}`)
		return
	}
	if s.k == HTTPSseServers && r.URL.Path == "/_events" {
		s.events(w, r)
		return
	}
	s.call(w, r, c, body)
}

// alive waits while the host hangs; false if the request ended meanwhile.
func (n *Network) alive(ctx context.Context) bool {
	n.gate()
	return ctx.Err() == nil
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // a client that went away does not want it
}

// readBody returns the body of a request as an object: form fields, or anything
// else read as JSON5 whatever its type says.
func readBody(r *http.Request) (*jsval.Object, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return &jsval.Object{}, nil
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		q, err := url.ParseQuery(string(b))
		if err != nil {
			q = url.Values{}
		}
		return queryObject(q), nil
	}
	v, err := jsval.Parse(string(b))
	if err != nil {
		return nil, err
	}
	o, ok := v.(*jsval.Object)
	if !ok {
		o = &jsval.Object{} // spreading anything else gives no named keys
	}
	return o, nil
}

func queryObject(q url.Values) *jsval.Object {
	o := &jsval.Object{}
	for k, vs := range q {
		if len(vs) == 1 {
			o.Set(k, vs[0])
			continue
		}
		list := make([]any, len(vs))
		for i, v := range vs {
			list[i] = v
		}
		o.Set(k, list)
	}
	return o
}

func (s *httpServer) call(w http.ResponseWriter, r *http.Request, c Entry, body *jsval.Object) {
	name := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 2)[0]
	if name == "" {
		sendJSON(w, envelope("ok", 0, &jsval.Object{}, "", nil, false).Set("message", "NapCat4 Is Running"))
		return
	}
	params := queryObject(r.URL.Query())
	if r.Method != http.MethodGet {
		for _, m := range params.Members {
			body.Set(m.Key, m.Value) // the query wins
		}
		params = body
	}
	echo := params.Get("echo")
	if !jsval.Truthy(echo) {
		echo = randomEcho()
	}
	if !action.Known(name) {
		text := "不支持的Api " + name
		s.reply(r.Context(), w, envelope("failed", 200, nil, text, echo, false), false)
		return
	}
	done := make(chan action.Result, 1)
	stream := action.IsStream(name)
	var packets chan action.Result
	if stream {
		packets = make(chan action.Result, 16)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s.n.o.Host.Do(ctx, action.Call{Name: name, Params: params, Format: c.MessagePostFormat}, s.n.goes, func(res action.Result) {
		if res.More {
			select {
			case packets <- res:
			case <-ctx.Done():
			}
			return
		}
		done <- res
	})
	for {
		select {
		case p := <-packets:
			s.packet(w, p, echo)
		case res := <-done:
			for len(packets) > 0 {
				s.packet(w, <-packets, echo)
			}
			s.reply(ctx, w, httpAnswer(res, echo), stream && res.Err == nil)
			return
		case <-ctx.Done():
			return
		}
	}
}

// packet writes an intermediate packet of a stream action: into the response,
// or with the other kind of server into the stream of events.
func (s *httpServer) packet(w http.ResponseWriter, p action.Result, echo any) {
	frame := jsval.Append(nil, httpAnswer(p, echo))
	if s.k == HTTPSseServers {
		s.push(frame)
		return
	}
	chunk(w, frame)
}

func chunk(w http.ResponseWriter, frame []byte) {
	w.Header()["Content-Type"] = nil // such a response has none
	_, _ = w.Write(append(frame, "\r\n\r\n"...))
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// reply writes the last or only answer.
func (s *httpServer) reply(ctx context.Context, w http.ResponseWriter, o *jsval.Object, chunked bool) {
	f := s.n.Faults()
	if f.Mute {
		<-ctx.Done()
		return
	}
	if f.Delay > 0 && !s.n.sleep(f.Delay) {
		return
	}
	if chunked || w.Header()["Content-Type"] == nil && o.String("stream") == "stream-action" {
		chunk(w, jsval.Append(nil, o))
		return
	}
	sendJSON(w, o)
}

func sendJSON(w http.ResponseWriter, o *jsval.Object) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(jsval.Append(nil, o))
}

// httpAnswer is the answer to an action over HTTP, whose codes differ from the
// WebSocket's.
func httpAnswer(r action.Result, echo any) *jsval.Object {
	if r.Err == nil {
		return envelope("ok", 0, r.Data, "", echo, r.Stream)
	}
	code, data := 200, any(nil)
	if r.Err.Check {
		code, echo = 400, nil
	}
	if r.Err.Code != 0 {
		code = r.Err.Code
	}
	text := r.Err.Text
	if r.Silent {
		// What a WebSocket never hears of is caught by the HTTP server with its
		// stack.
		text = "TypeError: " + r.Err.Text + "\n    at file:///napcat/napcat.mjs\n    at Array.filter (<anonymous>)\n    at SendMsg.check (file:///napcat/napcat.mjs)\n    at SendMsg.handle (file:///napcat/napcat.mjs)"
	}
	if r.Stream {
		data = jsval.Obj("type", "error", "data_type", "error")
	}
	return envelope("failed", code, data, text, echo, r.Stream)
}

// randomEcho is what an HTTP answer echoes when nothing was given.
func randomEcho() string { return strconv.FormatUint(1<<60+rand.Uint64()>>4, 36)[:11] }

func (s *httpServer) events(w http.ResponseWriter, r *http.Request) {
	c := make(chan []byte, 1<<14)
	s.mu.Lock()
	if !s.up {
		s.mu.Unlock()
		return
	}
	s.streams[c] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.streams, c)
		s.mu.Unlock()
	}()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "keep-alive")
	w.WriteHeader(http.StatusOK)
	f, _ := w.(http.Flusher)
	if f != nil {
		f.Flush()
	}
	s.n.o.Connected()
	for {
		select {
		case frame, ok := <-c:
			if !ok {
				return
			}
			s.n.gate()
			if _, err := io.WriteString(w, "data: "+string(frame)+"\n\n"); err != nil {
				return
			}
			if f != nil {
				f.Flush()
			}
		case <-r.Context().Done():
			return
		}
	}
}
