package doccheck

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPages runs the code of the pages, each page as a package of its own, all in
// one program: the tests that the page shows, and those of testdata/pages, which
// assert what the page promises of its other blocks.
func TestPages(t *testing.T) {
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir, inside := t.TempDir(), filepath.Join(top, "internal", "doccheck", "inpages")
	overlay, n, pages := map[string]string{}, 0, 0
	add := func(name, src string) {
		file := filepath.Join(dir, fmt.Sprintf("%d.go", n))
		n++
		if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(inside, name)] = file
	}
	shared, err := os.ReadFile(filepath.Join("testdata", "pages", "bot.go"))
	if err != nil {
		t.Fatal(err)
	}
	imports, calls := "", ""
	for _, p := range sortedPages(t) {
		name := strings.NewReplacer("/", "_", ".", "_", "-", "_").Replace(p.Path)
		var files []string
		for _, src := range sources(p) {
			files = append(files, "package p\n"+importsOf(t, src)+src)
		}
		if checks, err := os.ReadFile(filepath.Join("testdata", "pages", name+".go")); err == nil {
			files = append(files, string(shared), string(checks))
		}
		tests := testsIn(t, files)
		if len(tests) == 0 {
			continue
		}
		pages++
		imports += fmt.Sprintf("import %s %q\n", name, "github.com/ncatd/ncatd/internal/doccheck/inpages/"+name)
		for _, f := range tests {
			calls += fmt.Sprintf("t.Run(%q, %s.%s)\n", name+"/"+f, name, f)
		}
		for i, src := range files {
			add(filepath.Join(name, fmt.Sprintf("b%d.go", i)), src)
		}
	}
	if pages < 19 {
		t.Fatalf("tests of only %d pages", pages)
	}
	add("all_test.go", "package inpages\nimport \"testing\"\n"+imports+"func TestAll(t *testing.T) {\n"+calls+"}\n")
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file, bin := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "pages.test")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	// The folder is not there: built first, run elsewhere.
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", file, "-o", bin, "./internal/doccheck/inpages")
	build.Dir = top
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), bin)
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// testsIn are the names of the tests that files have.
func testsIn(t *testing.T, files []string) []string {
	t.Helper()
	var out []string
	for _, src := range files {
		f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				out = append(out, fn.Name.Name)
			}
		}
	}
	return out
}
