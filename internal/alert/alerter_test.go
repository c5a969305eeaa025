package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
)

// codes stands for the catalogue.
type codes struct{}

func (codes) T(code string, args ...any) string {
	return strings.TrimSpace(code + " " + fmt.Sprintln(args...))
}
func (codes) Fault(f api.Fault) string { return strings.TrimSpace(fmt.Sprint(f.Code, f.Args)) }

// phone is a channel that notes what it is told and fails while broken is set.
type phone struct {
	mu     sync.Mutex
	told   []Text
	at     []time.Time
	broken error
}

func (p *phone) Send(_ context.Context, t Text) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken
	}
	p.told, p.at = append(p.told, t), append(p.at, time.Now())
	return nil
}

func (p *phone) breaks(err error) { p.mu.Lock(); p.broken = err; p.mu.Unlock() }

func (p *phone) titles() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.told {
		all = append(all, t.Title)
	}
	return all
}

// rig runs an Alerter over a store with the named phones for channels.
type rig struct {
	*Alerter
	mu     sync.Mutex
	status api.Status
	stop   func()
}

func run(t *testing.T, store ncat.Store, rules []Rule, phones map[string]*phone) *rig {
	t.Helper()
	r := &rig{}
	o := Options{Rules: rules, Store: NewStore(store, slog.New(slog.DiscardHandler)), Words: codes{}, Logger: slog.New(slog.DiscardHandler),
		QR:     func(text string) ([]byte, error) { return []byte("QR of " + text), nil },
		Status: func() api.Status { r.mu.Lock(); defer r.mu.Unlock(); return r.status }}
	for name := range phones {
		o.Channels = append(o.Channels, ChannelConfig{Name: name, Kind: "exec", Fields: map[string]string{"command": "true"}})
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range a.senders {
		s.channel = phones[s.name]
	}
	r.Alerter = a
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return r
}

func (r *rig) set(accounts ...api.Account) {
	r.mu.Lock()
	r.status.Accounts = accounts
	r.mu.Unlock()
	r.Changed()
}

var (
	online = api.Account{Name: "main", State: api.StateOnline}
	waits  = api.Account{Name: "main", State: api.StateLoginRequired, Reason: "qr", Fault: api.Fault{Code: api.CodeLoginQR}, Login: &api.Login{Step: api.StepWaiting, URL: "https://txz.qq.com/p?k=1"}}
)

func TestToldWithinASecondWithTheCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{}
		r := run(t, ncat.NewMemoryStore(), []Rule{{Kinds: []Kind{KindLogin}, Channels: []string{"p"}, HoldOff: 5 * time.Second, Settle: 2 * time.Second}}, map[string]*phone{"p": p})
		defer r.stop()
		r.set(online)
		time.Sleep(time.Minute)
		began := time.Now()
		r.set(waits)
		time.Sleep(20 * time.Second)
		r.set(online)
		time.Sleep(20 * time.Second)
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.told) != 2 {
			t.Fatalf("told %+v", p.told)
		}
		if late := p.at[0].Sub(began) - 5*time.Second; late > time.Second {
			t.Errorf("told %s after the hold-off", late)
		}
		if string(p.told[0].Image) != "QR of https://txz.qq.com/p?k=1" || !strings.Contains(p.told[0].Body, "login_qr") {
			t.Errorf("told %+v", p.told[0])
		}
		if p.told[1].Image != nil || !strings.Contains(p.told[1].Title, "alert.resolved") || !strings.Contains(p.told[1].Body, "20s") {
			t.Errorf("told %+v", p.told[1])
		}
	})
}

// TestToldStaysToldOverARestart: that the words of a message were taken is known to
// the next ncatd.
func TestToldStaysToldOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ncat.NewMemoryStore()
		rules := []Rule{{Kinds: []Kind{KindLogin}, Channels: []string{"p"}}}
		p := &phone{broken: &Error{Problem: ProblemServer, Told: true}}
		r := run(t, store, rules, map[string]*phone{"p": p})
		r.set(waits)
		time.Sleep(time.Minute)
		r.stop()
		p = &phone{}
		r = run(t, store, rules, map[string]*phone{"p": p})
		defer r.stop()
		r.set(waits)
		time.Sleep(time.Hour)
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.told) != 1 || !p.told[0].Told || p.told[0].Image == nil {
			t.Errorf("told %+v", p.told)
		}
	})
}

func TestNothingIsLostWhenAChannelFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &phone{}, &phone{}
		r := run(t, ncat.NewMemoryStore(), []Rule{{Channels: []string{"a", "b"}}}, map[string]*phone{"a": a, "b": b})
		defer r.stop()
		a.breaks(&Error{Problem: ProblemBusy, After: 3 * time.Minute})
		failed := api.Account{Name: "main", State: api.StateFailed, Fault: api.Fault{Code: api.CodeCrashLoop}}
		r.set(failed)
		time.Sleep(30 * time.Minute)
		if got := b.titles(); len(got) != 2 || !strings.Contains(got[1], "channel_failed") {
			t.Errorf("b was told %q", got)
		}
		if c, err := r.Channels(t.Context()); err != nil || c[0].Name == "a" && (c[0].Waiting != 1 || c[0].Failing == nil) {
			t.Errorf("channels: %+v, %v", c, err)
		}
		a.breaks(nil)
		time.Sleep(30 * time.Minute)
		if got := a.titles(); len(got) != 1 || !strings.Contains(got[0], "failed") {
			t.Errorf("a was told %q", got)
		}
		entries, err := r.Log(t.Context())
		if err != nil || len(entries) < 4 {
			t.Errorf("log of %d, %v", len(entries), err)
		}
		for _, e := range entries {
			if e.Channel == "a" && e.Failed == nil && e.Tries > 12 {
				t.Errorf("%d tries in an hour, although three minutes were asked for", e.Tries)
			}
		}
	})
}

// TestARestartForgetsAndDoublesNothing stops the alerter at each second of a
// trouble and goes on with what is in the store.
func TestARestartForgetsAndDoublesNothing(t *testing.T) {
	for stop := range 30 {
		synctest.Test(t, func(t *testing.T) {
			p := &phone{}
			store := ncat.NewMemoryStore()
			rules := []Rule{{Kinds: []Kind{KindFailed}, Channels: []string{"p"}, HoldOff: 5 * time.Second, Settle: 5 * time.Second}}
			failed := api.Account{Name: "main", State: api.StateFailed}
			r := run(t, store, rules, map[string]*phone{"p": p})
			for s := range 40 {
				if s == stop {
					r.stop()
					r = run(t, store, rules, map[string]*phone{"p": p})
				}
				if s >= 2 && s < 15 {
					r.set(failed)
				} else {
					r.set(online)
				}
				time.Sleep(time.Second)
			}
			r.stop()
			if got := p.titles(); len(got) != 2 {
				t.Errorf("restart at %d: told %q", stop, got)
			}
		})
	}
}

// An account that somebody stops is not told to be well again, also not when the rest of
// what is wrong is over.
func TestStoppedIsNotMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{}
		r := run(t, ncat.NewMemoryStore(), []Rule{{Channels: []string{"p"}, Settle: time.Minute}}, map[string]*phone{"p": p})
		defer r.stop()
		stopped := api.Account{Name: "main", State: api.StateStopped, Reason: "wanted"}
		for i, after := range [][]api.Account{{stopped}, nil, {{Name: "main", State: api.StateStopped, Reason: "leased"}}, {online}} {
			before := len(p.titles())
			r.set(waits)
			time.Sleep(time.Minute)
			if got := p.titles()[before:]; len(got) != 1 {
				t.Fatalf("%d: told %q of a login", i, got)
			}
			r.set(after...)
			time.Sleep(time.Hour)
			if got := p.titles()[before+1:]; len(got) != i/2 {
				t.Errorf("%d: told %q when it was over", i, got)
			}
		}
	})
}

func TestSilenceAndTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{}
		r := run(t, ncat.NewMemoryStore(), []Rule{{Channels: []string{"p"}}}, map[string]*phone{"p": p})
		defer r.stop()
		if err := r.Silence(t.Context(), "main", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		r.set(waits)
		time.Sleep(59 * time.Minute)
		if got := p.titles(); len(got) != 0 {
			t.Errorf("told %q in a silence", got)
		}
		if err := r.Test(t.Context(), "p"); err != nil || len(p.titles()) != 1 {
			t.Errorf("test: %v, told %q", err, p.titles())
		}
		if err := r.Test(t.Context(), "q"); err == nil {
			t.Error("a test of no channel")
		}
		time.Sleep(2 * time.Minute)
		if got := p.titles(); len(got) != 2 {
			t.Errorf("told %q after the silence", got)
		}
	})
}

