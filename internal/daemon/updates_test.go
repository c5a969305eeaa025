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
