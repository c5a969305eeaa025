//go:build e2e_fleet && linux

package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
)

// both runs a command of this host in both languages, and fails the test if one of them
// does not say what is wanted of it. It returns whether the command succeeded.
func (h *host) both(line string, en, zh []string) {
	h.t.Helper()
	for lang, want := range map[string][]string{"en": en, "zh": zh} {
		cmd := exec.Command(ncatd, append(strings.Fields(line), "--home", string(h.home))...)
		cmd.Env = h.environ("NCATD_LANG=" + lang)
		out, err := cmd.CombinedOutput()
		if err == nil {
			h.t.Errorf("%s succeeds:\n%s", line, out)
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				h.t.Errorf("%s: %q is not in\n%s", line, w, out)
			}
		}
		if lang == "zh" {
			for _, w := range en {
				if strings.Contains(w, " ") && !slices.Contains(zh, w) && strings.Contains(string(out), w) {
					h.t.Errorf("%s: English for a Chinese:\n%s", line, out)
				}
			}
		}
	}
}

// A move that cannot be is refused before anything is stopped, with what helps.
func TestMoveRefused(t *testing.T) {
	s := natstest.Start(t, 1)
	a := newHost(t, "a", s.URL(), bot7)
	b := newHost(t, "b", s.URL(), "accounts:\n  - {name: bot7, uin: 3889001099}\n")
	c := newHost(t, "c", s.URL())
	d := newHost(t, "d", s.URL(), "accounts: [{name: other, uin: 3889001098}]\n")
	for _, h := range []*host{a, b, c, d} {
		h.start()
	}
	at := func(h *host, name string) func() bool {
		return func() bool { return h.named(name).State == api.StateOnline }
	}
	await.True(t, time.Minute, "online on a", at(a, "bot7"))
	await.True(t, time.Minute, "online on b", at(b, "bot7"))
	await.True(t, time.Minute, "all are shown", func() bool {
		out, _ := a.run("status", "--fleet")
		return strings.Contains(out, "a: heard") && strings.Contains(out, "b: heard") && strings.Contains(out, "c: heard") && strings.Contains(out, "d: heard")
	})
	pid := a.named("bot7").PIDs.NapCat
	a.both("account move bot7 --to nowhere", []string{"no host of the fleet is named nowhere", "a, b, c, d", "ncatd status --fleet"}, []string{"没有叫 nowhere 的主机", "a, b, c, d", "ncatd status --fleet"})
	a.both("status --host nowhere", []string{"no host of the fleet is named nowhere"}, []string{"没有叫 nowhere 的主机"})
	a.both("account move bot7 --to a", []string{"bot7 is on host a already"}, []string{"bot7 本来就在主机 a 上"})
	a.both("account move bot9 --to b", []string{`no account named "bot9"`}, []string{"没有名为"})
	a.both("account move bot7 --to b", []string{"host b has another account named bot7", "--as NAME"}, []string{"主机 b 上另有一个账号叫 bot7", "--as"})
	a.both("account take bot7 --host-is-gone", []string{"bot7 is on host a already"}, []string{"bot7 本来就在主机 a 上"})
	a.both("account move bot7 --to d", []string{"cannot be added to the config of host d", "- name:"}, []string{"无法把账号加进主机 d 的配置", "- name:"})
	c.kill()
	a.both("account move bot7 --to c", []string{"host c does not answer", "ago"}, []string{"主机 c 没有应答"})
	if is := a.named("bot7").PIDs.NapCat; is != pid || pid == 0 {
		t.Fatalf("a refused move stopped the account: NapCat was %d and is %d", pid, is)
	}
	await.True(t, time.Minute, "one host tells that c is silent", func() bool {
		told := 0
		for _, h := range []*host{a, b, d} {
			st, err := h.cl.Status(t.Context())
			if err == nil && len(st.SilentHosts) == 1 && st.SilentHosts[0].Name == "c" {
				told++
			}
		}
		return told == 1
	})
	if out, err := a.run("status", "--fleet"); err == nil || !strings.Contains(out, "c: SILENT") {
		t.Errorf("%v\n%s", err, out)
	}
	s.Kill(0)
	await.True(t, time.Minute, "the bus is missed", func() bool { return degraded(a, api.CodeBusAway) })
	a.both("account move bot7 --to b", []string{"bus is away", "NATS servers in bus.url"}, []string{"总线连不上", "bus.url"})
	a.both("status --fleet", []string{"bus is away"}, []string{"总线连不上"})
	if a.named("bot7").State != api.StateOnline {
		t.Error("the account does not go on without the bus")
	}
	s.Start(0)
}

