//go:build e2e_login

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// What no file and no process may show.
const (
	testUIN      = 10001
	testPassword = "Hunter2-geheim"
	testTicket   = "t03ticketThatNobodyMaySee"
	testTOTP     = "JBSWY3DPEHPK3PXP"
)

func testMD5() string {
	sum := md5.Sum([]byte(testPassword))
	return hex.EncodeToString(sum[:])
}

var built string // the ncatd under test

// TestMain builds the real program.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ncatd-login")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		built = filepath.Join(dir, "ncatd")
		cmd := exec.Command("go", "build", "-trimpath", "-o", built, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build ncatd: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// site is one home with a simulated QQ.
type site struct {
	t    *testing.T
	bin  string
	home home.Dir
	env  []string
	sim  *napcatsim.Control
}

// newSite makes a home with the given configuration. The phone scans only when
// the test says so, unless o says otherwise.
func newSite(t *testing.T, config string, o napcatsim.Options, env ...string) *site {
	t.Helper()
	s := &site{t: t, bin: built, home: home.Dir(t.TempDir())}
	if o.ScanAfter == nil {
		off := napcatsim.Off
		o.ScanAfter = &off
	}
	account := napcatsim.AccountHome(string(s.home), "main")
	if err := napcatsim.WriteOptions(account, o); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(string(s.home), "packages")
	s.env = append(append(os.Environ(), "NCATD_HOME="+string(s.home), "NCATD_LANG=en"), env...)
	if out, err := s.command("sim", "pack", dir).CombinedOutput(); err != nil {
		t.Fatalf("sim pack: %v\n%s", err, out)
	}
	config += fmt.Sprintf("napcat: {version: %q, source: %q, qq_source: %q, update: \"off\"}\n", napcatsim.DefaultNapCatVersion,
		filepath.Join(dir, napcatsim.NapCatPackageName), filepath.Join(dir, napcatsim.QQPackageName))
	if err := os.WriteFile(s.home.Config(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.sim = napcatsim.NewControl(account)
	t.Cleanup(func() {
		if t.Failed() {
			for _, f := range []string{"logs/ncatd.log", "accounts/main/napcat.log"} {
				b, _ := os.ReadFile(s.home.Join(strings.Split(f, "/")...))
				t.Logf("%s:\n%s", f, b[max(0, len(b)-6000):])
			}
		}
		s.run("", "stop")
		s.noSecrets()
	})
	return s
}

func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.bin, args...)
	cmd.Env = s.env
	return cmd
}

// run runs a command line to its end.
func (s *site) run(stdin string, args ...string) (out, errs string, code int) {
	s.t.Helper()
	cmd := s.command(args...)
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		s.t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// start starts the daemon and does not wait for its accounts.
func (s *site) start() {
	s.t.Helper()
	if out, errs, code := s.run("", "start", "-d", "--yes", "--wait", "0s"); code != 0 {
		s.t.Fatalf("start: exit %d\n%s%s", code, out, errs)
	}
}

// noSecrets looks for secrets where they may not be: in any file but those that
// hold them, in any command line, in any environment but NapCat's own.
func (s *site) noSecrets() {
	s.t.Helper()
	never := []string{testPassword, testMD5(), testTicket}
	tokens := []string{testTOTP}
	if b, err := os.ReadFile(s.home.Secrets()); err == nil {
		var sec struct {
			Control  string
			Accounts map[string]map[string]string
		}
		if err := json.Unmarshal(b, &sec); err != nil {
			s.t.Error(err)
		}
		tokens = append(tokens, sec.Control)
		for _, a := range sec.Accounts {
			for _, v := range a {
				tokens = append(tokens, v)
			}
		}
	}
	err := filepath.WalkDir(string(s.home), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, _ := filepath.Rel(string(s.home), path)
		forbidden := append(append([]string{}, never...), tokens...)
		switch {
		case strings.HasPrefix(rel, filepath.Join("accounts", "main", "home", ".config", "QQ", "sim")):
			return nil // what the simulated QQ's servers know
		case rel == "secrets.json", rel == filepath.Join("accounts", "main", "state.json"), strings.HasPrefix(rel, filepath.Join("accounts", "main", "napcat", "config")):
			forbidden = never
		case strings.HasPrefix(rel, "releases"), strings.HasPrefix(rel, "packages"), strings.HasPrefix(rel, "downloads"):
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range forbidden {
			if secret != "" && bytes.Contains(b, []byte(secret)) {
				s.t.Errorf("%s contains %q", rel, secret)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

// noSecretArgs looks at the command lines of all processes.
func (s *site) noSecretArgs() {
	s.t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range lines {
		b, _ := os.ReadFile(f) // gone by then
		for _, secret := range []string{testPassword, testMD5(), testTicket, testTOTP} {
			if bytes.Contains(b, []byte(secret)) {
				s.t.Errorf("a command line shows %q", secret)
			}
		}
	}
}

// event is a line of login --json.
type event struct {
	Event, State, Reason, Detail, Method, URL, Nickname string
	Seq                                                 int
	UIN                                                 int64
}

// attempt is a running `ncatd login --json`.
type attempt struct {
	s      *site
	cmd    *exec.Cmd
	events chan event
	seen   []event
	mu     sync.Mutex
	errs   bytes.Buffer
	done   chan struct{}
}

// login begins a login.
func (s *site) login(stdin string, args ...string) *attempt {
	s.t.Helper()
	a := &attempt{s: s, events: make(chan event, 1000), done: make(chan struct{})}
	a.cmd = s.command(append([]string{"login", "--json"}, args...)...)
	a.cmd.Stdin = strings.NewReader(stdin)
	a.cmd.Stderr = &a.errs
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(a.events)
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			var e event
			if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
				s.t.Errorf("%v: %s", err, sc.Text())
			}
			a.events <- e
		}
	}()
	s.t.Cleanup(func() { _ = a.cmd.Process.Kill() })
	return a
}

// until reads events up to one that ok takes.
func (a *attempt) until(what string, ok func(e event) bool) event {
	a.s.t.Helper()
	limit := time.After(40 * time.Second)
	for {
		select {
		case e, more := <-a.events:
			if !more {
				a.s.t.Fatalf("ended before %s: %s\n%s", what, a.steps(), a.errs.String())
			}
			a.seen = append(a.seen, e)
			if ok(e) {
				return e
			}
		case <-limit:
			a.s.t.Fatalf("never %s: %s\n%s", what, a.steps(), a.errs.String())
		}
	}
}

func is(name string) func(e event) bool { return func(e event) bool { return e.Event == name } }

// code reads up to the next QR code.
func (a *attempt) code() event {
	a.s.t.Helper()
	return a.until("a code", is("qr"))
}

// exit reads to the end and returns the exit code.
func (a *attempt) exit() int {
	a.s.t.Helper()
	limit := time.After(40 * time.Second)
	for {
		select {
		case e, more := <-a.events:
			if more {
				a.seen = append(a.seen, e)
				continue
			}
			_ = a.cmd.Wait()
			return a.cmd.ProcessState.ExitCode()
		case <-limit:
			a.s.t.Fatalf("never ended: %s\n%s", a.steps(), a.errs.String())
		}
	}
}

// steps is what happened, without the states and without "accepted", which is
// over in a moment that nobody need see.
func (a *attempt) steps() string {
	var w []string
	for _, e := range a.seen {
		if e.Event == "state" || e.Event == "accepted" {
			continue
		}
		s := e.Event
		if e.Reason != "" {
			s += "(" + e.Reason + ")"
		}
		w = append(w, s)
	}
	return strings.Join(w, " ")
}

// succeeds expects the login to end online, after exactly these steps.
func (a *attempt) succeeds(steps string) {
	a.s.t.Helper()
	if code := a.exit(); code != 0 || a.steps() != steps {
		a.s.t.Errorf("exit %d, steps %s\nwant %s\n%s", code, a.steps(), steps, a.errs.String())
	}
	if n := len(a.seen); n > 0 && (a.seen[n-1].UIN == 0 || a.seen[n-1].Nickname == "") {
		a.s.t.Errorf("last event %+v", a.seen[n-1])
	}
}

func (s *site) scan(uin int64) {
	s.t.Helper()
	if err := s.sim.Scan(context.Background(), uin); err != nil {
		s.t.Fatalf("scan: %v", err)
	}
}

// expire lets the code on screen expire, waiting for one if need be.
func (s *site) expire() {
	s.t.Helper()
	await.True(s.t, 10*time.Second, "a code that can expire", func() bool { return s.sim.ExpireQR(context.Background()) == nil })
}

// webuiLogins is how often anybody logged in to the simulated WebUI.
func (s *site) webuiLogins() int {
	s.t.Helper()
	st, err := s.sim.State(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return st.WebUILogins
}

func (s *site) status() api.Account {
	s.t.Helper()
	cl := client.New(s.home.Socket())
	defer cl.Close()
	st, err := cl.Status(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return st.Accounts[0]
}

// await follows what the daemon says until ok takes the account.
func (s *site) await(what string, ok func(a api.Account) bool) {
	s.t.Helper()
	cl := client.New(s.home.Socket())
	defer cl.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), 40*time.Second)
	defer cancel()
	seen := errors.New("seen")
	err := cl.Watch(ctx, "main", nil, func(api.WatchItem) error {
		if ok(s.status()) {
			return seen
		}
		return nil
	})
	if !errors.Is(err, seen) {
		s.t.Fatalf("never %s: %v: %+v", what, err, s.status())
	}
}

func account(uin int64, rest string) string {
	return fmt.Sprintf("accounts:\n  - name: main\n    uin: %d\n    login: {%s}\n", uin, rest)
}
