package install

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// What is written into a package after its digest was taken is never unpacked.
func TestHashedFileChanges(t *testing.T) {
	data := bytes.Repeat([]byte("package "), 3*hashedBlock/8+100)
	path := filepath.Join(t.TempDir(), "p.deb")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := hashFile(t.Context(), f)
	if err != nil || h.size != int64(len(data)) {
		t.Fatal(h, err)
	}
	got, err := io.ReadAll(io.NewSectionReader(h, 0, h.size))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := f.WriteAt([]byte("X"), 2*hashedBlock+5); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if _, err := h.ReadAt(b, 16); err != nil || string(b) != "package " {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := h.ReadAt(b, 2*hashedBlock+800); !errors.Is(err, ErrChanged) {
		t.Errorf("in the changed block: %q, %v", b, err)
	}
	if err := f.Truncate(hashedBlock + 10); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReadAt(b, hashedBlock+8); !errors.Is(err, ErrChanged) {
		t.Errorf("in the part that was cut off: %q, %v", b, err)
	}
	if _, err := h.ReadAt(b, h.size); !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hashFile(ctx, f); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
