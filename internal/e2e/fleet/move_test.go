//go:build e2e_fleet && linux

package fleet

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
)

const bot7 = "accounts:\n  - {name: bot7, uin: 3889001007}\n"

// movers returns two hosts, of which a has the account bot7, logged in by a scan;
// from then on nobody scans a code.
func movers(t *testing.T, s *natstest.Servers) (a, b *host) {
	t.Helper()
	a = newHost(t, "a", s.URL(), bot7)
	b = newHost(t, "b", s.URL())
	a.start()
	a.online()
	a.stop()
	a.scan, b.scan = "24h", "24h"
	a.start()
	a.online()
	b.start()
	await.True(t, time.Minute, "b is there", func() bool { _, err := b.cl.Status(t.Context()); return err == nil })
	return a, b
}

// online reports whether bot7 is online on h and has no process on other.
func onlineOn(h, other *host) bool {
	return h.named("bot7").State == api.StateOnline && other.named("bot7").PIDs.NapCat == 0
}

func TestMove(t *testing.T) {
	s := natstest.Start(t, 1)
	a, b := movers(t, s)
	stop := watchTwins(t, []*host{a, b})
	if out, err := a.run("account", "move", "bot7", "--to", "nowhere"); err == nil || !strings.Contains(out, "nowhere") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := a.run("account", "move", "bot7", "--to", "a"); err == nil {
		t.Error(out)
	}
	if !onlineOn(a, b) {
		t.Fatal("a refused move stopped the account")
	}
	if out, err := b.run("account", "move", "bot7", "--host", "a", "--to", "b"); err != nil || !strings.Contains(out, "online on host b") {
		t.Fatalf("%v\n%s", err, out)
	}
	if !onlineOn(b, a) {
		t.Fatalf("on b: %+v", b.named("bot7"))
	}
	await.True(t, time.Minute, "a gives its files up and names the host", func() bool {
		_, err := os.Stat(filepath.Join(a.home.Account("bot7"), "home"))
		acc := a.named("bot7")
		return os.IsNotExist(err) && acc.Reason == "leased" && strings.Contains(acc.Detail, "host b")
	})
	// On a, whose account it is not any more, it is found all the same.
	for args, want := range map[string]string{
		"call --account bot7 get_login_info": "3889001007",
		"login bot7 --fleet":                 "3889001007",
		"restart bot7":                       "bot7 runs on host b",
	} {
		if out, err := a.run(strings.Fields(args)...); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
	await.True(t, time.Minute, "online again after the restart", func() bool { return onlineOn(b, a) })
	if left, err := filepath.Glob(b.home.Join("incoming", "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	await.True(t, 30*time.Second, "a fleet whose accounts are online each somewhere is well", func() bool { _, err := a.run("status", "--fleet"); return err == nil })
	if out, err := b.run("account", "move", "bot7", "--to", "a"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !onlineOn(a, b) {
		t.Fatal("not back on a")
	}
	stop()
}

// A move goes back if the account does not come online at the other host.
func TestMoveGoesBack(t *testing.T) {
	s := natstest.Start(t, 1)
	a := newHost(t, "a", s.URL(), bot7)
	// b may not use the ticket, and nobody scans there.
	b := newHost(t, "b", s.URL(), "accounts:\n  - {name: other, uin: 3889001099}\n  - {name: there, uin: 3889001007, login: {order: [qr]}}\n")
	a.start()
	a.online()
	a.stop()
	a.scan, b.scan = "24h", "24h"
	a.start()
	a.online()
	b.start()
	await.True(t, time.Minute, "b is refused", func() bool { return b.named("there").Reason == "leased" })
	stop := watchTwins(t, []*host{a, b})
	out, err := a.run("account", "move", "bot7", "--to", "b")
	if err == nil || !strings.Contains(out, "did not come online on host b and is back") {
		t.Fatalf("%v\n%s", err, out)
	}
	await.True(t, time.Minute, "online on a again, by its ticket", func() bool { return a.named("bot7").State == api.StateOnline })
	if acc := b.named("there"); acc.PIDs.NapCat != 0 {
		t.Errorf("%+v", acc)
	}
	stop()
}

// The account is moved to and fro, and each time something is killed meanwhile: it
// ends up online at exactly one place, still logged in.
func TestMoveKills(t *testing.T) {
	n := count(t, "NCATD_MOVES", 4)
	s := natstest.Start(t, 1)
	a, b := movers(t, s)
	hosts := []*host{a, b}
	stop := watchTwins(t, hosts)
	moved := 0
	for i := range n {
		from, to := a, b
		if b.named("bot7").State == api.StateOnline {
			from, to = b, a
		}
		victim := []string{"from", "to", "bus", "both"}[i%4]
		after := time.Duration(rand.N(6000)) * time.Millisecond
		done := make(chan string, 1)
		go func() {
			out, _ := from.run("account", "move", "bot7", "--to", to.name) // it may fail: a host is killed
			done <- out
		}()
		<-time.After(after)
		t.Logf("move %d, %s to %s: %s killed after %s", i+1, from.name, to.name, victim, after)
		switch victim {
		case "from":
			from.kill()
			from.start()
		case "to":
			to.kill()
			to.start()
		case "bus":
			s.Kill(0)
			s.Start(0)
			s.Wait()
		case "both":
			from.kill()
			to.kill()
			from.start()
			to.start()
		}
		out := <-done
		if !await.Poll(3*time.Minute, func() bool { return onlineOn(from, to) || onlineOn(to, from) }) {
			t.Fatalf("bot7 is nowhere: %+v, %+v\n%s", from.named("bot7"), to.named("bot7"), out)
		}
		// It may be a trial's first moment, or the last before the lease was given:
		// what it settles on is one place.
		settled := func() bool {
			for range 20 {
				if !onlineOn(from, to) && !onlineOn(to, from) {
					return false
				}
				<-time.After(50 * time.Millisecond)
			}
			return true
		}
		if !await.Poll(3*time.Minute, settled) {
			t.Fatalf("bot7 does not stay: %+v, %+v\n%s", from.named("bot7"), to.named("bot7"), out)
		}
		if onlineOn(to, from) {
			moved++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d moves arrived", moved, n)
	stop()
}
