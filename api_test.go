package ncatd_test

import (
	"flag"
	"fmt"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/doccheck"
)

var updateAPI = flag.Bool("update-api", false, "write api/*.txt anew")

// public are the packages that people import. Their exported API stands in
// api/, a declaration a line, so that every change of it shows in the diff.
var public = []string{module, module + "/ncat", module + "/ncat/sqlite", module + "/ncattest", module + "/ncattest/conform", module + "/onebot"}

// TestAPI holds the exported API to api/*.txt. Comments, formatting and the order
// of declarations do not count; names of parameters do, since people read them.
func TestAPI(t *testing.T) {
	load, err := doccheck.Importer(t.Context(), public...)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, p := range public {
		pkg, err := load.Import(p)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("api", path.Base(p)+".txt")
		want[file] = true
		got := renderAPI(pkg)
		if *updateAPI {
			if err := os.MkdirAll("api", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		old, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v; run make api", err)
			continue
		}
		for _, line := range diffLines(string(old), got) {
			t.Errorf("%s: %s", file, line)
		}
	}
	files, err := filepath.Glob("api/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !want[filepath.Clean(f)] {
			t.Errorf("%s belongs to no public package", f)
		}
	}
	if t.Failed() {
		t.Error("the exported API is not what api/ says. If that is wanted, run make api and commit what it writes; say in CHANGELOG.md what users must change")
	}
}

// renderAPI writes what pkg exports, a line for each declaration, field and
// method, sorted.
func renderAPI(pkg *types.Package) string {
	r := apiRenderer{pkg: pkg}
	for _, name := range pkg.Scope().Names() {
		o := pkg.Scope().Lookup(name)
		if !o.Exported() {
			continue
		}
		switch o := o.(type) {
		case *types.Const:
			r.add("const %s %s = %s", name, r.typ(o.Type()), o.Val().ExactString())
		case *types.Var:
			r.add("var %s %s", name, r.typ(o.Type()))
		case *types.Func:
			r.add("func %s%s", name, r.signature(o.Signature()))
		case *types.TypeName:
			r.typeName(o)
		}
	}
	slices.Sort(r.lines)
	return strings.Join(slices.Compact(r.lines), "\n") + "\n"
}

type apiRenderer struct {
	pkg   *types.Package
	lines []string
}

func (r *apiRenderer) add(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *apiRenderer) typ(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string {
		switch {
		case p == r.pkg:
			return ""
		case strings.HasPrefix(p.Path(), module):
			return p.Name()
		}
		return p.Path()
	})
}

// signature renders a function's type without the word func.
func (r *apiRenderer) signature(s *types.Signature) string {
	var b strings.Builder
	if ps := s.TypeParams(); ps.Len() > 0 {
		b.WriteString(r.typeParams(ps))
	}
	plain := types.NewSignatureType(nil, nil, nil, s.Params(), s.Results(), s.Variadic())
	b.WriteString(strings.TrimPrefix(r.typ(plain), "func"))
	return b.String()
}

func (r *apiRenderer) typeParams(ps *types.TypeParamList) string {
	var parts []string
	for p := range ps.TypeParams() {
		parts = append(parts, p.Obj().Name()+" "+r.typ(p.Constraint()))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (r *apiRenderer) typeName(o *types.TypeName) {
	name := o.Name()
	if o.IsAlias() {
		r.add("type %s = %s", name, r.typ(types.Unalias(o.Type())))
		return
	}
	named := o.Type().(*types.Named)
	full := name
	if ps := named.TypeParams(); ps.Len() > 0 {
		full += r.typeParams(ps)
	}
	switch u := named.Underlying().(type) {
	case *types.Struct:
		r.add("type %s struct", full)
		r.fields(name, u)
	case *types.Interface:
		r.iface(name, full, u)
		return
	default:
		r.add("type %s %s", full, r.typ(u))
	}
	r.methods(name, named)
}

// fields lists exported fields, and those that an unexported embedded struct
// lends.
func (r *apiRenderer) fields(name string, s *types.Struct) {
	for i := range s.NumFields() {
		f := s.Field(i)
		tag := ""
		if s.Tag(i) != "" {
			tag = " `" + s.Tag(i) + "`"
		}
		switch {
		case f.Embedded() && f.Exported():
			r.add("type %s struct, embeds %s%s", name, r.typ(f.Type()), tag)
		case f.Exported():
			r.add("type %s struct, %s %s%s", name, f.Name(), r.typ(f.Type()), tag)
		case f.Embedded():
			t := f.Type()
			if p, ok := t.(*types.Pointer); ok {
				t = p.Elem()
			}
			if inner, ok := t.Underlying().(*types.Struct); ok {
				r.fields(name, inner)
			}
		}
	}
}

func (r *apiRenderer) iface(name, full string, u *types.Interface) {
	r.add("type %s interface", full)
	for e := range u.EmbeddedTypes() {
		r.add("type %s interface, embeds %s", name, r.typ(e))
	}
	sealed := false
	for m := range u.ExplicitMethods() {
		if !m.Exported() {
			sealed = true
			continue
		}
		r.add("type %s interface, %s%s", name, m.Name(), r.signature(m.Signature()))
	}
	if sealed {
		r.add("type %s interface, unexported methods", name)
	}
}

// methods lists the exported methods that the type declares itself or has from
// an unexported embedded field; those of exported embedded types are listed with
// these.
func (r *apiRenderer) methods(name string, named *types.Named) {
	onValue := types.NewMethodSet(named)
	for sel := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		if !sel.Obj().Exported() {
			continue
		}
		if s, ok := named.Underlying().(*types.Struct); ok && len(sel.Index()) > 1 && s.Field(sel.Index()[0]).Exported() {
			continue
		}
		star := "*"
		if onValue.Lookup(sel.Obj().Pkg(), sel.Obj().Name()) != nil {
			star = ""
		}
		r.add("method (%s%s) %s%s", star, name, sel.Obj().Name(), r.signature(sel.Obj().(*types.Func).Signature()))
	}
}

// diffLines returns the lines that are in one of two sorted texts only.
func diffLines(before, after string) []string {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out []string
	for _, l := range a {
		if !slices.Contains(b, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			out = append(out, "+ "+l)
		}
	}
	if len(out) == 0 && before != after {
		out = append(out, "the lines are not sorted")
	}
	return out
}
