package history

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.ring")
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	now := time.Unix(1_800_000_000, 0)
	last := now.Unix() / 60
	for i := range int64(2 * Minutes) { // twice around
		if i == 2*Minutes-3 {
			continue // a minute in which nothing ran
		}
		if err := r.Put(Sample{Minute: last - 2*Minutes + 1 + i, RSS: float64(i), Latency: .25}); err != nil {
			t.Fatal(err)
		}
	}
	day, err := r.Day(now)
	if err != nil {
		t.Fatal(err)
	}
	if len(day) != Minutes-1 || day[0].Minute != last-Minutes+1 || day[0].RSS != Minutes || day[len(day)-1].Minute != last || day[0].Latency != .25 {
		t.Errorf("%d samples, first %+v", len(day), day[0])
	}
	for _, s := range day {
		if s.Minute == last-2 {
			t.Error("what was a day before stands in the place of a minute without a sample")
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Size() != size || fi.Size() > 64<<10 {
		t.Errorf("the file: %v, %v", fi.Size(), err)
	}
}

func TestDamagedRing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.ring")
	junk := make([]byte, 100_000)
	for i := range junk {
		junk[i] = 0xff
	}
	if err := os.WriteFile(path, junk, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if day, err := r.Day(time.Now()); err != nil || len(day) != 0 {
		t.Errorf("%d samples, %v", len(day), err)
	}
}
