package daemon

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

func TestStateSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts", "main", "state.json") // in no folder yet
	s, err := loadState(path)
	if err != nil || s.Marker == "" || s.SigningKey == "" {
		t.Fatalf("%+v, %v", s, err)
	}
	s.Process = proc.Identity{PID: 42, Start: 123456789, BootID: "b"}
	s.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.Output, s.WebUIPort, s.WebUIKnown, s.OneBotPort, s.Main, s.UIN = 7, 6099, true, 3001, "/m", 10001
	s.Failures = supervisor.Failures{Score: 2.5, Streak: 3}
	s.Kicks, s.Networks = []time.Time{s.Started}, []string{"a"}
	if err := s.save(path); err != nil {
		t.Fatal(err)
	}
	got, err := loadState(path)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("%+v, %v; want %+v", got, err, s)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	// A broken file is told and replaced; what it said is gone.
	if err := os.WriteFile(path, []byte(`{"marker": 5`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := loadState(path); err == nil || got.Marker == "" || got.Marker == s.Marker || got.UIN != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPortsAreNotGivenTwice(t *testing.T) {
	p := NewPorts()
	seen := make(map[int]bool)
	for _, owner := range []string{"a/webui", "a/onebot", "b/webui", "b/onebot"} {
		port, err := p.Choose(owner, "127.0.0.1", 0)
		if err != nil || seen[port] {
			t.Fatalf("%s: %d, %v", owner, port, err)
		}
		seen[port] = true
	}
	mine, err := p.Choose("a/webui", "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := p.Choose("b/webui", "127.0.0.1", mine); err != nil || other == mine {
		t.Errorf("b got a's port %d, %v", other, err)
	}
	if again, err := p.Choose("a/webui", "127.0.0.1", mine); err != nil || again != mine {
		t.Errorf("a did not get its own port %d again but %d, %v", mine, again, err)
	}
	p.Hold("c/webui", 1)
	if got, err := p.Choose("d/webui", "127.0.0.1", 1); err != nil || got == 1 {
		t.Errorf("a held port was given away: %d, %v", got, err)
	}
}
