package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/napcat/install"
)

func TestUpdates(t *testing.T) {
	for _, c := range []struct {
		name, mode, source string
		installed, planned string
		newest             string
		newestErr          error
		wantLog            string
		wantInstalls       int
	}{
		{name: "notify of what the catalogue knows", mode: "notify", installed: "4.18.13", planned: "4.18.19", newest: "4.18.19", wantLog: `hint="ncatd upgrade"`},
		{name: "notify of what it does not", mode: "notify", installed: "4.18.19", planned: "4.18.19", newest: "4.19.0", wantLog: `hint="ncatd upgrade --to 4.19.0"`},
		{name: "nothing newer", mode: "notify", installed: "4.18.19", planned: "4.18.19", newest: "4.18.19"},
		{name: "auto", mode: "auto", installed: "4.18.13", planned: "4.18.19", newest: "4.18.19", wantInstalls: 1, wantLog: "updated by itself"},
		{name: "auto does not guess", mode: "auto", installed: "4.18.19", planned: "4.18.19", newest: "4.19.0", wantLog: "a newer NapCat is published"},
		{name: "off", mode: "off", installed: "4.18.13", planned: "4.18.19", newest: "4.18.19"},
		{name: "own package", mode: "auto", source: "/x.zip", installed: "4.18.13", planned: "4.18.19", newest: "4.18.19"},
		{name: "nobody answers", mode: "auto", installed: "4.18.13", planned: "4.18.19", newestErr: errors.New("no network"), wantLog: "no look"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				log := slog.New(slog.NewTextHandler(&out, nil))
				now := install.Pair{NapCat: install.Release{Version: c.installed}, QQ: install.Release{Version: "3.2.30-50969"}}
				installs, restarts := 0, 0
				u := &updates{
					d:       &Daemon{log: log, configured: configured{cfg: &config.Config{NapCat: config.NapCat{Update: c.mode, Source: c.source}}}},
					current: func() (install.Pair, error) { return now, nil },
					newest:  func(context.Context) (string, error) { return c.newest, c.newestErr },
					plan: func(context.Context, install.Request) (install.Plan, error) {
						return install.Plan{NapCat: install.PlanItem{Version: c.planned}}, nil
					},
					install: func(context.Context, install.Request) (install.Pair, error) {
						installs++
						now.NapCat.Version = c.planned
						return now, nil
					},
					restart: func(context.Context) error { restarts++; return nil },
					newer:   &newer{},
				}
				ctx, cancel := context.WithTimeout(t.Context(), 72*time.Hour)
				defer cancel()
				u.run(ctx)
				if installs != c.wantInstalls || restarts != c.wantInstalls {
					t.Errorf("%d installs, %d restarts, want %d", installs, restarts, c.wantInstalls)
				}
				if c.wantLog == "" && out.Len() > 0 || !strings.Contains(out.String(), c.wantLog) {
					t.Errorf("logged %s", out.String())
				}
				if c.newestErr == nil && strings.Count(out.String(), "\n") > 1 {
					t.Errorf("said more than once: %s", out.String())
				}
			})
		})
	}
}

// A newer ncatd is told of once, and stands in the status until it runs; a newer
// NapCat until it is installed.
func TestNewerReleases(t *testing.T) {
	for _, c := range []struct {
		name, mode, runs, newest string
		err                      error
		want                     string
	}{
		{name: "newer", mode: "notify", runs: "v1.2.0", newest: "1.3.0", want: "1.3.0"},
		{name: "the same", mode: "notify", runs: "1.3.0", newest: "1.3.0"},
		{name: "older", mode: "auto", runs: "1.4.0", newest: "1.3.0"},
		{name: "off", mode: "off", runs: "1.2.0", newest: "1.3.0"},
		{name: "no version", mode: "notify", runs: "dev", newest: "1.3.0"},
		{name: "nobody answers", mode: "notify", runs: "1.2.0", err: errors.New("no network")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			n := &newer{}
			u := &updates{
				d: &Daemon{log: slog.New(slog.NewTextHandler(&out, nil)), o: Options{Version: c.runs},
					configured: configured{cfg: &config.Config{NapCat: config.NapCat{Update: c.mode}}}},
				own:   func(context.Context) (string, error) { return c.newest, c.err },
				newer: n,
			}
			for range 3 {
				if err := u.lookOwn(t.Context()); !errors.Is(err, c.err) {
					t.Fatal(err)
				}
			}
			got := ""
			for _, r := range n.than(nil) {
				got += r.Version
			}
			if got != c.want || strings.Count(out.String(), "\n") != len(n.than(nil)) {
				t.Errorf("found %q, want %q; logged %s", got, c.want, out.String())
			}
		})
	}
	n, installed := &newer{}, "4.18.13"
	current := func() (install.Pair, error) {
		return install.Pair{NapCat: install.Release{Version: installed}}, nil
	}
	if !n.found(ofNapCat, "4.18.19", installed) || n.found(ofNapCat, "4.18.19", installed) || !n.found(ofNapCat, "4.19.0", installed) {
		t.Error("a release is not told of once")
	}
	if got := n.than(current); len(got) != 1 || got[0].Version != "4.19.0" || got[0].Runs != "4.18.13" {
		t.Errorf("newer: %+v", got)
	}
	if installed = "4.19.0"; len(n.than(current)) != 0 {
		t.Error("what is installed is called newer")
	}
}
