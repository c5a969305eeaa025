//go:build e2e_fleet && linux

package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

const (
	rigHosts    = 3
	rigAccounts = 4 // of each host
	rigWorkers  = 4
	rigServers  = 3
)

// quiet is how long nothing may be answered before nothing more is expected: a call whose
// host was killed keeps its chat waiting for 30 s.
const quiet = 75 * time.Second

var rigGroups = [...]int64{700000001, 700000002}

// rig is a fleet: three hosts with four accounts each, four workers of the example,
// three servers.
type rig struct {
	t       *testing.T
	servers *natstest.Servers
	hosts   []*host
	links   []*link
	workers []*exec.Cmd
	phones  []*phone
	// trace is the file in which the workers write down what they handle, "" for
	// workers of examples/; deaths is when those that were killed were dead.
	trace  string
	deaths map[int]time.Time
}

// phone plays the people who write to one account.
type phone struct {
	*napcatsim.Control
	account string
	uin     int
	said    map[int64][]string // by group, in order
	sent    []napcatsim.Sent   // as far as it was asked for
}

func newRig(t *testing.T, trace string) *rig {
	t.Helper()
	r := &rig{t: t, servers: natstest.Start(t, rigServers), trace: trace, deaths: map[int]time.Time{}}
	for h := range rigHosts {
		accounts := "accounts:\n"
		for a := range rigAccounts {
			n := h*rigAccounts + a + 1
			accounts += fmt.Sprintf("  - {name: bot%d, uin: %d}\n", n, 3889002000+n)
		}
		l, url := newLink(t, r.servers, rigServers)
		one := newHost(t, fmt.Sprintf("h%d", h+1), url, accounts)
		one.replicas()
		one.start()
		r.hosts, r.links = append(r.hosts, one), append(r.links, l)
		for a := range rigAccounts {
			n := h*rigAccounts + a + 1
			name := fmt.Sprintf("bot%d", n)
			c := napcatsim.NewControl(napcatsim.AccountHome(string(one.home), name))
			c.Patience = time.Minute
			r.phones = append(r.phones, &phone{Control: c, account: name, uin: 3889002000 + n, said: map[int64][]string{}})
		}
	}
	r.online()
	for range rigWorkers {
		r.workers = append(r.workers, r.worker())
	}
	// What is said before the group's first worker joined is not for it.
	await.True(t, time.Minute, "workers answer", func() bool {
		r.say(r.phones[0], rigGroups[0], "warm")
		return await.Poll(time.Second, func() bool {
			return slices.ContainsFunc(r.sent(r.phones[0]), func(s napcatsim.Sent) bool { return strings.HasPrefix(s.Text, "warm：") })
		})
	})
	r.phones[0].said[rigGroups[0]] = nil
	return r
}

func (r *rig) worker() *exec.Cmd {
	if r.trace == "" {
		return startWorker(r.t, r.servers.URL())
	}
	return begin(r.t, exec.Command(traced, r.servers.URL(), r.trace))
}

// replicas asks for as many copies on the bus as there are servers.
func (h *host) replicas() {
	h.t.Helper()
	if out, err := h.run("config", "set", "bus.replicas", "3"); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
}

func (r *rig) online() {
	r.t.Helper()
	await.True(r.t, 3*time.Minute, "all accounts online", func() bool {
		for _, h := range r.hosts {
			st, err := h.cl.Status(r.t.Context())
			if err != nil || len(st.Accounts) != rigAccounts {
				return false
			}
			for _, a := range st.Accounts {
				if a.State != api.StateOnline {
					return false
				}
			}
		}
		return true
	})
}

// say writes one thing to take into a group.
func (r *rig) say(p *phone, group int64, what string) {
	if _, err := p.Say(r.t.Context(), napcatsim.SayRequest{Group: group, Text: "/take " + what, Unheard: true}); err != nil && r.t.Context().Err() == nil {
		r.t.Errorf("%s: %v", p.account, err)
		return
	}
	p.said[group] = append(p.said[group], what)
}

func (r *rig) sent(p *phone) []napcatsim.Sent {
	after := 0
	if n := len(p.sent); n > 0 {
		after = p.sent[n-1].Seq
	}
	out, err := p.Sent(r.t.Context(), after)
	if err != nil {
		r.t.Errorf("%s: %v", p.account, err)
	}
	p.sent = append(p.sent, out...)
	return p.sent
}

