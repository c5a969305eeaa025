package fleet

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSpool(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "spool.db")
	s, err := openSpool(path, 100, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ev := func(n int) Event {
		return Event{Account: "main", Self: 1, Kind: "message", Chat: "g1", ID: fmt.Sprint(n), Raw: make([]byte, 30)}
	}
	lost, err := s.add([]Event{ev(1), ev(2)})
	if err != nil || lost != 0 {
		t.Fatal(lost, err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openSpool(path, 100, slog.New(slog.DiscardHandler)); err != nil || s.len() != 2 {
		t.Fatal(s.len(), err)
	}
	if lost, err = s.add([]Event{ev(3), ev(4)}); err != nil || lost != 1 {
		t.Fatalf("120 bytes in 100: %d lost, %v", lost, err)
	}
	got, last, err := s.first(2)
	if err != nil || len(got) != 2 || got[0].ID != "2" || got[1].ID != "3" || len(got[0].Raw) != 30 || got[0].Chat != "g1" {
		t.Fatal(got, err)
	}
	if err := s.remove(last); err != nil || s.len() != 1 {
		t.Fatal(s.len(), err)
	}
	if _, last, err = s.first(2); err != nil {
		t.Fatal(err)
	}
	if err := s.remove(last); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 0 {
		t.Fatalf("an empty spool leaves %v, %v", left, err)
	}
	if got, _, err = s.first(2); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
}

// A file that is damaged is set aside, and what comes from then on is kept.
func TestDamagedSpool(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := openSpool(path, 100, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ev := []Event{{Account: "main", Self: 1, Kind: "message", Chat: "g1", ID: "1", Raw: make([]byte, 30)}}
	if _, err := s.add(ev); err != nil {
		t.Fatal(err)
	}
	if got, _, err := s.first(2); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Error(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

// While the bus is away and the disk takes nothing, events wait in memory, in order.
func TestEventsOutliveAFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := openSpool(filepath.Join(dir, "spool.db"), 1<<20, slog.New(slog.DiscardHandler))
	if err == nil {
		err = os.WriteFile(dir, nil, 0o600) // in the place of the folder
	}
	if err != nil {
		t.Fatal(err)
	}
	p := newPublisher(nil, s, slog.New(slog.DiscardHandler), nil)
	p.put(Event{ID: "1", Raw: []byte("a")}, Event{ID: "2", Raw: []byte("b")})
	batch := p.take(maxBatch)
	p.put(Event{ID: "3", Raw: []byte("c")})
	if p.keepOrHold(batch) || p.Stats().Waiting != 3 || p.Stats().Lost != 0 {
		t.Fatalf("%+v", p.Stats())
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if !p.keepOrHold(p.take(maxBatch)) {
		t.Fatal("it does not go to the disk again")
	}
	got, _, err := s.first(9)
	if err != nil || len(got) != 3 || got[0].ID+got[1].ID+got[2].ID != "123" || p.Stats().Waiting != 3 {
		t.Fatal(got, err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}
