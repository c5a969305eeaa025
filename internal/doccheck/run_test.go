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
	overlay, pages := map[string]string{}, []string{}
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
		pages = append(pages, name)
	}
	if len(pages) < 4 {
		t.Fatalf("tests in only %d pages", len(pages))
	}
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range pages { // the folder is not there: built first, run elsewhere
		bin := filepath.Join(dir, name)
		build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", file, "-o", bin, "./internal/doccheck/inpages/"+name)
		build.Dir = top
		if out, err := build.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
			continue
		}
		run := exec.CommandContext(t.Context(), bin)
		run.Dir = dir
		if out, err := run.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
