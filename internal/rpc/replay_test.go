package rpc

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"testing"
	"time"
)

// As many signatures are remembered as there is room for. Then those go that no
// replay can bear any more, else the oldest; never one that is newer.
func TestWhichSignaturesAreForgotten(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	sum := func(i int) (s [sha1.Size]byte) {
		binary.BigEndian.PutUint64(s[:], uint64(i))
		return s
	}
	fresh := func(h *Webhook, i int, now time.Time) bool {
		ok, old := h.freshLocked(sum(i), fmt.Appendf(nil, `{"time":%d}`, now.Unix()), now)
		if old {
			t.Fatalf("%d is old", i)
		}
		return ok
	}
	h := &Webhook{}
	for i := range maxSeen {
		if !fresh(h, i, start.Add(time.Duration(i)*time.Microsecond)) {
			t.Fatalf("%d came before", i)
		}
	}
	now := start.Add(time.Second)
	for i := range maxSeen {
		if fresh(h, i, now) {
			t.Fatalf("%d of %d is forgotten", i, maxSeen)
		}
	}
	for i := maxSeen; i < maxSeen+3; i++ { // each takes the place of the oldest
		if !fresh(h, i, now) || fresh(h, i, now) || len(h.seen) != maxSeen {
			t.Errorf("%d is not remembered; %d are", i, len(h.seen))
		}
	}
	for i := range 10 {
		if _, ok := h.seen[sum(i)]; ok == (i < 3) {
			t.Errorf("signature %d is remembered: %v", i, ok)
		}
	}
	now = now.Add(2*replayWindow + time.Second)
	if !fresh(h, -1, now) || len(h.seen) != 1 {
		t.Errorf("%d signatures are remembered for longer than they can come again", len(h.seen))
	}
}
