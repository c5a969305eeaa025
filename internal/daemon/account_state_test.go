package daemon

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

func TestStateSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts", "main", "state.json") // in no folder yet
	s := napCatState{Marker: "m", SigningKey: "k", Networks: []string{"a"}}
	store, err := account.OpenStore(path, &s, func() any { return s }, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	s.Process = proc.Identity{PID: 42, Start: 123456789, BootID: "b"}
	s.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.Output, s.WebUIPort, s.WebUIKnown, s.OneBotPort, s.Main = 7, 6099, true, 3001, "/m"
	saved := account.Saved{UIN: 10001, Failures: supervisor.Failures{Score: 2.5, Streak: 3}, Kicks: []time.Time{s.Started}}
	if err := store.Set(saved); err != nil {
		t.Fatal(err)
	}
	var got napCatState
	again, err := account.OpenStore(path, &got, nil, nil)
	if err != nil || !reflect.DeepEqual(got, s) || !reflect.DeepEqual(again.Saved(), saved) {
		t.Errorf("%+v, %+v, %v; want %+v, %+v", got, again.Saved(), err, s, saved)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	// A broken file is told; what it said is gone.
	if err := os.WriteFile(path, []byte(`{"marker": 5`), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := account.OpenStore(path, &got, nil, nil); err == nil || again.Saved().UIN != 0 {
		t.Errorf("%+v, %v", again.Saved(), err)
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
