package script

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
)

// Environment is what plugins get from where they run.
type Environment struct {
	Log    *slog.Logger
	Limits Limits
	// Grants returns what the operator gave to a plugin, Section its part of the
	// configuration.
	Grants  func(id string) Grants
	Section func(id string) map[string]any
	// Report is told when a plugin's newest version cannot run, or why it was
	// ended, with nil when that is over.
	Report func(id string, err error)
	// Rehearse is done before what may be nested too deeply is bundled; nil: nothing.
	Rehearse Rehearsal
	// VirtualTime says that scripts shall see the time of package time, which is
	// that of a bubble in tests.
	VirtualTime bool
}

// Plugin is a script as an [ncat.Plugin].
type Plugin struct {
	env *Environment
	at  atomic.Pointer[location] // where it lies; see where
	id  string

	score   score
	running atomic.Pointer[version]  // for callers that do not wait
	acts    atomic.Pointer[ncat.Bot] // likewise; nil unless it runs or is being set up

	changing sync.Mutex // orders loads; guards the fields below
	prepared *bundle    // taken by the next load, or with pinned by all
	pinned   bool
	host     *ncat.Host
	life     context.Context // of its machines; nil unless it runs

	gate    sync.RWMutex // held for writing while one version takes over from another; guards the fields below
	current *version
	changed chan struct{} // closed when current changes

	mu       sync.Mutex // guards the fields below
	err      error      // of the newest version, if that does not run
	version  string
	loads    int
	draining sync.WaitGroup
}

var (
	_ ncat.PluginCloser   = (*Plugin)(nil)
	_ ncat.PluginDepender = (*Plugin)(nil)
)

func newPlugin(env *Environment, where location) *Plugin {
	p := &Plugin{env: env, id: where.name, version: "0", changed: make(chan struct{})}
	p.at.Store(&where)
	if m, err := where.manifest(); err == nil {
		p.id, p.version = m.ID, m.Version
	}
	return p
}

// where returns where the plugin lies.
func (p *Plugin) where() location { return *p.at.Load() }

// ID implements [ncat.Plugin].
func (p *Plugin) ID() string { return p.id }

// Version implements [ncat.Plugin].
func (p *Plugin) Version() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version
}

// DependsOn implements [ncat.PluginDepender].
func (p *Plugin) DependsOn() []string {
	m, err := p.where().manifest()
	if err != nil {
		return nil // Setup says so
	}
	return m.Needs
}

// Prepare bundles the plugin ahead of the next load, such as its Setup in a bubble
// of package synctest, in which the bundler's goroutines must not begin.
func (p *Plugin) Prepare() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	m, err := p.where().manifest()
	if err == nil {
		p.prepared, err = p.where().build(m, p.env.Rehearse)
	}
	return err
}

// Setup implements [ncat.Plugin].
func (p *Plugin) Setup(ctx context.Context, h *ncat.Host) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	p.host, p.life = h, context.WithoutCancel(ctx)
	p.acts.Store(h.Bot)
	v, err := p.load(ctx, nil)
	if err == nil {
		if _, err = v.lifecycle(ctx, p.env.Limits.Setup, "onLoad", ""); err == nil {
			err = v.bind(h)
		}
		if err != nil {
			v.m.stop()
		}
	}
	p.told(err)
	if err != nil {
		p.forget()
		return err
	}
	p.install(v)
	return nil
}

// Close implements [ncat.PluginCloser].
func (p *Plugin) Close(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	v := p.install(nil)
	if v != nil {
		v.unload(ctx)
	}
	p.draining.Wait()
	p.forget()
	return nil
}

func (p *Plugin) forget() {
	p.host, p.life = nil, nil
	p.acts.Store(nil)
}

// install makes v the present version and returns the one before.
func (p *Plugin) install(v *version) *version {
	p.gate.Lock()
	defer p.gate.Unlock()
	return p.installLocked(v)
}

