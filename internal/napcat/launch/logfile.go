package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// LogFile is a log on disk that never grows beyond a limit: at maxSize it
// becomes path.1, the older ones move up, and the oldest are removed while all
// together are larger than maxTotal. It is safe for concurrent use.
type LogFile struct {
	path              string
	maxSize, maxTotal int64

	mu   sync.Mutex
	f    *os.File
	size int64
}

// NewLog returns the log at path, which is opened, and if need be created with
// mode 0600, when something is written. A maxSize or maxTotal that is not
// positive is taken as 20 MiB and 200 MiB.
func NewLog(path string, maxSize, maxTotal int64) *LogFile {
	if maxSize <= 0 {
		maxSize = 20 << 20
	}
	if maxTotal <= 0 {
		maxTotal = 200 << 20
	}
	return &LogFile{path: path, maxSize: maxSize, maxTotal: max(maxTotal, maxSize)}
}

func (l *LogFile) openLocked() error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open log: %w", err)
	}
	l.f, l.size = f, st.Size()
	return nil
}

// Write appends p, which should end with a newline. After an error, such as a
// full disk, the next write tries again.
func (l *LogFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		if err := l.openLocked(); err != nil {
			return 0, err
		}
	}
	if l.size > 0 && l.size+int64(len(p)) > l.maxSize {
		if err := l.rotateLocked(); err != nil {
			return 0, err
		}
	}
	n, err := l.f.Write(p)
	l.size += int64(n)
	return n, err
}

func (l *LogFile) rotateLocked() error {
	l.f.Close()
	l.f = nil
	old := l.oldLocked()
	for _, n := range slices.Backward(old) {
		if err := os.Rename(l.numbered(n), l.numbered(n+1)); err != nil {
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	if err := os.Rename(l.path, l.numbered(1)); err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	// The new file may grow to maxSize, so that much must be free.
	sum := l.maxSize
	for i := 1; i <= len(old)+1; i++ {
		st, err := os.Stat(l.numbered(i))
		if err != nil {
			continue
		}
		if sum += st.Size(); sum > l.maxTotal {
			os.Remove(l.numbered(i)) // a file that stays is removed next time
		}
	}
	return l.openLocked()
}

// oldLocked returns the numbers of the older files from 1 up to the first gap.
func (l *LogFile) oldLocked() []int {
	names, err := filepath.Glob(globEscape(l.path) + ".*")
	if err != nil {
		return nil
	}
	var list []int
	for _, n := range names {
		if i, err := strconv.Atoi(strings.TrimPrefix(n, l.path+".")); err == nil && i > 0 {
			list = append(list, i)
		}
	}
	slices.Sort(list)
	for i, n := range list {
		if n != i+1 {
			return list[:i]
		}
	}
	return list
}

func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func (l *LogFile) numbered(n int) string { return l.path + "." + strconv.Itoa(n) }

// Close closes the file.
func (l *LogFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}
