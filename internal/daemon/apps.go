package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/bot"
	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/companion"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/gateway"
	"github.com/ncatd/ncatd/internal/logfile"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// apps are the programs that use the accounts: their endpoints, and those of them
// that ncatd runs. Without any nothing runs here.
type apps struct {
	d  *Daemon
	gw *gateway.Gateway

	mu    sync.Mutex // guards the fields below
	list  []*app     // config order
	ports map[string]int
	up    map[string]bool // accounts that came online once
	wg    sync.WaitGroup
}

// app is one of them.
type app struct {
	c      config.App
	token  string
	served *gateway.App
	comp   *companion.Companion // nil: ncatd does not run it
	url    atomic.Pointer[string]
	cancel context.CancelFunc
	done   chan struct{}
	logs   []*logfile.Writer
}

func newApps(d *Daemon) *apps {
	a := &apps{d: d, up: map[string]bool{}}
	a.gw = gateway.New(gateway.Options{Dir: d.o.Home.Data(), Logger: d.log, Sent: a.sent})
	if b, err := os.ReadFile(a.portsFile()); err == nil {
		_ = json.Unmarshal(b, &a.ports) // without it ports are chosen anew
	}
	if a.ports == nil {
		a.ports = map[string]int{}
	}
	return a
}

func (a *apps) portsFile() string { return a.d.o.Home.Join("data", "app-ports.json") }

// sent tells the watchers of an app.
func (a *apps) sent(app, account string, raw []byte) {
	if a.d.hub.Wants("app_event") {
		a.d.hub.Publish(api.WatchItem{Kind: "app_event", Account: account, App: app, Event: raw})
	}
}

// start runs the apps of a config beside those that run, and ends those that it
// does not have or has otherwise. It returns which.
func (a *apps) start(ctx context.Context, cfg *config.Config, secrets *config.Secrets) (changed []string) {
	for _, w := range config.AppWarnings(cfg) {
		a.d.log.Warn("unwise in the config", "problem", text.T(text.English, "warn."+w.Code, w.Args...))
	}
	for _, acc := range cfg.Accounts {
		a.gw.Account(acc.Name).SetSelf(acc.UIN)
	}
	a.mu.Lock()
	var kept, ended []*app
	for _, old := range a.list {
		i := slices.IndexFunc(cfg.Apps, func(c config.App) bool { return c.Name == old.c.Name })
		if i >= 0 && reflect.DeepEqual(resolved(cfg, cfg.Apps[i]), old.c) && secrets.Apps[old.c.Name].Reveal() == old.token {
			kept = append(kept, old)
			continue
		}
		ended = append(ended, old)
		changed = append(changed, old.c.Name)
	}
	a.mu.Unlock()
	defer a.gw.Hold()()
	for _, old := range ended {
		old.cancel()
	}
	for _, old := range ended {
		<-old.done
	}
	a.sweep(cfg)
	var list []*app
	for _, c := range cfg.Apps {
		if i := slices.IndexFunc(kept, func(old *app) bool { return old.c.Name == c.Name }); i >= 0 {
			list = append(list, kept[i])
			continue
		}
		n, err := a.newApp(cfg, resolved(cfg, c), secrets.Apps[c.Name].Reveal())
		if err != nil {
			a.d.log.Error("app not started", "app", c.Name, "err", err)
			continue
		}
		n.served.Open()
		a.run(ctx, n)
		list = append(list, n)
		if !slices.Contains(changed, c.Name) {
			changed = append(changed, c.Name)
		}
	}
	a.mu.Lock()
	a.list = list
	a.mu.Unlock()
	for _, n := range list {
		a.wake(n)
	}
	return changed
}

// sweep ends what a killed ncatd left running of apps that a config does not run.
func (a *apps) sweep(cfg *config.Config) {
	dirs, _ := os.ReadDir(a.d.o.Home.Join("apps")) // none: no app was ever run
	for _, dir := range dirs {
		if slices.ContainsFunc(cfg.Apps, func(c config.App) bool { return len(c.Run.Command) > 0 && c.Name == dir.Name() }) {
			continue
		}
		if err := companion.Sweep(a.stateOf(dir.Name()), cfg.Supervisor.StopTimeout.D()); err != nil {
			a.d.log.Warn("what is left of an app may run on", "app", dir.Name(), "err", err)
		}
	}
}

// stateOf is where the state of an app's process is.
func (a *apps) stateOf(app string) string { return a.d.o.Home.Join("apps", app, ".ncatd") }

