package ncatd

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The bounds of the product's code.
const (
	mostLines    = 70 // of a function
	usualLines   = 40 // of 95 functions in 100
	mostFields   = 20 // of a struct
	mostVars     = 40 // package-level variables that are no constants in disguise
	leastTesting = 60 // lines of tests for 100 lines of code, in the packages of elsewhere
)

// wide are the packages, and single structs, that may have more fields, since
// somebody else's format or file says how many there are.
var wide = map[string]string{
	"internal/config":            "one field for each key of ncatd.yaml",
	"internal/control/api":       "what goes over the control socket",
	"onebot":                     "fields of OneBot's JSON",
	"internal/script.callParams": "what a script sends, whatever it calls",
	"internal/napcatsim.Options": "the simulator's settings, one field for each fault",
}

// elsewhere are the packages that tests of a package stand in, beside its own:
// those that run it whole.
var elsewhere = map[string][]string{
	"ncat":             {"ncat/sqlite", "ncattest"},
	"internal/cli":     {"internal/cli/text", "cmd/ncatd", "cmd/ncatd/testdata/script"},
	"internal/account": {"internal/daemon"},
}

// source is one file of the product or of its tests.
type source struct {
	dir, path string
	test      bool
	lines     int
	file      *ast.File
	fset      *token.FileSet
}

// sources parses every Go file of this module but those of tools, examples and
// what only measures or tests.
func sources(t *testing.T) []source {
	var all []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || slices.Contains([]string{"testdata", "bin", "dist", "tools", "examples"}, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s := source{dir: filepath.ToSlash(filepath.Dir(path)), path: path, test: strings.HasSuffix(path, "_test.go"), lines: strings.Count(string(text), "\n"), fset: token.NewFileSet()}
		s.file, err = parser.ParseFile(s.fset, path, text, parser.ParseComments)
		all = append(all, s)
		return err
	})
	if err != nil || len(all) < 200 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	return all
}

// product leaves out tests, generated code and programs that measure or test.
func product(all []source) []source {
	return slices.DeleteFunc(slices.Clone(all), func(s source) bool {
		return s.test || ast.IsGenerated(s.file) || slices.Contains([]string{"internal/bench", "internal/soak", "internal/e2e", "internal/doccheck", "internal/onebotgen"}, s.dir) || strings.HasPrefix(s.dir, "internal/e2e/")
	})
}

func (s source) at(n ast.Node) string { return s.fset.Position(n.Pos()).String() }

func TestFunctionsAreShort(t *testing.T) {
	var lengths []int
	for _, s := range product(sources(t)) {
		for _, d := range s.file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := s.fset.Position(fn.End()).Line - s.fset.Position(fn.Pos()).Line + 1
			lengths = append(lengths, n)
			if n > mostLines {
				t.Errorf("%s: %s has %d lines, at most %d", s.at(fn), fn.Name.Name, n, mostLines)
			}
		}
	}
	slices.Sort(lengths)
	if p95 := lengths[len(lengths)*95/100]; p95 > usualLines {
		t.Errorf("95 functions in 100 have up to %d lines, at most %d", p95, usualLines)
	}
}

func TestStructsAreNarrow(t *testing.T) {
	for _, s := range product(sources(t)) {
		if wide[s.dir] != "" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := spec.Type.(*ast.StructType); ok && wide[s.dir+"."+spec.Name.Name] == "" && st.Fields.NumFields() > mostFields {
				t.Errorf("%s: %s has %d fields, at most %d", s.at(spec), spec.Name.Name, st.Fields.NumFields(), mostFields)
			}
			return true
		})
	}
}

// TestFewPackageVariables counts package-level variables that may change. What is
// given its value where it is declared and never assigned, indexed for writing,
// incremented or pointed to in its package is a constant in disguise: errors,
// patterns, embedded files, tables, functions. What holds a lock, a pool or an
// atomic value is not.
func TestFewPackageVariables(t *testing.T) {
	byDir := map[string][]source{}
	for _, s := range product(sources(t)) {
		byDir[s.dir] = append(byDir[s.dir], s)
	}
	var mutable []string
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		mutable = append(mutable, mutableVars(byDir[dir])...)
	}
	if len(mutable) > mostVars {
		t.Errorf("%d package variables may change, at most %d:\n%s", len(mutable), mostVars, strings.Join(mutable, "\n"))
	}
}