// degraded reports whether all accounts of a host say so.
func degraded(h *host, code api.Code) bool {
	st, err := h.cl.Status(h.t.Context())
	if err != nil || len(st.Accounts) == 0 {
		return false
	}
	for _, a := range st.Accounts {
		has := false
		for _, d := range a.Degraded {
			has = has || d.Code == code
		}
		if !has {
			return false
		}
	}
	return true
}

// Of two moves of an account at once one is refused, and the account ends up where the
// other one brings it.
func TestMoveTwiceAtOnce(t *testing.T) {
	s := natstest.Start(t, 1)
	a, b := movers(t, s)
	c := newHost(t, "c", s.URL(), "accounts:\n  - {name: third, uin: 3889001003}\n")
	c.start()
	await.True(t, time.Minute, "c is there", func() bool { out, _ := a.run("status", "--fleet"); return strings.Contains(out, "c: heard") })
	stop := watchTwins(t, []*host{a, b, c})
	var wg sync.WaitGroup
	var outs [2]string
	var errs [2]error
	for i, to := range []string{"b", "c"} {
		wg.Go(func() { outs[i], errs[i] = a.run("account", "move", "bot7", "--to", to) })
	}
	wg.Wait()
	won := 0
	if errs[0] != nil {
		won = 1
	}
	if errs[won] != nil || errs[1-won] == nil || !strings.Contains(outs[1-won], "is being moved already") {
		t.Fatalf("%v\n%s\n%v\n%s", errs[0], outs[0], errs[1], outs[1])
	}
	if there := []*host{b, c}[won]; there.named("bot7").State != api.StateOnline {
		t.Errorf("%+v", there.named("bot7"))
	}
	stop()
}

// What is wrong with the servers or the way to them is told for what it is, in both
// languages and with what helps; once it is mended nothing has to be started anew.
func TestBusTroubleIsTold(t *testing.T) {
	guarded := natstest.Bare(t, "authorization: {user: u, password: right}\njetstream: STORE")
	without := natstest.Bare(t, "")
	for name, c := range map[string]struct {
		url    string
		more   string
		code   api.Code
		en, zh []string
	}{
		"nobody listens": {"nats://127.0.0.1:1", "", api.CodeBusAway, []string{"bus is away", "bus.url can be reached"}, []string{"总线连不上", "bus.url"}},
		"refused":        {"nats://u:wrong@" + guarded, "", api.CodeBusRefused, []string{"do not let this host in", "bus.creds"}, []string{"拒绝本机登录", "bus.creds"}},
		"no JetStream":   {"nats://" + without, "", api.CodeBusNoJetStream, []string{"no JetStream", "nats-server -js"}, []string{"没有开启 JetStream", "nats-server -js"}},
		"TLS":            {"tls://" + without, "", api.CodeBusTLS, []string{"do not agree on TLS", "bus.ca"}, []string{"TLS 连接不成立", "bus.ca"}},
		"copies":         {"nats://u:right@" + guarded, "bus.replicas", api.CodeBusUnprepared, []string{"cannot keep what the fleet needs", "number of servers"}, []string{"建不起机群所需的数据", "服务器数量"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, "a", c.url)
			if c.more != "" {
				h.replicas()
			}
			h.start()
			await.True(t, time.Minute, "it is told", func() bool { return degraded(h, c.code) })
			h.both("status --fleet", c.en, c.zh)
			h.both("account move main --to b", nil, nil)
			await.True(t, time.Minute, "the account waits and says why", func() bool {
				acc := h.account()
				return acc.State == api.StateBackoff && acc.Fault.Code == api.CodeLeaseUnasked && acc.Fault.Cause != nil && acc.Fault.Cause.Code == c.code
			})
			h.both("status", c.en[:1], c.zh[:1])
		})
	}
}

