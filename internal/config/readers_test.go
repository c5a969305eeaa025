package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestEveryKeyHasAReader wants that some package other than this one uses the
// field of each key: a key that nothing reads is a promise that nobody keeps.
func TestEveryKeyHasAReader(t *testing.T) {
	used := map[string]bool{}
	read := func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				used[s.Sel.Name] = true
			}
			return true
		})
		return nil
	}
	for _, dir := range []string{"../daemon", "../cli"} { // who is handed a Config
		if err := filepath.WalkDir(dir, read); err != nil {
			t.Fatal(err)
		}
	}
	var walk func(ty reflect.Type, prefix string)
	walk = func(ty reflect.Type, prefix string) {
		for _, f := range fields(ty) {
			sf := ty.FieldByIndex(f.index)
			key := join(prefix, f.name)
			switch {
			case hasNames(sf.Type):
				walk(sf.Type.Elem(), key)
			case sf.Type.Kind() == reflect.Struct:
				walk(sf.Type, key)
			case sf.Type == reflect.TypeFor[Secret]():
				// EnsureSecrets reads it; the others get it from there.
			case !used[sf.Name]:
				t.Errorf("nothing reads %s", key)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
}
