package install

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// childEnv makes the test binary install one pair and end. It holds lines: home,
// NapCat's package, QQ's package or address, and perhaps QQ's digest.
const childEnv = "NCATD_TEST_INSTALL"

func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		os.Exit(childInstall(strings.Split(args, "\n")))
	}
	os.Exit(m.Run())
}

func childInstall(args []string) int {
	s, err := Open(args[0])
	if err == nil {
		req := Request{NapCat: Package{File: args[1]}, QQ: Package{Source: args[2]}, Log: slog.New(slog.DiscardHandler)}
		if len(args) > 3 {
			req.QQ.SHA256 = args[3]
		}
		_, err = s.Install(context.Background(), req, func(e Event) { fmt.Println(e.Kind) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, "\n"))
	return cmd
}

// treeDigest is one number for all that a folder holds.
func treeDigest(t testing.TB, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == releaseFile {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		fmt.Fprintf(h, "%s %d\n%s", rel, len(b), b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// openFast is a store in memory, where there is such a file system: a kill is no
// power cut, and hundreds of installs need not wait for a disk.
func openFast(t testing.TB) *Store {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ncatd-test-*")
	if err != nil {
		return openTemp(t)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestKilledAnywhere kills installs at random instants. Each time the old pair
// or the new one must be current and whole, and the next install must go on.
func TestKilledAnywhere(t *testing.T) {
	points := 50
	if testing.Short() {
		points = 10
	}
	s := openFast(t)
	dir := t.TempDir()
	var extraZip, extraDeb []string
	for i := range 100 {
		extraZip = append(extraZip, fmt.Sprintf("node_modules/p%d/index.js", i), strings.Repeat("x", i))
		extraDeb = append(extraDeb, fmt.Sprintf("./opt/QQ/locales/%d.pak", i), strings.Repeat("y", i))
	}
	var napcat, qq [2]string
	want := map[string]string{} // version -> digest of its release
	for i, v := range []string{"1", "2"} {
		napcat[i] = packNapCat(t, dir, "4."+v+".0", extraZip...)
		qq[i] = packQQ(t, dir, "3.2."+v+"-"+v, extraDeb...)
		scratch := openFast(t)
		p, err := scratch.Install(t.Context(), localRequest(napcat[i], qq[i]), nil)
		if err != nil {
			t.Fatal(err)
		}
		want[p.NapCat.Version], want[p.QQ.Version] = treeDigest(t, p.NapCat.Dir), treeDigest(t, p.QQ.Dir)
	}
	if _, err := s.Install(t.Context(), localRequest(napcat[0], qq[0]), nil); err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]int{}
	for i := range points {
		target := 1 - i%2
		if err := clearReleases(s, 1-target, napcat, qq); err != nil {
			t.Fatal(err)
		}
		err := killed(t, s.Home(), napcat[target], qq[target])
		p, curErr := s.Current()
		if curErr != nil {
			t.Fatalf("after kill %d: %v", i, curErr)
		}
		for _, r := range []Release{p.NapCat, p.QQ} {
			if got := treeDigest(t, r.Dir); got != want[r.Version] {
				t.Fatalf("after kill %d: release %s is not whole", i, r.Dir)
			}
		}
		switch {
		case err == nil:
			outcomes["finished"]++
		case p.NapCat.Version == fmt.Sprintf("4.%d.0", target+1):
			outcomes["new"]++
		default:
			outcomes["old"]++
		}
		if p.NapCat.Version[2] != p.QQ.Version[4] {
			t.Fatalf("after kill %d: halves of two pairs: %+v", i, p)
		}
		if q, err := s.Install(t.Context(), localRequest(napcat[target], qq[target]), nil); err != nil || q.NapCat.Version != fmt.Sprintf("4.%d.0", target+1) {
			t.Fatalf("install after kill %d: %+v, %v", i, q, err)
		}
		if left, _ := filepath.Glob(filepath.Join(s.releases(), stagingPrefix+"*")); len(left) > 0 {
			t.Fatalf("after kill %d left behind: %v", i, left)
		}
	}
	t.Logf("%d kills: %v", points, outcomes)
	if outcomes["old"] == 0 {
		t.Error("no kill came before the switch: the instants were not spread")
	}
}

// killed starts an install and kills it at some instant: when it has told a
// random number of its steps, and a moment later.
func killed(t *testing.T, home, napcat, qq string) error {
	t.Helper()
	cmd := child(t.Context(), home, napcat, qq)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range rand.IntN(14) {
		if !lines.Scan() {
			break
		}
	}
	select {
	case <-time.After(time.Duration(rand.Int64N(int64(3 * time.Millisecond)))):
	case <-t.Context().Done():
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	return cmd.Wait()
}

// clearReleases removes all but the pair with the given index, so that the next
// install has everything to do.
func clearReleases(s *Store, keep int, napcat, qq [2]string) error {
	if _, err := s.Install(context.Background(), localRequest(napcat[keep], qq[keep]), nil); err != nil {
		return err
	}
	p, err := s.Current()
	if err != nil {
		return err
	}
	err = s.change(func(ptr *pointer) error { ptr.Previous = nil; ptr.Current.State = Good; return nil })
	if err != nil {
		return err
	}
	for _, prod := range []Product{NapCat, QQ} {
		dirs, err := s.releaseDirs(prod)
		if err != nil {
			return err
		}
		for _, d := range dirs {
			if d != p.NapCat.Dir && d != p.QQ.Dir {
				err = errors.Join(err, s.removeRelease(d))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