// Without `bus:` everything that concerns a fleet says that there is none.
func TestNoFleet(t *testing.T) {
	h := newHost(t, "a", "nats://127.0.0.1:1")
	if err := os.WriteFile(h.home.Config(), []byte("supervisor: {stop_timeout: 3s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.start()
	h.online()
	for _, line := range []string{"status --fleet", "status --host b", "account move main --to b", "account take main --host-is-gone", "fleet dead list", "fleet dead drop 1"} {
		h.both(line, []string{"not one of a fleet", "bus.url"}, []string{"没有加入机群", "bus.url"})
	}
}

// Servers that lose their disk: accounts go on, what comes is answered, and the fleet is
// shown as before, without anything being started anew.
func TestBusLosesItsDisk(t *testing.T) {
	s := natstest.Start(t, 1)
	const one = "accounts:\n  - {name: main, uin: 3889001001}\n"
	a, b := newHost(t, "a", s.URL(), one), newHost(t, "b", s.URL(), one)
	a.start()
	a.online()
	b.start()
	await.True(t, time.Minute, "b is refused", func() bool { return b.account().Reason == "leased" })
	stop := watchTwins(t, []*host{a, b})
	startWorker(t, s.URL())
	await.True(t, time.Minute, "the worker answers", func() bool {
		a.say(700000001, "/take warm")
		return await.Poll(time.Second, func() bool { return len(a.sent()) > 0 })
	})
	pid := a.account().PIDs.NapCat
	s.Wipe(0)
	for i := range 5 {
		a.say(700000001, fmt.Sprintf("/take y%d", i))
	}
	s.Start(0)
	for i := 5; i < 10; i++ {
		a.say(700000001, fmt.Sprintf("/take y%d", i))
	}
	await.True(t, time.Minute, "what came meanwhile is answered", func() bool {
		sent := a.sent()
		for i := range 10 {
			if sent[fmt.Sprintf("y%d：第 1 份", i)] != 1 {
				return false
			}
		}
		return true
	})
	if out, err := b.run("restart", "main", "--host", "b"); err != nil { // else it goes to a, which runs it
		t.Fatalf("%v\n%s", err, out)
	}
	await.True(t, time.Minute, "b is refused again", func() bool {
		return b.account().Reason == "leased" && strings.Contains(b.account().Detail, "host a")
	})
	await.True(t, time.Minute, "the fleet is shown", func() bool {
		out, _ := b.run("status", "--fleet")
		return strings.Contains(out, "a: heard") && strings.Contains(out, "b: heard")
	})
	if is := a.account(); is.PIDs.NapCat != pid || is.State != api.StateOnline {
		t.Errorf("the account did not go on: %+v", is)
	}
	stop()
}

// Two hosts with one name: the second one says so, and its account runs all the same.
func TestTwoHostsOfOneName(t *testing.T) {
	s := natstest.Start(t, 1)
	first := newHost(t, "a", s.URL())
	first.start()
	first.online()
	await.True(t, time.Minute, "it is shown", func() bool { out, _ := first.run("status", "--fleet"); return strings.Contains(out, "a: heard") })
	second := newHost(t, "a", s.URL(), "accounts:\n  - {name: other, uin: 3889001077}\n")
	second.start()
	second.online()
	await.True(t, time.Minute, "it says so", func() bool { return degraded(second, api.CodeBusTwin) })
	if degraded(first, api.CodeBusTwin) {
		t.Error("the first one lost its name")
	}
	out, err := second.run("status", "--host", "a")
	if err != nil || !strings.Contains(out, "main") {
		t.Fatalf("the name leads elsewhere: %v\n%s", err, out)
	}
	if out, _ = second.run("status"); !strings.Contains(out, "bus.host") || !strings.Contains(out, "is named a too") {
		t.Error(out)
	}
}
