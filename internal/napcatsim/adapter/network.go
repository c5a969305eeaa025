// Package adapter is the OneBot 11 side of the simulated host: the adapters of
// its configuration file over a little QQ (package world) and its actions
// (package action). [Network] is the central type; it listens, connects, reloads
// and breaks as contract B.3, B.4 and E say.
//
// Its wire code is its own and shares nothing with the clients of this project,
// so that client and simulator are not only true to each other.
package adapter

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// Options configures a [Network].
type Options struct {
	// World is the QQ behind it. Required.
	World *world.World
	// Host carries out the actions; nil makes one with the defaults of
	// [action.Options] over World.
	Host *action.Host
	// Log is handed the lines that the host prints about its adapters: the level
	// (debug, info, warn, error) and the message part of contract A.11. nil: none.
	// It may be called from several goroutines.
	Log func(level, message string)
	// Ephemeral makes port 0 pick a free port. Without it port 0 means that an
	// adapter does not listen, as with the real host.
	Ephemeral bool
	// Began is when the host's OneBot part was made: people's messages whose whole
	// second lies before it are printed and never sent (contract L.2); zero: none
	// are kept back.
	Began time.Time
	// Now is the clock of events; nil: time.Now.
	Now func() time.Time
	// Connected is called whenever a connection begins to get events. It may be
	// called from several goroutines. It may be nil.
	Connected func()
}

// Network is all adapters of one account. Its methods are safe for concurrent
// use. It starts with [Network.Apply] and ends with [Network.Close].
type Network struct {
	o    Options
	ctx  context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup // every goroutine of every adapter

	applyMu sync.Mutex // held by Apply and Close
	unsub   func()

	mu       sync.Mutex
	config   *Config
	adapters map[string]adapter
	order    []string  // names in the order of registration
	orphans  []adapter // constructed, but replaced in the registry before they were opened
	links    map[*link]struct{}
	faults   Faults
	thaw     chan struct{} // closed when nothing is frozen
}

// adapter is one entry of the configuration at work. open, close and reload are
// called by one goroutine at a time; emit and active by any, and they must not
// block.
type adapter interface {
	kind() Kind
	open()
	close()
	// reload takes over a changed entry and reports whether the adapter closed
	// itself for good.
	reload(Entry) (gone bool)
	// active reports whether the adapter would hand on an event.
	active() bool
	emit(*event)
	status() Status
}

// Status is what became of an adapter.
type Status struct {
	Name    string `json:"name"`
	Kind    Kind   `json:"kind"`
	Enabled bool   `json:"enabled"`         // what the host itself believes
	Addr    string `json:"addr,omitempty"`  // where it really listens, or the URL it connects to
	Up      bool   `json:"up"`              // it listens, or is connected
	Error   string `json:"error,omitempty"` // why it does not
	Clients int    `json:"clients"`         // connections that get events
}

// New returns a Network without any adapter.
func New(o Options) *Network {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = func(string, string) {}
	}
	if o.Connected == nil {
		o.Connected = func() {}
	}
	if o.Host == nil {
		o.Host = action.New(action.Options{World: o.World, Log: o.Log})
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &Network{
		o:        o,
		ctx:      ctx,
		stop:     stop,
		config:   DefaultConfig(),
		adapters: make(map[string]adapter),
		links:    make(map[*link]struct{}),
		thaw:     make(chan struct{}),
	}
	close(n.thaw)
	n.unsub = o.World.Subscribe(n.Emit)
	return n
}

// Config returns the configuration last applied.
func (n *Network) Config() *Config {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.config
}

// Host returns what carries out the actions.
func (n *Network) Host() *action.Host { return n.o.Host }

// World returns the world behind the network.
func (n *Network) World() *world.World { return n.o.World }

