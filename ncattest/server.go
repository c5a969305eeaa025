package ncattest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// patience is how long a Server waits for a bot to connect or to send something.
const patience = 10 * time.Second

// Server is a OneBot 11 endpoint on loopback that behaves as NapCat's does: a
// forward WebSocket, an HTTP server with an event stream, and, if asked for,
// reverse WebSockets and webhooks; tokens, lifecycle and heartbeats, echoes,
// retcodes, stream actions, answers out of order. Behind it is a little QQ in
// which every action has its effect.
//
// It runs in real time. Its people are those of a [Harness], but what they do
// only waits until a bot is connected; [Server.Want] waits for what the bot
// sends. All methods are safe for concurrent use, except that those that may
// fail the test must be called from its goroutine.
type Server struct {
	Recorder
	// T is the test.
	T testing.TB

	o   ServerOptions
	at  *site
	net *adapter.Network

	mu        sync.Mutex // guards the fields below
	last      string
	connected chan struct{} // closed when a connection gets events
}

// ServerOptions configures a [Server]. The zero value is fine.
type ServerOptions struct {
	// Token is what clients must give; without one everybody may connect.
	Token string
	// Self is the account's number; 0: [Self].
	Self onebot.UserID
	// Heartbeat is the time between heartbeats; 0: 30 s.
	Heartbeat time.Duration
	// TextMessages lets messages come as text with CQ codes, as they do with
	// messagePostFormat "string".
	TextMessages bool
	// OwnMessages lets the bot hear its own messages, as with
	// reportSelfMessage.
	OwnMessages bool
	// Connect are the addresses (ws://…) of bots that wait for the host to
	// connect by reverse WebSocket; Post those (http://…) of bots that take
	// events by webhook.
	Connect, Post []string
}

// NewServer starts a Server that is closed when the test ends.
func NewServer(t testing.TB, o ServerOptions) *Server {
	t.Helper()
	if o.Self == 0 {
		o.Self = Self
	}
	return newServer(t, o, world.New(world.Options{UIN: int64(o.Self), Nickname: "bot", Empty: true, NextSeq: nextSeq}))
}

// Account returns a Server of another account in the same QQ: what is said in a
// group that both name, they both hear. o.Self must be set.
func (s *Server) Account(o ServerOptions) *Server {
	s.T.Helper()
	if o.Self == 0 || o.Self == s.o.Self {
		s.T.Fatalf("Account: %d is no other account", o.Self)
	}
	return newServer(s.T, o, s.at.world.Account(world.Options{UIN: int64(o.Self), Nickname: "bot", NextSeq: nextSeq}))
}

func newServer(t testing.TB, o ServerOptions, w *world.World) *Server {
	t.Helper()
	if o.Heartbeat == 0 {
		o.Heartbeat = 30 * time.Second
	}
	s := &Server{T: t, o: o, connected: make(chan struct{})}
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binding a loopback port does not wait
	if err != nil {
		t.Fatalf("ncattest: %v", err)
	}
	s.at = newSite(&s.Recorder, w, action.Options{FileURL: "http://" + ln.Addr().String(), Before: s.answers})
	s.at.tell = s.tell
	host := s.at.host
	files := &http.Server{Handler: host, ReadHeaderTimeout: patience}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = files.Serve(ln) // ends with Close
	}()
	s.net = adapter.New(adapter.Options{World: w, Host: host, Ephemeral: true, Connected: s.greeted})
	s.net.Start(s.config())
	t.Cleanup(func() {
		_ = s.net.Close()
		_ = files.Close()
		<-served
		_ = host.Close()
	})
	for _, st := range s.net.Status() {
		if !st.Up && (st.Kind == adapter.WebSocketServers || st.Kind == adapter.HTTPSseServers) {
			t.Fatalf("ncattest: %s does not listen: %s", st.Name, st.Error)
		}
	}
	return s
}

func (s *Server) config() *adapter.Config {
	type entry = map[string]any
	format := "array"
	if s.o.TextMessages {
		format = "string"
	}
	common := func(name string, more entry) entry {
		e := entry{"name": name, "enable": true, "token": s.o.Token, "messagePostFormat": format,
			"reportSelfMessage": s.o.OwnMessages, "heartInterval": s.o.Heartbeat.Milliseconds()}
		for k, v := range more {
			e[k] = v
		}
		return e
	}
	network := map[string][]entry{
		"websocketServers": {common("ws", entry{"host": "127.0.0.1", "port": 0})},
		"httpSseServers":   {common("http", entry{"host": "127.0.0.1", "port": 0})},
	}
	for i, url := range s.o.Connect {
		network["websocketClients"] = append(network["websocketClients"], common(fmt.Sprintf("reverse%d", i), entry{"url": url, "reconnectInterval": 50}))
	}
	for i, url := range s.o.Post {
		network["httpClients"] = append(network["httpClients"], common(fmt.Sprintf("webhook%d", i), entry{"url": url}))
	}
	b, err := json.Marshal(map[string]any{"network": network})
	if err != nil {
		panic(fmt.Sprintf("ncattest: %v", err)) // texts and numbers only
	}
	c, err := adapter.ParseConfig(string(b))
	if err != nil {
		panic(fmt.Sprintf("ncattest: %v", err))
	}
	return c
}

