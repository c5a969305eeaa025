package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// checked is a package with the types of all its expressions.
type checked struct {
	path  string
	files []*ast.File
	info  *types.Info
	fset  *token.FileSet
}

// load type-checks packages of this module, without their tests, against the
// export data of the build cache.
func load(t *testing.T, paths ...string) []checked {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export"}, paths...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	type pkg struct {
		ImportPath, Dir, Export string
		GoFiles                 []string
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(all[path].Export) })
	var done []checked
	for _, path := range paths {
		c := checked{path: path, fset: fset, info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}}
		for _, f := range all[path].GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(all[path].Dir, f), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			c.files = append(c.files, file)
		}
		if _, err := (&types.Config{Importer: imp}).Check(path, fset, c.files, c.info); err != nil {
			t.Fatal(err)
		}
		done = append(done, c)
	}
	return done
}

// takers are the functions that take a code, and at which argument; the texts'
// arguments follow.
var takers = map[string]int{"t": 0, "T": 1, "usagef": 1, "failf": 2, "ask": 1, "askTwice": 1}

// sample is a value of a type, for a text to be filled in with.
func sample(t types.Type) any {
	if t.String() == "time.Duration" {
		return 90 * time.Second
	}
	if n, ok := t.(*types.Named); ok && n.Obj().Name() == "error" || types.Implements(t, errorType) {
		return errors.New("why")
	}
	if b, ok := t.Underlying().(*types.Basic); ok {
		switch {
		case b.Info()&types.IsString != 0:
			return "word"
		case b.Info()&types.IsInteger != 0:
			return 7
		case b.Info()&types.IsFloat != 0:
			return 1.5
		case b.Info()&types.IsBoolean != 0:
			return true
		}
	}
	return nil // anything else: no text can be judged
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

// filled reports what is wrong with a text filled in with args, "" for nothing.
func filled(code string, args []any) string {
	for _, l := range []Lang{English, Chinese} {
		f := byLang[l][code]
		if n := arity(f); n != len(args) && l == English {
			return fmt.Sprintf("takes %d arguments and gets %d", n, len(args))
		}
		if s := fmt.Sprintf(f, args[:min(len(args), arity(f))]...); strings.Contains(s, "%!") {
			return fmt.Sprintf("in %s: %s", l, s)
		}
	}
	return ""
}

// TestTextsGetTheirArguments fills every text, in both languages, with values of
// the types that its callers pass.
func TestTextsGetTheirArguments(t *testing.T) {
	n := 0
	for _, p := range load(t, "github.com/ncatd/ncatd/internal/cli") {
		p.calls(func(name string, call *ast.CallExpr) {
			i, takes := takers[name]
			if !takes || i >= len(call.Args) || call.Ellipsis.IsValid() {
				return
			}
			code, ok := p.word(call.Args[i])
			if !ok {
				return
			}
			n++
			at := p.fset.Position(call.Pos())
			if !Has(code) {
				t.Errorf("%s: no text for %q", at, code)
				return
			}
			var args []any
			for _, a := range call.Args[i+1:] {
				v := sample(p.info.Types[a].Type)
				if v == nil {
					return
				}
				args = append(args, v)
			}
			if bad := filled(code, args); bad != "" {
				t.Errorf("%s: %s %s", at, code, bad)
			}
		})
	}
	if n < 200 {
		t.Errorf("only %d uses were found", n)
	}
}

// TestFaultsGetTheirArguments does so for the codes that go over the wire.
func TestFaultsGetTheirArguments(t *testing.T) {
	pkgs := append([]string{}, users(t, "github.com/ncatd/ncatd/internal/control/api")...)
	n := 0
	for _, p := range load(t, pkgs...) {
		p.calls(func(name string, call *ast.CallExpr) {
			if name != "Because" || len(call.Args) == 0 || call.Ellipsis.IsValid() {
				return
			}
			args := call.Args
			if named, ok := p.info.Types[args[0]].Type.(*types.Named); ok && named.Obj().Name() == "Reason" {
				args = args[1:] // supervisor.Because: a reason before the code
			}
			code, ok := p.word(args[0])
			if !ok {
				return
			}
			n++
			at := p.fset.Position(call.Pos())
			if !Has("fault." + code) {
				t.Errorf("%s: no text for the fault %q", at, code)
			} else if want := arity(byLang[English]["fault."+code]); want != len(args)-1 {
				t.Errorf("%s: fault %s takes %d arguments and gets %d", at, code, want, len(args)-1)
			}
		})
	}
	if n < 40 {
		t.Errorf("only %d uses were found", n)
	}
	for code, f := range byLang[English] {
		if fault, ok := strings.CutPrefix(code, "hint.fault."); ok {
			if !Has("fault." + fault) {
				t.Errorf("%s helps against nothing", code)
			}
			continue
		}
		if !strings.HasPrefix(code, "fault.") {
			continue
		}
		args := make([]any, arity(f))
		for i := range args {
			args[i] = "word"
		}
		if bad := filled(code, args); bad != "" {
			t.Errorf("%s %s", code, bad)
		}
	}
}

// TestDaemonSendsCodes holds that the daemon composes no sentences, which would be
// in one language only: what a fault's args are put together from has no words, and
// a request is refused by a fault. What only a program can get wrong (bad_request)
// may be told in English.
func TestDaemonSendsCodes(t *testing.T) {
	words := regexp.MustCompile(`[A-Za-z]{2,} [a-z]{2,}`)
	said := func(p checked, e ast.Expr) (found string) {
		ast.Inspect(e, func(n ast.Node) bool {
			if x, ok := n.(*ast.BasicLit); ok && x.Kind == token.STRING {
				if s, err := strconv.Unquote(x.Value); err == nil && words.MatchString(s) {
					found = s
				}
			}
			return found == ""
		})
		return found
	}
	n := 0
	for _, p := range load(t, users(t, "github.com/ncatd/ncatd/internal/control/api")...) {
		p.calls(func(name string, call *ast.CallExpr) {
			if name != "Because" && name != "failed" && name != "failure" {
				return
			}
			n++
			for _, arg := range call.Args {
				if s := said(p, arg); s != "" {
					t.Errorf("%s: %q is an arg of a fault: it needs a code of its own", p.fset.Position(arg.Pos()), s)
				}
			}
		})
		if !strings.HasSuffix(p.path, "internal/daemon") {
			continue
		}
		for _, f := range p.files {
			ast.Inspect(f, func(node ast.Node) bool {
				lit, ok := node.(*ast.CompositeLit)
				if !ok || p.info.Types[lit].Type == nil || !strings.HasSuffix(p.info.Types[lit].Type.String(), "control/api.Error") {
					return true
				}
				fields := map[string]ast.Expr{}
				for _, e := range lit.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok {
						fields[kv.Key.(*ast.Ident).Name] = kv.Value
					}
				}
				if code, _ := p.word(fields["Code"]); code == "bad_request" || fields["Message"] == nil {
					return true
				}
				if s := said(p, fields["Message"]); s != "" {
					t.Errorf("%s: %q is said in English: use control.Refuse", p.fset.Position(lit.Pos()), s)
				}
				return true
			})
		}
	}
	if n < 60 {
		t.Errorf("only %d faults were found", n)
	}
}

