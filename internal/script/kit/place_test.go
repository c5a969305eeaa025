package kit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/script"
)

// source makes a folder greet of a version, in a folder of its own.
func source(t *testing.T, version string) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "greet")
	put(t, filepath.Join(at, "plugin.yaml"), strings.Replace(greetYAML, "1.2.0", version, 1))
	put(t, filepath.Join(at, "main.ts"), greetTS+"// "+version+"\n")
	return at
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func install(t *testing.T, dir, from string) {
	t.Helper()
	p, err := Open(t.Context(), dir, from)
	if err == nil {
		_, err = p.Install(time.Now())
		err = errors.Join(err, p.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// cut is an install of source that ends without a word after the lock file was written
// and n things were put in their places.
func cut(t *testing.T, dir, source string, n int) {
	t.Helper()
	p, err := Open(t.Context(), dir, source)
	if err != nil {
		t.Fatal(err)
	}
	all, err := script.ReadLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	was := all["greet"]
	files, err := script.Digest(p.path)
	if err != nil {
		t.Fatal(err)
	}
	was.Next = &script.Next{Locked: script.Locked{SHA256: p.SHA256, Version: p.Manifest.Version, Granted: p.Manifest.Permissions}, Files: files}
	all["greet"] = was
	if err := p.writeLock(all); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "greet")
	aside := filepath.Join(p.tmp, asideName)
	if n > 0 && was.SHA256 != "" {
		err = errors.Join(os.Mkdir(aside, 0o755), os.Rename(to, filepath.Join(aside, "greet")))
	}
	if n > 1 {
		err = errors.Join(err, os.Rename(p.path, to))
	}
	if err := errors.Join(err, p.held.Unlock()); err != nil { // as the kernel does
		t.Fatal(err)
	}
}

// TestInstallCutShort holds that of an install that is killed the old plugin or the new
// one is there, that the lock file tells which, and that nothing is left.
func TestInstallCutShort(t *testing.T) {
	for n, want := range []string{"1.0.0", "1.0.0", "2.0.0"} {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d steps, first %v", n, first), func(t *testing.T) {
				dir, want := t.TempDir(), want
				if first && want == "1.0.0" {
					want = ""
				} else if !first {
					install(t, dir, source(t, "1.0.0"))
				}
				cut(t, dir, source(t, "2.0.0"), n)
				put(t, script.LockPath(dir)+"~", "mine")
				put(t, filepath.Join(dir, ".plugins.lock1234"), "half")
				if err := Restore(dir); err != nil {
					t.Fatal(err)
				}
				m, err := script.Read(filepath.Join(dir, "greet"))
				lock, lockErr := script.ReadLock(dir)
				if want == "" {
					if !errors.Is(err, script.ErrNoPlugin) || len(lock) > 0 {
						t.Errorf("%+v, %v; lock %+v", m, err, lock)
					}
				} else if err != nil || lockErr != nil || m.Version != want || lock["greet"].Version != want || lock["greet"].Next != nil || lock["greet"].SHA256 == "" {
					t.Errorf("%+v, %v; lock %+v, %v; want version %s", m, err, lock, lockErr, want)
				}
				left, err := filepath.Glob(filepath.Join(dir, ".*"))
				if err != nil || len(left) > 0 {
					t.Errorf("left: %v, %v", left, err)
				}
				install(t, dir, source(t, "3.0.0"))
				if lock, err := script.ReadLock(dir); err != nil || lock["greet"].Version != "3.0.0" || lock["greet"].Next != nil {
					t.Errorf("after the next: %+v, %v", lock, err)
				}
			})
		}
	}
}

// What somebody puts in the place of what an install took away stays.
func TestRestoreTakesNothingAway(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, source(t, "1.0.0"))
	cut(t, dir, source(t, "2.0.0"), 1)
	put(t, filepath.Join(dir, "greet", "main.ts"), "// mine\n")
	if err := Restore(dir); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "greet", "main.ts")); err != nil || !bytes.Equal(b, []byte("// mine\n")) {
		t.Errorf("%q, %v", b, err)
	}
	if err := Restore(filepath.Join(dir, "none")); err != nil {
		t.Errorf("no folder: %v", err)
	}
}

// TestInstallAtTheSameTime holds that installs at the same time all stand in the lock
// file, and that none removes what another has brought and not yet installed.
func TestInstallAtTheSameTime(t *testing.T) {
	dir, from := t.TempDir(), t.TempDir()
	want := map[string]bool{}
	var open []*Package
	for i := range 8 {
		name := fmt.Sprintf("p%d", i)
		want[name] = true
		put(t, filepath.Join(from, name+".ts"), greetTS)
		p, err := Open(t.Context(), dir, filepath.Join(from, name+".ts"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, p)
	}
	var wg sync.WaitGroup
	for _, p := range open {
		wg.Go(func() {
			_, err := p.Install(time.Now())
			if err := errors.Join(err, p.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	lock, err := script.ReadLock(dir)
	got := map[string]bool{}
	for id := range lock {
		got[id] = true
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("lock has %v, %v", got, err)
	}
}

// While a version takes the place of another with the same name, there is always one.
func TestInstallLeavesNoGap(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "greet", "main.ts")
	from := []string{source(t, "1.0.0"), source(t, "2.0.0")}
	install(t, dir, from[0])
	if p := from[1]; !atomicfile.Exchange(p, p) {
		t.Skip("this system cannot let files change places")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20 {
			install(t, dir, from[(i+1)%2])
		}
	}()
	for {
		if _, err := os.Stat(at); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
