//go:build e2e_fleet && linux

package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
	"github.com/ncatd/ncatd/internal/home"
)

var ncatd, worker, traced string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ncatd-fleet")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		ncatd, worker, traced = filepath.Join(dir, "ncatd"), filepath.Join(dir, "worker"), filepath.Join(dir, "traced")
		for out, pkg := range map[string]string{
			ncatd: "github.com/ncatd/ncatd/cmd/ncatd", worker: "github.com/ncatd/ncatd/examples/worker", traced: "github.com/ncatd/ncatd/internal/e2e/fleet/traced",
		} {
			cmd := exec.Command("go", "build", "-trimpath", "-o", out, pkg)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if msg, err := cmd.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "%v\n%s", err, msg)
				return 1
			}
		}
		return m.Run()
	}())
}

// host is one daemon of the fleet.
type host struct {
	t    *testing.T
	name string
	home home.Dir
	scan string // after how long the phone scans a code
	cmd  *exec.Cmd
	cl   *client.Client
}

// newHost returns a host that does not run yet; more is added to its config.
func newHost(t *testing.T, name, url string, more ...string) *host {
	t.Helper()
	h := &host{t: t, name: name, scan: "0s", home: home.Dir(filepath.Join(t.TempDir(), name))}
	if err := h.home.Make(); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("bus: {url: %q, host: %s}\nsupervisor: {stop_timeout: 3s}\n", url, name) + strings.Join(more, "\n")
	if err := os.WriteFile(h.home.Config(), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	h.cl = client.New(h.home.Socket())
	t.Cleanup(func() {
		if out, err := os.ReadFile(h.home.Join("logs", "ncatd.log")); t.Failed() && err == nil {
			t.Logf("host %s:\n%s", name, out[max(0, len(out)-16<<10):])
		}
		h.cl.Close()
		if h.cmd == nil {
			return
		}
		_ = h.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = h.cmd.Wait()                          // its state is no matter here
		// What it kept running when it was killed.
		eachProcess([]*host{h}, func(pid int, _ *host, _ string) { _ = syscall.Kill(pid, syscall.SIGKILL) })
	})
	return h
}

// environ is what a program of this host finds around it. What Makefile tells the tests
// is no setting of ncatd.
func (h *host) environ(more string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NCATD_") })
	return append(env, "HOME="+filepath.Dir(string(h.home)), more)
}

func (h *host) start() {
	h.t.Helper()
	h.cmd = exec.Command(ncatd, "start", "--sim", "--yes", "--home", string(h.home), "--scan-after", h.scan)
	h.cmd.Env = h.environ("NCATD_LANG=en")
	log, err := os.OpenFile(string(h.home)+".out", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	h.cmd.Stdout, h.cmd.Stderr = log, log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) kill() {
	h.t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		h.t.Fatal(err)
	}
	_ = h.cmd.Wait() // killed is what it says
}

func (h *host) account() api.Account {
	st, err := h.cl.Status(h.t.Context())
	if err != nil || len(st.Accounts) != 1 {
		return api.Account{}
	}
	return st.Accounts[0]
}

// named returns the host's account of that name; the zero one if it has none.
func (h *host) named(name string) api.Account {
	st, err := h.cl.Status(h.t.Context())
	if err != nil {
		return api.Account{}
	}
	for _, a := range st.Accounts {
		if a.Name == name {
			return a
		}
	}
	return api.Account{}
}

// stop ends the host's ncatd and its accounts in order.
func (h *host) stop() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
	if err := h.cmd.Wait(); err != nil {
		h.t.Fatalf("host %s: %v", h.name, err)
	}
}

func (h *host) online() {
	h.t.Helper()
	await.True(h.t, time.Minute, h.name+" online", func() bool { return h.account().State == api.StateOnline })
}

