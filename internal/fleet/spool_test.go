package fleet

import (
	"fmt"
	"path/filepath"
	"testing"
)

func TestSpool(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "spool.db")
	s, err := openSpool(path, 100)
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
	if s, err = openSpool(path, 100); err != nil || s.len() != 2 {
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