func (p *Plugin) installLocked(v *version) *version {
	old := p.current
	p.current = v
	p.running.Store(v)
	close(p.changed)
	p.changed = make(chan struct{})
	if v != nil {
		p.mu.Lock()
		p.version = v.manifest.Version
		p.loads++
		p.mu.Unlock()
	}
	return old
}

// load bundles the plugin, or takes an earlier bundle, and starts a machine with
// it.
func (p *Plugin) load(ctx context.Context, again *version) (*version, error) {
	if again != nil {
		return p.start(ctx, &version{p: p, manifest: again.manifest, bundle: again.bundle})
	}
	return p.loadUnless(ctx, nil)
}

// loadUnless bundles the plugin and starts a machine with it, unless that is the
// same as before: then the version is nil.
func (p *Plugin) loadUnless(ctx context.Context, same *version) (*version, error) {
	v := &version{p: p}
	var err error
	if v.manifest, err = p.where().manifest(); err != nil {
		return nil, err
	}
	if v.manifest.ID != p.id {
		return nil, &buildError{[]Problem{{File: manifestName, What: api.Because(api.CodeScriptIDChanged, p.id, v.manifest.ID), Hint: api.Because(api.CodeScriptIDChangedHint)}}}
	}
	if v.bundle = p.prepared; !p.pinned {
		p.prepared = nil
	}
	if v.bundle == nil {
		if v.bundle, err = p.where().build(v.manifest, p.env.Rehearse); err != nil {
			return nil, err
		}
	}
	if same != nil && same.bundle.code == v.bundle.code && reflect.DeepEqual(same.manifest, v.manifest) && p.Err() == nil {
		return nil, nil
	}
	return p.start(ctx, v)
}

// start starts a machine for v.
func (p *Plugin) start(ctx context.Context, v *version) (*version, error) {
	config, err := v.manifest.settings(p.env.Section(p.id))
	if err != nil {
		return nil, err
	}
	info := pluginInfo{Manifest: v.manifest, Dir: p.where().dir, file: p.where().bundleName(), ctx: p.life}
	info.setup, err = jsonText(map[string]any{
		"actions": apiNames(), "config": config, "virtual": p.env.VirtualTime,
		"plugin": map[string]any{"id": v.manifest.ID, "version": v.manifest.Version, "description": v.manifest.Description},
	})
	if err != nil {
		return nil, err
	}
	v.m = newMachine(info, p.env.Limits, p.env.Log, v.bundle.source, p)
	if v.specs, err = v.m.start(ctx, v.bundle.code); err != nil {
		v.m.stop()
		return nil, err
	}
	return v, nil
}

// Reload puts the version that lies on the disk in the place of the present one.
// On error that one goes on.
func (p *Plugin) Reload(ctx context.Context) error {
	_, err := p.reload(ctx, true, true)
	return err
}

// reload is Reload and reports whether a new version took over; without always
// nothing happens if nothing changed, without tell a failure is not reported yet and
// files that are still being written, or were when they were read, are no new version.
func (p *Plugin) reload(ctx context.Context, always, tell bool) (taken bool, err error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.life == nil {
		return false, errNotRunning
	}
	var same *version
	if !always {
		same = p.running.Load()
	}
	before := p.where().stamp()
	v, err := p.loadUnless(ctx, same)
	if !tell && (v != nil || err != nil) && (p.where().stamp() != before || slices.ContainsFunc(p.where().files(), openForWriting)) {
		if v != nil {
			v.m.stop()
		}
		return false, errHalf
	}
	if err == nil && v != nil {
		err = p.takeOver(ctx, v)
	}
	if err == nil || tell {
		p.told(err)
	}
	return v != nil && err == nil, err
}

// errHalf is why what was read is not the new version.
var errHalf = errors.New("a file of the plugin is still being written")

var errNotRunning = Fail(api.Because(api.CodeScriptStopped), nil)

// maxState bounds what goes over from one version to the next: both machines and the
// program hold it at that moment.
const maxState = 4 << 20