// run runs a command of this host and returns what it prints.
func (h *host) run(args ...string) (string, error) {
	cmd := exec.Command(ncatd, append(args, "--home", string(h.home))...)
	cmd.Env = h.environ("NCATD_LANG=en")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// example runs a command line of the help, which may be refused.
func (h *host) example(line string) string {
	h.t.Helper()
	out, err := h.run(strings.Fields(line)[1:]...)
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		h.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// say writes a message into a group, and returns without waiting for an answer.
func (h *host) say(group int, text string) {
	h.t.Helper()
	if out, err := h.run("sim", "say", "--group", strconv.Itoa(group), "--wait", "0s", "--unheard", text); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
}

// sent returns how often each text was sent into groups.
func (h *host) sent() map[string]int {
	h.t.Helper()
	out, err := h.run("sim", "sent", "--json")
	if err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	texts := map[string]int{}
	var all []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	for _, m := range all {
		texts[m.Text]++
	}
	return texts
}

func startWorker(t *testing.T, url string, env ...string) *exec.Cmd {
	t.Helper()
	return begin(t, exec.Command(worker, url), env...)
}

// begin runs a worker until the test ends.
func begin(t *testing.T, cmd *exec.Cmd, env ...string) *exec.Cmd {
	t.Helper()
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()                          // its state is no matter here
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return cmd
}

// The account that two hosts have runs on one, whatever dies.
func TestOneAccountTwoHosts(t *testing.T) {
	s := natstest.Start(t, 1)
	a, b := newHost(t, "a", s.URL()), newHost(t, "b", s.URL())
	a.start()
	a.online()
	b.start()
	leased := func(h *host) func() bool {
		return func() bool {
			acc := h.account()
			return acc.Reason == "leased" && acc.PIDs.NapCat == 0 && acc.State == api.StateBackoff
		}
	}
	await.True(t, time.Minute, "b is refused", leased(b))
	pid := a.account().PIDs.NapCat
	await.True(t, time.Minute, "a online again after b displaced it", func() bool { return a.account().State == api.StateOnline })
	out, err := b.run("status", "--host", "a")
	if err != nil || !strings.Contains(out, "online") {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, _ = a.run("status", "--fleet"); !strings.Contains(out, "a: heard") || !strings.Contains(out, "the account runs on host a") {
		t.Fatal(out)
	}
	if out, err = b.run("call", "--host", "a", "get_login_info"); err != nil || !strings.Contains(out, "3889001001") {
		t.Fatalf("%v\n%s", err, out)
	}
	if out = b.example("ncatd account take main --host-is-gone"); !strings.Contains(out, "belongs to host a") {
		t.Fatalf("b took the account of a host that is alive:\n%s", out)
	}
	if out = b.example("ncatd account move main --to beijing2"); !strings.Contains(out, "runs on host a") {
		t.Fatalf("b moved the account of a:\n%s", out)
	}
	a.kill()
	if out, err := b.run("restart", "main", "--host", "b"); err != nil { // else it goes to a, which runs it
		t.Fatalf("%v\n%s", err, out)
	}
	if await.Poll(5*time.Second, func() bool { return b.account().PIDs.NapCat != 0 }) {
		t.Fatal("b started an account whose NapCat lives on a")
	}
	a.start()
	a.online()
	if is := a.account().PIDs.NapCat; is != pid && pid != 0 {
		t.Errorf("NapCat was not kept: %d, was %d", is, pid)
	}
	s.Kill(0)
	if await.Poll(3*time.Second, func() bool { return a.account().State != api.StateOnline }) {
		t.Fatalf("a is %+v without the bus", a.account())
	}
	if !await.Poll(30*time.Second, func() bool {
		for _, d := range a.account().Degraded {
			if d.Code == api.CodeBusAway {
				return true
			}
		}
		return false
	}) {
		t.Error("nothing says that the bus is away")
	}
	s.Start(0)
	await.True(t, time.Minute, "the bus is back", func() bool { return len(a.account().Degraded) == 0 })
}

// Workers answer, one dies, one event kills all that begin with it, the bus is away
// for a while, the host's daemon dies: each message is answered once.
func TestWorkers(t *testing.T) {
	s := natstest.Start(t, 1)
	a := newHost(t, "a", s.URL())
	a.start()
	a.online()
	w1 := startWorker(t, s.URL(), "WORKER_MAY_DIE=1")
	startWorker(t, s.URL())
	next := 0
	say := func(n int) {
		for range n {
			next++
			a.say(700000001+next%2, fmt.Sprintf("/take x%d", next))
		}
	}
	answered := func() bool {
		sent := a.sent()
		for i := 1; i <= next; i++ {
			if sent[fmt.Sprintf("x%d：第 1 份", i)] != 1 {
				return false
			}
		}
		return true
	}
	once := func(when string) {
		t.Helper()
		if !await.Poll(90*time.Second, answered) {
			t.Fatalf("%s: %d messages, answers %v", when, next, a.sent())
		}
		for text, n := range a.sent() {
			if n != 1 {
				t.Fatalf("%s: %q was sent %d times", when, text, n)
			}
		}
	}
	// What is said before the group's first worker joined is not for it.
	await.True(t, time.Minute, "workers answer", func() bool {
		a.say(700000001, "/take warm")
		return await.Poll(time.Second, func() bool { return len(a.sent()) > 0 })
	})
	say(10)
	once("at first")
	if err := w1.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	say(10)
	once("a worker died")
	s.Kill(0)
	say(10)
	s.Start(0)
	s.Wait()
	say(5)
	once("the bus was away")
	a.kill()
	a.start()
	a.online()
	say(10)
	once("the host's daemon died")
}

// An event that every worker dies of is given up after three more tries; what follows
// it is answered. Given again by hand, it kills once more, and is dropped then.
func TestPoisonedEvent(t *testing.T) {
	s := natstest.Start(t, 1)
	a := newHost(t, "a", s.URL())
	a.start()
	a.online()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	starts := 0
	ended := make(chan struct{})
	go func() { // as a service manager would
		defer close(ended)
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, worker, s.URL())
			cmd.Env = append(os.Environ(), "WORKER_MAY_DIE=1")
			if err := cmd.Run(); err == nil {
				return
			}
			starts++
		}
	}()
	await.True(t, time.Minute, "the worker answers", func() bool {
		a.say(700000001, "/take warm")
		return await.Poll(time.Second, func() bool { return len(a.sent()) > 0 })
	})
	a.say(700000001, "/die")
	a.say(700000001, "/take after")
	await.True(t, 2*time.Minute, "the event among the dead", func() bool { return strings.Contains(a.example("ncatd fleet dead list"), "/die") })
	await.True(t, 30*time.Second, "what follows it is answered", func() bool { return a.sent()["after：第 1 份"] == 1 })
	out, err := a.run("fleet", "dead", "list", "--json")
	var dead []api.DeadEvent
	if err == nil {
		err = json.Unmarshal([]byte(out), &dead)
	}
	if err != nil || len(dead) != 1 || dead[0].Group != "shop" || !strings.Contains(dead[0].Error, "4 times") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{a.example("ncatd fleet dead retry 17 18"), a.example("ncatd fleet dead drop 17")} {
		if !strings.Contains(line, "no dead event has the number 17") {
			t.Error(line)
		}
	}
	if out, err = a.run("fleet", "dead", "drop", strconv.FormatUint(dead[0].ID, 10)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err = a.run("fleet", "dead", "list"); err != nil || strings.Contains(out, "/die") {
		t.Fatalf("%v\n%s", err, out)
	}
	stop()
	<-ended
	if starts < 4 {
		t.Errorf("%d workers died", starts)
	}
}
