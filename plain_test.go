package ncatd

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPlainGo: no assembly, no package unsafe, no linkname, no cgo and no reading
// of the runtime's own records of goroutines, in the product and its tests.
func TestPlainGo(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "dist") {
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".s", ".S", ".c", ".h", ".syso":
			t.Errorf("%s: not Go", path)
		case ".go":
			seen++
			plain(t, path)
		}
		return nil
	})
	if err != nil || seen < 200 {
		t.Fatalf("%d files, %v", seen, err)
	}
}

func plain(t *testing.T, path string) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		t.Error(err)
		return
	}
	for _, i := range f.Imports {
		switch name, _ := strconv.Unquote(i.Path.Value); name {
		case "unsafe", "C", "runtime/internal/sys", "internal/abi":
			t.Errorf("%s imports %s", fset.Position(i.Pos()), name)
		}
	}
	for _, g := range f.Comments {
		for _, c := range g.List {
			if strings.HasPrefix(c.Text, "//go:linkname") || strings.HasPrefix(c.Text, "//go:cgo") {
				t.Errorf("%s: %s", fset.Position(c.Pos()), c.Text)
			}
		}
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body == nil {
			t.Errorf("%s: %s has no body", fset.Position(fn.Pos()), fn.Name.Name)
		}
	}
	if strings.HasSuffix(path, "_test.go") {
		return
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "pprof" && sel.Sel.Name == "Lookup" {
				t.Errorf("%s reads a profile of the process", fset.Position(n.Pos()))
			}
		}
		return true
	})
}
