package webui

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestQuickLogins(t *testing.T) {
	runLogins(t, []loginCase{
		{
			name:   "already online",
			napcat: func(n *napcat) { n.st.IsLogin, n.info = true, LoginInfo{UIN: 10001, Nick: "bot"} },
			cfg:    Login{UIN: 10001}, kind: OutcomeLoggedIn, steps: "online",
		},
		{
			name: "napcat's own quick login, a code beside it is not shown",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}}
				n.after(time.Second, n.issue)
				n.after(2*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, QuickStarted: true}, kind: OutcomeLoggedIn, steps: "accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("quick") != 0 {
					t.Error("a second quick login beside NapCat's own")
				}
			},
		},
		{
			name: "napcat's own quick login fails",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}}
				n.after(time.Second, func() { n.st.LoginError = refused.Message })
				n.after(1500*time.Millisecond, n.issue)
				n.after(9*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, QuickStarted: true}, kind: OutcomeLoggedIn,
			steps: "failed:quick(refused) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[0].Detail != refused.Message {
					t.Errorf("detail %q", r.events[0].Detail)
				}
				if n.count("quick") != 0 {
					t.Error("the dead ticket was tried again")
				}
			},
		},
		{
			name: "started with -q for an account without history",
			napcat: func(n *napcat) {
				n.after(time.Second, n.issue)
				n.after(3*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, QuickStarted: true}, kind: OutcomeLoggedIn,
			steps: "failed:quick(no_ticket) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.took > 4500*time.Millisecond {
					t.Errorf("took %v: a code was held back", r.took)
				}
			},
		},
		{
			name: "quick login by us, not ready at first",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10002, "other", true}, {10001, "bot", true}}
				n.issue()
				tries := 0
				n.quick = func(uin int64) error {
					if tries++; tries < 3 {
						return &Error{Op: opSetQuickLogin, Kind: KindNotReady}
					}
					n.accept(uin)
					return nil
				}
			},
			cfg: Login{UIN: 10001}, kind: OutcomeLoggedIn,
			steps: "quick quick quick accepted online",
		},
		{
			name: "quick login by us fails, then a code",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}}
				n.issue()
				n.quick = func(int64) error { n.st.LoginError = refused.Message; return refused }
				n.after(4*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, Memory: new(Memory)}, kind: OutcomeLoggedIn,
			steps: "quick failed:quick(refused) waiting accepted online",
		},
		{
			name: "no account configured, one ticket",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}, {10002, "old", false}}
				n.issue()
			},
			kind: OutcomeLoggedIn, steps: "quick accepted online",
		},
		{
			name: "no account configured, two tickets, one chosen",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}, {10002, "old", true}}
				n.issue()
			},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(3 * time.Second)
				if err := d.Quick(ctx, 0); !errors.Is(err, ErrNoUIN) {
					return fmt.Errorf("quick without a number: %w", err)
				}
				return d.Quick(ctx, 10002)
			},
			kind: OutcomeLoggedIn, steps: "failed:quick(choose) waiting quick accepted online",
		},
		{
			name: "NapCat restarts while a code is shown, then the ticket works",
			napcat: func(n *napcat) {
				n.issue()
				n.after(5*time.Second, func() {
					n.restart(4 * time.Second)
					n.tickets = []QuickAccount{{10001, "bot", true}}
				})
				n.after(10*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001, QuickStarted: true}, kind: OutcomeLoggedIn,
			steps: "failed:quick(no_ticket) waiting restarted accepted online",
		},
		{
			name: "the quick login's answer is lost and it did not work",
			napcat: func(n *napcat) {
				n.tickets = []QuickAccount{{10001, "bot", true}}
				n.issue()
				n.quick = func(int64) error { return &Error{Kind: KindUnreachable} }
				n.after(90*time.Second, func() { n.accept(10001) })
			},
			cfg: Login{UIN: 10001}, kind: OutcomeLoggedIn,
			steps: "quick accepted failed(refused) waiting accepted online",
		},
	})
}