// takeOver lets v take over from the present version between two events.
func (p *Plugin) takeOver(ctx context.Context, v *version) error {
	p.gate.Lock()
	old := p.current
	state := ""
	var err error
	if old != nil && old.m.ctx.Err() == nil {
		if state, err = old.lifecycle(ctx, p.env.Limits.Unload, "onReload", ""); err != nil {
			p.env.Log.Error("state of the plugin is lost", "plugin", p.id, "error", err)
			state = ""
		} else if len(state) > maxState {
			p.env.Log.Error("state of the plugin is lost", "plugin", p.id, "error", fmt.Sprintf("onReload returned %d bytes, at most %d MiB go over", len(state), maxState>>20))
			state = ""
		}
	}
	if _, err = v.lifecycle(ctx, p.env.Limits.Unload, "onLoad", state); err == nil {
		err = p.host.Replace(v.bind)
	}
	if err != nil {
		p.gate.Unlock()
		v.m.stop()
		return err
	}
	p.installLocked(v)
	p.gate.Unlock()
	if old != nil {
		life := p.life
		p.draining.Go(func() { old.unload(life) })
	}
	return nil
}

// told keeps and reports whether the newest version runs.
func (p *Plugin) told(err error) {
	p.mu.Lock()
	same := p.err == nil && err == nil
	p.err = err
	p.mu.Unlock()
	if !same {
		p.report(err)
	}
}

func (p *Plugin) report(err error) {
	if p.env.Report != nil {
		p.env.Report(p.id, err)
	}
}

// Err returns why the newest version of the plugin does not run, nil if it does.
func (p *Plugin) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// bot implements outside.
func (p *Plugin) bot() *ncat.Bot { return p.acts.Load() }

func (p *Plugin) granted() Grants { return p.env.Grants(p.id) }

// failed implements outside: it counts a failure, makes a machine anew that was
// ended, and switches the plugin off when it fails all the time.
func (p *Plugin) failed(m *machine, err error, n float64) {
	over := p.score.add(n)
	v := p.running.Load()
	if v == nil || v.m != m {
		return // being set up, or on its way out
	}
	if n >= scoreKilled {
		p.env.Log.Error("plugin was ended", "plugin", p.id, "error", err)
		p.report(err)
	}
	switch {
	case over || errors.Is(err, errStuck):
		reason := api.Because(api.CodeScriptOff, p.id)
		if errors.Is(err, errStuck) {
			reason = api.Because(api.CodeScriptOffStuck, p.id)
		}
		go p.switchOff(reason, err) // the caller is the machine that ends
	case m.ctx.Err() != nil:
		go p.remake(v)
	}
}

// switchOff ends the plugin for a reason, which err is part of.
func (p *Plugin) switchOff(reason api.Fault, err error) {
	why := Fail(reason.With(Fault(err)), err)
	p.changing.Lock()
	h := p.host
	if h != nil {
		p.told(why)
	}
	p.changing.Unlock()
	if h != nil {
		h.Fail(why)
	}
}

// remakePause keeps a plugin that is ended again and again from eating a
// processor.
const remakePause = 100 * time.Millisecond

// remake makes the machine of v, which was ended, anew.
func (p *Plugin) remake(v *version) {
	p.gate.RLock()
	cur, changed := p.current, p.changed
	p.gate.RUnlock()
	if cur != v {
		return
	}
	// Before it has the lock, which Close would wait for: in a test no time passes then.
	t := time.NewTimer(remakePause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.life == nil || p.running.Load() != v {
		return
	}
	next, err := p.load(p.life, v)
	if err == nil {
		err = p.takeOver(p.life, next)
	}
	if err != nil {
		go p.switchOff(api.Because(api.CodeScriptOffAnew, p.id), err)
		return
	}
	p.env.Log.Info("plugin was made anew", "plugin", p.id)
	p.report(p.Err())
}
