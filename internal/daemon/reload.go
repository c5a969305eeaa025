package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
)

// Reload implements [control.Backend]. What it applies live: the log level, the
// bot's settings, accounts that are new (started) or gone (stopped). What an
// account was started with is taken at its next restart, what the daemon was
// started with at the daemon's.
//
// A panic anywhere in it leaves the old config in force.
func (d *Daemon) Reload(ctx context.Context) (r api.ReloadResponse, err error) {
	defer func() {
		if v := recover(); v != nil {
			d.log.Error("reload panicked, the old config stays in force", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			r, err = api.ReloadResponse{}, control.Refuse(control.CodeInternal, api.Because(api.CodeReloadPanicked, v))
		}
		d.judged(err)
	}()
	if r, err = d.reload(ctx); err == nil {
		r.Applied = append(r.Applied, d.bots.reloadPlugins()...)
	}
	return r, err
}

// judged shows whether the config that lies there was refused.
func (d *Daemon) judged(err error) {
	var e *api.Error
	switch {
	case err == nil:
		d.health.Clear("", api.CodeConfigRejected)
	case errors.As(err, &e) && e.Code == control.CodeConflict: // it was not looked at
	default:
		d.health.Set("", api.CodeConfigRejected, rejected(err))
	}
}

// rejected names the place of the first problem of a config, since its sentence has
// a language; what is no problem of the config in its own words.
func rejected(err error) string {
	if ce, ok := errors.AsType[*config.Error](err); ok && len(ce.Problems) > 0 {
		p := ce.Problems[0]
		return strings.TrimSuffix(p.Place.String()+": "+p.Key, ": ")
	}
	why, _, _ := strings.Cut(err.Error(), "\n")
	return why
}

func (d *Daemon) reload(ctx context.Context) (r api.ReloadResponse, err error) {
	if d.o.LoadConfig == nil {
		return r, control.Refuse(control.CodeConflict, api.Because(api.CodeReloadNone))
	}
	d.reloads.Lock()
	defer d.reloads.Unlock()
	d.tell(d.notify.Reloading())
	defer func() { d.tell(d.notify.Ready()); d.told() }()
	cfg, err := d.o.LoadConfig()
	if err != nil {
		return r, errors.Join(&api.Error{Code: control.CodeBadConfig, Message: err.Error(), Hint: "mend the config and reload again; the old one stays in force"}, err)
	}
	secrets, err := d.o.LoadSecrets(cfg)
	if err != nil {
		return r, fmt.Errorf("reload: %w", err)
	}
	was, err := d.beginReload()
	if err != nil {
		return r, err
	}
	defer d.wg.Done()
	done := false
	defer d.undoUnless(&done, was)
	r, gone := d.apply(ctx, cfg, secrets)
	// Without the lock: the end of an app may take as long as it is given.
	for _, name := range d.apps.start(d.run, cfg, secrets) {
		r.Applied = append(r.Applied, "apps."+name)
	}
	d.log.Info("config reloaded", "applied", r.Applied, "restart", r.Restart)
	done = true
	for _, s := range gone {
		s.cancel()
	}
	return r, nil
}

// beginReload returns what is in force, unless the daemon stops. A stop waits from now
// on until d.wg.Done is called.
func (d *Daemon) beginReload() (inForce, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.stoppingLocked(); err != nil {
		return inForce{}, err
	}
	d.wg.Add(1)
	return d.inForceLocked(), nil
}

// apply puts a config in force, but for its apps. It returns the accounts that are to
// be ended.
func (d *Daemon) apply(ctx context.Context, cfg *config.Config, secrets *config.Secrets) (r api.ReloadResponse, gone []*slot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r = api.ReloadResponse{Applied: []string{}, Restart: []string{}}
	old := d.cfg
	d.cfg, d.secrets = cfg, secrets
	if old.Log.Level != cfg.Log.Level && d.o.LogLevel != nil {
		if err := d.o.LogLevel.UnmarshalText([]byte(cfg.Log.Level)); err == nil {
			r.Applied = append(r.Applied, "log.level")
		}
	}
	logs, olds := cfg.Log, old.Log
	logs.Level, olds.Level = "", ""
	if logs != olds {
		r.Restart = append(r.Restart, "log")
	}
	if !reflect.DeepEqual(old.Bot, cfg.Bot) {
		applied, restart := d.bots.configure(ctx, old.Bot, cfg.Bot)
		r.Applied, r.Restart = append(r.Applied, applied...), append(r.Restart, restart...)
	}
	if old.Scripts.Limits != cfg.Scripts.Limits {
		r.Restart = append(r.Restart, "scripts.limits")
	}
	if !reflect.DeepEqual(old.Scripts.Grants, cfg.Scripts.Grants) || old.Scripts.TellAdmins != cfg.Scripts.TellAdmins {
		r.Applied = append(r.Applied, "scripts")
	}
	if !reflect.DeepEqual(napcatOf(old), napcatOf(cfg)) {
		r.Applied = append(r.Applied, "napcat")
	}
	if old.Display != cfg.Display {
		r.Restart = append(r.Restart, "display")
	}
	if !reflect.DeepEqual(old.Control, cfg.Control) {
		r.Restart = append(r.Restart, "control")
	}
	if old.Bus != cfg.Bus {
		r.Restart = append(r.Restart, "bus")
	}
	d.reloadAlerts(old.Alerts, cfg.Alerts, &r)
	return r, d.reloadAccountsLocked(old, cfg, &r)
}

// inForce is what a reload changes.
type inForce struct {
	cfg     *config.Config
	secrets *config.Secrets
	slots   []*slot
	next    []*napCatConfig // of slots
	level   slog.Level
}

func (d *Daemon) inForceLocked() inForce {
	f := inForce{cfg: d.cfg, secrets: d.secrets, slots: slices.Clone(d.slots)}
	for _, s := range d.slots {
		f.next = append(f.next, s.next)
	}
	if d.o.LogLevel != nil {
		f.level = d.o.LogLevel.Level()
	}
	return f
}

// undoUnless brings back what was in force before a reload that panics.
func (d *Daemon) undoUnless(done *bool, was inForce) {
	if *done {
		return
	}
	d.undo(was)
	d.bots.live(was.cfg.Bot)
	d.alerts.configure(was.cfg.Alerts)
	d.apps.start(d.run, was.cfg, was.secrets)
}

func (d *Daemon) undo(was inForce) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.slots {
		if !slices.Contains(was.slots, s) {
			s.cancel()
		}
	}
	d.cfg, d.secrets, d.slots = was.cfg, was.secrets, was.slots
	for i, s := range was.slots {
		s.next = was.next[i]
	}
	if d.o.LogLevel != nil {
		d.o.LogLevel.Set(was.level)
	}
}