func TestObserve(t *testing.T) {
	kinds := func(a api.Account) string {
		var all []string
		for _, c := range Observe(api.Status{Accounts: []api.Account{a}}) {
			all = append(all, string(c.Kind))
		}
		return strings.Join(all, " ")
	}
	for want, a := range map[string]api.Account{
		"":                     online,
		" ":                    {State: api.StateStopped, Degraded: []api.Degraded{{Code: api.CodeDiskLow}}},
		"offline login_needed": waits,
		"offline failed":       {State: api.StateFailed},
		"offline kicked":       {State: api.StateBackoff, Reason: "kicked"},
		"disk_low store_broken plugin_failed plugin_failed degraded": {State: api.StateOnline, Degraded: []api.Degraded{
			{Code: api.CodeDiskLow}, {Code: api.CodeJournalWrite}, {Code: api.CodePluginFailed, Args: []string{"a"}}, {Code: api.CodePluginFailed, Args: []string{"b"}}, {Code: api.CodeNoPacket}}},
	} {
		if got := kinds(a); got != strings.TrimSpace(want) {
			t.Errorf("%+v: %q, want %q", a, got, want)
		}
	}
	why := api.Because(api.CodePluginError, "boom")
	for _, st := range []api.Status{
		{Plugins: []api.Plugin{{ID: "dice", State: "failed", Error: "boom", Fault: why}}},
		{Accounts: []api.Account{{Name: "main", State: api.StateOnline, Degraded: []api.Degraded{{Code: api.CodePluginFailed, Args: []string{"dice"}, Cause: &why}}}}},
	} {
		if got := Observe(st); len(got) != 1 || got[0].Subject != "dice" || got[0].Fault().Cause == nil || got[0].Cause.Code != api.CodePluginError {
			t.Errorf("why a plugin does not run is lost: %+v", got)
		}
	}
	ends := api.Account{Name: "a", State: api.StateOnline, Degraded: []api.Degraded{{Code: api.CodeCertEnds, Args: []string{"/c.pem", "soon"}}, {Code: api.CodeNoPacket}}}
	other := ends
	other.Name = "b"
	if got := Observe(api.Status{Accounts: []api.Account{ends, other}}); len(got) != 3 || got[0].Kind != KindCert || got[0].Account != "" || got[0].Code != "cert_ends" || got[2].Account != "b" {
		t.Errorf("what is wrong with the daemon is told once for each account: %+v", got)
	}
	st := api.Status{
		RolledBack:  &api.RolledBack{NapCat: "4.19.0", QQ: "3.2.31"},
		LeftVersion: &api.LeftVersion{Version: "1.3.0", Reason: "crashed"},
		Newer:       []api.NewerRelease{{Name: "napcat", Version: "4.19.0", Runs: "4.18.19"}, {Name: "ncatd", Version: "1.4.0", Runs: "1.3.0"}},
		Apps:        []api.App{{Name: "up", State: api.StateConnected}, {Name: "koishi", State: api.StateBackoff, Fault: api.Fault{Code: api.CodeAppExit, Args: []string{"1"}}}},
	}
	var got []string
	for _, c := range Observe(st) {
		got = append(got, string(c.Kind)+" "+c.Subject+" "+c.Code)
	}
	want := []string{"release 4.19.0/3.2.31 new_pair_failed", "release ncatd 1.3.0 version_left", "newer napcat 4.19.0 new_napcat", "newer ncatd 1.4.0 new_ncatd", "app_failed koishi app_exit"}
	if !slices.Equal(got, want) {
		t.Errorf("the daemon's own parts: %q, want %q", got, want)
	}
}

// A call for a login brings a link; what is over, and other trouble, does not. Each
// try has one of its own.
func TestLinkIntoTheConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{}
		r := run(t, ncat.NewMemoryStore(), []Rule{{Kinds: []Kind{KindLogin, KindDisk}, Channels: []string{"p"}, HoldOff: time.Second, Settle: time.Second}}, map[string]*phone{"p": p})
		defer r.stop()
		made := 0
		r.senders[0].link = func(context.Context) string {
			made++
			return fmt.Sprintf("https://bot.example/#k=%d", made)
		}
		p.breaks(errors.New("down"))
		r.set(waits)
		time.Sleep(3 * time.Second)
		p.breaks(nil)
		time.Sleep(time.Minute)
		r.set(api.Account{Name: "main", State: api.StateOnline, Degraded: []api.Degraded{{Code: api.CodeDiskLow}}})
		time.Sleep(time.Minute)
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.told) < 2 || !strings.Contains(p.told[0].Body, "alert.console https://bot.example/#k=2") {
			t.Fatalf("told %+v", p.told)
		}
		for _, m := range p.told[1:] {
			if strings.Contains(m.Body, "bot.example") {
				t.Errorf("a link goes with %q", m.Body)
			}
		}
	})
}
