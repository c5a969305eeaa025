package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/script"
)

// Every script of examples/scripts is tested by the tests beside it.
func TestExamples(t *testing.T) {
	const dir = "../../../examples/scripts"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if _, err := script.Read(path); err != nil {
			continue
		}
		n++
		results, err := Run(t.Context(), path, "", error.Error, nil)
		if err != nil || len(results) == 0 {
			t.Errorf("%s: %d tests, %v", e.Name(), len(results), err)
		}
		for _, r := range results {
			if !r.OK {
				t.Errorf("%s: %s: %q, log %q", e.Name(), r.Name, r.Failed, r.Log)
			}
		}
	}
	if n < 6 {
		t.Errorf("%d examples", n)
	}
	seed, err := os.ReadFile(filepath.Join(dir, "hello.ts"))
	if err != nil || strings.Count(string(seed), "\n") > 8 {
		t.Errorf("the first example has more than eight lines (%v)", err)
	}
}
