package gateway

import (
	"slices"
	"time"
)

// maxRecorded is how many bytes of events an account's record holds at most.
const maxRecorded = 16 << 20

// entry is one event of a record.
type entry struct {
	seq uint64
	at  time.Time
	typ string
	raw []byte // as it goes out
	id  int64  // of a message, else 0
}

// record is what an account's events were lately, numbered from 1 without a gap,
// and how far each app has them. It is guarded by its account.
type record struct {
	limit   int    // how many events are kept; 0: they are only numbered
	needed  uint64 // those after this one are kept beyond limit: a reader is on its way to them
	entries []entry
	bytes   int
	last    uint64
	have    map[string]uint64 // app to the last event that it has
	disk    *spool            // nil: memory only
}

func newRecord() *record { return &record{last: 1, have: map[string]uint64{}} }

// open brings back what an earlier process recorded, and goes on in its file.
func (r *record) open(path string) error {
	disk, entries, err := openSpool(path)
	if err != nil {
		return err
	}
	r.disk = disk
	for _, e := range entries { // all of them: an app that wants them may come later
		r.entries, r.last = append(r.entries, e), e.seq
		r.bytes += len(e.raw)
	}
	return nil
}

// had returns the last event that an app has; known is false for an app that was
// never here.
func (r *record) had(app string) (seq uint64, known bool) {
	seq, known = r.have[app]
	if !known && r.disk != nil {
		if seq = min(r.disk.had(app), r.last); seq > 0 {
			r.have[app], known = seq, true
		}
	}
	return seq, known
}

// add numbers an event, and keeps it.
func (r *record) add(e entry) uint64 {
	r.last++
	e.seq = r.last
	if r.limit > 0 {
		r.keep(e)
	} else {
		r.entries, r.bytes = nil, 0 // no gap
	}
	if r.disk != nil {
		r.disk.add(e)
	}
	return e.seq
}

func (r *record) keep(e entry) {
	r.entries = append(r.entries, e)
	r.bytes += len(e.raw)
	for len(r.entries) > r.limit && r.entries[0].seq <= r.needed || r.bytes > maxRecorded && len(r.entries) > 1 {
		old := r.entries[0]
		r.entries[0] = entry{}
		r.entries = r.entries[1:]
		r.bytes -= len(old.raw)
	}
}

// holds reports whether a message is in the record.
func (r *record) holds(id int64) bool {
	return id != 0 && slices.ContainsFunc(r.entries, func(e entry) bool { return e.id == id })
}

// has notes that an app has everything up to seq.
func (r *record) has(app string, seq uint64) {
	if was, known := r.had(app); seq > was || !known {
		r.have[app] = seq
		if r.disk != nil {
			r.disk.has(app, seq)
		}
	}
}

// lower notes that an app that is noted to have all up to said has it up to seq.
func (r *record) lower(app string, said, seq uint64) {
	if was, _ := r.had(app); was == said {
		r.have[app] = seq
		if r.disk != nil {
			r.disk.has(app, seq)
		}
	}
}

// from returns up to n entries after seq, oldest first. The slice is part of the
// record.
func (r *record) from(seq uint64, n int) []entry {
	if len(r.entries) == 0 || seq >= r.last {
		return nil
	}
	first := r.entries[0].seq
	i := 0
	if seq >= first {
		i = int(seq - first + 1)
	}
	return r.entries[i:min(i+n, len(r.entries))]
}

// start returns after which event a replay up to last begins for an app that has
// everything up to seq: at most n events back, none older than age.
func (r *record) start(seq, last uint64, n int, age time.Duration, now time.Time) uint64 {
	if last > uint64(n) {
		seq = max(seq, last-uint64(n))
	}
	for _, e := range r.from(seq, len(r.entries)) {
		if now.Sub(e.at) <= age {
			break
		}
		seq = e.seq
	}
	return seq
}

func (r *record) close() error {
	if r.disk == nil {
		return nil
	}
	return r.disk.close()
}