// users returns the packages of the daemon's side that import path.
func users(t *testing.T, path string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \",\"}}", "github.com/ncatd/ncatd/internal/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for l := range strings.Lines(string(out)) {
		p, imports, _ := strings.Cut(strings.TrimSpace(l), " ")
		if slices.Contains(strings.Split(imports, ","), path) && !strings.Contains(p, "internal/cli") && !strings.Contains(p, "internal/soak") {
			list = append(list, p)
		}
	}
	return list
}

// TestDoctorsTextsGetTheirArguments does so for what the doctor finds: a finding
// chooses its text by its severity.
func TestDoctorsTextsGetTheirArguments(t *testing.T) {
	n := 0
	for _, p := range load(t, "github.com/ncatd/ncatd/internal/napcat/install/doctor") {
		p.calls(func(name string, call *ast.CallExpr) {
			if name != "add" || len(call.Args) < 2 {
				return
			}
			code, ok := p.word(call.Args[0])
			if !ok {
				return
			}
			severities := []string{"ok", "info", "warning", "error"}
			if s, ok := p.word(call.Args[1]); ok {
				severities = []string{s}
			}
			var args []any
			for _, a := range call.Args[2:] {
				args = append(args, sample(p.info.Types[a].Type))
			}
			for _, s := range severities {
				key := "doctor." + code + "." + s
				if !Has(key) {
					key = "doctor." + code + ".bad"
				}
				n++
				if !Has(key) {
					t.Errorf("%s: no text %s", p.fset.Position(call.Pos()), key)
					continue
				}
				for _, l := range []Lang{English, Chinese} {
					if text := T(l, key, args...); strings.Contains(text, "%!") {
						t.Errorf("%s: %s", key, text)
					}
				}
			}
		})
	}
	if n < 25 {
		t.Errorf("only %d findings were found", n)
	}
}

// TestEveryTextIsUsed finds entries that nobody asks for: neither by their code
// nor by a code that is put together from a beginning.
func TestEveryTextIsUsed(t *testing.T) {
	words, heads := map[string]bool{}, []string{}
	for _, p := range load(t, "github.com/ncatd/ncatd/internal/cli", "github.com/ncatd/ncatd/internal/alert") {
		for _, f := range p.files {
			ast.Inspect(f, func(n ast.Node) bool {
				switch x := n.(type) {
				case *ast.BasicLit:
					if s, err := strconv.Unquote(x.Value); err == nil && x.Kind == token.STRING {
						words[s] = true
					}
				case *ast.BinaryExpr:
					if s, ok := p.word(x.X); ok && x.Op == token.ADD && (strings.HasSuffix(s, ".") || strings.Contains(s, ".") && strings.HasSuffix(s, "_")) {
						heads = append(heads, s)
					}
				}
				return true
			})
		}
		p.calls(func(name string, call *ast.CallExpr) {
			// command and group take the middle of a code.
			if (name == "command" || name == "group") && len(call.Args) > 0 {
				if s, ok := p.word(call.Args[0]); ok {
					heads = append(heads, "cmd."+s+".")
				}
			}
		})
	}
	heads = slices.DeleteFunc(heads, func(h string) bool { return h == "cmd." })
	heads = append(heads, "config.", "word.") // of [Problem]
	heads = append(heads, "console.")         // of the pages; internal/console's tests look there
	heads = append(heads, "fault.", "hint.fault.", "cmd.ncatd.", "cmd.plugin_", "cmd.fleet_dead_")
	for code := range byLang[English] {
		if !words[code] && !slices.ContainsFunc(heads, func(h string) bool { return strings.HasPrefix(code, h) }) {
			t.Errorf("nobody uses %s", code)
		}
	}
}

// calls visits every call with the name of the function.
func (p checked) calls(visit func(name string, call *ast.CallExpr)) {
	for _, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch fn := call.Fun.(type) {
			case *ast.Ident:
				visit(fn.Name, call)
			case *ast.SelectorExpr:
				visit(fn.Sel.Name, call)
			}
			return true
		})
	}
}

// word returns the constant text that an expression is.
func (p checked) word(e ast.Expr) (string, bool) {
	v := p.info.Types[e].Value
	if v == nil {
		return "", false
	}
	s, err := strconv.Unquote(v.ExactString())
	return s, err == nil
}