// URL returns the address of the forward WebSocket, for [ncat.Bot.Dial].
func (s *Server) URL() string { return "ws://" + s.net.Addr("ws") }

// HTTP returns the address of the HTTP server, for [ncat.Bot.DialHTTP] or a POST
// of /ACTION; /_events is the stream of events.
func (s *Server) HTTP() string { return "http://" + s.net.Addr("http") }

// Token returns the token that clients must give.
func (s *Server) Token() string { return s.o.Token }

// answers records a call and says how it is answered if the test decides that.
func (s *Server) answers(c action.Call) func() *action.Result {
	params := json.RawMessage(jsval.Stringify(c.Params))
	call, answer := s.record(c.Name, params)
	s.at.admit(params)
	if answer == nil {
		return nil
	}
	return func() *action.Result {
		data, err := answer(params)
		if err != nil {
			s.failed(call, err)
			return failure(err)
		}
		if data == nil {
			return nil
		}
		v, err := value(data)
		if err != nil {
			return failure(fmt.Errorf("ncattest: answer to %s: %w", c.Name, err))
		}
		return &action.Result{Data: v}
	}
}

func failure(err error) *action.Result {
	var e *onebot.Error
	switch {
	case errors.Is(err, errSilence), errors.Is(err, onebot.ErrNotSent), errors.Is(err, onebot.ErrUnknownOutcome):
		return &action.Result{Silent: true}
	case errors.As(err, &e):
		return &action.Result{Err: &action.Failure{Text: e.Message, Code: e.RetCode}}
	}
	return &action.Result{Err: action.Failed(err.Error())}
}

// value returns data as the wire carries it.
func value(data any) (any, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	return jsval.Parse(string(b))
}

// greeted notes that a client gets events now.
func (s *Server) greeted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.connected:
	default:
		close(s.connected)
	}
}

// heard reports whether some client gets events.
func (s *Server) heard() bool {
	for _, st := range s.net.Status() {
		if st.Clients > 0 || st.Kind == adapter.HTTPClients {
			return true
		}
	}
	return false
}

// WaitConnected waits until a bot gets events, and ends the test if none does
// within 10 s.
func (s *Server) WaitConnected() {
	s.T.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		s.mu.Lock()
		select {
		case <-s.connected:
			s.connected = make(chan struct{})
		default:
		}
		c := s.connected
		s.mu.Unlock()
		if s.heard() {
			return
		}
		select {
		case <-c:
		case <-limit.C:
			s.T.Fatalf("no bot connected to %s (or %s) within %v", s.URL(), s.HTTP(), patience)
		}
	}
}

// Drop cuts all connections at once, as a crash does, and returns how many there
// were. Bots may connect again.
func (s *Server) Drop() int { return s.net.DropSockets() }

// Faults are disturbances that a bot should survive.
type Faults struct {
	Freeze    bool          // nothing is read or written any more
	Delay     time.Duration // every answer comes that much later
	Shuffle   bool          // answers come in any order, within Delay or 50 ms
	Duplicate bool          // every answer comes twice
	NoBeats   bool          // no heartbeats
}

// Disturb replaces the disturbances; the zero Faults ends them.
func (s *Server) Disturb(f Faults) {
	s.net.SetFaults(adapter.Faults{Freeze: f.Freeze, Delay: f.Delay, Shuffle: f.Shuffle, Duplicate: f.Duplicate, NoHeartbeat: f.NoBeats})
}

// SendFrame sends a text as one frame to every WebSocket that gets events, for
// frames that no host should send.
func (s *Server) SendFrame(text string) { s.net.SendRaw([]byte(text)) }

// Run runs the bot on the Server by Dial until the test ends, and returns when
// its link is up: the bot knows its account and may act. The error of the Dial
// fails the test.
func (s *Server) Run(b *ncat.Bot) {
	s.T.Helper()
	ctx, cancel := context.WithCancelCause(s.T.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Dial(ctx, s.URL(), s.Token()) }()
	s.T.Cleanup(func() {
		cancel(errOver)
		if err := <-ended; err != nil && !errors.Is(err, errOver) && !errors.Is(err, context.Canceled) {
			s.T.Errorf("Dial ended with: %v", err)
		}
	})
	tick, limit := time.NewTicker(time.Millisecond), time.NewTimer(patience) // a bot gives no signal of its link
	defer tick.Stop()
	defer limit.Stop()
	for b.For(s.o.Self) == nil {
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err
			s.T.Fatalf("Dial ended before there was a link: %v", err)
		case <-limit.C:
			s.T.Fatalf("the bot did not connect to %s within %v", s.URL(), patience)
		}
	}
}
