//go:build e2e && linux

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

// kills is how many upgrades are killed; E2E_KILLS asks for another number.
func kills(t *testing.T) int {
	t.Helper()
	s := os.Getenv("E2E_KILLS")
	if s == "" {
		return 5
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestUpgradeKilled kills `ncatd upgrade` with -9 at random moments, first to one
// pair and then back to the other. Each time the old or the new pair is whole,
// byte for byte, and comes online; the next upgrade goes on.
func TestUpgradeKilled(t *testing.T) {
	t.Parallel()
	r := newReleases(t)
	type pair struct{ napcat, qq string }
	pairs := []pair{{r.napcat, r.qq}, {}}
	pairs[1].napcat, pairs[1].qq = r.pack("two", "--napcat-version", "4.18.19", "--qq-version", "3.2.30-50970")
	install := func(command string, i int) []string {
		return []string{command, "--yes", "--napcat-package", pairs[i].napcat, "--qq-package", pairs[i].qq}
	}
	scan := napcatsim.Duration(100 * time.Millisecond)
	if err := napcatsim.WriteOptions(napcatsim.AccountHome(r.home, "main"), napcatsim.Options{ScanAfter: &scan}); err != nil {
		t.Fatal(err)
	}
	config := "napcat: {update: \"off\"}\nsupervisor: {health: {start_timeout: 30s}}\n"
	if err := os.WriteFile(filepath.Join(r.home, "ncatd.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	// What each release looks like when it is whole, and how long an upgrade takes.
	want := map[string]string{}
	var took time.Duration
	for i, command := range []string{"install", "upgrade"} {
		began := time.Now()
		if _, errs, code := r.run(install(command, i)...); code != 0 {
			t.Fatal(errs)
		}
		took = time.Since(began)
		n, q := r.current()
		for _, dir := range []string{"napcat/" + n, "qq/" + q} {
			want[dir] = fingerprint(t, filepath.Join(r.home, "releases", dir))
		}
	}
	at, outcomes := 1, map[string]int{}
	for k := range kills(t) {
		to := 1 - at
		// What an upgrade would find unpacked already goes, so that it has all to do.
		for dir := range want {
			if n, q := r.current(); dir != "napcat/"+n && dir != "qq/"+q {
				if err := os.RemoveAll(filepath.Join(r.home, "releases", dir)); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd := r.command(t.Context(), install("upgrade", to)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		after := time.Duration(rand.Int64N(int64(took) * 5 / 4))
		killer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
		err := cmd.Wait()
		killer.Stop()
		n, q := r.current()
		for _, dir := range []string{"napcat/" + n, "qq/" + q} {
			if got := fingerprint(t, filepath.Join(r.home, "releases", dir)); got != want[dir] || got == "" {
				t.Fatalf("kill %d after %s: %s is not whole", k, after, dir)
			}
		}
		if (n == "4.18.13") != (q == "3.2.30-50969") {
			t.Fatalf("kill %d after %s: halves of two pairs: %s with %s", k, after, n, q)
		}
		at = 0
		if n == "4.18.19" {
			at = 1
		}
		switch {
		case err == nil:
			outcomes["finished"]++
		case at == to:
			outcomes["new"]++
		default:
			outcomes["old"]++
		}
		if _, errs, code := r.run("start", "-d", "--yes", "--set", "display=none"); code != 0 {
			t.Fatalf("kill %d after %s: the pair does not start: exit %d\n%s", k, after, code, errs)
		}
		if a := r.online(); a.NapCat != n || a.QQ != q {
			t.Fatalf("kill %d after %s: online with %s and %s, want %s and %s", k, after, a.NapCat, a.QQ, n, q)
		}
		if _, errs, code := r.run("stop"); code != 0 {
			t.Fatal(errs)
		}
		// The next upgrade goes on where this one was ended.
		if k%5 == 4 {
			if _, errs, code := r.run(install("upgrade", 1-at)...); code != 0 {
				t.Fatalf("upgrade after kill %d: %s", k, errs)
			}
			at = 1 - at
		}
	}
	if left, _ := filepath.Glob(filepath.Join(r.home, "releases", ".staging-*")); len(left) > 1 {
		t.Errorf("left behind: %v", left)
	}
	t.Logf("%d upgrades killed within %s: %v", kills(t), took*5/4, outcomes)
}

// online follows the daemon until its account is online, and returns that state.
func (r *releases) online() (account api.Account) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), waitLimit)
	defer cancel()
	cl := client.New(home.Dir(r.home).Socket())
	defer cl.Close()
	there := errors.New("there")
	err := cl.Watch(ctx, "", nil, func(it api.WatchItem) error {
		if it.Status != nil && len(it.Status.Accounts) > 0 {
			account = it.Status.Accounts[0]
		}
		if it.State != nil {
			account = *it.State
		}
		if account.State == api.StateOnline {
			return there
		}
		return nil
	})
	if !errors.Is(err, there) {
		r.t.Fatalf("not online, but %s (%s): %v", account.State, account.Detail, err)
	}
	return account
}

// fingerprint is one number for what a release holds, empty if it is not there.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".ncatd-release.json" {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		fmt.Fprintln(h, strings.TrimPrefix(p, dir), fi.Mode(), len(b))
		h.Write(b)
		return err
	})
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestDiskFills upgrades on a file system of 64 MiB that the new pair does not
// fit on: a clear error, the old pair as it was, nothing left of the new one.
func TestDiskFills(t *testing.T) {
	t.Parallel()
	r := newReleases(t)
	r.home = filepath.Join(t.TempDir(), "small", "home")
	small := filepath.Dir(r.home)
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a file system of its own needs root and the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(small, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if _, errs, code := r.run("install", "--napcat-package", r.napcat, "--qq-package", r.qq); code != 0 {
		t.Fatal(errs)
	}
	before := manifest(t, filepath.Join(r.home, "releases"))
	used := func() int64 {
		var st syscall.Statfs_t
		if err := syscall.Statfs(small, &st); err != nil {
			t.Fatal(err)
		}
		return int64(st.Blocks-st.Bfree) * st.Bsize
	}
	full := used()
	noise := make([]byte, 80<<20)
	rand.NewChaCha8([32]byte{3}).Read(noise)
	// The first says how large it becomes, the second shows it by filling up,
	// and the third does not even arrive.
	zip := hostileZip(t, []hostile{{name: "napcat.mjs", data: "x"}, {name: "big", data: string(noise)}})
	deb := hostileDeb(t, []hostile{
		{name: "./opt/QQ/qq", data: "#!/bin/sh\n"}, {name: "./opt/QQ/resources/app/package.json", data: `{"version":"3.2.31-60000"}`},
		{name: "./opt/QQ/a", data: string(noise[:30<<20])}, {name: "./opt/QQ/b", data: string(noise[30<<20:])},
	})
	dir := t.TempDir()
	for name, b := range map[string][]byte{"napcat.zip": zip, "qq.deb": deb} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	napcat, err := os.ReadFile(r.napcat)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"/v4.18.13/NapCat.Shell.zip": napcat, "/linuxqq.deb": deb}
	url := mirror(t, files, whole)
	cat := r.catalogueIn(dir, napcat, deb)
	for _, tt := range []struct {
		what string
		args []string
	}{
		{"known beforehand", []string{"upgrade", "--napcat-package", filepath.Join(dir, "napcat.zip")}},
		{"while unpacking", []string{"upgrade", "--qq-package", filepath.Join(dir, "qq.deb")}},
		{"download", []string{"install", "--yes", "--qq-version", "3.2.30-50969", "--catalogue", cat, "--mirror", url}},
	} {
		_, errs, code := r.run(tt.args...)
		if code != 1 || !strings.Contains(errs, "space") || !strings.Contains(errs, "hint: free some space") {
			t.Errorf("%s: exit %d\n%s", tt.what, code, errs)
		}
		after := manifest(t, filepath.Join(r.home, "releases"))
		if len(after) != len(before) {
			t.Errorf("%s: %d entries below releases, were %d", tt.what, len(after), len(before))
		}
		for name, line := range before {
			if after[name] != line {
				t.Errorf("%s: %s is %q, was %q", tt.what, name, after[name], line)
			}
		}
		if parts, _ := os.ReadDir(filepath.Join(r.home, "downloads")); len(parts) > 0 {
			t.Errorf("%s: left behind %v", tt.what, parts)
		}
		if n, q := r.current(); n != "4.18.13" || q != "3.2.30-50969" {
			t.Errorf("%s: installed is now %s with %s", tt.what, n, q)
		}
		if now := used(); now > full+1<<20 {
			t.Errorf("%s: %d KiB more are used than before", tt.what, (now-full)>>10)
		}
	}
}
