package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ncatd/ncatd/onebot"
)

// Options configures a [Gateway].
type Options struct {
	// Dir is where the records of events are kept, "" for memory only.
	Dir    string
	Logger *slog.Logger
	// Sent is told of each event that goes out live to an app. Nil: nobody. It
	// must return at once.
	Sent func(app, account string, raw []byte)
}

// Gateway serves accounts to apps. It is safe for concurrent use.
type Gateway struct {
	o     Options
	large chan struct{} // 1 slot: a large request is being read or sent

	mu   sync.Mutex // guards the field below
	accs map[string]*Account
}

// New returns a gateway without apps. It starts nothing.
func New(o Options) *Gateway {
	return &Gateway{o: o, large: make(chan struct{}, 1), accs: map[string]*Account{}}
}

// Account returns the account with that name, which it makes if need be.
func (g *Gateway) Account(name string) *Account {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.accs[name]
	if a == nil {
		a = newAccount(name)
		g.accs[name] = a
	}
	return a
}

// Feed hands an event of an account to the apps that want it. They get it with
// the next [Account.Flush].
func (g *Gateway) Feed(a *Account, ev *Event) {
	var sent func(app string, raw []byte)
	if g.o.Sent != nil {
		sent = func(app string, raw []byte) { g.o.Sent(app, a.name, raw) }
	}
	a.feed(ev, sent)
}

// App returns an app. It starts nothing.
func (g *Gateway) App(c Config) (*App, error) {
	if len(c.Accounts) == 0 {
		return nil, fmt.Errorf("app %s: no account", c.Name)
	}
	a := &App{c: c, g: g, log: c.Logger.With("app", c.Name), links: map[*link]bool{}}
	for _, name := range c.Accounts {
		a.accs = append(a.accs, g.Account(name))
	}
	return a, nil
}

// Hold keeps the events of all accounts until release is called, as if an app used
// them, so that no app misses any while it makes room for another form of itself.
func (g *Gateway) Hold() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := slices.Collect(maps.Values(g.accs))
	for _, a := range held {
		a.hold()
	}
	return func() {
		for _, a := range held {
			a.unuse()
		}
	}
}

// Close ends the records. No app may run any more.
func (g *Gateway) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, a := range g.accs {
		a.mu.Lock()
		errs = append(errs, a.record.close())
		a.record.disk = nil
		if a.late != nil {
			a.late.Stop()
		}
		if a.cancel != nil {
			a.cancel()
		}
		a.mu.Unlock()
	}
	return errors.Join(errs...)
}

// revive makes an event of a record's entry.
func (g *Gateway) revive(e entry) (*Event, bool) {
	ev, err := onebot.Decode(e.raw)
	if err != nil {
		return nil, false
	}
	return &Event{Type: e.typ, Event: ev, Raw: e.raw}, true
}

func spoolPath(dir, account string) string { return filepath.Join(dir, account+".events") }

// cutName returns what follows /name in a path.
func cutName(path, name string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, "/"+name)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	if rest == "" {
		rest = "/"
	}
	return rest, true
}

// names reports whether a path begins with the name of an account, and not with what
// each app has.
func (g *Gateway) names(path string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name := range g.accs {
		if _, ok := cutName(path, name); ok && name != "api" && name != "event" {
			return true
		}
	}
	return false
}

// await returns the account's number as soon as it is known.
func (a *Account) await(ctx context.Context) (int64, error) {
	select {
	case <-a.known:
		return a.Self(), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}