// resolved is an app with all that it leaves to the config around it.
func resolved(cfg *config.Config, c config.App) config.App {
	if len(c.Accounts) == 0 {
		for _, acc := range cfg.Accounts {
			c.Accounts = append(c.Accounts, acc.Name)
		}
	}
	return c
}

func (a *apps) newApp(cfg *config.Config, c config.App, token string) (*app, error) {
	n := &app{c: c, token: token, done: make(chan struct{})}
	g := gateway.Config{
		Name: c.Name, Accounts: c.Accounts, Token: token, Rights: gateway.NewRights(c.Allow),
		Filter: gateway.Filter{Types: c.Events.Types, Groups: c.Events.Groups, Users: c.Events.Users, Prefixes: c.Events.Prefixes},
		Replay: gateway.Replay{Age: c.Replay.Age.D(), Events: c.Replay.Events}, Heartbeat: c.Heartbeat.D(),
		Folders: gateway.Folders{Own: slices.Clone(c.Files), Private: []string{string(a.d.o.Home)}, Open: a.told(c)}, Logger: a.d.log,
		Called: a.called(n), Linked: func(up bool) {
			if n.comp != nil {
				n.comp.Linked(up)
			}
		},
	}
	if count, per, err := config.ParseRate(c.SendRate); err == nil && count > 0 {
		g.Rate = rate.NewLimiter(rate.Every(per/time.Duration(count)), count)
	}
	for _, t := range c.Transports {
		switch t {
		case config.TransportForward:
			g.WebSocket = true
		case config.TransportHTTP:
			g.HTTP = true
		case config.TransportSSE:
			g.SSE = true
		case config.TransportReverse:
			g.Reverse = gateway.Reverse{URL: c.Reverse.URL, APIURL: c.Reverse.APIURL, EventURL: c.Reverse.EventURL, Interval: c.Reverse.Interval.D()}
		case config.TransportWebhook:
			g.Webhook = gateway.Webhook{URL: c.Webhook.URL, Timeout: c.Webhook.Timeout.D()}
		}
	}
	if c.Listens() {
		port, err := a.port(c)
		if err != nil {
			return nil, err
		}
		g.Listen = net.JoinHostPort(c.Listen.Host, strconv.Itoa(port))
	}
	where := endpointOf(c, g.Listen)
	n.url.Store(&where)
	if len(c.Run.Command) > 0 {
		g.Folders.Own = append(g.Folders.Own, a.dir(c))
		var err error
		if n.comp, err = a.companion(cfg, n); err != nil {
			return nil, err
		}
	}
	var err error
	n.served, err = a.gw.App(g)
	return n, err
}

// told returns the folders in which NapCat keeps what an app hears of: received
// media, and what the app brought there itself by stream upload.
func (a *apps) told(c config.App) (patterns []string) {
	for _, name := range c.Accounts {
		qq := filepath.Join(a.d.o.Home.Account(name), "home", ".config", "QQ")
		patterns = append(patterns, filepath.Join(qq, "NapCat", "temp"), filepath.Join(qq, "nt_qq*", "nt_data"))
	}
	return patterns
}

