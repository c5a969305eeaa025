package webui

import (
	"slices"
	"testing"
	"time"
)

func TestCodeLogins(t *testing.T) {
	runLogins(t, []loginCase{
		{
			name: "first login by code",
			napcat: func(n *napcat) {
				n.after(700*time.Millisecond, n.issue)
				n.after(5*time.Second, func() { n.accept(10001) })
			},
			kind:  OutcomeLoggedIn,
			steps: "waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.out.UIN != 10001 || r.out.Nickname != "bot" {
					t.Errorf("outcome %+v", r.out)
				}
				if n.count("refresh") != 0 {
					t.Error("asked for a code although one was there")
				}
				if r.took > 6500*time.Millisecond {
					t.Errorf("took %v, of which 5.8s are NapCat's", r.took)
				}
			},
		},
		{
			name: "the code expires five times, NapCat brings the next each time",
			napcat: func(n *napcat) {
				n.issue()
				for i := range 5 {
					n.after(time.Duration(i+1)*100*time.Second, n.expire)
				}
				n.after(550*time.Second, func() { n.accept(10001) })
			},
			kind: OutcomeLoggedIn,
			check: func(t *testing.T, n *napcat, r result) {
				var seqs []int
				for _, e := range r.events {
					if e.Seq > 0 {
						seqs = append(seqs, e.Seq)
					}
				}
				if !slices.Equal(seqs, []int{1, 2, 3, 4, 5, 6}) {
					t.Errorf("codes %v", seqs)
				}
				if n.count("refresh") != 0 {
					t.Errorf("%d requests for codes that come by themselves", n.count("refresh"))
				}
			},
		},
		{
			name: "the code expires and no new one comes: we ask, ever more slowly",
			napcat: func(n *napcat) {
				n.issue()
				n.refresh = func() error { return nil }
				n.after(100*time.Second, func() { n.st.LoginError = expiredText })
			},
			limit: 500 * time.Second,
			steps: "waiting expired",
			check: func(t *testing.T, n *napcat, r result) {
				if c := n.count("refresh"); c < 4 || c > 8 {
					t.Errorf("%d requests in 400 seconds", c)
				}
			},
		},
		{
			name: "the code that comes after an expiry has the same text",
			napcat: func(n *napcat) {
				n.issue()
				n.refresh = func() error { n.st.LoginError = ""; return nil }
				n.after(20*time.Second, func() { n.st.LoginError = expiredText })
				n.after(60*time.Second, func() { n.accept(10001) })
			},
			kind: OutcomeLoggedIn, steps: "waiting expired refreshed accepted online",
		},
		{
			name: "the text sticks and a later code dies unseen: its age tells",
			napcat: func(n *napcat) {
				n.issue()
				n.after(100*time.Second, n.expire)
			},
			limit: 290 * time.Second,
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("refresh") != 1 {
					t.Errorf("%d refreshes, want 1 for the code of second 100", n.count("refresh"))
				}
			},
		},
		{
			name: "QQ refuses the scan: a fresh code, since NapCat brings none",
			napcat: func(n *napcat) {
				n.issue()
				n.after(5*time.Second, func() { n.st.LoginError = "登录失败: [1,2]" })
				n.after(15*time.Second, func() { n.accept(10001) })
			},
			kind:  OutcomeLoggedIn,
			steps: "waiting failed:qr(refused) refreshed accepted online",
		},
		{
			name:   "no code comes at all until asked for",
			napcat: func(n *napcat) {},
			limit:  25 * time.Second,
			steps:  "waiting",
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("refresh") != 1 {
					t.Errorf("%d refreshes", n.count("refresh"))
				}
			},
		},
		{
			name: "nobody scans",
			napcat: func(n *napcat) {
				n.issue()
				for i := range 40 {
					n.after(time.Duration(i+1)*120*time.Second, n.expire)
				}
				n.after(time.Hour, func() { n.accept(10001) })
			},
			cfg: Login{QRTimeout: 5 * time.Minute}, limit: 2 * time.Hour,
			kind: OutcomeLoggedIn,
			check: func(t *testing.T, n *napcat, r result) {
				timeouts := 0
				for _, e := range r.events {
					if e.Step == StepTimeout {
						timeouts++
					}
				}
				if timeouts != 1 {
					t.Errorf("%d timeouts", timeouts)
				}
			},
		},
		{
			name: "kicked",
			napcat: func(n *napcat) {
				n.issue()
				n.after(3*time.Second, func() { n.st.LoginError = "[KickedOffLine] [下线通知] x" })
			},
			kind: OutcomeKicked, steps: "waiting",
			check: func(t *testing.T, n *napcat, r result) {
				if r.out.Detail != "[下线通知] x" {
					t.Errorf("detail %q", r.out.Detail)
				}
			},
		},
		{
			name:   "wrong account",
			napcat: func(n *napcat) { n.issue(); n.after(3*time.Second, func() { n.accept(10002) }) },
			cfg:    Login{UIN: 10001}, kind: OutcomeWrongAccount,
			check: func(t *testing.T, n *napcat, r result) {
				if r.out.UIN != 10002 || r.out.Want != 10001 {
					t.Errorf("outcome %+v", r.out)
				}
			},
		},
		{
			name:   "NapCat goes away",
			napcat: func(n *napcat) { n.issue(); n.after(5*time.Second, func() { n.restart(time.Hour) }) },
			kind:   OutcomeGone, steps: "waiting",
			check: func(t *testing.T, n *napcat, r result) {
				if r.took < 30*time.Second || r.took > 40*time.Second {
					t.Errorf("took %v", r.took)
				}
			},
		},
		{
			name:   "accepted and never online",
			napcat: func(n *napcat) { n.issue(); n.after(2*time.Second, func() { n.logined = true }) },
			kind:   OutcomeStuck, steps: "waiting accepted",
		},
		{
			name:   "online without a number: OneBot did not start",
			napcat: func(n *napcat) { n.issue(); n.after(2*time.Second, func() { n.logined, n.st.IsLogin = true, true }) },
			kind:   OutcomeStuck, steps: "waiting",
		},
		{
			name:   "QQ's connection goes down after the login",
			napcat: func(n *napcat) { n.issue(); n.after(2*time.Second, func() { n.logined, n.st.IsOffline = true, true }) },
			kind:   OutcomeStuck,
		},
	})
}
