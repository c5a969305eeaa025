package webui

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// alternate returns the given values in turn.
func alternate(values ...string) func() (string, error) {
	i := -1
	return func() (string, error) { i++; return values[i%len(values)], nil }
}

// TestMemory: what QQ refused is not sent again by the next login of the
// account, until one succeeds.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(Memory)
		refuse := func() *napcat {
			n := &napcat{tickets: []QuickAccount{{10001, "bot", true}}}
			n.issue()
			n.quick = func(int64) error { return &Error{Kind: KindRefused} }
			n.password = func(string) (Challenge, error) { return Challenge{}, &Error{Kind: KindRefused} }
			return n
		}
		cfg := Login{UIN: 10001, PasswordMD5: md5Func, Memory: m}
		n := refuse()
		login(t, n, cfg, 5*time.Second, nil)
		if n.count("quick") != 1 || n.count("password") != 1 || !m.QuickRefused(10001) {
			t.Fatalf("first login: %q", n.calls)
		}
		n = refuse()
		r := login(t, n, cfg, 5*time.Second, nil)
		if n.count("quick") != 0 || n.count("password") != 0 {
			t.Errorf("sent again: %q", n.calls)
		}
		if want := "failed:quick(refused_before) failed:password(refused_before) waiting"; r.steps() != want {
			t.Errorf("steps %s", r.steps())
		}
		n = refuse()
		n.after(3*time.Second, func() { n.accept(10001) })
		if r = login(t, n, cfg, time.Minute, nil); r.out.Kind != OutcomeLoggedIn {
			t.Fatalf("outcome %+v", r.out)
		}
		if m.QuickRefused(10001) {
			t.Error("a success did not empty the memory")
		}
		n = refuse()
		n.after(time.Second, func() { n.st.LoginError = "refused" })
		own := cfg
		own.QuickStarted = true
		if login(t, n, own, 5*time.Second, nil); !m.QuickRefused(10001) || n.count("quick") != 0 {
			t.Errorf("NapCat's own login was refused: %q", n.calls)
		}
	})
}

func TestPermanentErrors(t *testing.T) {
	for _, k := range []Kind{KindBadToken, KindNeedsCode, KindBadCode, KindForbidden} {
		synctest.Test(t, func(t *testing.T) {
			r := login(t, &napcat{down: &Error{Kind: k}}, Login{}, time.Minute, nil)
			if KindOf(r.err) != k || r.took != 0 {
				t.Errorf("%s: %+v %v after %v", k, r.out, r.err, r.took)
			}
		})
	}
}

func TestCommandsWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDriver(&napcat{}, Login{}, func(Event) {})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before Run: %v", err)
		}
		why := errors.New("why")
		run, stop := context.WithCancelCause(t.Context())
		stop(why)
		if _, err := d.Run(run); !errors.Is(err, why) {
			t.Errorf("cancelled: %v", err)
		}
		if err := d.Refresh(t.Context()); !errors.Is(err, ErrNotRunning) {
			t.Errorf("after Run: %v", err)
		}
	})
}

// TestWake: a code printed to NapCat's output is seen at once.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(napcat)
		var seen time.Duration
		start := time.Now()
		d := NewDriver(n, Login{Order: []Method{MethodQR}}, func(Event) { seen = time.Since(start) })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		time.AfterFunc(600*time.Millisecond, func() {
			n.do(n.issue)
			d.Wake()
		})
		_, _ = d.Run(ctx)
		if seen != 600*time.Millisecond {
			t.Errorf("seen after %v", seen)
		}
	})
}