// port returns where an app is waited for: the port of the config, else the one
// that it had last, else a free one.
func (a *apps) port(c config.App) (int, error) {
	if c.Listen.Port != 0 {
		a.d.ports.Hold("app/"+c.Name, c.Listen.Port)
		return c.Listen.Port, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	port, err := a.d.ports.Choose("app/"+c.Name, c.Listen.Host, a.ports[c.Name])
	if err != nil || a.ports[c.Name] == port {
		return port, err
	}
	a.ports[c.Name] = port
	b, err := json.Marshal(a.ports)
	if err == nil {
		err = atomicfile.Write(a.portsFile(), b, 0o600)
	}
	if err != nil {
		a.d.log.Warn("the app's port is not remembered", "app", c.Name, "err", err)
	}
	return port, nil
}

// endpointOf returns the address of an app's first transport.
func endpointOf(c config.App, listen string) string {
	if host, port, err := net.SplitHostPort(listen); err == nil {
		listen = net.JoinHostPort(reachable(host), port)
	}
	path := "/"
	if len(c.Accounts) > 1 {
		path += c.Accounts[0] + "/"
	}
	switch c.Transports[0] {
	case config.TransportForward:
		return "ws://" + listen + path
	case config.TransportReverse:
		for _, u := range []string{c.Reverse.URL, c.Reverse.EventURL, c.Reverse.APIURL} {
			if u != "" {
				return withoutQuery(u)
			}
		}
	case config.TransportWebhook:
		return withoutQuery(c.Webhook.URL)
	}
	return "http://" + listen + path
}

func withoutQuery(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	u.RawQuery = ""
	return u.Redacted()
}

// dir is where a companion runs.
func (a *apps) dir(c config.App) string {
	if c.Run.Dir != "" {
		return c.Run.Dir
	}
	return a.d.o.Home.Join("apps", c.Name)
}

// called returns what writes the access log of an app.
func (a *apps) called(n *app) func(account, action string, retcode int, took time.Duration, params []byte) {
	log := a.d.o.Config.Log
	w := logfile.NewWriter(a.d.o.Home.Join("logs", "app-"+n.c.Name+".access.log"), int64(log.MaxSize), int64(log.MaxTotal), nil)
	n.logs = append(n.logs, w)
	full := log.Events == "full"
	return func(account, action string, retcode int, took time.Duration, params []byte) {
		a.d.metrics.AppCall(n.c.Name, action, retcode, took)
		b := fmt.Appendf(nil, `{"time":%q,"app":%q,"account":%q,"action":%s,"retcode":%d,"ms":%.1f`, time.Now().Format(time.RFC3339Nano), n.c.Name, account, quoted(action), retcode, float64(took.Microseconds())/1000)
		if full && len(params) > 0 && len(params) < 64<<10 {
			b = append(append(b, `,"params":`...), onOneLine(params)...)
		}
		_, _ = w.Write(append(b, "}\n"...)) // a log that fails counts what it lost
	}
}

// onOneLine returns what an app sent as JSON without line ends.
func onOneLine(params []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, params) != nil {
		return quoted(string(params))
	}
	return b.Bytes()
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s[:min(len(s), 128)]) // a string always encodes
	return b
}

// run serves an app, and what ncatd runs of it.
func (a *apps) run(ctx context.Context, n *app) {
	ctx, n.cancel = context.WithCancel(ctx)
	a.wg.Go(func() {
		defer close(n.done)
		defer func() {
			for _, w := range n.logs {
				_ = w.Close() // its last line is out
			}
		}()
		// The endpoint outlives the process, which says goodbye on it.
		sctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := n.served.Run(sctx); err != nil && sctx.Err() == nil {
				a.d.log.Error("app is not served any more", "app", n.c.Name, "err", err)
			}
		})
		if n.comp != nil {
			if err := n.comp.Run(ctx); err != nil {
				a.d.log.Error("app ended badly", "app", n.c.Name, "err", err)
			}
		}
		<-ctx.Done()
		stop()
		wg.Wait()
	})
}

// wake starts a companion whose account was online, or that runs already.
func (a *apps) wake(n *app) {
	if n.comp == nil {
		return
	}
	a.mu.Lock()
	ready := slices.ContainsFunc(n.c.Accounts, func(name string) bool { return a.up[name] })
	a.mu.Unlock()
	if ready || n.comp.Survives() {
		n.comp.Want(true)
	}
}

// fact takes what was seen of an account's link.
func (a *apps) fact(ctx context.Context, account string, f bot.Fact) {
	acc := a.gw.Account(account)
	switch f.Kind {
	case bot.Ready:
		acc.Linked(ctx, int64(f.SelfID))
		a.mu.Lock()
		first := !a.up[account]
		a.up[account] = true
		list := a.list
		a.mu.Unlock()
		if first {
			for _, n := range list {
				if slices.Contains(n.c.Accounts, account) {
					a.wake(n)
				}
			}
		}
	case bot.Down, bot.BadToken:
		acc.Away()
	case bot.Beat:
		acc.Online(f.Online)
	case bot.Offline:
		acc.Online(false)
	}
}

// feed takes an event of an account.
func (a *apps) feed(account *gateway.Account, e onebot.Event, live bool) {
	if !account.Used() || e.Base().PostType == onebot.PostMeta {
		return
	}
	a.gw.Feed(account, &gateway.Event{Type: bot.KindOf(e), Event: e, Raw: e.Base().Raw()})
	if !live {
		account.Flush()
	}
}

// own reports whether an app asks for an account's own messages.
func ownMessages(cfg *config.Config, account string) bool {
	return slices.ContainsFunc(cfg.Apps, func(c config.App) bool {
		f := gateway.Filter{Types: c.Events.Types}
		return f.Own() && slices.Contains(resolved(cfg, c).Accounts, account)
	})
}

// upstream is how apps reach an account.
type upstream struct{ link *bot.Link }

// For implements [gateway.Upstream].
func (u upstream) For(app string) onebot.Streamer { return paced{u.link.For("app/" + app)} }

