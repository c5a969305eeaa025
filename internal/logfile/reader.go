package logfile

import (
	"bufio"
	"bytes"
	"container/heap"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

const (
	// tailBytes is how much of a log is looked at when only its last lines are
	// wanted.
	tailBytes = 2 << 20
	// maxLine bounds a line; the rest of a longer one is left out.
	maxLine = 256 << 10
	// pollEvery is how often a followed log is looked at. There is no signal for
	// it that works on every file system.
	pollEvery = 200 * time.Millisecond
	// rescanEvery is how often new logs are looked for, in polls.
	rescanEvery = 10
)

// Query says which records are wanted.
type Query struct {
	Account string    // "": all, and ncatd's own; else that account's, and what ncatd says of it
	Level   string    // at least this one; "": all
	Since   time.Time // zero: no limit
	Lines   int       // the last n that match; 0: all
	Follow  bool      // go on with what comes
}

func (q Query) match(r *api.LogRecord) bool {
	return (q.Account == "" || r.Account == q.Account) &&
		(q.Level == "" || rank(r.Level) >= rank(q.Level)) &&
		(q.Since.IsZero() || !r.Time.Before(q.Since))
}

// Reader merges ncatd's log and those of the accounts' NapCats under one home.
type Reader struct {
	home string
}

// NewReader returns a reader of the logs under home. Nothing is opened yet.
func NewReader(home string) *Reader { return &Reader{home: home} }

// source is one log: its current file, and older ones beside it.
type source struct {
	path    string
	account string
}

// sources lists the logs that are there now.
func (rd *Reader) sources() []source {
	out := []source{{path: filepath.Join(rd.home, "logs", "ncatd.log")}}
	accounts, err := os.ReadDir(filepath.Join(rd.home, "accounts"))
	if err != nil {
		return out // no accounts yet
	}
	for _, a := range accounts {
		dir := filepath.Join(rd.home, "accounts", a.Name())
		for _, sub := range []string{dir, filepath.Join(dir, "logs")} {
			files, err := os.ReadDir(sub)
			if err != nil {
				continue
			}
			for _, f := range files {
				if f.Type().IsRegular() && strings.HasSuffix(f.Name(), ".log") {
					out = append(out, source{filepath.Join(sub, f.Name()), a.Name()})
				}
			}
		}
	}
	return out
}

// Read calls each with every record that q wants, oldest first, and with Follow
// goes on until ctx ends or each returns an error, which Read returns.
func (rd *Reader) Read(ctx context.Context, q Query, each func(api.LogRecord) error) error {
	var keep []api.LogRecord
	emit := func(r api.LogRecord) error {
		if q.Lines <= 0 {
			return each(r)
		}
		if len(keep) == 2*q.Lines {
			keep = append(keep[:0], keep[q.Lines:]...)
		}
		keep = append(keep, r)
		return nil
	}
	var follows []*tail
	h := &merge{}
	for _, s := range rd.sources() {
		st, t := openStream(s, q)
		if q.Follow {
			follows = append(follows, t)
		}
		if st.next() {
			h.streams = append(h.streams, st)
		} else {
			st.close()
		}
	}
	defer func() {
		for _, st := range h.streams {
			st.close()
		}
		for _, t := range follows {
			t.close()
		}
	}()
	heap.Init(h)
	for h.Len() > 0 {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		st := h.streams[0]
		if q.match(&st.rec) {
			if err := emit(st.rec); err != nil {
				return err
			}
		}
		if st.next() {
			heap.Fix(h, 0)
		} else {
			heap.Pop(h)
			st.close()
		}
	}
	if q.Lines > 0 {
		keep = keep[max(0, len(keep)-q.Lines):]
		for _, r := range keep {
			if err := each(r); err != nil {
				return err
			}
		}
	}
	if !q.Follow {
		return nil
	}
	return rd.follow(ctx, q, follows, each)
}

// merge is a heap of streams by the time of their next record.
type merge struct{ streams []*stream }

func (m *merge) Len() int { return len(m.streams) }
func (m *merge) Less(i, j int) bool {
	return m.streams[i].rec.Time.Before(m.streams[j].rec.Time)
}
func (m *merge) Swap(i, j int) { m.streams[i], m.streams[j] = m.streams[j], m.streams[i] }
func (m *merge) Push(x any)    { m.streams = append(m.streams, x.(*stream)) }
func (m *merge) Pop() any {
	x := m.streams[len(m.streams)-1]
	m.streams = m.streams[:len(m.streams)-1]
	return x
}

// stream reads the files of one log, oldest first, up to where a tail begins.
type stream struct {
	parts []part
	f     *os.File
	r     *bufio.Reader
	p     parser
	rec   api.LogRecord
	queue []api.LogRecord // read already: lines that waited for a time, and the one that has it
	bare  []api.LogRecord // lines before the first one with a time
}

type part struct {
	path     string
	from, to int64
	skip     bool // the first line is half
	mtime    time.Time
}

// openStream decides which parts of a log to read. The tail begins where the
// stream ends, so that following misses and repeats nothing.
func openStream(s source, q Query) (*stream, *tail) {
	st := &stream{p: parser{account: s.account}}
	t := &tail{source: s, p: parser{account: s.account}}
	t.open()
	names := []string{s.path}
	for _, n := range numbered(s.path) {
		names = append(names, numberedName(s.path, n))
	}
	left := int64(tailBytes)
	for i, name := range names { // newest first
		fi, err := os.Stat(name)
		if err != nil || !q.Since.IsZero() && fi.ModTime().Before(q.Since) {
			continue
		}
		pt := part{path: name, to: fi.Size(), mtime: fi.ModTime()}
		if i == 0 && t.f != nil {
			pt.to = t.off
		}
		if q.Lines > 0 && q.Since.IsZero() {
			if left <= 0 {
				break
			}
			if pt.to > left {
				pt.from, pt.skip = pt.to-left, true
			}
			left -= pt.to - pt.from
		}
		st.parts = append(st.parts, pt)
	}
	slices.Reverse(st.parts)
	if !q.Follow {
		t.close()
	}
	return st, t
}

// next reads the next record into rec.
func (st *stream) next() bool {
	for len(st.queue) == 0 {
		if st.r == nil && !st.open() {
			if len(st.bare) == 0 {
				return false
			}
			st.timed(st.p.mtime)
			break
		}
		line, err := readLine(st.r)
		if len(line) > 0 {
			switch r := st.p.line(line); {
			case r == nil:
			case r.Time.IsZero():
				st.bare = append(st.bare, *r)
			default:
				st.timed(r.Time)
				st.queue = append(st.queue, *r)
			}
		}
		if err != nil { // the end, or a file that cannot be read on
			st.close()
		}
	}
	st.rec, st.queue = st.queue[0], st.queue[1:]
	return true
}

// timed queues the lines that waited for a time.
func (st *stream) timed(t time.Time) {
	for _, r := range st.bare {
		r.Time = t
		st.queue = append(st.queue, r)
	}
	st.bare = nil
}

func (st *stream) open() bool {
	for len(st.parts) > 0 {
		pt := st.parts[0]
		st.parts = st.parts[1:]
		f, err := os.Open(pt.path)
		if err != nil {
			continue
		}
		st.f = f
		st.r = bufio.NewReaderSize(io.NewSectionReader(f, pt.from, pt.to-pt.from), 64<<10)
		st.p.mtime = pt.mtime
		if pt.skip {
			_, _ = readLine(st.r) // half a line
		}
		return true
	}
	return false
}

func (st *stream) close() {
	if st.f != nil {
		st.f.Close()
	}
	st.f, st.r = nil, nil
}

// readLine reads a line of any length but keeps only its first maxLine bytes.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		b, err := r.ReadSlice('\n')
		if room := maxLine - len(line); room > 0 {
			line = append(line, b[:min(len(b), room)]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// tail follows one log across its rotations.
type tail struct {
	source
	f    *os.File
	off  int64
	part []byte
	p    parser
}

// open opens the current file and stands at its end.
func (t *tail) open() {
	f, err := os.Open(t.path)
	if err != nil {
		return
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return
	}
	t.f, t.off = f, fi.Size()
	t.p.mtime = fi.ModTime()
}

func (t *tail) close() {
	if t.f != nil {
		t.f.Close()
		t.f = nil
	}
}

// poll returns what is new in the log.
func (t *tail) poll() []api.LogRecord {
	var out []api.LogRecord
	if t.f != nil {
		out = t.read(out)
	}
	fi, err := os.Stat(t.path)
	if err != nil {
		return out // there is none yet, or it is just being replaced
	}
	var old os.FileInfo
	if t.f != nil {
		if old, err = t.f.Stat(); err == nil && os.SameFile(old, fi) && fi.Size() >= t.off {
			return out
		}
		out = t.read(out) // what came before it was moved away
		t.close()
	}
	for _, f := range slices.Backward(t.newer(old)) {
		t.close()
		t.f, t.off, t.part = f, 0, nil
		out = t.read(out)
	}
	return out
}

// newer opens the files that came after old, newest first. The log may have
// rotated more than once since the last look, and may do so during this one: a
// file that moved up meanwhile is met a second time and left out.
func (t *tail) newer(old os.FileInfo) []*os.File {
	var files []*os.File
	var last os.FileInfo
	for n := 0; ; n++ {
		name := t.path
		if n > 0 {
			if old == nil {
				return files // the log is new: what is older was read before
			}
			name = numberedName(t.path, n)
		}
		f, err := os.Open(name)
		if err != nil {
			return files
		}
		fi, err := f.Stat()
		switch {
		case err != nil, old != nil && os.SameFile(fi, old) && n > 0:
			f.Close()
			return files
		case last != nil && os.SameFile(fi, last):
			f.Close()
			continue
		}
		files, last = append(files, f), fi
		if old != nil && os.SameFile(fi, old) {
			return files // it was emptied in its place
		}
	}
}

func (t *tail) read(out []api.LogRecord) []api.LogRecord {
	buf := make([]byte, 32<<10)
	for {
		n, err := t.f.ReadAt(buf, t.off)
		t.off += int64(n)
		t.part = append(t.part, buf[:n]...)
		for {
			i := bytes.IndexByte(t.part, '\n')
			if i < 0 {
				break
			}
			t.p.mtime = time.Now()
			if r := t.p.line(t.part[:i]); r != nil {
				if r.Time.IsZero() {
					r.Time = t.p.mtime
				}
				out = append(out, *r)
			}
			t.part = t.part[i+1:]
		}
		if len(t.part) > maxLine {
			t.part = t.part[:maxLine]
		}
		if err != nil || n == 0 {
			return out
		}
	}
}

func (rd *Reader) follow(ctx context.Context, q Query, tails []*tail, each func(api.LogRecord) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var opened []*tail
	defer func() {
		for _, t := range opened {
			t.close()
		}
	}()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		if n%rescanEvery == 0 {
			for _, s := range rd.sources() {
				if !slices.ContainsFunc(tails, func(t *tail) bool { return t.path == s.path }) {
					t := &tail{source: s, p: parser{account: s.account}}
					tails, opened = append(tails, t), append(opened, t)
				}
			}
		}
		var batch []api.LogRecord
		for _, t := range tails {
			batch = append(batch, t.poll()...)
		}
		sort.SliceStable(batch, func(i, j int) bool { return batch[i].Time.Before(batch[j].Time) })
		for i := range batch {
			if q.match(&batch[i]) {
				if err := each(batch[i]); err != nil {
					return err
				}
			}
		}
	}
}
