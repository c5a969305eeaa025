package doccheck

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// imports are the packages that a piece of code in a page may use without
// importing them.
var imports = map[string]string{
	"bytes": "bytes", "cmp": "cmp", "context": "context", "errors": "errors", "filepath": "path/filepath", "fmt": "fmt",
	"http": "net/http", "io": "io", "json": "encoding/json", "log": "log", "maps": "maps", "net": "net", "os": "os", "rand": "math/rand/v2",
	"regexp": "regexp", "signal": "os/signal", "slices": "slices", "slog": "log/slog", "strconv": "strconv", "strings": "strings", "sync": "sync",
	"syscall": "syscall", "testing": "testing", "time": "time", "tls": "crypto/tls",
	"fixed": "golang.org/x/image/math/fixed", "font": "golang.org/x/image/font", "goregular": "golang.org/x/image/font/gofont/goregular",
	"image": "image", "opentype": "golang.org/x/image/font/opentype", "png": "image/png", "sfnt": "golang.org/x/image/font/sfnt",
	"ncatd": "github.com/ncatd/ncatd", "ncat": "github.com/ncatd/ncatd/ncat", "natsbot": "github.com/ncatd/ncatd/ncat/natsbot", "sqlite": "github.com/ncatd/ncatd/ncat/sqlite", "ncattest": "github.com/ncatd/ncatd/ncattest", "onebot": "github.com/ncatd/ncatd/onebot",
}

// handler is what stands around statements, the inside of a handler; %d is the
// block's place among those of Go in its page.
const handler = "func block%d(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {"

func isProgram(src string) bool { return strings.Contains("\n"+src, "\npackage ") }

// sources are the blocks of a page that are one package together, without its
// clause and imports: declarations, and statements in a function of their own.
func sources(p *Page) []string {
	var out []string
	n := 0
	for _, b := range p.Blocks {
		if b.Lang != "go" {
			continue
		}
		n++
		line := fmt.Sprintf("\n//line %s:%d\n", p.Path, b.Line)
		if isProgram(b.Text) {
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+b.Text, 0); err == nil {
			out = append(out, line+b.Text)
			continue
		}
		out = append(out, "\n"+fmt.Sprintf(handler, n)+line+b.Text+"\nreturn nil\n}\n")
	}
	return out
}

// names is what code within a line may use besides.
const names = `
var (
	ctx       context.Context
	b         *ncat.Bot
	m         *onebot.GroupMessage
	e         onebot.Event
	group     onebot.GroupID
	user      onebot.UserID
	id        onebot.MessageID
	ids       []onebot.MessageID
	store     ncat.Store
	err       error
	refused   *onebot.Error
	raw       json.RawMessage
	file      *os.File
	ln        net.Listener
	url       string
	token     string
	onMessage func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error
	onGroup   func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error
	onPrivate func(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) error
	onJoin    func(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error
	onFriend  func(ctx context.Context, b *ncat.Bot, e *onebot.FriendRequest) error
	onWant    func(ctx context.Context, b *ncat.Bot, e *onebot.GroupRequest) error
	onStart   func(ctx context.Context, b *ncat.Bot) error
	onError   func(ctx context.Context, b *ncat.Bot, e onebot.Event, err error)
	task      func(ctx context.Context, b *ncat.Bot) error
	work      func(ctx context.Context)
	greet     func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a args) error
	plugin    ncat.Plugin
	middleware ncat.Middleware
)

type args struct{ Who onebot.UserID ` + "`arg:\"who\"`" + ` }

type settings struct{ Reward int }
`

// TestGo compiles every block of Go in the pages. A block that begins with a
// package clause is a program of its own. The others of a page are one package
// together: declarations as they stand, statements as the inside of a handler.
// They need no imports.
func TestGo(t *testing.T) {
	imp := newImporter(t)
	for _, p := range sortedPages(t) {
		for _, b := range p.Blocks {
			if b.Lang == "go" && isProgram(b.Text) {
				check(t, imp, fmt.Sprintf("\n//line %s:%d\n%s", p.Path, b.Line, b.Text))
			}
		}
		shared := sources(p)
		for i, s := range shared {
			shared[i] = "package p\n" + importsOf(t, s) + s
		}
		if len(shared) > 0 {
			check(t, imp, shared...)
		}
	}
}

