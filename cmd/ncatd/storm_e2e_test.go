//go:build e2e && linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/home"
)

// TestConfigSetKilled kills `config set` at 150 moments of its life: the file is
// the old one or the new one, to the byte.
func TestConfigSetKilled(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	path := filepath.Join(work, "ncatd.yaml")
	start := func(args ...string) *exec.Cmd {
		t.Helper()
		cmd := exec.Command(binary, append(args, "--home", work)...)
		cmd.Env = []string{"HOME=" + work, "NCATD_LANG=en"}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	whole := map[string][]byte{}
	var took time.Duration
	if err := start("init").Wait(); err != nil {
		t.Fatal(err)
	}
	levels := []string{"debug", "warn"}
	for _, l := range levels {
		began := time.Now()
		if err := start("config", "set", "log.level", l).Wait(); err != nil {
			t.Fatal(err)
		}
		took = max(took, time.Since(began))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		whole[l] = b
	}
	was, changed, killed := "warn", 0, 0
	const times = 150
	for i := range times {
		want := levels[i%2]
		cmd := start("config", "set", "log.level", want)
		// Moments all over its life, and a little after.
		<-time.After(time.Duration(i) * took * 5 / 4 / times)
		_ = cmd.Process.Kill() // it may have ended
		if err := cmd.Wait(); err != nil {
			killed++
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case bytes.Equal(got, whole[want]):
			if want != was {
				changed++
			}
			was = want
		case bytes.Equal(got, whole[was]):
		default:
			t.Fatalf("killed after %d of %d: neither the old file nor the new:\n%s", i, times, got)
		}
	}
	t.Logf("killed %d of %d, changed %d times", killed, times, changed)
	if killed == 0 || changed == 0 {
		t.Errorf("killed %d of %d, changed %d times: nothing was tried", killed, times, changed)
	}
	// What a killed one left is in nobody's way, and gone with a later one.
	left, err := filepath.Glob(filepath.Join(work, ".ncatd.yaml[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for _, p := range left {
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := start("config", "set", "log.level", "info").Wait(); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(work)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d temporary files were left", len(left))
	if len(entries) != 1 {
		t.Errorf("more than the config is left: %v", entries)
	}
}

// TestReloads reloads a thousand times while messages flow and the config file
// becomes one good config, another, and half of one: every message is answered,
// NapCat notices nothing, and what is in force is a whole config at any moment.
func TestReloads(t *testing.T) {
	t.Parallel()
	conf := func(level, prefix string) []byte {
		return fmt.Appendf(nil, "display: none\nlog: {level: %s, max_total: 20MiB}\nbot: {prefixes: [%q]}\naccounts: [{name: main, onebot: {heartbeat: 1s}}]\n", level, prefix)
	}
	good := [][]byte{conf("info", "/"), conf("warn", "!")}
	s := newStage(t, string(good[0]), nil)
	before := s.account()

	ctx, cancel := context.WithCancel(t.Context())
	var said atomic.Int64
	var talkers sync.WaitGroup
	for i := range 2 {
		talkers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				text := fmt.Sprintf("%d-%d", i, n)
				// One talks in private, one in a group, each in a chat of his own.
				if err := s.askIn(i, "/echo "+text, text); err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				said.Add(1)
			}
		})
	}
	applied, refused := 0, 0
	const times = 1000
	for i := range times {
		next := good[i%2]
		half := i%5 == 4
		if half { // as an editor leaves it that writes in place and is slow
			next = next[:len(next)/2+i%20]
		}
		if err := os.WriteFile(s.home.Config(), next, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := s.cl.Reload(ctx)
		var ae *api.Error
		switch {
		case half && errors.As(err, &ae) && ae.Code == "bad_config":
			refused++
		case err != nil:
			t.Fatalf("reload %d: %v", i, err)
		case !half && len(r.Restart) > 0:
			t.Fatalf("reload %d wants a restart of %v", i, r.Restart)
		case !half && len(r.Applied) > 0:
			applied++
		}
	}
	// SIGHUP does the same, however many come.
	for range 100 {
		if err := syscall.Kill(s.pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	await.True(t, waitLimit, "some answers", func() bool { return said.Load() > 50 })
	cancel()
	talkers.Wait()
	after := s.account()
	t.Logf("%d reloads: %d changed something, %d refused; %d messages answered", times, applied, refused, said.Load())
	if applied < times/2 || refused == 0 {
		t.Errorf("applied %d, refused %d of %d", applied, refused, times)
	}
	if after.State != api.StateOnline || after.PIDs.NapCat != before.PIDs.NapCat || !after.Since.Equal(before.Since) || after.QueueDropped != 0 {
		t.Errorf("was %+v, is %+v", before, after)
	}
	if after.Events < before.Events+uint64(said.Load()) {
		t.Errorf("%d events, but %d messages", after.Events-before.Events, said.Load())
	}
	// The last one in force is the last good one.
	if err := os.WriteFile(s.home.Config(), good[0], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.cl.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	if r, err := s.cl.Reload(t.Context()); err != nil || len(r.Applied)+len(r.Restart) != 0 {
		t.Errorf("the same config again: %+v, %v", r, err)
	}
}

// TestDiskFull fills the disk that the logs are on: the bot answers all the
// same, and the log goes on, saying what it lost, when there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	var logs string
	s := newStage(t, "display: none\nlog: {level: debug, events: full}\naccounts: [{name: main}]\n", func(h home.Dir) {
		logs = h.Logs()
		if err := syscall.Mount("ncatd-e2e", logs, "tmpfs", 0, "size=512k,mode=700"); err != nil {
			t.Skipf("cannot mount a small disk here: %v", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(logs, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
	})
	ballast := filepath.Join(logs, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(logs, "ncatd.log")
	for i := range 200 { // more than what is left of the last page
		text := fmt.Sprintf("number-%d-%0100d", i, 0)
		if err := s.ask("/echo "+text, text); err != nil {
			t.Fatal(err)
		}
	}
	full, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if acc := s.account(); acc.State != api.StateOnline || acc.Restarts != 0 {
		t.Errorf("the account is %s, restarts %d", acc.State, acc.Restarts)
	}
	if bytes.Contains(full, []byte("number-199-")) {
		t.Fatal("the disk was never full")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	await.True(t, waitLimit, "the log to go on", func() bool {
		if err := s.ask("/echo room", "room"); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(b[min(len(full), len(b)):]), "/echo room")
	})
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		if !bytes.HasPrefix(line, []byte("{")) || !bytes.HasSuffix(line, []byte("}\n")) {
			t.Errorf("half a line: %s", line)
		}
	}
	if !bytes.Contains(b, []byte("log lines were lost")) {
		t.Errorf("the log does not say what it lost:\n%s", b[len(full):])
	}
}