// napcatOf leaves out what belongs to each account's start.
func napcatOf(c *config.Config) config.NapCat {
	n := c.NapCat
	n.ExtraArgs = nil
	return n
}

// reloadAccountsLocked starts the accounts that are new, and returns those that
// are to be ended.
func (d *Daemon) reloadAccountsLocked(old, cfg *config.Config, r *api.ReloadResponse) (gone []*slot) {
	var slots []*slot
	for _, c := range cfg.Accounts {
		key := "accounts." + c.Name
		next := d.accountConfig(c)
		s, err := d.slotLocked(c.Name)
		if err != nil {
			s = d.newSlot(next, d.o.Only == "" || d.o.Only == c.Name)
			d.startLocked(s)
			d.slots = append(d.slots, s) // so that it is not lost if this panics
			slots = append(slots, s)
			r.Applied = append(r.Applied, key)
			continue
		}
		slots = append(slots, s)
		if d.sameAccount(old, next) {
			s.next = nil
			continue
		}
		s.next = &next
		r.Restart = append(r.Restart, key)
	}
	for _, s := range d.slots {
		if !slices.Contains(slots, s) {
			gone = append(gone, s)
			r.Applied = append(r.Applied, "accounts."+s.acc.Name())
		}
	}
	d.slots = slots
	return gone
}

// sameAccount reports whether an account started with the old config needs no
// restart to be as next says.
func (d *Daemon) sameAccount(old *config.Config, next napCatConfig) bool {
	i := slices.IndexFunc(old.Accounts, func(a config.Account) bool { return a.Name == next.Account.Name })
	if i < 0 {
		return false
	}
	was, is := old.Accounts[i], next.Account
	if was.UIN == 0 {
		was.UIN = is.UIN // written back by ourselves
	}
	return reflect.DeepEqual(was, is) && reflect.DeepEqual(old.Supervisor, next.Supervisor) && slices.Equal(old.NapCat.ExtraArgs, next.ExtraArgs)
}
