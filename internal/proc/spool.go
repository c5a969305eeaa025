package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

const (
	// spoolKeep is how much of what was read may stay on disk. Beyond it the
	// file is emptied as soon as its writers are quiet for spoolQuiet, so that
	// no line can fall between the last read and the truncation.
	spoolKeep  = 4 << 20
	spoolQuiet = 250 * time.Millisecond
	// spoolSlice is how much is read before anything else is looked at.
	spoolSlice = 256 << 10
	// spoolHard is when it is emptied although the writers are not quiet, where
	// the file system cannot give read blocks back one by one.
	spoolHard = 64 << 20
	// lastWords is how much of what was not read yet is read after the end of a
	// process. It is less than a slice.
	lastWords = 128 << 10
	// lineMax bounds the memory for a line that does not end.
	lineMax = 64 << 10
	// ringLines and ringBytes bound what is remembered for a diagnosis.
	ringLines = 200
	ringBytes = 128 << 10
	// logRate and logBurst bound what one account writes into its log: a NapCat
	// that prints without end must not wear out the disk.
	logRate  = 256 << 10 // bytes per second
	logBurst = 4 << 20
	// wakeSpacing batches the writes of a busy process.
	wakeSpacing = 2 * time.Millisecond
)

// output follows the file into which a process writes.
type output struct {
	path    string
	log     io.Writer
	secrets *strings.Replacer
	hide    [][]byte // the same secrets, to be overwritten in the file
	reader  Reader
	logger  *slog.Logger

	off  atomic.Int64 // how far the file was read
	old  int64        // while not 0: what stands before it was there when the process was adopted
	part []byte       // of a line that has not ended
	skip bool         // the rest of that line is not wanted

	tokens  float64 // of the log's rate limit
	filled  time.Time
	dropped int

	mu    sync.Mutex
	lines []string // guarded by mu
	bytes int
}

func newOutput(s Spec) *output {
	var pairs []string
	var hide [][]byte
	for _, secret := range s.Secrets {
		if secret != "" {
			pairs = append(pairs, secret, "***")
			hide = append(hide, []byte(secret))
		}
	}
	o := &output{path: s.Output, log: s.Log, secrets: strings.NewReplacer(pairs...), hide: hide, reader: s.Reader, logger: s.Logger}
	if o.reader == nil {
		o.reader = plainReader{}
	}
	if o.logger == nil {
		o.logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// follow reads until stop is closed, and then what is left. Where it cannot read,
// such as for want of descriptors, it tries again: what a process says is how
// ncatd knows it.
func (o *output) follow(stop <-chan struct{}) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		f, err := atomicfile.OpenFile(o.path, os.O_RDWR, 0)
		if err == nil {
			err = o.read(f, stop)
			f.Close()
			if err == nil {
				return nil
			}
		}
		if pause == 50*time.Millisecond {
			o.logger.Warn("output not read, trying again", "err", err)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-stop:
			t.Stop()
			return fmt.Errorf("read output: %w", err)
		}
	}
}

func (o *output) read(f *os.File, stop <-chan struct{}) error {
	w := watchFile(o.path)
	defer w.close()
	buf := make([]byte, 64<<10)
	punched := int64(0)
	punch := true
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	for {
		n, err := o.drain(f, buf)
		if err != nil {
			return err
		}
		off := o.off.Load()
		if off < punched {
			punched = 0
		}
		if punch && off-punched >= spoolKeep {
			if punch = punchHole(f, punched, off-punched) == nil; punch {
				punched = off
			}
		}
		if !punch && off >= spoolHard {
			o.empty(f)
		}
		if n > 0 && off >= spoolKeep {
			idle.Reset(spoolQuiet)
		}
		if n >= spoolSlice {
			w.tell() // there may be more
		}
		select {
		case <-stop:
			// The last words matter, not the whole of a flood before them.
			if st, err := f.Stat(); err == nil && st.Size()-o.off.Load() > lastWords {
				o.off.Store(st.Size() - lastWords)
				o.part, o.skip = o.part[:0], true
			}
			if _, err := o.drain(f, buf); err != nil {
				return err
			}
			o.flush()
			return nil
		case <-w.changed:
			if n >= spoolSlice {
				continue
			}
			pause := time.NewTimer(wakeSpacing)
			select {
			case <-pause.C:
			case <-stop:
			}
			pause.Stop()
		case <-idle.C:
			if st, err := f.Stat(); err == nil && st.Size() == o.off.Load() && len(o.part) == 0 {
				o.empty(f)
			}
		}
	}
}

func (o *output) empty(f *os.File) {
	if err := f.Truncate(0); err == nil {
		o.off.Store(0)
	}
}