// feed writes n messages, spread over all chats, each account's by one goroutine. It
// ends early when more returns false.
func (r *rig) feed(prefix string, n int, pause time.Duration, more func() bool) {
	var wg sync.WaitGroup
	for _, p := range r.phones {
		wg.Go(func() {
			for i := 0; i < n/len(r.phones) && more() && !r.t.Failed(); i++ {
				r.say(p, rigGroups[i%len(rigGroups)], fmt.Sprintf("%s-%s-%d", p.account, prefix, i)) // the workers share the count of each thing
				if pause > 0 {
					<-time.After(pause)
				}
			}
		})
	}
	wg.Wait()
}

// answers returns, of each thing taken in a chat, how often it was handed out; and
// fails the test if the first answers of a chat are not in the order of its messages. With
// a trace the order is seen there: where an answer is lost, that to the message given again
// comes late.
func (r *rig) answers(p *phone, group int64) map[string]int {
	got := map[string]int{}
	due := 0
	said := p.said[group]
	for _, s := range r.sent(p) {
		what, _, ok := strings.Cut(s.Text, "：第 ")
		if !ok || s.Group != group || what == "warm" {
			continue
		}
		if got[what]++; got[what] > 1 || r.trace != "" {
			continue
		}
		for due < len(said) && said[due] != what {
			due++
		}
		if due == len(said) {
			r.t.Errorf("%s in %d: %q was answered after what came later", p.account, group, what)
			return got
		}
	}
	return got
}

// unanswered is how many messages have no answer.
func (r *rig) unanswered() (n int, first string) {
	for _, p := range r.phones {
		for _, g := range rigGroups {
			got := r.answers(p, g)
			for _, what := range p.said[g] {
				if got[what] == 0 {
					if n++; first == "" {
						first = fmt.Sprintf("%s, %d, %s", p.account, g, what)
					}
				}
			}
		}
	}
	return n, first
}

// settled waits until everything is answered, or nothing more is for a while.
func (r *rig) settled() int {
	last, since := -1, time.Now()
	for {
		began := time.Now()
		n, _ := r.unanswered()
		if n == 0 || r.t.Failed() {
			return n
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > quiet {
			return n
		}
		<-time.After(max(time.Second, 5*time.Since(began))) // the watch itself costs the fleet little
	}
}

// repeated is how many answers came more than once.
func (r *rig) repeated() (n int) {
	for _, p := range r.phones {
		for _, g := range rigGroups {
			for _, times := range r.answers(p, g) {
				n += times - 1
			}
		}
	}
	return n
}

// Three hosts, twelve accounts, four workers: the fleet shows all, and each message is
// answered once, in order in its chat.
func TestFleet(t *testing.T) {
	r := newRig(t, "")
	stop := watchTwins(t, r.hosts)
	out, err := r.hosts[0].run("status", "--fleet")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i := range rigHosts * rigAccounts {
		if !strings.Contains(out, fmt.Sprintf("bot%d ", i+1)) {
			t.Errorf("bot%d is not in\n%s", i+1, out)
		}
	}
	n := count(t, "NCATD_MESSAGES", 2400)
	began := time.Now()
	r.feed("m", n, 0, func() bool { return true })
	fed := time.Since(began)
	if left := r.settled(); left > 0 {
		left, first := r.unanswered()
		t.Fatalf("%d of %d have no answer: %s", left, n, first)
	}
	if again := r.repeated(); again > 0 {
		t.Errorf("%d messages were answered twice", again)
	}
	t.Logf("%d messages said in %s, all answered once and in order after %s", n, fed.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	stop()
}

// victims are killed one after the other.
var victims = [...]string{"worker", "host", "server", "leader"}

// Whatever is killed while messages come: nothing is lost, order stays, and no account
// ever runs twice. At the end a host is cut off for a while.
func TestKills(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "trace"))
	stop := watchTwins(t, r.hosts)
	kills := count(t, "NCATD_KILLS", 1) * len(victims)
	var over atomic.Bool
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		r.feed("k", 1<<30, 400*time.Millisecond, func() bool { return !over.Load() })
	}()
	for i := range kills {
		<-time.After(time.Duration(rand.N(5000)) * time.Millisecond)
		r.kill(victims[i%len(victims)])
		if t.Failed() {
			break
		}
	}
	cutFor := time.Duration(count(t, "NCATD_PARTITION", 20)) * time.Second
	t.Logf("host h1 is cut off for %s", cutFor)
	r.links[0].sever()
	<-time.After(cutFor)
	r.links[0].heal()
	over.Store(true)
	<-fed
	r.online()
	left := r.settled()
	total := 0
	for _, p := range r.phones {
		for _, g := range rigGroups {
			total += len(p.said[g])
		}
	}
	t.Logf("%d without an answer at first", left)
	lost := r.lost()
	again := r.repeated()
	for _, w := range r.workers {
		if err := w.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = w.Wait() // its state is no matter here
		r.deaths[w.Process.Pid] = time.Now()
	}
	handled := spells(t, r.trace, r.deaths)
	if is := overlaps(handled); is != "" {
		t.Errorf("two workers handled a chat at one time: %s", is)
	}
	for _, p := range r.phones {
		for _, g := range rigGroups {
			if late := disordered(handled, fmt.Sprintf("%d/%d", p.uin, g), p.said[g]); late != "" {
				t.Errorf("%s in %d: %q was begun with after what came later", p.account, g, late)
			}
		}
	}
	t.Logf("handled %d times, by %d workers", len(handled), len(r.deaths))
	t.Logf("%d messages, %d kills: %d handled without an answer, because its host or worker died on the way; %d answered again; %d lost", total, kills, left, again, lost)
	if lost > 0 {
		t.Errorf("%d messages were never handled", lost)
	}
	// Only what a killed worker or host was at may be repeated.
	if most := (kills/2 + 1) * len(r.phones) * len(rigGroups); again > most || left > most {
		t.Errorf("more than the %d that can have been under way at the kills", most)
	}
	stop()
}

