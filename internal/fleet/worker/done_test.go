package worker

import "testing"

// What was done with is known, the last maxDone of it, in whatever order it was.
func TestDoneSet(t *testing.T) {
	var s doneSet
	if s.contains(0) || s.contains(1) {
		t.Error("something is known before anything was done with")
	}
	const n = 3*maxDone + 7
	for seq := uint64(1); seq <= n; seq += 2 {
		s.add(seq + 1)
		s.add(seq)
		if !s.contains(seq) || !s.contains(seq+1) || s.contains(seq+2) {
			t.Fatalf("after %d and %d: %v, %v, and the next %v", seq, seq+1, s.contains(seq), s.contains(seq+1), s.contains(seq+2))
		}
	}
	if s.contains(n-maxDone-1) || !s.contains(n+2-maxDone) || len(s.row) != maxDone {
		t.Errorf("%d are known", len(s.row))
	}
}
