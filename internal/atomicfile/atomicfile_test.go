//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a[1].json")
	for _, step := range []struct {
		text string
		perm fs.FileMode
	}{{"one", 0o600}, {"two, longer", 0o644}, {"", 0o600}} {
		if err := Write(path, []byte(step.text), step.perm); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(path)
		if err != nil || fi.Mode() != step.perm || read(t, path) != step.text {
			t.Errorf("%v, %v, %q", fi, err, read(t, path))
		}
	}
	// What a killed writer left goes, what another one is writing stays.
	old, fresh, other := filepath.Join(dir, ".a[1].json123"), filepath.Join(dir, ".a[1].json456"), filepath.Join(dir, ".a[1].json.bak")
	for _, p := range []string{old, fresh, other} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-time.Hour)
	for _, p := range []string{old, other} {
		if err := os.Chtimes(p, then, then); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(names) != 2 {
		t.Errorf("left: %q, %v", names, err)
	}
}

// TestNothingIsWrittenThroughALink: a link in the place of a file of ours is
// replaced or refused, and its target stays as it is.
func TestNothingIsWrittenThroughALink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	plant := func() {
		t.Helper()
		_ = os.Remove(link)
		if err := errors.Join(os.WriteFile(target, []byte("theirs"), 0o600), os.Symlink(target, link)); err != nil {
			t.Fatal(err)
		}
	}
	plant()
	if f, err := OpenFile(link, os.O_WRONLY|os.O_TRUNC, 0o600); err == nil {
		f.Close()
		t.Error("a link was opened")
	}
	for name, lock := range map[string]func(string) (*Lock, error){"try": TryLock, "try, create": TryCreateLock, "wait": WaitLock, "wait, create": WaitCreateLock} {
		if l, err := lock(link); err == nil {
			_ = l.Unlock()
			t.Errorf("%s: a link was locked", name)
		}
	}
	if err := Write(link, []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, target); got != "theirs" {
		t.Errorf("the target has %q", got)
	}
	if fi, err := os.Lstat(link); err != nil || !fi.Mode().IsRegular() || read(t, link) != "ours" {
		t.Errorf("%v, %v", fi, err)
	}
}

// TestMove: what was written elsewhere in the folder takes the place of a file or
// of a link, and of nothing if it is a link itself.
func TestMove(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"tmp": "ours", "target": "theirs"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("target", at("link")); err != nil {
		t.Fatal(err)
	}
	if err := Move(at("link"), at("x")); err == nil {
		t.Error("a link was moved")
	}
	if err := Move(at("tmp"), at("link")); err != nil {
		t.Fatal(err)
	}
	if read(t, at("link")) != "ours" || read(t, at("target")) != "theirs" {
		t.Errorf("%q, %q", read(t, at("link")), read(t, at("target")))
	}
	if err := Move(at("tmp"), at("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("moved twice: %v", err)
	}
}

func TestWriteIntoWhatIsNoFolder(t *testing.T) {
	dir := t.TempDir()
	if err := Write(filepath.Join(dir, "none", "x"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	sub := filepath.Join(dir, "x")
	if err := os.MkdirAll(filepath.Join(sub, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(sub, []byte("y"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	if names, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(names) != 0 {
		t.Errorf("left: %q, %v", names, err)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if _, err := TryLock(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lock without a file: %v", err)
	}
	l, err := TryCreateLock(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := TryLock(path); !errors.Is(err, ErrLocked) {
			t.Errorf("twice: %v", err)
		}
	}
	held := make(chan *Lock)
	go func() {
		l, err := WaitCreateLock(path)
		if err != nil {
			t.Error(err)
		}
		held <- l
	}()
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := (<-held).Unlock(); err != nil {
		t.Error(err)
	}
	d, err := WaitLock(filepath.Dir(path)) // a folder
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Unlock(); err != nil {
		t.Error(err)
	}
}

// What cannot be written is named, not the temporary file, whose name is another
// each time.
func TestWriteNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := Write(path, []byte("x"), 0o600)
	var pe *fs.PathError
	if !errors.As(err, &pe) || pe.Path != path {
		t.Fatalf("got %v", err)
	}
	if again := Write(path, []byte("x"), 0o600); again.Error() != err.Error() {
		t.Errorf("two errors for one thing: %v, %v", err, again)
	}
}
