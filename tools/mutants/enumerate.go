package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
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

// enumerate returns every mutant of a file: swapped operators, true for false,
// and statements that call something or assign to something left out.
func enumerate(path string) ([]mutant, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []mutant
	add := func(pos, end token.Pos, with, what string) {
		from, to := fset.Position(pos), fset.Position(end)
		all = append(all, mutant{file: path, line: from.Line, what: what, text: slices.Concat(src[:from.Offset], []byte(with), src[to.Offset:])})
	}
	operator := func(pos token.Pos, op token.Token) {
		for _, other := range swaps[op] {
			add(pos, pos+token.Pos(len(op.String())), other.String(), fmt.Sprintf("%s becomes %s", op, other))
		}
	}
	whole := func(n ast.Node) string {
		return string(src[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset])
	}
	text := func(n ast.Node) string {
		s, _, more := strings.Cut(whole(n), "\n")
		if more {
			s += " …"
		}
		return s
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok == token.VAR
		case *ast.BinaryExpr:
			operator(n.OpPos, n.Op)
		case *ast.IncDecStmt:
			operator(n.TokPos, n.Tok)
		case *ast.AssignStmt:
			operator(n.TokPos, n.Tok)
			if n.Tok == token.ASSIGN && !blank(n) {
				add(n.Pos(), n.End(), uses(n, whole), "left out: "+text(n))
			}
		case *ast.ExprStmt:
			if call, ok := n.X.(*ast.CallExpr); ok && !logs(call) {
				add(n.Pos(), n.End(), "{}", "left out: "+text(n))
			}
		case *ast.Ident:
			if n.Name == "true" || n.Name == "false" {
				add(n.Pos(), n.End(), map[string]string{"true": "false", "false": "true"}[n.Name], n.Name+" turned round")
			}
		}
		return true
	})
	return all, nil
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
