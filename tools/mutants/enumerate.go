package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// swaps says what becomes of an operator: the neighbour that a slip of the
// finger or of the mind would have written.
var swaps = map[token.Token][]token.Token{
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR},
	token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
	token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD}, token.MUL: {token.QUO}, token.QUO: {token.MUL},
	token.INC: {token.DEC}, token.DEC: {token.INC},
	token.ADD_ASSIGN: {token.SUB_ASSIGN}, token.SUB_ASSIGN: {token.ADD_ASSIGN},
}

// form is how a site is written so that it can be switched while the program runs.
type form int

const (
	value    form = iota // an expression: a function that is called on the spot
	truth                // true or false
	block                // a statement in a block
	embedded             // a statement before a condition, or after each round of a loop
)

// site is a place of a file with the texts that may stand there.
type site struct {
	from, to int // offsets
	form     form
	typ      string // of a value
	line     int
	changes  []change
	first    int // number of the first change, the others follow
}

type change struct {
	what string
	// text makes the changed text; sub renders a part of the file with the sites within it.
	text func(sub func(n ast.Node) string) string
}

// finder walks one file.
type finder struct {
	pkg   *packages.Package
	file  *ast.File
	src   []byte
	sites []*site
	// embedded are statements that do not stand in a block, kept out are those that cannot be changed.
	embedded, out map[ast.Node]bool
}

func (f *finder) offset(p token.Pos) int { return f.pkg.Fset.Position(p).Offset }

func (f *finder) add(n ast.Node, as form, typ string, changes ...change) {
	if len(changes) > 0 {
		f.sites = append(f.sites, &site{
			from: f.offset(n.Pos()), to: f.offset(n.End()), form: as, typ: typ,
			line: f.pkg.Fset.Position(n.Pos()).Line, changes: changes,
		})
	}
}

// enumerate returns every site of a file: operators to swap, true and false to
// turn round, and statements that call something or assign to something to leave
// out. Constants are left alone: they are the tables that the code is held against.
func enumerate(pkg *packages.Package, file *ast.File, src []byte) []*site {
	f := &finder{pkg: pkg, file: file, src: src, embedded: map[ast.Node]bool{}, out: map[ast.Node]bool{}}
	ast.Inspect(file, f.visit)
	return f.sites
}

func (f *finder) visit(n ast.Node) bool {
	if n == nil || f.out[n] {
		return false
	}
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok == token.VAR
	case *ast.ArrayType:
		return false // its length is a constant
	case *ast.IfStmt:
		f.embed(n.Init)
		if n.Else == nil && !slices.ContainsFunc(n.Body.List, func(s ast.Stmt) bool { return !onlyLogs(s) }) {
			f.out[n.Cond] = true // it decides about a line of the log, see logs
		}
	case *ast.SwitchStmt:
		f.embed(n.Init)
	case *ast.TypeSwitchStmt:
		f.embed(n.Init)
	case *ast.ForStmt:
		f.embed(n.Init)
		f.embed(n.Post)
	case *ast.CommClause:
		if as, ok := n.Comm.(*ast.AssignStmt); ok {
			f.out[as] = true
		}
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.IncDecStmt:
		f.add(n, f.stmt(n), "", f.swapped(n.X, n.Tok, nil)...)
	case *ast.AssignStmt:
		f.assign(n)
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && !logs(call) && !f.locks(call) {
			f.add(n, f.stmt(n), "", change{"left out: " + f.head(n), func(func(ast.Node) string) string { return "" }})
		}
	case *ast.Ident:
		if f.pkg.TypesInfo.Uses[n] == types.Universe.Lookup("true") || f.pkg.TypesInfo.Uses[n] == types.Universe.Lookup("false") {
			f.add(n, truth, "", change{n.Name + " turned round", nil})
		}
	}
	return true
}

func (f *finder) embed(s ast.Stmt) {
	if s != nil {
		f.embedded[s] = true
	}
}

func (f *finder) stmt(s ast.Stmt) form {
	if f.embedded[s] {
		return embedded
	}
	return block
}

