package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/proc"
)

func TestSurvivor(t *testing.T) {
	h := home.Dir(t.TempDir())
	self, err := proc.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	rebooted, another := self, self
	rebooted.BootID = "another boot"
	another.Start--
	for _, tt := range []struct {
		name string
		id   proc.Identity
		pid  int
	}{
		{"it lives", self, self.PID},
		{"of another boot", rebooted, 0},
		{"its pid was used again", another, 0},
		{"none", proc.Identity{}, 0},
	} {
		if err := os.MkdirAll(h.Account("main"), 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(map[string]any{"process": tt.id})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(h.Account("main"), "state.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := survivor(h, "main"); got != tt.pid {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.pid)
		}
	}
}
