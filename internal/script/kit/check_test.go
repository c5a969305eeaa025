package kit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
)

// A plugin that lies elsewhere is handed to the type checker, too, with a project of its
// own; the project of all others does not know it.
func TestTypesOfAPluginElsewhere(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for tsc is a shell script")
	}
	dir, elsewhere := t.TempDir(), t.TempDir()
	put(t, filepath.Join(elsewhere, "greet", "main.ts"), greetTS)
	put(t, filepath.Join(elsewhere, "one.ts"), greetTS)
	put(t, filepath.Join(dir, "inside", "main.ts"), greetTS)
	at := filepath.Join(dir, "node_modules", ".bin", "tsc")
	put(t, at, "#!/bin/sh\nfor last; do :; done\ncat \"$last\" >seen\nexit 2\n")
	if err := os.Chmod(at, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		filepath.Join(elsewhere, "greet"):  {filepath.Join(elsewhere, "greet", "**", "*"), ".types/*.d.ts"},
		filepath.Join(elsewhere, "one.ts"): {filepath.Join(elsewhere, "one.ts"), ".types/*.d.ts"},
		filepath.Join(dir, "inside"):       {"**/*", ".types/*.d.ts"},
	} {
		if _, err := Check(t.Context(), dir, path); err != nil {
			t.Fatal(err)
		}
		var project struct{ Include []string }
		b, err := os.ReadFile(filepath.Join(dir, "seen"))
		if err == nil {
			err = json.Unmarshal(b, &project)
		}
		if err != nil || !reflect.DeepEqual(project.Include, want) {
			t.Errorf("%s: %v, %v", path, project.Include, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".check-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
