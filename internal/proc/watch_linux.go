package proc

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fileWatch tells when a file changed.
type fileWatch struct {
	changed chan struct{} // capacity 1
	f       *os.File      // inotify, nil if there is none
	stop    chan struct{}
	done    chan struct{}
}

func watchFile(path string) *fileWatch {
	w := &fileWatch{changed: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err == nil {
		if _, err = unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err == nil {
			w.f = os.NewFile(uintptr(fd), "inotify")
		} else {
			_ = unix.Close(fd) // unused
		}
	}
	if w.f == nil {
		go w.poll()
	} else {
		go w.read()
	}
	return w
}

func (w *fileWatch) read() {
	defer close(w.done)
	buf := make([]byte, 4<<10)
	for {
		if _, err := w.f.Read(buf); err != nil {
			return
		}
		w.tell()
	}
}

// poll serves where the user has used up his inotify instances.
func (w *fileWatch) poll() {
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
}

func (w *fileWatch) tell() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *fileWatch) close() {
	close(w.stop)
	if w.f != nil {
		w.f.Close()
	}
	<-w.done
}

// punchHole gives the blocks of a range back; the rest of the file keeps its
// offsets.
func punchHole(f *os.File, off, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}
