//go:build unix

package script

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestEngineFaults reads memory that is not there, as an engine may that manages its
// memory itself: what runs ends with an error, and the process goes on.
func TestEngineFaults(t *testing.T) {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "gone"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 16); err != nil {
		t.Fatal(err)
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, 1<<16, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(b) }()
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	eng, err := newEngine(DefaultMemory, prelude, func([]any) (any, error) { return b[1<<15], nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eng.Load("m", `console.log("read");`, slack*time.Second); !errors.Is(err, errBroken) {
		t.Errorf("it ended with %v", err)
	}
	if err := eng.Close(); err != nil {
		t.Error(err)
	}
}