// mutableVars returns the variables of one package that are no constants in
// disguise.
func mutableVars(files []source) []string {
	declared := map[string]string{}
	changes := map[string]bool{}
	for _, s := range files {
		for _, d := range s.file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, spec := range g.Specs {
					v := spec.(*ast.ValueSpec)
					for _, name := range v.Names {
						if name.Name == "_" {
							continue
						}
						declared[name.Name] = s.at(name)
						if len(v.Values) == 0 && !strings.Contains(g.Doc.Text()+embeds(g), "go:embed") || shared(v) {
							changes[name.Name] = true
						}
					}
				}
			}
		}
	}
	for _, s := range files {
		written(s.file, func(name string) { changes[name] = true })
	}
	var found []string
	for name, at := range declared {
		if changes[name] {
			found = append(found, at+": "+name)
		}
	}
	slices.Sort(found)
	return found
}

// embeds returns the directives of a declaration, which its text leaves out.
func embeds(g *ast.GenDecl) string {
	if g.Doc == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range g.Doc.List {
		b.WriteString(c.Text)
	}
	return b.String()
}

// shared reports whether a variable holds what changes by its methods.
func shared(v *ast.ValueSpec) bool {
	found := false
	ast.Inspect(v, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok {
			return false
		}
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") && !strings.HasPrefix(sel.Sel.Name, "Once") {
				found = true
			}
		}
		return true
	})
	return found
}

// written calls f with every name that is assigned to, incremented or pointed to
// inside a function, unless it is declared there.
func written(file *ast.File, f func(name string)) {
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		local := locals(fn)
		target := func(e ast.Expr) {
			if name := root(e); name != "" && !local[name] {
				f(name)
			}
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, l := range n.Lhs {
						target(l)
					}
				}
			case *ast.IncDecStmt:
				target(n.X)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					target(n.X)
				}
			}
			return true
		})
	}
}

// root returns the name at the left end of an expression.
func root(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return ""
		}
	}
}

// locals returns every name that a function declares.
func locals(fn *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	add := func(l *ast.FieldList) {
		if l != nil {
			for _, f := range l.List {
				for _, n := range f.Names {
					names[n.Name] = true
				}
			}
		}
	}
	add(fn.Recv)
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncType:
			add(n.Params)
			add(n.Results)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, l := range n.Lhs {
					names[root(l)] = true
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if e != nil && n.Tok == token.DEFINE {
					names[root(e)] = true
				}
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		}
		return true
	})
	return names
}

// TestContextsComeFromMain: a context without an end is made in main functions,
// in [Run], which is ncatd's, and in tests; everything else is handed one. The
// simulator stands for a program of its own, whose end is the end of what it does.
func TestContextsComeFromMain(t *testing.T) {
	for _, s := range product(sources(t)) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if name := called(n); (name == "context.Background" || name == "context.TODO") && s.file.Name.Name != "main" && s.path != "ncatd.go" && !strings.HasPrefix(s.dir, "internal/napcatsim") {
				t.Errorf("%s: %s", s.at(n), name)
			}
			return true
		})
	}
}

// called returns the function of a package that n calls, as PACKAGE.NAME.
func called(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + sel.Sel.Name
}

// TestSleepsAreVirtual: a test sleeps only where time is that of a synctest
// bubble: in a file whose tests are in one, by synctest.Test or a helper of the
// package that calls it.
func TestSleepsAreVirtual(t *testing.T) {
	all := sources(t)
	helpers := map[string]bool{}
	for _, s := range all {
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && s.test && !strings.HasPrefix(fn.Name.Name, "Test") {
				ast.Inspect(fn, func(n ast.Node) bool {
					if called(n) == "synctest.Test" {
						helpers[s.dir+"."+fn.Name.Name] = true
					}
					return true
				})
			}
		}
	}
	for _, s := range all {
		if !s.test {
			continue
		}
		virtual := false
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				id, ok := call.Fun.(*ast.Ident)
				virtual = virtual || ok && helpers[s.dir+"."+id.Name]
			}
			virtual = virtual || called(n) == "synctest.Test" || called(n) == "ncattest.Run"
			return true
		})
		ast.Inspect(s.file, func(n ast.Node) bool {
			if called(n) == "time.Sleep" && !virtual {
				t.Errorf("%s: a sleep in real time", s.at(n))
			}
			return true
		})
	}
}

// TestTestsAreThere: where people's mistakes cost most, tests have at least 60
// lines for 100 of code.
func TestTestsAreThere(t *testing.T) {
	code, tests := map[string]int{}, map[string]int{}
	for _, s := range sources(t) {
		if s.test {
			tests[s.dir] += s.lines
		} else {
			code[s.dir] += s.lines
		}
	}
	scripts, err := filepath.Glob("cmd/ncatd/testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tests["cmd/ncatd/testdata/script"] += strings.Count(string(text), "\n")
	}
	for dir, others := range elsewhere {
		n := tests[dir]
		for _, other := range others {
			n += tests[other]
		}
		if n*100 < code[dir]*leastTesting {
			t.Errorf("%s: %d lines of tests for %d of code, %d %%, at least %d %%", dir, n, code[dir], n*100/code[dir], leastTesting)
		}
	}
}