// Start applies the first configuration, as at login: all enabled adapters are
// made, then opened. Of two with one name the later replaces the earlier in the
// registry, which then keeps its port but is never opened.
func (n *Network) Start(c *Config) {
	n.applyMu.Lock()
	defer n.applyMu.Unlock()
	n.setConfig(c)
	n.o.Log("info", "[Notice] [OneBot11] "+summary(c))
	for _, k := range startOrder {
		for _, e := range c.Entries(k) {
			if e.Enable {
				n.register(e, k)
			}
		}
	}
	for _, a := range n.all() {
		a.open()
	}
}

// startOrder is the order in which adapters are made at login.
var startOrder = []Kind{HTTPServers, HTTPSseServers, HTTPClients, WebSocketServers, WebSocketClients}

// Apply takes over a changed configuration while running (contract B.4): kind
// by kind, adapters whose names are gone are closed, new enabled ones opened,
// changed ones reloaded. Called first it does what [Network.Start] does.
func (n *Network) Apply(c *Config) {
	n.mu.Lock()
	first := len(n.adapters) == 0 && n.config.JSON() == DefaultConfig().JSON()
	n.mu.Unlock()
	if first {
		n.Start(c)
		return
	}
	n.applyMu.Lock()
	defer n.applyMu.Unlock()
	old := n.setConfig(c)
	n.o.Log("info", "[Notice] [OneBot11] 配置变更前:\n"+summary(old))
	n.o.Log("info", "[Notice] [OneBot11] 配置变更后:\n"+summary(c))
	for _, k := range reloadOrder {
		now := c.Entries(k)
		for _, e := range old.Entries(k) {
			if !slices.ContainsFunc(now, func(x Entry) bool { return x.Name == e.Name }) {
				// Whatever adapter has the name now is closed, also one that an
				// earlier kind in this order took over: that is the hazard of moving
				// a name.
				n.remove(e.Name)
			}
		}
		for _, e := range now {
			if a := n.find(e.Name); a != nil {
				if a.reload(e) {
					n.forget(e.Name)
				}
			} else if e.Enable {
				n.register(e, k).open()
			}
		}
	}
}

func (n *Network) setConfig(c *Config) (old *Config) {
	n.mu.Lock()
	old, n.config = n.config, c
	n.mu.Unlock()
	n.o.Host.SetLimits(action.Limits{
		Base: c.Timeout.Base, UploadKBps: c.Timeout.UploadKBps, Max: c.Timeout.Max,
		LocalFileAsBase64: c.EnableLocalFile2Url, ParseForwards: c.ParseMultMsg,
	})
	return old
}

// summary is the table of adapters that the host prints.
func summary(c *Config) string {
	var b strings.Builder
	b.WriteString("[network] 配置加载\n")
	names := map[Kind]string{HTTPServers: "HTTP服务", HTTPSseServers: "HTTP-SSE服务", HTTPClients: "HTTP上报服务",
		WebSocketServers: "WebSocket服务", WebSocketClients: "WebSocket反向服务"}
	for _, k := range startOrder {
		for _, e := range c.Entries(k) {
			where, state := e.URL, "未启动"
			if e.URL == "" {
				where = e.Host + ":" + jsval.FormatNumber(e.Port)
			}
			if e.Enable {
				state = "已启动"
			}
			fmt.Fprintf(&b, "%s: %s, : %s\n", names[k], where, state)
		}
	}
	return b.String()
}

func (n *Network) register(e Entry, k Kind) adapter {
	var a adapter
	switch k {
	case HTTPServers, HTTPSseServers:
		a = newHTTPServer(n, e, k)
	case HTTPClients:
		a = newWebhook(n, e)
	case WebSocketServers:
		a = newWSServer(n, e)
	case WebSocketClients:
		a = newWSClient(n, e)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if old := n.adapters[e.Name]; old != nil {
		n.orphans = append(n.orphans, old)
	} else {
		n.order = append(n.order, e.Name)
	}
	n.adapters[e.Name] = a
	return a
}

func (n *Network) find(name string) adapter {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.adapters[name]
}

func (n *Network) forget(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.adapters, name)
	n.order = slices.DeleteFunc(n.order, func(s string) bool { return s == name })
}

