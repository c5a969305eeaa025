package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/health"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcat/conffile"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/launch"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/schedule"
	"github.com/ncatd/ncatd/internal/systemd"
	"github.com/ncatd/ncatd/ncat"
)

// asStarted returns a daemon as [Run] has made it from a config, whose accounts
// nobody wants to run, and what ends it.
func asStarted(t testing.TB, dir string, c *config.Config, log slog.Handler) (d *Daemon, end func()) {
	t.Helper()
	store, err := install.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := home.Dir(dir)
	d = &Daemon{
		o: Options{
			Home: h, Config: c, LogLevel: new(slog.LevelVar), Bot: ncat.New(), Only: "\x00nobody",
			LoadSecrets: func(c *config.Config) (*config.Secrets, error) { return config.EnsureSecrets(h.Secrets(), c, "") },
		},
		log: slog.New(log), hub: new(control.Hub), metrics: control.NewMetrics(), notify: systemd.New(), store: store,
		sampler: proc.NewSampler(), ports: NewPorts(), configured: configured{cfg: c}, ailing: make(chan struct{}, 1), crashes: &crashes{},
	}
	d.health = health.New(d.log, d.degraded)
	if d.secrets, err = d.o.LoadSecrets(c); err != nil {
		t.Fatal(err)
	}
	if d.bots, err = newBots(t.Context(), d); err != nil {
		t.Fatalf("a config that loads does not start: %v", err)
	}
	d.releases = newReleases(store, func() config.NapCat { return d.config().NapCat }, d.log)
	d.display = launch.NewDisplay(t.Context(), launch.DisplayOptions{Mode: c.Display})
	d.alerts, d.apps = newAlerts(d), newApps(d)
	d.run, d.cancel = context.WithCancelCause(context.Background())
	for _, a := range c.Accounts {
		d.slots = append(d.slots, d.newSlot(d.accountConfig(a), false))
	}
	d.mu.Lock()
	for _, s := range d.slots {
		d.startLocked(s)
	}
	d.mu.Unlock()
	return d, func() {
		d.cancel(nil)
		d.wg.Wait()
		if err := errors.Join(d.apps.close(), d.bots.close(), d.display.Close()); err != nil {
			t.Error(err)
		}
	}
}

// begin does with a config what else a start does with its values.
func begin(t testing.TB, d *Daemon, dir string) {
	c := d.cfg
	if _, err := control.New(control.Options{Backend: d, Hub: d.hub, Log: d.log, Metrics: control.NewMetrics(), Socket: d.o.Home.Socket(), Listen: c.Control.Listen, Token: d.secrets.Control, LogDir: dir}); err != nil {
		t.Fatalf("control: %v", err)
	}
	eventLog(t.Context(), d.log, c.Log.Events)
	if spec := c.Supervisor.RestartAt; spec != "" {
		s, err := schedule.Parse(spec, time.Local)
		if err != nil {
			t.Fatalf("restart_at %q: %v", spec, err)
		}
		at := time.Now()
		for range 3 {
			next := s.Next(at)
			if next.IsZero() {
				break
			}
			if !next.After(at) {
				t.Fatalf("restart_at %q is due at once, for ever", spec)
			}
			at = next
		}
	}
	for _, s := range d.slots {
		s.acc.Snapshot()
		conffile.Network(conffile.Object{}, s.host.oneBotServer(3001, s.host.secrets().oneBot), s.host.c.Account.Networks, nil)
		s.host.c.policy()
	}
}

