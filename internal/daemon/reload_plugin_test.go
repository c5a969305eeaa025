package daemon

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/ncat"
)

// asking is a plugin whose Setup asks the daemon something, as those that are
// scripts do, and tells what its settings are.
type asking struct {
	d   *Daemon
	got chan time.Duration
}

func (asking) ID() string      { return "asking" }
func (asking) Version() string { return "1" }

func (p asking) Setup(_ context.Context, h *ncat.Host) error {
	var c struct {
		Every time.Duration `json:"every"`
	}
	if err := h.Config(&c); err != nil {
		return err
	}
	p.d.config()
	p.got <- c.Every
	return nil
}

// TestReloadReachesPlugins: settings that change come to their plugin without a
// restart; those it does not take leave it as it was, and stand in the status.
func TestReloadReachesPlugins(t *testing.T) {
	c := config.Default()
	c.Bot.PluginConfig = map[string]any{"asking": map[string]any{"every": "30s"}}
	d, end := asStarted(t, t.TempDir(), c, slog.DiscardHandler)
	defer end()
	got := make(chan time.Duration, 8)
	if err := d.bots.bot.InsertPlugin(t.Context(), asking{d, got}); err != nil {
		t.Fatal(err)
	}
	await := func(want time.Duration) {
		t.Helper()
		select {
		case v := <-got:
			if v != want {
				t.Errorf("set up with %v, want %v", v, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("not set up with %v", want)
		}
	}
	await(30 * time.Second)
	reload := func(every string) []string {
		t.Helper()
		d.o.LoadConfig = func() (*config.Config, error) {
			next := *c
			next.Bot.PluginConfig = map[string]any{"asking": map[string]any{"every": every}}
			return &next, nil
		}
		r, err := d.Reload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Restart) > 0 {
			t.Errorf("wants a restart for %q", r.Restart)
		}
		return r.Applied
	}
	status := func() (state, why string) {
		for _, p := range d.bots.plugins() {
			if p.ID == "asking" {
				return p.State, p.Error
			}
		}
		return "", ""
	}
	if a := reload("1m"); !slices.Contains(a, "bot.plugin_config.asking") {
		t.Errorf("applied %q", a)
	}
	await(time.Minute)
	if a := reload("soon"); slices.Contains(a, "bot.plugin_config.asking") {
		t.Errorf("a bad section counts as applied: %q", a)
	}
	if state, why := status(); state != ncat.PluginRunning || why == "" {
		t.Errorf("after a bad section: %s %q, want running and why", state, why)
	}
	reload("2m")
	await(2 * time.Minute)
	if state, why := status(); state != ncat.PluginRunning || why != "" {
		t.Errorf("after a good section: %s %q", state, why)
	}
}

// TestConfigInChat: what an admin sets in the chat stands in the file and reaches
// the plugin at once; what the plugin does not take stands nowhere.
func TestConfigInChat(t *testing.T) {
	c := config.Default()
	d, end := asStarted(t, t.TempDir(), c, slog.DiscardHandler)
	defer end()
	d.o.ConfigPath = filepath.Join(t.TempDir(), "ncatd.yaml")
	d.o.LoadConfig = func() (*config.Config, error) { return config.Load(d.o.ConfigPath, nil, nil) }
	got := make(chan time.Duration, 8)
	if err := d.bots.bot.InsertPlugin(t.Context(), asking{d, got}); err != nil {
		t.Fatal(err)
	}
	if v := <-got; v != 0 {
		t.Errorf("set up with %v", v)
	}
	e := configEditor{d}
	if v, err := e.SetPluginValue(t.Context(), "asking", "every", "45s"); err != nil || v != "45s" || <-got != 45*time.Second {
		t.Errorf("set: %q, %v", v, err)
	}
	if v, err := e.PluginValue(t.Context(), "asking", ""); err != nil || v != "every: 45s" {
		t.Errorf("all: %q, %v", v, err)
	}
	before, err := os.ReadFile(d.o.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := e.SetPluginValue(t.Context(), "asking", "every", "soon"); err == nil || !strings.Contains(err.Error(), "插件不接受") {
		t.Errorf("a bad value: %q, %v", v, err)
	}
	if now, err := os.ReadFile(d.o.ConfigPath); err != nil || string(now) != string(before) {
		t.Errorf("%v:\n%s", err, now)
	}
}

// Defaults implements [ncat.PluginConfigurer].
func (asking) Defaults() any {
	return &struct {
		Every time.Duration `json:"every"`
	}{}
}