func (n *Network) remove(name string) {
	if a := n.find(name); a != nil {
		n.forget(name)
		a.close()
	}
}

func (n *Network) all() []adapter {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]adapter, 0, len(n.order))
	for _, name := range n.order {
		out = append(out, n.adapters[name])
	}
	return out
}

// Emit hands an event to every active adapter. The network subscribes itself to
// its world; Emit is for events from elsewhere.
func (n *Network) Emit(e world.Event) {
	ev := &event{Event: e, self: n.o.Host.SelfID(), parse: n.Config().ParseMultMsg}
	if m := e.Message; m != nil && (e.Message.Self || n.active()) {
		n.logMessage(m)
	}
	if m := e.Message; m != nil && !m.Self && time.Unix(m.Time, 0).Before(n.o.Began) {
		return
	}
	for _, a := range n.all() {
		if a.active() {
			a.emit(ev)
		}
	}
}

func (n *Network) active() bool {
	return slices.ContainsFunc(n.all(), adapter.active)
}

// logMessage prints a message as the host does.
func (n *Network) logMessage(m *world.Message) {
	dir := "接收 <-"
	if m.Self {
		dir = "发送 ->"
	}
	text := m.PlainText()
	if r := []rune(text); len(r) > 80 {
		text = string(r[:80]) + "..."
	}
	if m.Chat.Type == world.InGroup {
		n.o.Log("info", fmt.Sprintf("%s 群聊 [%s(%d)] [%s(%d)] %s", dir, m.GroupName, m.Chat.Peer, m.Nickname, m.Sender, text))
		return
	}
	n.o.Log("info", fmt.Sprintf("%s 私聊 (%d) %s", dir, m.Chat.Peer, text))
}

// Status returns the state of every adapter in the order of registration.
func (n *Network) Status() []Status {
	var out []Status
	for _, a := range n.all() {
		out = append(out, a.status())
	}
	return out
}

// Addr returns where the named adapter listens, "" if it does not.
func (n *Network) Addr(name string) string {
	if a := n.find(name); a != nil {
		if s := a.status(); s.Up {
			return s.Addr
		}
	}
	return ""
}

// Call carries out an action as the WebUI's debug adapter does, with the answer
// of the HTTP adapter (contract C.8); false if there is no such action. Packets
// of a stream action but the last are dropped.
func (n *Network) Call(ctx context.Context, name string, params any) (*jsval.Object, bool) {
	if !action.Known(name) {
		return nil, false
	}
	done := make(chan *jsval.Object, 1)
	n.o.Host.Do(ctx, action.Call{Name: name, Params: params, Format: "array"}, n.goes, func(r action.Result) {
		done <- httpAnswer(r, jsval.Undefined)
	})
	select {
	case o := <-done:
		return o, true
	case <-ctx.Done():
		return httpAnswer(action.Result{Err: action.Failed(ctx.Err().Error())}, jsval.Undefined), true
	}
}

// Close ends all adapters and connections and waits for every goroutine of the
// network. It must not be called from inside an action or a log callback.
func (n *Network) Close() error {
	n.applyMu.Lock()
	defer n.applyMu.Unlock()
	n.unsub()
	for _, a := range n.all() {
		a.close()
	}
	n.mu.Lock()
	orphans := n.orphans
	n.orphans = nil
	n.adapters = make(map[string]adapter)
	n.order = nil
	n.mu.Unlock()
	for _, a := range orphans {
		a.close()
	}
	n.stop()
	n.SetFaults(Faults{})
	n.DropSockets()
	n.wg.Wait()
	return nil
}

// goes runs f in a goroutine that Close waits for.
func (n *Network) goes(f func()) {
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		f()
	}()
}

// sleep waits; false if the network closed meanwhile.
func (n *Network) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-n.ctx.Done():
		return false
	}
}
