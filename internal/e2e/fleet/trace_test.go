//go:build e2e_fleet && linux

package fleet

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"
	"time"
)

// spell is the time in which a worker handled a message.
type spell struct {
	pid      int
	chat     string
	message  string
	from, to int64 // nanoseconds; to is 0 if it did not end
}

// spells reads what the workers wrote down. deaths says when workers that were killed
// were certainly dead.
func spells(t *testing.T, file string, deaths map[int]time.Time) []spell {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*spell
	open := map[string]*spell{}
	for line := range strings.Lines(string(b)) {
		var what string
		var s spell
		var at int64
		if _, err := fmt.Sscanf(line, "%s %d %s %s %d\n", &what, &s.pid, &s.chat, &s.message, &at); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		key := fmt.Sprint(s.pid, " ", s.chat, " ", s.message)
		if what == "begin" {
			s.from = at
			open[key] = &s
			all = append(all, &s)
		} else if o := open[key]; o != nil {
			o.to = at
			delete(open, key)
		}
	}
	var out []spell
	for _, s := range all {
		if s.to == 0 {
			s.to = deaths[s.pid].UnixNano()
		}
		out = append(out, *s)
	}
	return out
}

// overlaps returns the first pair of spells of a chat by two workers at one time; "" if
// there is none.
func overlaps(all []spell) string {
	sort.Slice(all, func(i, j int) bool { return all[i].from < all[j].from })
	last := map[string]spell{} // of each chat, the one that ends last
	for _, s := range all {
		if l, ok := last[s.chat]; ok && l.pid != s.pid && s.from < l.to {
			return fmt.Sprintf("%+v and %+v", l, s)
		}
		if s.to > last[s.chat].to {
			last[s.chat] = s
		}
	}
	return ""
}

// disordered returns the first message of a chat that was begun with later than one that
// came after it; "" if there is none. What was begun with before may be begun with again:
// its worker died, or the bus was not told of its end.
func disordered(all []spell, chat string, said []string) string {
	first := map[string]int64{}
	for _, s := range all {
		if at, ok := first[s.message]; s.chat == chat && (!ok || s.from < at) {
			first[s.message] = s.from
		}
	}
	last := int64(0)
	for _, what := range said {
		if at, ok := first[what]; ok && at < last {
			return what
		} else if ok {
			last = at
		}
	}
	return ""
}

// The watches of the workers find what they are for.
func TestOverlaps(t *testing.T) {
	well := []spell{{1, "a", "1", 10, 20}, {1, "a", "2", 20, 30}, {2, "a", "3", 30, 40}, {2, "b", "4", 10, 50}, {1, "c", "5", 12, 14}}
	if is := overlaps(well); is != "" {
		t.Error(is)
	}
	if overlaps(append(well, spell{3, "b", "6", 49, 60})) == "" {
		t.Error("two workers that handle a chat at one time are not seen")
	}
	if is := disordered(append(well, spell{2, "a", "1", 40, 50}), "a", []string{"1", "lost", "2", "3"}); is != "" {
		t.Errorf("%s is begun with again, not late", is)
	}
	if is := disordered(well, "a", []string{"1", "3", "2"}); is != "2" {
		t.Errorf("%q is late, and not 2", is)
	}
}
