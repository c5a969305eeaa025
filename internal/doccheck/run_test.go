package doccheck

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// declarations are the blocks of a page that are one package together.
func declarations(p *Page) []string {
	var out []string
	for _, b := range p.Blocks {
		if b.Lang != "go" || strings.Contains("\n"+b.Text, "\npackage ") {
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+b.Text, 0); err == nil {
			out = append(out, fmt.Sprintf("\n//line %s:%d\n%s", p.Path, b.Line, b.Text))
		}
	}
	return out
}

// TestTestsInPages runs the tests that the pages show, each page as a package of
// its own: what they promise is so.
func TestTestsInPages(t *testing.T) {
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir, n := t.TempDir(), 0
	overlay, args := map[string]string{}, []string{"test", "-count=1"}
	for _, p := range sortedPages(t) {
		blocks := declarations(p)
		if !strings.Contains(strings.Join(blocks, ""), "func Test") {
			continue
		}
		name := strings.NewReplacer("/", "_", ".", "_", "-", "_").Replace(p.Path)
		for _, src := range blocks {
			file := filepath.Join(dir, fmt.Sprintf("%d.go", n))
			n++
			if err := os.WriteFile(file, []byte("package p\n"+importsOf(t, src)+src), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay[filepath.Join(top, "internal", "doccheck", "inpages", name, fmt.Sprintf("b%d_test.go", n))] = file
		}
		args = append(args, "./internal/doccheck/inpages/"+name)
	}
	if len(args) < 6 {
		t.Fatalf("tests in only %d pages", len(args)-2)
	}
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{args[0], "-overlay", file}, args[1:]...)...)
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
