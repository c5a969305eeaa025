// Package alias gives ids that are no numbers a number each. OneBot 11 says that
// ids are numbers, and so are they in every signature of the SDK; some hosts, such
// as those of QQ's official bots, have texts ("7B5C0D", "abc-1"). [Of] makes the
// same number of a text every time, so that what is kept by id outlives a restart;
// the [Table] of a link knows the way back, which a call takes on its way out.
//
// The numbers are negative, as no id of QQ's is, lie far beyond go-cqhttp's 32 bits,
// and are exact in a JavaScript number. With 2^52 of them, two of a million texts
// share one with a probability of 1 to 9,000.
package alias

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

// The numbers lie between these, both of 16 digits.
const (
	first = -(1<<53 - 1)
	last  = -(1 << 52)
	width = len("-9007199254740991")
)

// Of returns the number that stands for the id s.
func Of(s string) int64 {
	sum := sha256.Sum256([]byte(s))
	return last - int64(binary.BigEndian.Uint64(sum[:])%(last-first+1))
}

// Is reports whether n can stand for an id that is no number.
func Is(n int64) bool { return n >= first && n <= last }

// Number returns the number of an id that came as text: its own, if it is written
// as a number is, else the one that stands for it. What says that there is none is 0.
func Number(s string) int64 {
	s = strings.TrimSpace(s)
	switch s {
	case "", "null", "undefined", "NaN", "None":
		return 0
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && (s == "0" || s[0] >= '1' && s[0] <= '9' || s[0] == '-' && s[1] != '0') {
		return n
	}
	return Of(s)
}

// maxNames is how many ids one generation of a [Table] holds.
const maxNames = 1 << 15

// Table knows the texts behind the numbers of one link. It remembers what it saw
// last, twice as many ids at most as maxNames. The zero Table is empty; it is safe
// for concurrent use.
type Table struct {
	used atomic.Bool

	mu         sync.Mutex // guards the fields below
	young, old map[int64]string
}

// Used reports whether the table knows any text.
func (t *Table) Used() bool { return t.used.Load() }

// main are the keys of the ids by which a host is known to have texts. Others, such
// as file_id, are texts with every host.
var main = [...]string{`"user_id"`, `"group_id"`, `"message_id"`, `"self_id"`, `"operator_id"`, `"target_id"`}

// ends are how the keys end that hold ids with such a host: message_seq, qq, …
var ends = [...]string{`id"`, `qq"`, `uin"`, `seq"`}

// codes are the keys of CQ codes that do.
var codes = [...]string{",id=", ",qq=", ",user_id="}

// maxText is how long an id may be, as JSON.
const maxText = 512

// Learn takes the ids that are no numbers out of the JSON in text, wherever they
// stand in it, messages with CQ codes among it. Of a host whose main ids have all
// been numbers it takes none.
func (t *Table) Learn(text []byte) {
	if !t.Used() {
		t.learn(text, main[:])
		if !t.Used() {
			return
		}
	}
	t.learn(text, ends[:])
	for _, key := range codes {
		eachAfter(text, key, func(after []byte) {
			if n := bytes.IndexAny(after, `,]"\`); n > 0 && after[n] != '\\' {
				t.add(string(after[:n]))
			}
		})
	}
}

// learn takes the ids that stand behind keys with one of these ends.
func (t *Table) learn(text []byte, ends []string) {
	for _, end := range ends {
		eachAfter(text, end, func(after []byte) {
			v, ok := bytes.CutPrefix(bytes.TrimLeft(after, " \t\r\n"), []byte(":"))
			if v = bytes.TrimLeft(v, " \t\r\n"); !ok || len(v) == 0 || v[0] != '"' {
				return
			}
			if n := jsonscan.Prefix(string(v)); n > 0 {
				t.add(jsonscan.Unquote(string(v[:n])))
			}
		})
	}
}

// eachAfter calls f with the next bytes after every occurrence of mark in text.
func eachAfter(text []byte, mark string, f func(after []byte)) {
	for {
		_, after, found := bytes.Cut(text, []byte(mark))
		if !found {
			return
		}
		f(after[:min(len(after), maxText)])
		text = after
	}
}

func (t *Table) add(s string) {
	s = strings.TrimSpace(s)
	n := Number(s)
	if !Is(n) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.young[n]; ok {
		return
	}
	if t.young == nil || len(t.young) >= maxNames {
		t.young, t.old = map[int64]string{}, t.young
	}
	t.young[n] = s
	t.used.Store(true)
}

func (t *Table) text(n int64) (string, bool) {
	t.mu.Lock()
	s, ok := t.young[n]
	if !ok {
		s, ok = t.old[n]
	}
	t.mu.Unlock()
	if ok {
		t.add(s) // what is in use is kept
	}
	return s, ok
}

// Restore appends the JSON in text with every value that stands for an id written
// as that id, a string. Nothing inside longer strings is touched.
func (t *Table) Restore(dst, text []byte) []byte {
	start := 0
	for i := 0; i < len(text); {
		n := 1
		switch c := text[i]; {
		case c == '"':
			if n = jsonscan.Prefix(text[i:]); n < 0 {
				return append(dst, text[start:]...) // no JSON: it goes as it is
			}
		case c == '-':
			for i+n < len(text) && strings.IndexByte("0123456789.eE+-", text[i+n]) >= 0 {
				n++
			}
		}
		if token := bytes.Trim(text[i:i+n], `"`); len(token) == width && token[0] == '-' {
			if id, err := strconv.ParseInt(string(token), 10, 64); err == nil && Is(id) {
				if s, ok := t.text(id); ok {
					quoted, _ := json.Marshal(s) // a string has no error
					dst = append(append(dst, text[start:i]...), quoted...)
					start = i + n
				}
			}
		}
		i += n
	}
	return append(dst, text[start:]...)
}