// drain reads up to the end of the file, at most a slice at a time so that its
// caller can give disk space back, and returns how much that was.
func (o *output) drain(f *os.File, buf []byte) (int, error) {
	total := 0
	for total < spoolSlice {
		off := o.off.Load()
		n, err := f.ReadAt(buf, off)
		if n > 0 {
			o.off.Store(off + int64(n))
			o.feed(buf[:n])
			o.mask(f, off, buf[:n])
			total += n
			if off+int64(n) >= o.old {
				o.old = 0
			}
		}
		if errors.Is(err, io.EOF) {
			if st, err := f.Stat(); err == nil && st.Size() < o.off.Load() {
				o.off.Store(0) // another program emptied it
				continue
			}
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// mask overwrites the secrets in what was read at off, so that the file, which
// NapCat prints its token into, keeps none. NapCat appends: nothing that it
// writes meanwhile is touched.
func (o *output) mask(f *os.File, off int64, b []byte) {
	for _, secret := range o.hide {
		stars := bytes.Repeat([]byte{'*'}, len(secret))
		hide := func(at int64, b []byte) {
			for i := bytes.Index(b, secret); i >= 0; i = bytes.Index(b, secret) {
				if _, err := f.WriteAt(stars, at+int64(i)); err != nil {
					o.logger.Warn("a secret stays in the output file", "err", err)
					return
				}
				at, b = at+int64(i+len(secret)), b[i+len(secret):]
			}
		}
		hide(off, b)
		// One that the end of the read before cut in two.
		if from := max(0, off-int64(len(secret))+1); from < off {
			seam := make([]byte, 2*(len(secret)-1))
			n, _ := f.ReadAt(seam[:min(len(seam), int(off-from)+len(b))], from) // what cannot be read was not read before
			hide(from, seam[:n])
		}
	}
}

func (o *output) feed(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			if !o.skip {
				o.part = append(o.part, b...)
				if len(o.part) > lineMax {
					o.line(o.part)
					o.part, o.skip = o.part[:0], true
				}
			}
			return
		}
		switch {
		case o.skip:
			o.skip = false
		case len(o.part) > 0:
			o.part = append(o.part, b[:i]...)
			o.line(o.part)
			o.part = o.part[:0]
		default:
			o.line(b[:i])
		}
		b = b[i+1:]
	}
}

// flush treats what is left of a process that ended as a line.
func (o *output) flush() {
	if len(o.part) > 0 {
		o.line(o.part)
		o.part = nil
	}
}

func (o *output) line(raw []byte) {
	text, vital := o.reader.Read(bytes.TrimSuffix(raw, []byte{'\r'}), o.old > 0)
	if text == "" {
		return
	}
	pass := o.allow(len(text) + 1)
	if !pass && !vital {
		return
	}
	text = o.secrets.Replace(text)
	o.remember(text)
	if pass {
		o.write(text)
	}
	o.reader.Tell(text)
}

// allow is the log's rate limit, a bucket of logBurst bytes.
func (o *output) allow(n int) bool {
	now := time.Now()
	if o.filled.IsZero() {
		o.tokens = logBurst
	} else {
		o.tokens = min(logBurst, o.tokens+now.Sub(o.filled).Seconds()*logRate)
	}
	o.filled = now
	if o.tokens < float64(n) {
		o.dropped++
		return false
	}
	o.tokens -= float64(n)
	return true
}

func (o *output) write(text string) {
	if o.log == nil {
		return
	}
	if o.dropped > 0 {
		text = fmt.Sprintf("[ncatd: %d lines left out, too many at once]\n%s", o.dropped, text)
		o.dropped = 0
	}
	_, _ = o.log.Write(append([]byte(text), '\n')) // a log that fails counts what it lost
}

func (o *output) remember(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, text)
	o.bytes += len(text)
	for len(o.lines) > ringLines || o.bytes > ringBytes && len(o.lines) > 1 {
		o.bytes -= len(o.lines[0])
		o.lines[0] = ""
		o.lines = o.lines[1:]
	}
}

// tail returns the last n lines, oldest first.
func (o *output) tail(n int) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	from := max(0, len(o.lines)-n)
	return append([]string(nil), o.lines[from:]...)
}

// recall fills the memory of last lines with those that stand before the offset.
func (o *output) recall(offset int64) {
	f, err := os.Open(o.path)
	if err != nil {
		return // nothing to recall
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Size() < offset {
		offset = 0
	}
	o.off.Store(offset)
	if st, err := f.Stat(); err == nil && st.Size() > offset {
		o.old = st.Size()
	}
	from := max(0, offset-ringBytes)
	b := make([]byte, offset-from)
	n, _ := f.ReadAt(b, from)
	b = b[:n]
	if from > 0 {
		_, b, _ = bytes.Cut(b, []byte{'\n'})
	}
	for raw := range bytes.Lines(b) {
		if text, _ := o.reader.Read(bytes.TrimRight(raw, "\r\n\x00"), true); text != "" {
			o.remember(o.secrets.Replace(text))
		}
	}
}
