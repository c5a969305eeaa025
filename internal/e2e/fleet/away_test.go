//go:build e2e_fleet && linux

package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// While the bus is away hosts and the bots in them go on; what came meanwhile reaches
// the workers afterwards, in order and once.
func TestBusAway(t *testing.T) {
	s := natstest.Start(t, 1)
	a := newHost(t, "a", s.URL())
	a.start()
	a.online()
	startWorker(t, s.URL())
	await.True(t, time.Minute, "the worker answers", func() bool {
		a.say(oneGroup, "/take warm")
		return await.Poll(time.Second, func() bool { return len(a.sent()) > 0 })
	})
	pid := a.account().PIDs.NapCat
	s.Kill(0)
	away := time.Duration(count(t, "NCATD_AWAY", 20)) * time.Second
	n := 0
	for end := time.Now().Add(away); time.Now().Before(end); n++ {
		a.say(oneGroup, fmt.Sprintf("/echo local%d", n)) // the bot in the host
		a.say(oneGroup, fmt.Sprintf("/take q%d", n))     // the worker
		if !await.Poll(10*time.Second, func() bool { return a.sent()[fmt.Sprintf("local%d", n)] == 1 }) {
			t.Fatalf("the host's own bot does not answer without the bus: %v", a.sent())
		}
		if acc := a.account(); acc.State != api.StateOnline || acc.PIDs.NapCat != pid {
			t.Fatalf("the account does not go on: %+v", acc)
		}
		await.Poll(time.Second, func() bool { return time.Now().After(end) })
	}
	for text := range a.sent() {
		if strings.HasPrefix(text, "q") {
			t.Fatalf("%q was answered without the bus", text)
		}
	}
	if !degraded(a, api.CodeBusAway) {
		t.Error("nothing says that the bus is away")
	}
	s.Start(0)
	back := time.Now()
	phone := napcatsim.NewControl(napcatsim.AccountHome(string(a.home), "main"))
	var got []string
	await.True(t, time.Minute, "what came meanwhile is answered", func() bool {
		all, err := phone.Sent(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, m := range all {
			if what, nth, ok := strings.Cut(m.Text, "：第 "); ok && strings.HasPrefix(what, "q") {
				got = append(got, what)
				if nth != "1 份" {
					t.Fatalf("%s was handled twice", what)
				}
			}
		}
		return len(got) >= n
	})
	for i, what := range got {
		if what != fmt.Sprintf("q%d", i) {
			t.Fatalf("answer %d is of %s: %v", i, what, got)
		}
	}
	t.Logf("%d messages in %s without the bus, all answered once and in order %s after it was back", n, away, time.Since(back).Round(time.Millisecond))
}

const oneGroup = 700000001

// A host that is cut off for longer than it may run an account stops it before another
// host can have it.
func TestLongPartition(t *testing.T) {
	if count(t, "NCATD_AWAY", 1) < 60 {
		t.Skip("it takes four minutes: make fleet-kills")
	}
	s := natstest.Start(t, 1)
	l, url := newLink(t, s, 1)
	const one = "accounts:\n  - {name: main, uin: 3889001001}\n"
	a, b := newHost(t, "a", url, one), newHost(t, "b", s.URL(), one)
	a.start()
	a.online()
	b.start()
	await.True(t, time.Minute, "b is refused", func() bool { return b.account().Reason == "leased" })
	stop := watchTwins(t, []*host{a, b})
	l.sever()
	cut := time.Now()
	refused := 0
	await.True(t, bus.AccountLease+time.Minute, "b may take it", func() bool {
		out, err := b.run("account", "take", "main", "--host-is-gone")
		if err != nil {
			refused++
			if !strings.Contains(out, "belongs to host a") {
				t.Fatalf("%v\n%s", err, out)
			}
			await.Poll(time.Second, func() bool { return false })
		}
		return err == nil
	})
	if took := time.Since(cut); took < bus.AccountLease-time.Minute/6 {
		t.Errorf("b could take it %s after a was cut off", took)
	}
	await.True(t, time.Minute, "online on b", func() bool { return b.account().State == api.StateOnline && a.account().PIDs.NapCat == 0 })
	t.Logf("%d tries were refused; online on b %s after the cut", refused, time.Since(cut).Round(time.Second))
	l.heal()
	await.True(t, time.Minute, "a names b", func() bool { return strings.Contains(a.account().Detail, "host b") })
	if b.account().State != api.StateOnline {
		t.Errorf("%+v", b.account())
	}
	stop()
}
