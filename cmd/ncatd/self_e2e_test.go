//go:build e2e && linux

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aead.dev/minisign"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/selfupgrade"
	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// press signs releases that the programs it builds trust.
type press struct {
	t         *testing.T
	root, key minisign.PrivateKey
	rootPub   minisign.PublicKey
	pub       minisign.PublicKey
}

func newPress(t *testing.T) *press {
	t.Helper()
	p := &press{t: t}
	var err error
	if p.rootPub, p.root, err = minisign.GenerateKey(nil); err != nil {
		t.Fatal(err)
	}
	if p.pub, p.key, err = minisign.GenerateKey(nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// program builds ncatd with a version.
func (p *press) program(version string) []byte {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "ncatd")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X github.com/ncatd/ncatd.version="+version+
		" -X github.com/ncatd/ncatd/internal/selfupgrade/signed.testKeys="+p.rootPub.String(), "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("build ncatd: %v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// script is a program that says it is a version, and what else it does.
func script(version, start, check string) []byte {
	return fmt.Appendf(nil, "#!/bin/sh\ncase \"$1\" in\nversion) echo '{\"version\": \"%s\"}' ;;\nstart) %s ;;\nconfig) %s ;;\nesac\n", version, start, check)
}

// release writes a signed release of a program into a folder of its own.
func (p *press) release(version string, program []byte) string {
	p.t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "ncatd", Mode: 0o755, Size: int64(len(program))}); err != nil {
		p.t.Fatal(err)
	}
	_, err := w.Write(program)
	if err != nil || w.Close() != nil || z.Close() != nil {
		p.t.Fatal("the archive was not written")
	}
	sum := sha256.Sum256(b.Bytes())
	platform, arch := runtime.GOOS+"/"+runtime.GOARCH, runtime.GOARCH
	name := fmt.Sprintf("ncatd_%s_linux_%s.tar.gz", version, arch)
	man := signed.Manifest{Version: version, Channel: "stable", Date: "2026-11-28",
		Files: []signed.File{{Name: name, Platform: platform, SHA256: hex.EncodeToString(sum[:]), Size: int64(b.Len())}}}.Text()
	key := signed.KeyText(p.pub, 1)
	dir := p.t.TempDir()
	for n, text := range map[string][]byte{
		name: b.Bytes(), signed.ManifestName: man, signed.ManifestName + signed.Suffix: minisign.Sign(p.key, man),
		signed.KeyName: key, signed.KeyName + signed.Suffix: minisign.Sign(p.root, key),
	} {
		if err := os.WriteFile(filepath.Join(dir, n), text, 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	return dir
}

// self is an installed program with a home.
type self struct {
	t    *testing.T
	work string
	exe  string
	home home.Dir
	cl   *client.Client
}

func newSelf(t *testing.T, program []byte) *self {
	t.Helper()
	s := &self{t: t, work: t.TempDir()}
	s.exe, s.home = filepath.Join(s.work, "bin", "ncatd"), home.Dir(filepath.Join(s.work, "n"))
	if err := os.MkdirAll(filepath.Dir(s.exe), 0o755); err != nil {
		t.Fatal(err)
	}
	s.put(program)
	if err := s.home.Make(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.home.Config(), []byte("display: none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cl = client.New(s.home.Socket())
	t.Cleanup(s.cl.Close)
	t.Cleanup(func() { killLeft(t, s.work) })
	return s
}

func (s *self) put(program []byte) {
	s.t.Helper()
	if err := os.Remove(s.exe); err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.exe, program, 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func (s *self) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.exe, args...)
	cmd.Env = []string{"HOME=" + s.work, "PATH=" + os.Getenv("PATH"), "NCATD_LANG=en", "NCATD_HOME=" + string(s.home), "TMPDIR=" + s.work}
	return cmd
}

func (s *self) run(want int, args ...string) string {
	s.t.Helper()
	cmd := s.command(args...)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		s.t.Fatalf("%s: exit %d, want %d, %v: %s", args, got, want, err, out)
	}
	return string(out)
}

func (s *self) status() api.Status {
	s.t.Helper()
	st, err := s.cl.Status(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

// online waits until the account is, and returns the status.
func (s *self) online() (st api.Status) {
	s.t.Helper()
	await.True(s.t, waitLimit, "the account to be online", func() bool {
		var err error
		st, err = s.cl.Status(s.t.Context())
		return err == nil && len(st.Accounts) == 1 && st.Accounts[0].State == api.StateOnline
	})
	return st
}

// silence watches the socket until stop is called, which returns the longest time
// without an answer.
func (s *self) silence() (stop func() time.Duration) {
	done, longest := make(chan struct{}), make(chan time.Duration)
	go func() {
		var most time.Duration
		last := time.Now()
		for {
			if _, err := s.cl.Status(s.t.Context()); err == nil {
				most, last = max(most, time.Since(last)), time.Now()
			}
			select {
			case <-done:
				longest <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() time.Duration { close(done); return <-longest }
}

// TestSelfUpgrade upgrades a daemon with an account online, goes back, and tries
// versions that crash, hang, or do not take the config.
// TestSelfUpgrade has the machine for itself: it measures how long the socket is away.
func TestSelfUpgrade(t *testing.T) {
	p := newPress(t)
	s := newSelf(t, p.program("1.0.0"))
	s.run(0, "start", "-d", "--sim", "--scan-after", "0s")
	before := s.online()
	next := p.release("1.1.0", p.program("1.1.0"))

	if out := s.run(0, "self", "upgrade", "--check", "--json", "--source", next); !strings.Contains(out, `"newer": true`) {
		t.Errorf("check: %s", out)
	}
	stop := s.silence()
	s.run(0, "self", "upgrade", "--source", next)
	silent := stop()
	st := s.online()
	t.Logf("%s without the socket", silent)
	if st.Version != "1.1.0" || st.PID != before.PID || st.Accounts[0].PIDs.NapCat != before.Accounts[0].PIDs.NapCat || silent > 10*time.Second { // two on a machine that has nothing else to do
		t.Errorf("after the upgrade: version %s, pid %d (was %d), NapCat %d (was %d), silent for %s",
			st.Version, st.PID, before.PID, st.Accounts[0].PIDs.NapCat, before.Accounts[0].PIDs.NapCat, silent)
	}
	s.run(0, "self", "rollback")
	if st = s.online(); st.Version != "1.0.0" || st.Accounts[0].PIDs.NapCat != before.Accounts[0].PIDs.NapCat {
		t.Errorf("after going back: version %s", st.Version)
	}

	for _, bad := range []struct{ version, start, check, want string }{
		{"1.2.0", "exit 1", "exit 0", "ended right after its start"},
		{"1.3.0", "exec sleep 1000", "exit 0", "did not answer in time"},
	} {
		out := s.run(1, "self", "upgrade", "--wait", "5s", "--source", p.release(bad.version, script(bad.version, bad.start, bad.check)))
		st = s.online()
		if !strings.Contains(out, bad.want) || st.Version != "1.0.0" || st.LeftVersion == nil || st.LeftVersion.Version != bad.version {
			t.Errorf("%s: version %s, left %v: %s", bad.version, st.Version, st.LeftVersion, out)
		}
		if out := s.run(0, "status"); !strings.Contains(out, "ncatd "+bad.version+" was left again") || !strings.Contains(out, bad.want) {
			t.Errorf("status: %s", out)
		}
	}
	if st.Accounts[0].PIDs.NapCat != before.Accounts[0].PIDs.NapCat {
		t.Error("NapCat did not go on")
	}
	was, err := os.ReadFile(s.exe)
	if err != nil {
		t.Fatal(err)
	}
	out := s.run(1, "self", "upgrade", "--source", p.release("1.4.0", script("1.4.0", "exit 0", "echo no such key; exit 2")))
	if is, err := os.ReadFile(s.exe); err != nil || !bytes.Equal(was, is) || !strings.Contains(out, "no such key") {
		t.Errorf("a version that does not take the config: %v: %s", err, out)
	}
	s.run(0, "stop")
}

// TestSelfRollbackIsTried: one that does not take the config, or does not start, does not
// get the daemon either.
func TestSelfRollbackIsTried(t *testing.T) {
	p := newPress(t)
	s := newSelf(t, p.program("1.1.0"))
	if out := s.run(1, "self", "rollback"); !strings.Contains(out, "no earlier program") {
		t.Error(out)
	}
	// It is started from a folder that a relative home is in.
	cmd := s.command("start", "--sim", "--yes", "--scan-after", "0s")
	cmd.Dir, cmd.Env = s.work, append(cmd.Env, "NCATD_HOME=n")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }() // it is killed with the rest
	before := s.online()
	for _, bad := range []struct{ version, start, check, want string }{
		{"0.9.0", "exit 0", "echo no such key; exit 2", "no such key"},
		{"0.8.0", "exit 1", "exit 0", "0.8.0 was left again: it ended right after its start"},
	} {
		if err := os.WriteFile(selfupgrade.Previous(s.exe), script(bad.version, bad.start, bad.check), 0o755); err != nil {
			t.Fatal(err)
		}
		if out := s.run(1, "self", "rollback", "--wait", "20s"); !strings.Contains(out, bad.want) {
			t.Errorf("%s: %s", bad.version, out)
		}
		if st := s.online(); st.Version != "1.1.0" || st.Accounts[0].PIDs.NapCat != before.Accounts[0].PIDs.NapCat {
			t.Errorf("%s: %s runs, NapCat is %d (was %d)", bad.version, st.Version, st.Accounts[0].PIDs.NapCat, before.Accounts[0].PIDs.NapCat)
		}
	}
	s.run(0, "stop")
}

// TestSelfUpgradeTwiceAtOnce: of two upgrades at once one is refused, and the program
// before can still be gone back to.
func TestSelfUpgradeTwiceAtOnce(t *testing.T) {
	p := newPress(t)
	s := newSelf(t, p.program("1.0.0"))
	s.run(0, "start", "-d", "--sim", "--scan-after", "0s")
	s.online()
	first := s.command("self", "upgrade", "--source", p.release("1.1.0", script("1.1.0", "exec sleep 1000", "exit 0")), "--wait", "10s")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	await.True(t, waitLimit, "a trial", func() bool { t, ok := selfupgrade.ReadTrial(s.exe); return ok && t.On(s.exe) })
	other := p.release("1.2.0", script("1.2.0", "exit 0", "exit 0"))
	for _, args := range [][]string{{"self", "upgrade", "--source", other}, {"self", "rollback"}} {
		if out := s.run(1, args...); !strings.Contains(out, "is at work") {
			t.Errorf("%s: %s", args, out)
		}
	}
	if err := first.Wait(); err == nil {
		t.Error("a version that hangs was taken")
	}
	if st := s.online(); st.Version != "1.0.0" {
		t.Errorf("%s runs", st.Version)
	}
	s.run(0, "stop")
}

// TestSelfUpgradeRefuses: what is not as it was signed is not used.
func TestSelfUpgradeRefuses(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	program := p.program("1.1.0")
	s := newSelf(t, program)
	name := fmt.Sprintf("ncatd_1.2.0_linux_%s.tar.gz", runtime.GOARCH)
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	for what, tt := range map[string]struct {
		version, file string
		change        func([]byte) []byte
		want          string
	}{
		"a wrong byte":      {"1.2.0", name, flip, "digest"},
		"half a file":       {"1.2.0", name, func(b []byte) []byte { return b[:len(b)/2] }, "digest"},
		"a wrong signature": {"1.2.0", signed.ManifestName + signed.Suffix, func([]byte) []byte { return minisign.Sign(p.root, []byte("x")) }, "signature is wrong"},
		"another key":       {"1.2.0", signed.KeyName, func([]byte) []byte { return signed.KeyText(p.rootPub, 1) }, "signature is wrong"},
		"a changed version": {"1.2.0", signed.ManifestName, func(b []byte) []byte { return bytes.Replace(b, []byte("1.2.0"), []byte("1.9.0"), 1) }, "signature is wrong"},
		"a page":            {"1.2.0", signed.ManifestName, func([]byte) []byte { return []byte("<html>") }, "HTML page"},
		"an older version":  {"1.0.0", "", nil, "older than 1.1.0"},
	} {
		dir := p.release(tt.version, script(tt.version, "exit 0", "exit 0"))
		if tt.change != nil {
			path := filepath.Join(dir, tt.file)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, tt.change(b), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out := s.run(1, "self", "upgrade", "--source", dir)
		if !strings.Contains(out, tt.want) {
			t.Errorf("%s: %s", what, out)
		}
		if b, err := os.ReadFile(s.exe); err != nil || !bytes.Equal(b, program) {
			t.Fatalf("%s: the program was changed, %v", what, err)
		}
	}
	s.run(0, "self", "upgrade", "--source", p.release("1.0.0", script("1.0.0", "exit 0", "exit 0")), "--version", "1.0.0")
}

// TestSelfUpgradeKilled kills `self upgrade` with -9 at random moments, E2E_KILLS
// (5) times: whatever lies at the path starts.
func TestSelfUpgradeKilled(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	old := p.program("1.0.0")
	s := newSelf(t, old)
	dir := p.release("1.1.0", script("1.1.0", "exit 0", "exit 0"))
	began := time.Now()
	s.run(0, "self", "upgrade", "--source", dir)
	took := time.Since(began)
	outcomes := map[string]int{}
	for range kills(t) {
		s.put(old)
		cmd := s.command("self", "upgrade", "--source", dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(rand.N(took * 5 / 4)) // any moment of its life
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		var v struct{ Version string }
		if err := json.Unmarshal([]byte(s.run(0, "version", "--json")), &v); err != nil {
			t.Fatal(err)
		}
		outcomes[v.Version]++
	}
	t.Logf("an upgrade takes %s; the program after a kill: %v", took, outcomes)
	if n := outcomes["1.0.0"] + outcomes["1.1.0"]; n != kills(t) {
		t.Errorf("outcomes %v of %s", outcomes, strconv.Itoa(kills(t)))
	}
}

// TestSelfUpgradeOrphaned kills who began an upgrade as soon as the version is on
// trial: a bad one is left all the same, a good one stays. If the judge is killed
// too, the next start is one of the old version.
func TestSelfUpgradeOrphaned(t *testing.T) {
	p := newPress(t)
	s := newSelf(t, p.program("1.0.0"))
	s.run(0, "start", "-d", "--sim", "--scan-after", "0s")
	before := s.online()
	began, killed := filepath.Join(s.work, "began"), filepath.Join(s.work, "killed")
	for _, tt := range []struct {
		version, start, want string
		judge                bool // killed as well
	}{
		{"1.2.0", "exit 1", "ended right after its start", false},
		{"1.3.0", "exec sleep 1000", "did not answer in time", false},
		{"1.4.0", fmt.Sprintf("touch %q; until [ -e %q ]; do sleep 0.1; done; exit 2", began, killed), "its trial was cut off", true},
	} {
		from := p.release(tt.version, script(tt.version, tt.start, "exit 0"))
		if !tt.judge {
			s.beginAndKill(from, "")
		} else {
			s.beginAndKill(from, began)
			if err := os.WriteFile(killed, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			await.True(t, waitLimit, "the daemon to end", func() bool { _, err := s.cl.Status(t.Context()); return err != nil })
			// It no longer answers, but may not have ended yet, and may come back by itself.
			await.True(t, waitLimit, "a start", func() bool {
				if s.command("start", "-d", "--sim", "--scan-after", "0s").Run() == nil {
					return true
				}
				st, err := s.cl.Status(t.Context())
				return err == nil && st.Version == "1.0.0"
			})
		}
		await.True(t, waitLimit, tt.version+" to be left", func() bool {
			st, err := s.cl.Status(t.Context())
			return err == nil && st.Version == "1.0.0" && st.LeftVersion != nil && st.LeftVersion.Version == tt.version
		})
		if st := s.online(); !strings.Contains(st.LeftVersion.Reason, tt.want) || st.Accounts[0].PIDs.NapCat != before.Accounts[0].PIDs.NapCat {
			t.Errorf("%s: left %+v, NapCat %d (was %d)", tt.version, st.LeftVersion, st.Accounts[0].PIDs.NapCat, before.Accounts[0].PIDs.NapCat)
		}
	}
	s.beginAndKill(p.release("1.5.0", p.program("1.5.0")), "")
	await.True(t, waitLimit, "1.5.0 to stay", func() bool {
		var v struct{ Version string }
		err := json.Unmarshal([]byte(s.run(0, "version", "--json")), &v)
		return err == nil && v.Version == "1.5.0"
	})
	if st := s.online(); st.Version != "1.5.0" || st.PID == 0 || st.LeftVersion != nil {
		t.Errorf("the good one: %s, left %+v", st.Version, st.LeftVersion)
	}
	s.run(0, "self", "rollback")
	if st := s.online(); st.Version != "1.0.0" || st.Accounts[0].PIDs.NapCat != before.Accounts[0].PIDs.NapCat {
		t.Errorf("after going back: version %s", st.Version)
	}
	s.run(0, "stop")
}

// beginAndKill kills `self upgrade` once the version is on trial. If there is a
// file that its daemon makes, it waits for that, and kills the judge too.
func (s *self) beginAndKill(from, began string) {
	s.t.Helper()
	wait := "8s"
	if began != "" {
		wait = "5m" // the judge is there until it is killed
	}
	cmd := s.command("self", "upgrade", "--wait", wait, "--source", from)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	await.True(s.t, waitLimit, "a trial", func() bool { t, ok := selfupgrade.ReadTrial(s.exe); return ok && t.On(s.exe) })
	var children []string
	if began != "" {
		await.True(s.t, waitLimit, "the daemon of the trial", func() bool { _, err := os.Stat(began); return err == nil })
		lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", cmd.Process.Pid)) // of each thread
		if err != nil {
			s.t.Fatal(err)
		}
		for _, l := range lists {
			b, _ := os.ReadFile(l) // the thread may have ended
			children = append(children, strings.Fields(string(b))...)
		}
		if len(children) == 0 {
			s.t.Fatal("there is no judge")
		}
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	for _, c := range children {
		if pid, err := strconv.Atoi(c); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = cmd.Wait() // it was killed
}
