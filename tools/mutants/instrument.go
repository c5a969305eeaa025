package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
)

// switchboard is added to a package that is taken apart: MUTANT names the change
// that is in force, MUTANT_HITS a file to which the reached sites are written.
const switchboard = `package %s

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
)

var (
	mutantNow, _ = strconv.Atoi(os.Getenv("MUTANT"))
	mutantHits   = os.Getenv("MUTANT_HITS")
	mutantSeen   [%d]atomic.Bool
)

func mutantAt(first, n int) int {
	if mutantHits != "" && !mutantSeen[first].Swap(true) {
		if f, err := os.OpenFile(mutantHits, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintln(f, first)
			f.Close()
		}
	}
	if k := mutantNow - first; k >= 0 && k < n {
		return k
	}
	return -1
}
`

// source is a file of a package, taken apart.
type source struct {
	path  string
	file  *ast.File
	src   []byte
	sites []*site
}

// load returns the packages of some files, with their types.
func load(files []string) ([]*packages.Package, error) {
	var dirs []string
	for _, f := range files {
		if d := "./" + filepath.Dir(f); !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax}, dirs...)
	if err != nil {
		return nil, err
	}
	for _, p := range pkgs {
		for _, e := range p.Errors {
			return nil, e
		}
	}
	return pkgs, nil
}

// sources returns the files of a package that are to be changed, their changes
// numbered from next on, without those that do not compile.
func sources(pkg *packages.Package, files []string, next int) ([]*source, int, error) {
	var all []*source
	for i, path := range pkg.CompiledGoFiles {
		if !slices.ContainsFunc(files, func(f string) bool { abs, _ := filepath.Abs(f); return abs == path }) || !wanted(path) {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, &source{path: path, file: pkg.Syntax[i], src: src, sites: enumerate(pkg, pkg.Syntax[i], src)})
	}
	for {
		n := next
		for _, s := range all {
			for _, at := range s.sites {
				at.first = n
				n += len(at.changes)
			}
		}
		bad, err := check(pkg, all, n)
		if err != nil {
			return nil, 0, err
		}
		if len(bad) == 0 {
			return all, n, nil
		}
		for _, s := range all {
			s.sites = slices.DeleteFunc(s.sites, func(at *site) bool { return bad[at.first] })
		}
	}
}

var mark = regexp.MustCompile(`/\*M(\d+)\*/`)

// check compiles the instrumented package in memory. It returns the sites that
// cannot be written like this, such as a constant where the language wants one.
func check(pkg *packages.Package, all []*source, n int) (map[int]bool, error) {
	fset := token.NewFileSet()
	text := map[string][]byte{}
	for _, s := range all {
		text[s.path] = s.render(pkg.Fset)
	}
	var files []*ast.File
	for _, path := range pkg.CompiledGoFiles {
		var src any
		if t, ok := text[path]; ok {
			src = t
		}
		f, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	board, err := parser.ParseFile(fset, "switchboard.go", fmt.Sprintf(switchboard, pkg.Name, n), 0)
	if err != nil {
		return nil, err
	}
	// Only what the package imports itself was loaded.
	board.Decls = slices.DeleteFunc(board.Decls, func(d ast.Decl) bool { _, isFunc := d.(*ast.FuncDecl); return !isFunc })
	board.Decls[0].(*ast.FuncDecl).Body.List = []ast.Stmt{&ast.ReturnStmt{Results: []ast.Expr{ast.NewIdent("n")}}}
	board.Imports = nil
	files = append(files, board)
	bad := map[int]bool{}
	var lost error
	conf := types.Config{
		Importer: imported(pkg.Imports), Sizes: pkg.TypesSizes,
		Error: func(err error) {
			var e types.Error
			if !errors.As(err, &e) || e.Soft && strings.Contains(e.Msg, "imported and not used") {
				return
			}
			p := fset.Position(e.Pos)
			t := text[p.Filename]
			found := mark.FindAllSubmatch(t[:min(p.Offset, len(t))], -1)
			if len(found) == 0 {
				lost = err
				return
			}
			n, _ := strconv.Atoi(string(found[len(found)-1][1]))
			bad[n] = true
		},
	}
	_, _ = conf.Check(pkg.PkgPath, fset, files, nil)
	return bad, lost
}

type imported map[string]*packages.Package

func (m imported) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if p := m[path]; p != nil && p.Types != nil {
		return p.Types, nil
	}
	return nil, fmt.Errorf("%s is not imported by the package", path)
}

// render writes the file with a switch at each site.
func (s *source) render(fset *token.FileSet) []byte {
	slices.SortFunc(s.sites, func(a, b *site) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	return []byte(s.part(fset, 0, len(s.src), nil))
}

// part renders a part of the file with the sites within it, but for the one that
// the part itself is.
func (s *source) part(fset *token.FileSet, from, to int, but *site) string {
	var b strings.Builder
	at := from
	for _, in := range s.sites {
		if in == but || in.from < at || in.to > to {
			continue
		}
		b.Write(s.src[at:in.from])
		b.WriteString(s.switched(fset, in))
		at = in.to
	}
	b.Write(s.src[at:to])
	return b.String()
}

func (s *source) switched(fset *token.FileSet, at *site) string {
	sub := func(n ast.Node) string {
		return s.part(fset, fset.Position(n.Pos()).Offset, fset.Position(n.End()).Offset, at)
	}
	now := fmt.Sprintf("/*M%d*/mutantAt(%d, %d)", at.first, at.first, len(at.changes))
	original := s.part(fset, at.from, at.to, at)
	if at.form == truth {
		if original == "true" {
			return "(" + now + " != 0)"
		}
		return "(" + now + " == 0)"
	}
	var b strings.Builder
	if at.form == value {
		fmt.Fprintf(&b, "func() %s { switch %s { ", at.typ, now)
		for k, c := range at.changes {
			fmt.Fprintf(&b, "case %d: return %s; ", k, c.text(sub))
		}
		fmt.Fprintf(&b, "}; return %s }()", original)
		return b.String()
	}
	for k, c := range at.changes {
		fmt.Fprintf(&b, "if %s == %d { %s } else ", now, k, c.text(sub))
	}
	fmt.Fprintf(&b, "{ %s }", original)
	if at.form == embedded {
		return "func() { " + b.String() + " }()"
	}
	return b.String()
}

// write puts the instrumented files of a package into dir and adds them to an overlay.
func write(dir string, pkg *packages.Package, all []*source, n int, overlay map[string]string) error {
	for i, s := range all {
		to := filepath.Join(dir, fmt.Sprintf("%s_%d.go", pkg.Name, i))
		if err := os.WriteFile(to, s.render(pkg.Fset), 0o600); err != nil {
			return err
		}
		overlay[s.path] = to
	}
	to := filepath.Join(dir, pkg.Name+"_switchboard.go")
	var b bytes.Buffer
	fmt.Fprintf(&b, switchboard, pkg.Name, n)
	overlay[filepath.Join(filepath.Dir(pkg.CompiledGoFiles[0]), "zz_switchboard.go")] = to
	return os.WriteFile(to, b.Bytes(), 0o600)
}