// lost returns how many messages without an answer were never handled: what the group
// remembers of them is asked for by taking the same again.
func (r *rig) lost() (n int) {
	for _, p := range r.phones {
		for _, g := range rigGroups {
			got := r.answers(p, g)
			for _, what := range p.said[g] {
				if got[what] > 0 {
					continue
				}
				before := len(r.sent(p))
				if _, err := p.Say(r.t.Context(), napcatsim.SayRequest{Group: g, Text: "/take " + what, Unheard: true}); err != nil {
					r.t.Error(err)
				}
				text := ""
				await.True(r.t, time.Minute, "an answer to "+what, func() bool {
					for _, s := range r.sent(p)[before:] {
						if strings.HasPrefix(s.Text, what+"：") {
							text = s.Text
						}
					}
					return text != ""
				})
				if text == what+"：第 1 份" {
					r.t.Logf("%s, %d, %s was never handled", p.account, g, what)
					n++
				}
			}
		}
	}
	return n
}

func (r *rig) kill(victim string) {
	r.t.Helper()
	switch victim {
	case "worker":
		i := rand.N(len(r.workers))
		r.t.Logf("worker %d is killed", i)
		if err := r.workers[i].Process.Kill(); err != nil {
			r.t.Fatal(err)
		}
		_ = r.workers[i].Wait() // killed is what it says
		r.deaths[r.workers[i].Process.Pid] = time.Now()
		r.workers[i] = r.worker()
	case "host":
		h := r.hosts[rand.N(len(r.hosts))]
		r.t.Logf("ncatd of %s is killed", h.name)
		h.kill()
		h.start()
	case "server", "leader":
		i := rand.N(rigServers)
		if victim == "leader" {
			i = r.leader()
		}
		r.t.Logf("server %d is killed (%s)", i, victim)
		r.servers.Kill(i)
		<-time.After(time.Duration(rand.N(3000)) * time.Millisecond)
		r.servers.Start(i)
		r.servers.Wait()
	}
}

// leader returns the server that leads the stream of events.
func (r *rig) leader() int {
	r.t.Helper()
	nc, err := nats.Connect(r.servers.URL(), nats.MaxReconnects(-1))
	if err != nil {
		r.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		r.t.Fatal(err)
	}
	name := ""
	await.True(r.t, time.Minute, "the stream has a leader", func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
		defer cancel()
		st, err := js.Stream(ctx, bus.Events)
		if err != nil || st.CachedInfo().Cluster == nil {
			return false
		}
		name = st.CachedInfo().Cluster.Leader
		return name != ""
	})
	return r.servers.Index(name)
}

// The chats of a dead worker go on within 2 s of its lease's end.
func TestTakeover(t *testing.T) {
	r := newRig(t, "")
	if err := r.workers[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	died := time.Now()
	r.feed("t", len(r.phones)*len(rigGroups), 0, func() bool { return true })
	await.True(t, bus.WorkerLease+20*time.Second, "all chats answered", func() bool { n, _ := r.unanswered(); return n == 0 })
	took := time.Since(died)
	t.Logf("all chats were answered %s after the death, a lease is %s", took.Round(time.Millisecond), bus.WorkerLease)
	if took > bus.WorkerLease+2*time.Second {
		t.Errorf("it took %s", took)
	}
}