// TestGoSpans checks the code within lines: whole expressions and statements
// where they are, and in any case that what is named of the SDK exists. In the
// pages on moving from another framework the last column of each table, which
// says what to write here, must be whole.
func TestGoSpans(t *testing.T) {
	scopes := newSpanScopes(t, newImporter(t))
	ours := regexp.MustCompile(`\b(ncat|onebot|ncattest|ncatd)\.[A-Z]\w*|\b[bm](\.API\(\))?\.[A-Z]\w*|\bh\.[A-Z]\w*`)
	n := 0
	for _, p := range sortedPages(t) {
		for _, s := range p.Spans {
			parts := ours.FindAllString(s.Text, -1)
			if len(parts) == 0 {
				continue
			}
			n++
			strict := s.Last && strings.Contains(p.Path, "migrate")
			if !strings.Contains(s.Text, "…") || strict {
				if err := checkSpan(scopes, s.Text); err != nil && (strict || !errors.Is(err, errSyntax)) {
					t.Errorf("%s:%d: `%s`: %v", p.Path, s.Line, s.Text, err)
				}
			}
			for _, part := range parts {
				if err := checkSpan(scopes, part); err != nil {
					t.Errorf("%s:%d: %s: %v", p.Path, s.Line, part, err)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d spans with code of ours", n)
	}
}

// spanScope is where the code within lines is checked: a package that has all
// imports and names.
type spanScope struct {
	imp  types.Importer
	fset *token.FileSet
	src  string // the beginning of every file
	pkg  *types.Package
	pos  token.Pos
}

// newSpanScopes returns a scope for each thing that h may stand for.
func newSpanScopes(t *testing.T, imp types.Importer) []*spanScope {
	t.Helper()
	var all strings.Builder
	for _, n := range slices.Sorted(maps.Keys(imports)) {
		fmt.Fprintf(&all, "import %s %q\n", n, imports[n])
	}
	var out []*spanScope
	for _, h := range []string{"var h *ncat.Host\n", "var h *ncattest.Harness\n"} {
		s := &spanScope{imp: imp, fset: token.NewFileSet(), src: "package p\n" + all.String() + names + h}
		f, err := parser.ParseFile(s.fset, "", s.src+"func _() { _ = 0 }\n", 0)
		if err != nil {
			t.Fatal(err)
		}
		s.pkg, err = s.check(f)
		if err != nil {
			t.Fatal(err)
		}
		s.pos = f.Decls[len(f.Decls)-1].(*ast.FuncDecl).Body.Lbrace + 1
		out = append(out, s)
	}
	return out
}

// check type-checks a file of the scope, in which not everything is used.
func (s *spanScope) check(f *ast.File) (*types.Package, error) {
	var first error
	conf := types.Config{Importer: s.imp, Error: func(err error) {
		if !strings.HasSuffix(err.Error(), "and not used") && !strings.Contains(err.Error(), "declared and not used") && first == nil {
			first = err
		}
	}}
	pkg, _ := conf.Check("p", s.fset, []*ast.File{f}, nil) // first has the error
	return pkg, first
}

var errSyntax = errors.New("syntax")

// span type-checks an expression, a type or statements.
func (s *spanScope) span(text string) error {
	if x, err := parser.ParseExprFrom(s.fset, "", text, 0); err == nil {
		err = types.CheckExpr(s.fset, s.pkg, s.pos, x, nil)
		if err == nil || strings.Contains(err.Error(), "needs pointer receiver") {
			return nil
		}
		if _, ok := x.(*ast.CallExpr); !ok {
			return err
		}
	}
	f, err := parser.ParseFile(s.fset, "", s.src+"func _() error {\n"+text+"\nreturn nil\n}\n", 0)
	if err != nil {
		return fmt.Errorf("%w: %w", errSyntax, err)
	}
	_, err = s.check(f)
	return err
}

// checkSpan wants one of the scopes to take the text.
func checkSpan(scopes []*spanScope, text string) error {
	var first error
	for _, s := range scopes {
		err := s.span(text)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

var importOnce = sync.OnceValues(func() (types.Importer, error) {
	return Importer(context.Background(), slices.Sorted(maps.Values(imports))...)
})

func newImporter(t *testing.T) types.Importer {
	t.Helper()
	imp, err := importOnce()
	if err != nil {
		t.Fatal(err)
	}
	return imp
}

func sortedPages(t *testing.T) []*Page {
	all := pages(t)
	var out []*Page
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[k])
	}
	return out
}

// importsOf returns the imports that a text of declarations needs.
func importsOf(t *testing.T, src string) string {
	f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+src, 0)
	if f == nil {
		t.Error(err)
		return ""
	}
	used := map[string]bool{}
	for _, id := range f.Unresolved {
		used[id.Name] = true
	}
	var b strings.Builder
	for _, n := range slices.Sorted(maps.Keys(imports)) {
		if used[n] {
			fmt.Fprintf(&b, "import %s %q\n", n, imports[n])
		}
	}
	return b.String()
}

// check type-checks the files of one package.
func check(t *testing.T, imp types.Importer, sources ...string) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, src := range sources {
		f, err := parser.ParseFile(fset, "", src, 0)
		if err != nil {
			t.Error(err)
			return
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: imp, Error: func(err error) { t.Error(err) }}
	_, _ = conf.Check("p", fset, files, nil)
}
