// Package daemon puts everything together: it runs the accounts of one home,
// serves the control API, and stops in order. [Run] is its entry; napCat is what
// an account of package account has as its host. It is the only package that imports nearly all
// others; what it decides by itself is little: which pair of releases runs, and
// what a reload may change.
package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/health"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
	"github.com/ncatd/ncatd/internal/systemd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// Options is what a daemon runs from. The caller holds the lock of Home for as
// long as Run runs.
type Options struct {
	Home home.Dir
	// ConfigPath is the file that an adopted account number is written back to.
	ConfigPath string
	Config     *config.Config
	// LoadConfig resolves the config again for a reload; nil forbids reloads.
	LoadConfig func() (*config.Config, error)
	Secrets    *config.Secrets
	// LoadSecrets brings the tokens of the accounts of a new config.
	LoadSecrets func(*config.Config) (*config.Secrets, error)
	// RenewSecrets is LoadSecrets after new tokens were made for one account.
	RenewSecrets func(c *config.Config, account string) (*config.Secrets, error)
	Version      string
	Log          *slog.Logger
	LogLevel     *slog.LevelVar
	// LogLost tries whether a log that failed works again, and returns how many
	// lines were lost as long as it does not. nil is allowed.
	LogLost func() int
	// Hub is what watchers hear from; the log's handler may publish to it too.
	Hub *control.Hub
	// Only, if not empty, is the one account to run.
	Only string
	// Environ is the environment that children's is made of.
	Environ []string
	// Scripts is the folder of the bot's scripts; "" for that of the home.
	Scripts string
	// Bot is the program's bot. nil runs the accounts without one.
	Bot *ncat.Bot
	// Ready is called once, when the control API listens and the accounts are
	// being driven; nil is allowed.
	Ready func()
	// Self is what concerns the program itself.
	Self Self
	// Reload and Dump deliver the signals of these names; nil is allowed.
	Reload, Dump <-chan struct{}
}

// Self is what a daemon is told of its program.
type Self struct {
	// Again is called when the process shall begin anew after [Run] has returned;
	// nil: it cannot.
	Again func()
	// Left returns a version that was left for the one before, nil if none was.
	Left func() *api.LeftVersion
}

// Daemon is a running daemon. It implements [control.Backend].
type Daemon struct {
	o        Options
	log      *slog.Logger
	hub      *control.Hub
	metrics  *control.Metrics
	notify   *systemd.Notifier
	store    *install.Store
	releases *releases
	display  *launch.Display
	sampler  *proc.Sampler
	ports    *Ports
	bots     *bots
	apps     *apps
	crashes  *crashes
	health   *health.Registry
	ailing   chan struct{} // 1 slot: health changed
	alerts   *alerts
	fleet    *member // nil: this host is not one of a fleet
	record   *recorder

	lifetime
	configured
}

// lifetime is that of the accounts.
type lifetime struct {
	started time.Time
	run     context.Context // ended by the stop
	cancel  context.CancelCauseFunc
	wg      sync.WaitGroup
}

// configured is what a reload changes, and what a stop was told.
type configured struct {
	reloads sync.Mutex // held during a reload: there is one at a time

	mu       sync.Mutex // guards the fields below; nothing that lasts is done with it
	cfg      *config.Config
	secrets  *config.Secrets
	slots    []*slot // config order
	keep     bool    // leave NapCat running at the stop
	again    bool    // the process goes on after the stop, with the program that lies at its path
	stopping bool
}

// slot is one account of the config and what runs for it.
type slot struct {
	acc    *account.Account
	host   *napCat
	cancel context.CancelFunc
	done   chan struct{} // closed when acc.Run has returned
	// next is the account's new config after a reload, taken at its restart.
	next *napCatConfig
	// wanted is whether the account shall run.
	wanted bool
}

// readyTimeout is how long the first state of the accounts may take before the
// daemon calls itself ready without them. It takes microseconds.
const readyTimeout = 5 * time.Second

var errStopAsked = errors.New("a stop was asked for")

