//go:build !linux

package proc

import (
	"errors"
	"os"
	"time"
)

// fileWatch tells that a file may have changed.
type fileWatch struct {
	changed chan struct{} // capacity 1
	stop    chan struct{}
	done    chan struct{}
}

func watchFile(string) *fileWatch {
	w := &fileWatch{changed: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		t := time.NewTicker(50 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				w.tell()
			case <-w.stop:
				return
			}
		}
	}()
	return w
}

func (w *fileWatch) tell() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *fileWatch) close() {
	close(w.stop)
	<-w.done
}

func punchHole(*os.File, int64, int64) error { return errors.ErrUnsupported }