// FuzzConfigReload: whatever a config says, check, start (as far as a config goes)
// and reload do not panic, and agree on whether it is one.
func FuzzConfigReload(f *testing.F) {
	for _, spec := range []string{"CRON_TZ=Asia/Shanghai", "TZ=", "@every 0s", "@every 1ns", "0 4 * * 7", "每天 4:00", "* * * * *", "CRON_TZ=x 0 4 * * *", "0 0 31 2 *"} {
		f.Add("supervisor: {restart_at: \"" + spec + "\"}\n")
	}
	f.Add("accounts: [{name: a}, {name: b, uin: 10001}]\nlog: {level: debug, events: all}\nbot: {prefixes: [\"!\"], admins: [1], queue: 1}\n")
	f.Add("bot: {send_rate: 1/0s, send_rate_chat: 99999999999/1ns, plugins: {disable: [\"*\"]}, plugin_config: {x: {y: null}}}\n")
	f.Add("control: {listen: \"[::]:0\"}\ndisplay: none\nnapcat: {keep: 1, version: latest, mirrors: [\"%\"]}\n")
	f.Add("accounts:\n  - name: a\n    networks: {websocketClients: [{name: x, url: \"ws://h\"}]}\n    onebot: {host: \"::\", port: 65535, heartbeat: 1s}\n")
	f.Add("supervisor: {memory_limit: 1B, health: {probe_timeout: 1ns}, restart: {initial: 0s, max: 0s, jitter: 1, score_limit: 0}}\n")
	f.Fuzz(func(t *testing.T, src string) {
		dir := t.TempDir()
		path := filepath.Join(dir, "ncatd.yaml")
		if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		load := func() (*config.Config, error) { return config.Load(path, nil, nil) }
		checked, bad := load()
		d, end := asStarted(t, dir, config.Default(), slog.DiscardHandler)
		defer end()
		d.o.LoadConfig = load
		if _, err := d.reload(t.Context()); (err == nil) != (bad == nil) {
			t.Fatalf("%q: check says %v, reload %v", src, bad, err)
		}
		if bad != nil {
			return
		}
		begin(t, d, dir)
		started, end := asStarted(t, filepath.Join(dir, "home"), checked, slog.DiscardHandler)
		defer end()
		begin(t, started, dir)
	})
}

// panicky is a log that panics at a message.
type panicky struct {
	slog.Handler
	at  string
	had *strings.Builder
}

func (p panicky) Enabled(context.Context, slog.Level) bool { return true }

func (p panicky) Handle(_ context.Context, r slog.Record) error {
	p.had.WriteString(r.Message + "\n")
	if r.Message == p.at {
		panic(p.at)
	}
	return nil
}

func (p panicky) WithAttrs([]slog.Attr) slog.Handler { return slog.DiscardHandler }

// TestPanicInReloadKeepsTheConfig: wherever a reload panics, all of the old config
// stays in force, and it is told.
func TestPanicInReloadKeepsTheConfig(t *testing.T) {
	for name, spoil := range map[string]func(d *Daemon, log *panicky){
		"config": func(d *Daemon, _ *panicky) { d.o.LoadConfig = func() (*config.Config, error) { panic("config") } },
		"secrets": func(d *Daemon, _ *panicky) {
			d.o.LoadSecrets = func(*config.Config) (*config.Secrets, error) { panic("secrets") }
		},
		"accounts": func(d *Daemon, _ *panicky) {
			d.o.LoadSecrets = func(*config.Config) (*config.Secrets, error) { return nil, nil }
		},
		"the end": func(_ *Daemon, log *panicky) { log.at = "config reloaded" },
	} {
		t.Run(name, func(t *testing.T) {
			var had strings.Builder
			log := &panicky{Handler: slog.DiscardHandler, had: &had}
			c := config.Default()
			d, end := asStarted(t, t.TempDir(), c, log)
			defer end()
			d.o.LoadConfig = func() (*config.Config, error) {
				c := config.Default()
				c.Log.Level, c.Bot.Prefixes = "debug", []string{"?"}
				c.Accounts = []config.Account{config.DefaultAccount("another")}
				return c, nil
			}
			spoil(d, log)
			was := d.slots[0]
			_, err := d.Reload(t.Context())
			var e *api.Error
			if !errors.As(err, &e) || e.Code != control.CodeInternal || !strings.Contains(had.String(), "reload panicked") {
				t.Errorf("told as %v; log: %s", err, had.String())
			}
			if d.config() != c || len(d.slots) != 1 || d.slots[0] != was || was.next != nil || d.o.LogLevel.Level() != slog.LevelInfo {
				t.Errorf("in force: %v, %d accounts, level %v", d.config() == c, len(d.slots), d.o.LogLevel.Level())
			}
			select {
			case <-was.done:
				t.Error("the old account was ended")
			default:
			}
			// Nothing of the new config runs on.
			was.cancel()
			ended := make(chan struct{})
			go func() { d.wg.Wait(); close(ended) }()
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Error("the new account runs on")
			}
		})
	}
}
