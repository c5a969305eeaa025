//go:build !windows

package ncat_test

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// A FIFO in the place of media ends at once: nobody writes into it.
func TestFIFOAsMedia(t *testing.T) {
	b := ncat.New()
	dialWorld(t, b, ncat.SharedDisk())
	path := filepath.Join(t.TempDir(), "pipe.png")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := b.SendPrivate(ctx, 3001000001, ncat.Image(ncat.Path(path))); !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("sent: %v", err)
	}
}