// Run runs the daemon until ctx ends or its stop is asked for, and returns when
// nothing of it is left. It returns nil after an orderly stop.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.Home.Make(); err != nil {
		return err
	}
	if err := proc.BecomeSubreaper(); err != nil {
		o.Log.Warn("orphans of NapCat may escape", "err", err)
	}
	store, err := install.Open(string(o.Home))
	if err != nil {
		return err
	}
	d := &Daemon{
		o: o, log: o.Log, hub: o.Hub, metrics: control.NewMetrics(), notify: systemd.New(),
		store: store, sampler: proc.NewSampler(), ports: NewPorts(),
		lifetime: lifetime{started: time.Now()}, configured: configured{cfg: o.Config, secrets: o.Secrets},
	}
	if d.hub == nil {
		d.hub = new(control.Hub)
	}
	if d.crashes, err = newCrashes(o.Home, d.accountOf); err != nil {
		o.Log.Warn("a crash of ncatd would leave no trace", "err", err)
	}
	defer func() { err = errors.Join(err, d.crashes.close()) }()
	if c := d.crashes.snapshot(); c != nil && d.crashes.fresh {
		o.Log.Error("ncatd had ended in a panic", "time", c.Time, "panic", c.Panic, "stack", c.Stack)
	}
	d.ailing = make(chan struct{}, 1)
	d.record = newRecorder(d)
	d.health = health.New(o.Log, d.degraded)
	if d.bots, err = newBots(ctx, d); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.bots.close()) }()
	d.alerts = newAlerts(d)
	d.apps = newApps(d)
	if d.fleet, err = d.openFleet(ctx, o.Config.Bus); err != nil {
		return err
	}
	d.releases = newReleases(store, func() config.NapCat { return d.config().NapCat }, o.Log)
	d.display = launch.NewDisplay(ctx, launch.DisplayOptions{
		Mode:      o.Config.Display,
		Inherited: environ(o.Environ, "DISPLAY"),
		Authority: xauthority(o.Environ),
		StateFile: o.Home.Join("run", "xvfb.json"),
		Marker:    displayMarker(o.Secrets.Control),
		Logger:    o.Log,
	})
	defer func() { err = errors.Join(err, d.display.Close()) }()

	d.run, d.cancel = context.WithCancelCause(ctx)
	defer d.cancel(nil)
	for _, c := range o.Config.Accounts {
		d.slots = append(d.slots, d.newSlot(d.accountConfig(c), o.Only == "" || o.Only == c.Name))
	}
	return d.serve()
}

// serve runs the control API, the accounts and what serves the service manager
// until the stop.
func (d *Daemon) serve() error {
	listening := make(chan struct{})
	server, cert, err := d.newServer(func() { close(listening) })
	if err != nil {
		return err
	}
	d.handOut(server)
	// The server outlives the accounts, so that a stop can be watched.
	sctx, stopServer := context.WithCancel(context.WithoutCancel(d.run))
	defer stopServer()
	served := make(chan error, 1)
	go func() { served <- server.Run(sctx) }() // awaited below
	select {
	case err := <-served:
		return err
	case <-listening:
	}

	stopFleet := d.runFleet()
	d.mu.Lock()
	for _, s := range d.slots {
		d.startLocked(s)
	}
	d.mu.Unlock()
	d.apps.start(d.run, d.o.Config, d.secrets)
	var side sync.WaitGroup
	side.Go(func() { d.signals(d.run) })
	side.Go(func() { d.watchdog(d.run) })
	side.Go(func() { newUpdates(d).run(d.run) })
	side.Go(func() { d.tend(d.run, cert) })
	side.Go(func() { d.showHealth(d.run) })
	if d.o.Config.Control.Console {
		side.Go(func() { d.record.run(d.run) })
	}
	side.Go(func() { d.bots.runScripts(d.run) })
	if err := d.alive(d.run, readyTimeout); err != nil && d.run.Err() == nil {
		d.log.Warn("an account is slow to begin", "err", err)
	}
	side.Go(func() { d.alerts.run(d.run) }) // when the accounts are no longer as at the start
	d.log.Info("ncatd is ready", "version", d.o.Version, "home", string(d.o.Home), "accounts", len(d.slots))
	d.tell(d.notify.Ready())
	d.told()
	if d.o.Ready != nil {
		d.o.Ready()
	}

	var failed error
	select {
	case <-d.run.Done():
	case failed = <-served:
		served <- nil
		d.cancel(failed)
	}
	d.beginStop()
	d.log.Info("ncatd is stopping", "keep_napcat", d.keeps())
	side.Wait()
	d.wg.Wait()
	if err := d.apps.close(); err != nil {
		d.log.Warn("the record of events was not closed", "err", err)
	}
	stopFleet()
	stopServer()
	if err := <-served; failed == nil {
		failed = err
	}
	d.log.Info("ncatd has stopped")
	return failed
}

