// Package logfile keeps the logs: a file that rotates under a total cap, the slog
// handlers that write ncatd's own one, and the reader that merges it with the
// logs of the accounts' NapCats by time. A disk that is full stops the log, never
// the program. Its central types are [Writer] and [Reader].
package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// retryAfter is how long a log that could not be written to is left alone, so
// that a full disk does not cost a system call for each line.
const retryAfter = 2 * time.Second

// Writer is a log file that never grows beyond a limit: at maxSize path becomes
// path.1, older ones move up, and the oldest go while all together are larger
// than maxTotal. It is safe for concurrent use.
type Writer struct {
	path              string
	maxSize, maxTotal int64
	now               func() time.Time

	mu    sync.Mutex
	f     *os.File
	size  int64
	lost  int       // lines since the log failed
	retry time.Time // not before
	note  func(lost int) []byte
}

// NewWriter returns a writer for the log at path; the file is opened with the
// first line. note makes the line that tells, after the log failed for a while,
// how many lines are missing. A maxSize or maxTotal that is not positive is taken
// as 20 MiB and 200 MiB.
func NewWriter(path string, maxSize, maxTotal int64, note func(lost int) []byte) *Writer {
	if maxSize <= 0 {
		maxSize = 20 << 20
	}
	if maxTotal <= 0 {
		maxTotal = 200 << 20
	}
	return &Writer{path: path, maxSize: maxSize, maxTotal: max(maxTotal, maxSize), note: note, now: time.Now}
}

// Write appends the line p. It always reports success: a log that cannot be
// written must not disturb the writer. What is lost is counted and told in
// the log itself when it works again.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.worksLocked() {
		w.lost++
		return len(p), nil
	}
	if w.writeLocked(p) != nil {
		w.lost++
		w.retry = w.now().Add(retryAfter)
	}
	return len(p), nil
}

// Lost tries whether a log that failed can be written again, and returns how many
// lines are missing as long as it cannot.
func (w *Writer) Lost() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.worksLocked()
	return w.lost
}

// worksLocked reports whether the log can be written, as far as is known. In one
// that failed the missing lines are told first.
func (w *Writer) worksLocked() bool {
	switch {
	case w.lost == 0:
		return true
	case w.now().Before(w.retry):
		return false
	}
	var note []byte
	if w.note != nil {
		note = w.note(w.lost)
	}
	if w.writeLocked(note) != nil {
		w.retry = w.now().Add(retryAfter)
		return false
	}
	w.lost = 0
	return true
}

func (w *Writer) writeLocked(p []byte) error {
	if w.f == nil {
		if err := w.openLocked(); err != nil {
			return err
		}
	}
	if w.size > 0 && w.size+int64(len(p)) > w.maxSize {
		if err := w.rotateLocked(); err != nil {
			return err
		}
	}
	n, err := w.f.Write(p)
	w.size += int64(n)
	if err != nil && n > 0 {
		// Half a line would spoil the next one as well.
		if w.f.Truncate(w.size-int64(n)) == nil {
			w.size -= int64(n)
		}
	}
	return err
}

func (w *Writer) openLocked() error {
	if err := os.MkdirAll(filepath.Dir(w.path), 0o700); err != nil {
		return err
	}
	f, err := atomicfile.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	w.f, w.size = f, st.Size()
	return nil
}

func (w *Writer) rotateLocked() error {
	w.f.Close()
	w.f = nil
	old := numbered(w.path)
	for _, n := range slices.Backward(old) {
		if err := os.Rename(numberedName(w.path, n), numberedName(w.path, n+1)); err != nil {
			return err
		}
	}
	if err := os.Rename(w.path, numberedName(w.path, 1)); err != nil {
		return err
	}
	sum := w.maxSize // the new file may grow to that
	for _, n := range numbered(w.path) {
		name := numberedName(w.path, n)
		st, err := os.Stat(name)
		if err != nil {
			continue
		}
		if sum += st.Size(); sum > w.maxTotal {
			os.Remove(name) // one that stays is tried again next time
		}
	}
	return w.openLocked()
}

// Close closes the file; a later Write opens it again.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	if err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

func numberedName(path string, n int) string { return path + "." + strconv.Itoa(n) }

// numbered returns the numbers of the older files of a log, in order.
func numbered(path string) []int {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var list []int
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if n, err := strconv.Atoi(rest); ok && err == nil && n > 0 {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}
