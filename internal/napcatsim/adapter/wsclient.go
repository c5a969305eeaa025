package adapter

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// wsClient is a reverse WebSocket (contract E.4). It knows one current
// connection; what an older one still receives is answered on the current one,
// and the end of an older one forgets the current one. Both are quirks of the
// host that show when the url is changed while connected.
type wsClient struct {
	n *Network

	mu      sync.Mutex
	c       Entry
	enabled bool
	conn    *link // nil: events and answers are dropped
	err     string
	stop    context.CancelFunc // ends the reconnecting of this opening
	beat    chan struct{}
}

func newWSClient(n *Network, c Entry) *wsClient { return &wsClient{n: n, c: c} }

func (a *wsClient) kind() Kind { return WebSocketClients }

func (a *wsClient) open() {
	ctx, stop := context.WithCancel(a.n.ctx)
	a.mu.Lock()
	a.enabled, a.stop = true, stop
	a.startBeatLocked()
	a.mu.Unlock()
	a.n.goes(func() { a.connect(ctx) })
}

func (a *wsClient) startBeatLocked() {
	if a.beat != nil || a.c.HeartInterval <= 0 {
		return
	}
	stop, ms := make(chan struct{}), a.c.HeartInterval
	a.beat = stop
	a.n.goes(func() {
		t := time.NewTicker(max(time.Millisecond, time.Duration(ms*float64(time.Millisecond))))
		defer t.Stop()
		for {
			select {
			case <-t.C:
			case <-stop:
				return
			case <-a.n.ctx.Done():
				return
			}
			if !a.n.Faults().NoHeartbeat {
				a.sendNow(a.n.heartbeat(ms))
			}
		}
	})
}

func (a *wsClient) stopBeatLocked() {
	if a.beat != nil {
		close(a.beat)
		a.beat = nil
	}
}

func (a *wsClient) entry() Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.c
}

// connect makes one connection and serves it to its end, then waits and tries
// again in a goroutine of its own while this opening lasts.
func (a *wsClient) connect(ctx context.Context) {
	c := a.entry()
	err := a.session(ctx, c)
	a.mu.Lock()
	again := a.enabled
	a.mu.Unlock()
	if !again || a.n.ctx.Err() != nil {
		return
	}
	if err != nil {
		a.n.o.Log("error", fmt.Sprintf("[OneBot] [WebSocket Client] 反向WebSocket (%s) 连接错误 %v", c.URL, err))
	} else {
		a.n.o.Log("error", fmt.Sprintf("[OneBot] [WebSocket Client] 反向WebSocket (%s) 连接意外关闭", c.URL))
	}
	wait := a.entry().ReconnectInterval
	a.n.o.Log("error", "[OneBot] [WebSocket Client] 在 "+jsval.FormatNumber(wait/1000)+" 秒后尝试重新连接")
	if !a.n.sleep(time.Duration(wait * float64(time.Millisecond))) {
		return
	}
	a.mu.Lock()
	again, latest := a.enabled, a.n.ctx
	a.mu.Unlock()
	if again {
		a.connect(latest)
	}
}

// session makes one connection and serves it until it ends. The error says that
// none came about.
func (a *wsClient) session(ctx context.Context, c Entry) error {
	a.n.gate()
	dctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var raw net.Conn
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if a.n.Faults().Away {
			return nil, errAway
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		raw = conn
		return conn, err
	}
	tr := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: !c.VerifyCertificate}}
	defer tr.CloseIdleConnections()
	h := http.Header{}
	h.Set("X-Self-ID", strconv.FormatInt(a.n.o.Host.SelfID(), 10))
	h.Set("Authorization", "Bearer "+c.Token)
	h.Set("x-client-role", "Universal")
	h.Set("User-Agent", "OneBot/11")
	ws, _, err := websocket.Dial(dctx, c.URL, &websocket.DialOptions{ //nolint:bodyclose // the library closes it
		HTTPClient: &http.Client{Transport: tr}, HTTPHeader: h, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		a.mu.Lock()
		a.err = err.Error()
		a.mu.Unlock()
		return err
	}
	l := a.n.newLink(ws, raw, true, maxPayload)
	a.mu.Lock()
	if ctx.Err() != nil {
		a.mu.Unlock()
		l.end()
	} else {
		a.conn, a.err = l, ""
		a.mu.Unlock()
		a.sendNow(a.n.lifecycle())
		a.n.o.Connected()
	}
	l.read(func(frame []byte) { a.n.request(frame, a.entry(), "不支持的Api ", a.reply) })
	a.mu.Lock()
	a.conn = nil
	a.mu.Unlock()
	return nil
}

func (a *wsClient) sendNow(frame []byte) bool {
	a.mu.Lock()
	l := a.conn
	a.mu.Unlock()
	if l != nil {
		l.send(frame)
	}
	return l != nil
}

// reply answers on the current connection, whichever that is by now.
func (a *wsClient) reply(frame []byte) {
	if !a.sendNow(frame) {
		a.n.o.Log("warn", "[OneBot] [WebSocket Client] WebSocket is not open")
	}
}

func (a *wsClient) close() {
	a.mu.Lock()
	l := a.conn
	a.enabled, a.conn = false, nil
	a.stopBeatLocked()
	stop := a.stop
	a.mu.Unlock()
	if stop != nil {
		stop()
	}
	if l != nil {
		l.end()
	}
}

func (a *wsClient) reload(c Entry) (gone bool) {
	a.mu.Lock()
	old := a.c
	a.c = c
	a.mu.Unlock()
	if !c.Enable {
		a.close()
		return true
	}
	if old.URL != c.URL {
		a.close()
		a.open()
		return false
	}
	if old.HeartInterval != c.HeartInterval {
		a.mu.Lock()
		a.stopBeatLocked()
		a.startBeatLocked()
		a.mu.Unlock()
	}
	return false
}

func (a *wsClient) active() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.enabled && a.conn != nil
}

func (a *wsClient) emit(e *event) {
	if c := a.entry(); e.wanted(c) {
		a.sendNow(e.encode(c))
	}
}

func (a *wsClient) status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Status{Name: a.c.Name, Kind: WebSocketClients, Enabled: a.enabled, Addr: a.c.URL, Up: a.conn != nil, Error: a.err}
	if s.Up {
		s.Clients = 1
	}
	return s
}