// beginStop says that the daemon stops; a process that begins anew does not end.
func (d *Daemon) beginStop() {
	d.mu.Lock()
	d.stopping = true
	again := d.again
	d.mu.Unlock()
	if again {
		d.tell(d.notify.Reloading())
	} else {
		d.tell(d.notify.Stopping())
	}
}

// accountOf returns the name of the account with that number, the number if the
// config does not have it.
func (d *Daemon) accountOf(id onebot.UserID) string {
	for _, a := range d.config().Accounts {
		if a.UIN == int64(id) {
			return a.Name
		}
	}
	return strconv.FormatInt(int64(id), 10)
}

// newSlot makes the account of c. It starts nothing.
func (d *Daemon) newSlot(c napCatConfig, wanted bool) *slot {
	s := &slot{wanted: wanted}
	s.acc, s.host = d.newAccount(c)
	return s
}

// startLocked runs a slot's account.
func (d *Daemon) startLocked(s *slot) {
	ctx, cancel := context.WithCancel(d.run)
	s.cancel, s.done = cancel, make(chan struct{})
	acc, host, done := s.acc, s.host, s.done
	if s.wanted {
		acc.Want(true)
	}
	d.wg.Go(func() {
		defer close(done)
		d.runAccount(ctx, acc, host)
	})
}

func (d *Daemon) runAccount(ctx context.Context, acc *account.Account, host *napCat) {
	if err := errors.Join(acc.Run(ctx), host.Close()); err != nil {
		d.log.Error("account ended badly", "account", acc.Name(), "err", err)
	}
}

func (d *Daemon) newAccount(c napCatConfig) (*account.Account, *napCat) {
	name := c.Account.Name
	host := newNapCat(c, napCatDeps{
		Logger:  d.log,
		Display: d.display,
		Sampler: d.sampler,
		Ports:   d.ports,
		Health:  d.health,
		Pair: func(ctx context.Context, installing func(api.Fault)) (install.Pair, error) {
			steps := new(installSteps)
			return d.releases.pair(ctx, func(e install.Event) {
				d.installed(name, e)
				if step := steps.of(e); step.Code != "" {
					installing(step)
				}
			})
		},
		Online:    d.releases.online,
		NotOnline: d.releases.notOnline,
		NewTokens: func() (tokens, error) { return d.newTokens(name) },
		Log: func(r api.LogRecord) {
			if d.hub.Wants("log") {
				d.hub.Publish(api.WatchItem{Kind: "log", Account: r.Account, Log: &r})
			}
		},
	})
	ao := d.accountOptions(c, host)
	if d.fleet != nil {
		ao.Host = &leased{Host: host, d: d, name: name}
	}
	return account.New(ao), host
}

// accountOptions is what an account is made of that has host.
func (d *Daemon) accountOptions(c napCatConfig, host *napCat) account.Options {
	name := c.Account.Name
	return account.Options{
		Name: name, Policy: c.policy(), StopTimeout: c.Supervisor.StopTimeout.D(), ProbeTimeout: c.Supervisor.Health.ProbeTimeout.D(),
		Logger: d.log.With("account", name), Store: host.store, Host: host,
		Link:      func(emit func(account.Fact)) account.Connection { return d.bots.link(name, emit, host.trust) },
		Token:     func() string { return host.secrets().oneBot.Reveal() },
		Say:       say,
		Degraded:  func() []api.Degraded { return d.health.Of(name) },
		Changed:   d.changed,
		Restarted: func(why supervisor.Reason) { d.metrics.Restart(name, string(why)) },
		Remember:  func(uin int64) { d.remember(name, uin) },
	}
}

func (d *Daemon) accountConfig(c config.Account) napCatConfig {
	cfg, secrets := d.cfg, d.secrets.Accounts[c.Name]
	return napCatConfig{
		Account:     c,
		ExtraArgs:   cfg.NapCat.ExtraArgs,
		OwnMessages: ownMessages(cfg, c.Name),
		Supervisor:  cfg.Supervisor,
		Dir:         d.o.Home.Account(c.Name),
		LogFile:     d.o.Home.Join("accounts", c.Name, "napcat.log"),
		LogSize:     int64(cfg.Log.MaxSize),
		LogsAll:     int64(cfg.Log.MaxTotal),
		WebUIToken:  secrets.WebUI,
		OneBotToken: secrets.OneBot,
		Environ:     systemd.Scrub(d.o.Environ),
	}
}