func (f *finder) binary(n *ast.BinaryExpr) {
	t := f.pkg.TypesInfo.TypeOf(n)
	if b, ok := t.Underlying().(*types.Basic); ok && b.Info()&types.IsString != 0 {
		return // only + is defined
	}
	name, ok := f.typeName(types.Default(t))
	if !ok {
		return
	}
	f.add(n, value, name, f.swapped(n.X, n.Op, n.Y)...)
}

// swapped returns x op y, or the statement x op, with other operators.
func (f *finder) swapped(x ast.Expr, op token.Token, y ast.Expr) []change {
	var all []change
	for _, other := range swaps[op] {
		all = append(all, change{fmt.Sprintf("%s becomes %s", op, other), func(sub func(ast.Node) string) string {
			if y == nil {
				return sub(x) + other.String()
			}
			return sub(x) + " " + other.String() + " " + sub(y)
		}})
	}
	return all
}

func (f *finder) assign(n *ast.AssignStmt) {
	if n.Tok != token.ASSIGN {
		if t := f.pkg.TypesInfo.TypeOf(n.Lhs[0]); t != nil {
			if b, ok := t.Underlying().(*types.Basic); ok && b.Info()&types.IsString != 0 {
				return
			}
		}
		f.add(n, f.stmt(n), "", f.swapped(n.Lhs[0], n.Tok, n.Rhs[0])...)
		return
	}
	if blank(n) {
		return
	}
	f.add(n, f.stmt(n), "", change{"left out: " + f.head(n), func(sub func(ast.Node) string) string { return uses(n, sub) }})
}

// typeName writes a type as the file may write it, if it can.
func (f *finder) typeName(t types.Type) (string, bool) {
	ok := true
	name := types.TypeString(t, func(p *types.Package) string {
		if p == f.pkg.Types {
			return ""
		}
		for _, spec := range f.file.Imports {
			if strings.Trim(spec.Path.Value, `"`) != p.Path() {
				continue
			}
			if spec.Name != nil {
				return spec.Name.Name
			}
			return p.Name()
		}
		ok = false
		return ""
	})
	return name, ok && !strings.HasPrefix(name, "untyped")
}

// head returns the first line of a node.
func (f *finder) head(n ast.Node) string {
	s, _, more := strings.Cut(string(f.src[f.offset(n.Pos()):f.offset(n.End())]), "\n")
	if more {
		s += " …"
	}
	return s
}

// uses keeps what an assignment reads in use, so that leaving it out compiles.
func uses(n *ast.AssignStmt, text func(ast.Node) string) string {
	var b strings.Builder
	for i, r := range n.Rhs {
		if i > 0 {
			b.WriteString("; ")
		}
		if len(n.Rhs) != len(n.Lhs) {
			b.WriteString(strings.Repeat("_, ", len(n.Lhs)-1))
		}
		if id, ok := r.(*ast.Ident); ok && id.Name == "nil" {
			b.WriteString("_ = 0")
			continue
		}
		b.WriteString("_ = " + text(r))
	}
	return b.String()
}

func blank(n *ast.AssignStmt) bool {
	for _, l := range n.Lhs {
		if id, ok := l.(*ast.Ident); !ok || id.Name != "_" {
			return false
		}
	}
	return true
}

// logs says whether a call only writes to the log, which no test has to notice.
func logs(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, sel.Sel.Name)
}

func onlyLogs(s ast.Stmt) bool {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := e.X.(*ast.CallExpr)
	return ok && logs(call)
}

// locks says whether a call takes or releases a lock. What a missing one does is
// the race detector's to find, not a test's: without it, a lost lock shows by
// chance only, and a lost unlock is a hang wherever the place is reached twice.
func (f *finder) locks(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn, ok := f.pkg.TypesInfo.Uses[sel.Sel].(*types.Func)
	return ok && fn.Pkg() != nil && fn.Pkg().Path() == "sync" && strings.HasSuffix(fn.Name(), "ock")
}

// wanted says whether a file is written by hand and no test.
func wanted(path string) bool {
	return !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "_gen.go") && filepath.Ext(path) == ".go"
}