// paced tells the gateway when the send rate refused a message.
type paced struct{ onebot.Streamer }

// Call implements [onebot.Caller].
func (p paced) Call(ctx context.Context, action string, params, result any) error {
	err := p.Streamer.Call(ctx, action, params, result)
	if errors.Is(err, ncat.ErrTooFast) {
		return fmt.Errorf("%w: %w", gateway.ErrTooMany, err)
	}
	return err
}

// RestartApp implements [control.Backend].
func (d *Daemon) RestartApp(name string) error {
	d.apps.mu.Lock()
	list := d.apps.list
	d.apps.mu.Unlock()
	i := slices.IndexFunc(list, func(n *app) bool { return n.c.Name == name })
	if i < 0 {
		return control.Refuse(control.CodeNotFound, api.Because(api.CodeNoApp, name))
	}
	if list[i].comp == nil {
		return control.Refuse(control.CodeConflict, api.Because(api.CodeAppForeign, name))
	}
	list[i].comp.Restart()
	return nil
}

// detach leaves the companions running at the stop.
func (a *apps) detach() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.list {
		if n.comp != nil {
			n.comp.Detach()
		}
	}
}

// close waits for all apps, whose context has ended.
func (a *apps) close() error {
	a.wg.Wait()
	return a.gw.Close()
}

// snapshot returns how the apps stand.
func (a *apps) snapshot() []api.App {
	a.mu.Lock()
	list := a.list
	a.mu.Unlock()
	out := make([]api.App, 0, len(list))
	for _, n := range list {
		s := n.served.Stats()
		v := api.App{
			Name: n.c.Name, Accounts: n.c.Accounts, Transports: n.c.Transports, URL: *n.url.Load(),
			State: api.StateWaiting, Since: s.Since, Links: s.Links, Events: s.Events, Replayed: s.Replayed, Calls: s.Calls,
			Refused: s.Refused, Failed: s.Failed, CutOff: s.Cut, Queue: s.Queue, LastError: s.LastError,
		}
		if s.Links > 0 {
			v.State = api.StateConnected
		}
		if n.comp != nil {
			c := n.comp.Status()
			v.State, v.Reason, v.Fault, v.Since, v.NextTry = api.State(c.State), string(c.Cause.Reason), c.Cause.Why, c.Since, c.NextTry
			if c.Life == 0 {
				v.Reason, v.Fault = "waiting", api.Because(api.CodeAppWaits)
			}
			v.Detail = say(v.Fault)
			v.PID, v.Restarts, v.RSSBytes = c.PID, c.Restarts, c.Usage.RSS
		}
		out = append(out, v)
	}
	return out
}

// companion makes what runs an app.
func (a *apps) companion(cfg *config.Config, n *app) (*companion.Companion, error) {
	c, s := n.c, cfg.Supervisor
	dir := a.dir(c)
	path, args := c.Run.Command[0], c.Run.Command[1:]
	if strings.ContainsRune(path, filepath.Separator) && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	w := logfile.NewWriter(a.d.o.Home.Join("logs", "app-"+c.Name+".log"), int64(cfg.Log.MaxSize), int64(cfg.Log.MaxTotal), nil)
	n.logs = append(n.logs, w)
	policy := napCatConfig{Supervisor: s}.policy().Supervisor
	policy.StartTimeout = max(policy.StartTimeout, appStartTimeout)
	var hidden []string // variables with secrets of accounts
	for _, acc := range cfg.Accounts {
		hidden = append(hidden, acc.Login.PasswordMD5Env)
	}
	linkless := !slices.ContainsFunc(c.Transports, func(t string) bool {
		return t == config.TransportForward || t == config.TransportReverse || t == config.TransportSSE
	})
	return companion.New(companion.Options{
		Name: c.Name, Path: path, Args: args, Dir: dir, State: a.stateOf(c.Name),
		User: func() (*proc.User, error) { user, _, err := userOf(c.Run.User); return user, err },
		Env:  func() []string { return a.environ(n, hidden) },
		Log:  w, Secrets: []string{n.token, url.QueryEscape(n.token), url.PathEscape(n.token)}, Policy: policy, StopTimeout: s.StopTimeout.D(), MemoryLimit: uint64(max(0, c.Run.MemoryLimit)),
		Linkless: linkless, Sampler: a.d.sampler, Logger: a.d.log, Say: say,
	})
}

// appStartTimeout is how long an app may take at least until its link is up:
// frameworks load for a while, and try again every few seconds.
const appStartTimeout = 2 * time.Minute