// newTokens makes new tokens for an account.
func (d *Daemon) newTokens(name string) (tokens, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.o.RenewSecrets(d.cfg, name)
	if err != nil {
		return tokens{}, err
	}
	d.secrets = s
	a := s.Accounts[name]
	return tokens{webUI: a.WebUI, oneBot: a.OneBot}, nil
}

// changed takes a new snapshot of an account to whatever watches.
func (d *Daemon) changed(a api.Account, transition bool) {
	d.hub.Publish(api.WatchItem{Kind: "state", Account: a.Name, State: &a})
	d.alerts.changed()
	if d.fleet != nil {
		d.fleet.Changed()
	}
	if transition {
		d.bots.report()
		d.told()
	}
}

// degraded notes that the reasons why an account is degraded changed. Whatever
// finds such a thing may hold any lock.
func (d *Daemon) degraded(string) {
	select {
	case d.ailing <- struct{}{}:
	default:
	}
}

// showHealth takes changes of what is degraded to whatever watches, until ctx
// ends.
func (d *Daemon) showHealth(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.ailing:
		}
		d.mu.Lock()
		slots := slices.Clone(d.slots)
		d.mu.Unlock()
		for _, s := range slots {
			s.acc.Republish()
		}
	}
}

// installed logs one step of an install for the account that waits for it.
func (d *Daemon) installed(account string, e install.Event) {
	attrs := []any{"account", account, "product", string(e.Product), "version", e.Version}
	if e.URL != "" {
		attrs = append(attrs, "url", e.URL)
	}
	switch e.Kind {
	case install.EventDownload, install.EventUnpack:
		d.log.Debug("install: "+string(e.Kind), append(attrs, "bytes", e.Bytes, "total", e.Total)...)
	case install.EventFailed:
		d.log.Warn("install: source given up", append(attrs, "err", e.Error)...)
	case install.EventNote:
		d.log.Warn("install: note", append(attrs, "code", e.Code, "message", e.Message)...)
	default:
		d.log.Info("install: "+string(e.Kind), append(attrs, "bytes", e.Total)...)
	}
}

// remember writes the number of an account that was adopted back to the config
// file, so that the next start knows whom to expect.
func (d *Daemon) remember(account string, uin int64) {
	d.log.Info("account adopted", "account", account, "uin", uin)
	if err := config.AdoptUIN(d.o.ConfigPath, account, uin); err != nil {
		d.log.Warn("the account's number could not be written to the config; it is remembered all the same", "account", account, "config", d.o.ConfigPath, "err", err)
	}
}

func (d *Daemon) config() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}

func (d *Daemon) keeps() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.keep
}

// slotOf returns the slot of an account.
func (d *Daemon) slotOf(account string) (*slot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slotLocked(account)
}

func (d *Daemon) slotLocked(account string) (*slot, error) {
	i := slices.IndexFunc(d.slots, func(s *slot) bool { return s.acc.Name() == account })
	if i < 0 {
		names := make([]string, len(d.slots))
		for i, s := range d.slots {
			names[i] = s.acc.Name()
		}
		return nil, control.Refuse(control.CodeNoAccount, api.Because(api.CodeNoAccount, account, strings.Join(names, ", ")))
	}
	return d.slots[i], nil
}

// signals serves SIGHUP and SIGUSR1 until ctx ends.
func (d *Daemon) signals(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.o.Reload:
			if _, err := d.Reload(ctx); err != nil {
				d.log.Error("reload refused, the old config stays in force", "err", err)
			}
		case <-d.o.Dump:
			d.dump()
		}
	}
}

// displayMarker returns the value that tells our Xvfb from all others: the same
// for every daemon of this home, and not to be guessed.
func displayMarker(secret config.Secret) string {
	sum := sha256.Sum256([]byte("display:" + secret.Reveal()))
	return hex.EncodeToString(sum[:16])
}

// xauthority returns the file of X cookies that ncatd's own programs would use.
// QQ has a home of its own and would look for it there.
func xauthority(env []string) string {
	if file := environ(env, "XAUTHORITY"); file != "" {
		return file
	}
	file := filepath.Join(environ(env, "HOME"), ".Xauthority")
	if _, err := os.Stat(file); err != nil || !filepath.IsAbs(file) {
		return ""
	}
	return file
}
