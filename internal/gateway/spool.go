package gateway

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"os"
	"slices"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

// The form of a record's file: a head with how far each app has the events, and
// two halves that take turns. In a half events stand one behind the other, up to
// a length of 0. What is in the memory of the file outlives the process, so that
// an event costs no system call; a sum tells what a loss of power tore.
const (
	spoolMagic = "ncatdgw1"
	spoolHead  = 8 << 10
	spoolHalf  = 4 << 20
	spoolSize  = spoolHead + 2*spoolHalf
	// slots are how many apps can be told apart.
	slotSize  = 16
	firstSlot = 64
	slots     = (spoolHead - firstSlot) / slotSize
	// of an event: length, sum, number, time, length of the type
	eventHead = 4 + 4 + 8 + 8 + 1
)

// spool is a record's file.
type spool struct {
	mem  []byte
	done func() error
	half int // which half is written
	at   int // where in it
}

// openSpool opens the file at path, which it makes, and returns the events that it
// holds.
func openSpool(path string) (*spool, []entry, error) {
	f, err := atomicfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if st, err := f.Stat(); err != nil || st.Size() != spoolSize {
		// Blocks that exist: a full disk must show here and not when the memory
		// is written.
		if err := errors.Join(err, f.Truncate(0), zero(f)); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("make the record of events: %w", err), f.Close())
		}
	}
	mem, done, err := mapFile(f, spoolSize)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open the record of events: %w", err), f.Close())
	}
	s := &spool{mem: mem, done: done}
	if string(mem[:len(spoolMagic)]) != spoolMagic {
		clear(mem)
		copy(mem, spoolMagic)
	}
	return s, s.load(), nil
}

func zero(f *os.File) error {
	block := make([]byte, 1<<20)
	for off := int64(0); off < spoolSize; off += int64(len(block)) {
		if _, err := f.WriteAt(block[:min(int64(len(block)), spoolSize-off)], off); err != nil {
			return err
		}
	}
	return nil
}

func (s *spool) area(half int) []byte {
	return s.mem[spoolHead+half*spoolHalf:][:spoolHalf]
}

// load reads both halves, and finds where to go on.
func (s *spool) load() []entry {
	var found [2][]entry
	var ends [2]int
	for h := range found {
		found[h], ends[h] = readHalf(s.area(h))
	}
	last := func(h int) uint64 {
		if len(found[h]) == 0 {
			return 0
		}
		return found[h][len(found[h])-1].seq
	}
	if s.half = 0; last(1) > last(0) {
		s.half = 1
	}
	s.at = ends[s.half]
	older, newer := found[1-s.half], found[s.half]
	all := slices.Concat(older, newer)
	for i := len(all) - 1; i > 0; i-- { // a gap is where the rest is worth nothing
		if all[i-1].seq+1 != all[i].seq {
			return all[i:]
		}
	}
	return all
}

func readHalf(b []byte) (out []entry, end int) {
	for len(b)-end >= eventHead {
		n := int(binary.LittleEndian.Uint32(b[end:]))
		if n < eventHead || n > len(b)-end {
			return out, end
		}
		e := b[end : end+n]
		if crc32.ChecksumIEEE(e[8:]) != binary.LittleEndian.Uint32(e[4:]) {
			return out, end
		}
		tlen := int(e[eventHead-1])
		if eventHead+tlen > n {
			return out, end
		}
		raw := slices.Clone(e[eventHead+tlen:])
		out = append(out, entry{
			seq: binary.LittleEndian.Uint64(e[8:]), at: time.UnixMilli(int64(binary.LittleEndian.Uint64(e[16:]))),
			typ: string(e[eventHead : eventHead+tlen]), raw: raw, id: messageID(raw),
		})
		end += n
	}
	return out, end
}

// add writes an event. One that no half has room for is left out: the numbers
// then have a gap, before which nothing is brought back.
func (s *spool) add(e entry) {
	typ := e.typ[:min(len(e.typ), 255)]
	n := eventHead + len(typ) + len(e.raw)
	if n+4 > spoolHalf {
		return
	}
	b := s.area(s.half)
	if s.at+n+4 > len(b) {
		s.half, s.at = 1-s.half, 0
		b = s.area(s.half)
		clear(b[:4])
	}
	clear(b[s.at+n:][:4]) // what follows is not there
	d := b[s.at : s.at+n]
	binary.LittleEndian.PutUint64(d[8:], e.seq)
	binary.LittleEndian.PutUint64(d[16:], uint64(e.at.UnixMilli()))
	d[eventHead-1] = byte(len(typ))
	copy(d[eventHead:], typ)
	copy(d[eventHead+len(typ):], e.raw)
	binary.LittleEndian.PutUint32(d[4:], crc32.ChecksumIEEE(d[8:]))
	binary.LittleEndian.PutUint32(d, uint32(n)) // from here on it is there
	s.at += n
}

// slot returns where the number of an app stands; nil if there is no room.
func (s *spool) slot(app string) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(app)) // never fails
	key := h.Sum64() | 1        // 0 is a free slot
	for i := range slots {
		b := s.mem[firstSlot+i*slotSize:][:slotSize]
		switch binary.LittleEndian.Uint64(b) {
		case key:
			return b[8:]
		case 0:
			binary.LittleEndian.PutUint64(b, key)
			return b[8:]
		}
	}
	return nil
}

// has notes how far an app has the events.
func (s *spool) has(app string, seq uint64) {
	if b := s.slot(app); b != nil {
		binary.LittleEndian.PutUint64(b, seq)
	}
}

// had returns what has noted.
func (s *spool) had(app string) uint64 {
	if b := s.slot(app); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (s *spool) close() error { return s.done() }
