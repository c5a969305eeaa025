package ncatd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/onebot"
)

const module = "github.com/ncatd/ncatd"

type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
	DepOnly    bool
	Standard   bool
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles,Standard", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// rule says which packages of this module a tree may import, and why. The
// longest matching prefix decides. "std" in third means: nothing but the
// standard library besides allow.
type rule struct {
	allow []string // trees of this module
	third []string // modules of others; nil: any
	why   string
}

var none = []string{}

var rules = map[string]rule{
	"internal/alias":             {allow: []string{"internal/jsonscan"}, third: none, why: "a leaf: numbers for texts and nothing of OneBot"},
	"internal/jsonscan":          {allow: none, why: "a leaf: JSON text and nothing of OneBot"},
	"onebot":                     {allow: []string{"onebot", "internal/alias", "internal/jsonscan"}, third: []string{"github.com/go-json-experiment/json"}, why: "the protocol does no I/O and weighs nothing"},
	"internal/rpc":               {allow: []string{"onebot", "internal/alias", "internal/jsonscan"}, third: []string{"github.com/coder/websocket", "golang.org/x/sys"}, why: "one connection and no more"},
	"ncat":                       {allow: []string{"internal/alias", "internal/atomicfile", "onebot", "internal/rpc", "internal/schedule", "internal/bot/journal", "internal/botlink"}, why: "authors get the SDK without the daemon"},
	"ncat/natsbot":               {allow: []string{"internal/botlink", "internal/fleet/bus", "internal/fleet/worker", "ncat", "onebot"}, why: "a bot on other machines is for who asks for one"},
	"internal/fleet":             {allow: []string{"internal/atomicfile", "internal/control/api", "internal/fleet", "onebot"}, why: "a host's part of a fleet knows no daemon and no NapCat"},
	"internal/fleet/bus":         {allow: []string{"onebot"}, why: "what hosts and workers must agree on is a leaf"},
	"internal/parcel":            {why: "packing and sealing folders knows no bus and no account"},
	"internal/fleet/simulate":    {allow: []string{"internal/fleet/bus", "internal/fleet/worker", "onebot"}, why: "a simulation uses the functions that it is about"},
	"internal/fleet/worker":      {allow: []string{"internal/fleet/bus", "onebot"}, why: "sharing events knows neither bots nor hosts"},
	"ncat/sqlite":                {allow: []string{"internal/bot/store", "ncat"}, why: "a store on disk is for who asks for one"},
	"ncattest":                   {allow: []string{"onebot", "ncat", "internal/botlink", "internal/napcatsim/action", "internal/napcatsim/adapter", "internal/napcatsim/cqcode", "internal/napcatsim/jsval", "internal/napcatsim/world"}, why: "fakes stand beside the SDK, not in the daemon; the server is the simulator's OneBot side"},
	"ncattest/conform":           {allow: []string{"onebot"}, third: []string{"github.com/coder/websocket"}, why: "what is expected of hosts is written against the contract and knows none of them"},
	"internal/bot":               {allow: []string{"internal/atomicfile", "internal/bot", "internal/botlink", "ncat", "onebot", "internal/rpc"}, why: "the runtime knows no process and no daemon"},
	"internal/gateway":           {allow: []string{"onebot", "internal/rpc", "internal/jsonscan", "internal/atomicfile"}, why: "apps are served without a bot, a process and a config"},
	"internal/companion":         {allow: []string{"internal/atomicfile", "internal/control/api", "internal/proc", "internal/supervisor"}, third: none, why: "it runs any program and knows no NapCat"},
	"internal/health":            {allow: []string{"internal/control/api"}, third: none, why: "it keeps reasons and decides nothing"},
	"internal/botlink":           {allow: []string{"onebot"}, third: none, why: "what runs a bot and the bot meet at a leaf"},
	"internal/bot/journal":       {allow: []string{"onebot"}, third: []string{"github.com/hashicorp/golang-lru/v2"}, why: "what was missed is told without a bot or a link"},
	"internal/account":           {allow: []string{"internal/account", "internal/atomicfile", "internal/control/api", "internal/supervisor", "onebot"}, third: none, why: "an account knows no host, no daemon and no handlers"},
	"internal/supervisor":        {allow: []string{"internal/control/api", "internal/supervisor"}, third: none, why: "the decision is pure and knows no NapCat"},
	"internal/napcat/install":    {allow: []string{"internal/atomicfile", "internal/control/api", "internal/napcat/install", "configs"}, why: "siblings never import each other; what went wrong is told in the words of the API"},
	"internal/napcat/conffile":   {allow: []string{"internal/atomicfile", "internal/napcat/conffile"}, why: "siblings never import each other"},
	"internal/napcat/webui":      {allow: []string{"internal/napcat/webui", "internal/totp"}, why: "siblings never import each other"},
	"internal/napcat/launch":     {allow: []string{"internal/atomicfile", "internal/napcat/launch", "internal/napcat/output", "internal/proc"}, why: "siblings never import each other, but for the grammar of what is launched"},
	"internal/napcat/output":     {allow: []string{"internal/logfile"}, why: "a grammar knows no process"},
	"internal/proc":              {allow: []string{"internal/atomicfile", "internal/logfile"}, why: "whoever runs a program can use it: it knows no NapCat and no daemon"},
	"internal/config":            {allow: []string{"internal/alert/preset", "internal/atomicfile", "internal/config", "internal/schedule", "onebot/schema", "configs"}, why: "the config knows nobody who reads it"},
	"internal/alert/preset":      {allow: none, third: []string{"go.yaml.in/yaml/v3"}, why: "how a service is spoken to is a file"},
	"internal/alert":             {allow: []string{"internal/alert", "internal/control/api", "ncat", "onebot"}, why: "what is wrong follows from the status, and what is told is kept in a store"},
	"internal/control/api":       {allow: none, third: none, why: "wire types do nothing"},
	"internal/console":           {allow: []string{"internal/atomicfile", "internal/cli/text", "internal/control/api"}, third: []string{"golang.org/x/crypto", "golang.org/x/time"}, why: "the pages are a client of the API, and who was let in is nobody's account"},
	"internal/control":           {allow: []string{"internal/cli/text", "internal/console", "internal/control", "internal/config", "internal/logfile", "internal/proc", "internal/qrterm", "onebot"}, why: "handlers reach the daemon only through their Backend"},
	"internal/qrterm":            {allow: []string{"internal/atomicfile"}, third: []string{"rsc.io/qr"}, why: "drawing needs no daemon"},
	"internal/napcatsim/world":   {allow: []string{"internal/napcatsim/world", "internal/napcatsim/jsval"}, why: "the simulator is written against the contract, not against the client"},
	"internal/napcatsim/adapter": {allow: []string{"internal/napcatsim", "onebot/schema"}, why: "the simulator is written against the contract, not against the client"},
	"internal/cli/text":          {allow: []string{"internal/config", "internal/control/api"}, why: "the catalogue says what codes mean and does nothing"},
	"internal/napcatsim":         {allow: []string{"internal/napcatsim", "internal/totp", "onebot/schema"}, why: "the simulator is written against the contract, not against the client"},
	"internal/cli":               {allow: []string{"internal/atomicfile", "internal/cli", "internal/control", "internal/config", "internal/gobuild", "internal/napcat/importer", "internal/parcel", "internal/selfupgrade", "internal/napcat/install", "internal/napcatsim", "internal/qrterm", "internal/script", "internal/logfile", "internal/home", "internal/proc", "internal/systemd", "onebot", "onebot/schema", "configs"}, why: "commands reach the daemon only through its control API"},
	"internal/daemon":            {allow: []string{"internal/account", "internal/alert", "internal/atomicfile", "internal/bot", "internal/botlink", "internal/cli/text", "internal/companion", "internal/config", "internal/console", "internal/control", "internal/fleet", "internal/gateway", "internal/health", "internal/home", "internal/logfile", "internal/napcat", "internal/parcel", "internal/proc", "internal/qrterm", "internal/schedule", "internal/script", "internal/selfupgrade", "internal/supervisor", "internal/systemd", "ncat", "onebot"}, why: "the daemon is wired to all but the command line and the simulator"},
	"internal/home":              {allow: []string{"internal/atomicfile"}, why: "where things lie is nobody's secret"},
	"internal/logfile":           {allow: []string{"internal/atomicfile", "internal/control/api"}, why: "a log knows its records and no more"},
	"internal/totp":              {allow: none, third: none, why: "six digits need an HMAC and a clock"},
	"internal/systemd":           {allow: none, why: "the service manager is spoken to by a leaf"},
	"internal/script":            {allow: []string{"internal/cli/text", "internal/control/api", "internal/schedule", "internal/script", "ncat", "onebot"}, third: []string{"modernc.org/quickjs", "github.com/evanw/esbuild", "github.com/fsnotify/fsnotify", "github.com/google/uuid", "go.yaml.in/yaml/v3", "golang.org/x/sys"}, why: "scripts stand on the public SDK like any plugin; they know no daemon and no NapCat; what went wrong is told in the words of the API"},
	"internal/script/kit":        {allow: []string{"internal/atomicfile", "internal/control/api", "internal/script"}, third: none, why: "what an author does needs no bot"},
	"internal/script/trial":      {allow: []string{"internal/control/api", "internal/schedule", "internal/script", "ncat", "ncattest", "onebot"}, third: none, why: "a script's tests play on the harness of all tests"},
	"internal/schedule":          {allow: none, third: []string{"github.com/robfig/cron/v3"}, why: "when something is due is a question of texts and clocks"},
	"internal/onebotgen":         {allow: none, why: "the generator must run before what it generates builds"},
	"internal/napcat/importer":   {allow: none, third: []string{"github.com/titanous/json5", "go.yaml.in/yaml/v3", "github.com/ncatd/ncatd/internal/config"}, why: "it reads other programs' folders and writes into a home that nobody uses yet"},
	"internal/selfupgrade":       {allow: []string{"internal/atomicfile", "internal/proc", "internal/selfupgrade", "internal/napcat/install"}, why: "it brings a program and knows no daemon"},
	"internal/gobuild":           {allow: none, third: []string{"github.com/fsnotify/fsnotify"}, why: "it builds any Go program and runs none"},
	"internal/release":           {allow: []string{"internal/selfupgrade", "internal/cli", "internal/napcat/install", "configs"}, why: "it makes releases and is in none"},
	"internal/doccheck":          {allow: none, why: "it reads text"},
	"internal/e2e":               {allow: []string{"internal/e2e"}, why: "what tests wait and look with knows no product"},
	"internal/e2e/fleet/traced":  {allow: []string{"ncat", "ncat/natsbot", "onebot"}, why: "a worker of the tests is built as anybody builds one"},
	"internal/bench":             {allow: []string{"internal/script", "ncat", "onebot"}, why: "the floor is measured without the daemon"},
	"internal/bench/gateway":     {allow: []string{"internal/bot", "internal/gateway", "ncat", "onebot"}, why: "the gateway is measured behind a link, without the daemon"},
	"internal/soak":              {allow: []string{"ncat", "onebot", "internal/bot/demo", "internal/control/api", "internal/control/client", "internal/home", "internal/proc", "internal/napcatsim"}, why: "it watches the daemon from outside"},
	"internal/atomicfile":        {allow: none, third: []string{"github.com/google/renameio/v2", "github.com/gofrs/flock", "golang.org/x/sys"}, why: "a file is written by a leaf"},
	"configs":                    {allow: none, why: "files"},
	"cmd":                        {allow: []string{"internal/bot/demo"}, why: "ten lines over the root package"},
	"examples":                   {allow: []string{"ncat", "onebot"}, why: "authors have only the public packages"},
}

// TestImportDirections holds the arrows of ARCHITECTURE.md.
func TestImportDirections(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module+"/")
		best := ""
		for tree := range rules {
			if within(path, tree) && len(tree) > len(best) {
				best = tree
			}
		}
		if best == "" {
			if p.ImportPath != module { // the root wires everything
				t.Errorf("%s has no rule: say what it may import, and why", path)
			}
			continue
		}
		r := rules[best]
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, module+"/"); ok {
				if !anyWithin(ours, r.allow) {
					t.Errorf("%s imports %s, but %s", path, ours, r.why)
				}
				continue
			}
			if r.third == nil || !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				continue
			}
			if !anyWithin(imp, r.third) {
				t.Errorf("%s imports %s, but %s", path, imp, r.why)
			}
		}
	}
}

func within(path, tree string) bool {
	return path == tree || strings.HasPrefix(path, tree+"/")
}

func anyWithin(path string, trees []string) bool {
	for _, tree := range trees {
		if within(path, tree) {
			return true
		}
	}
	return false
}

// TestEveryPackageHasADoc wants a package comment that says more than the name.
func TestEveryPackageHasADoc(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		longest := ""
		for _, f := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if d := file.Doc.Text(); len(d) > len(longest) {
				longest = d
			}
		}
		if len(longest) < 60 {
			t.Errorf("%s: package comment %q says too little", p.ImportPath, longest)
		}
	}
}

// TestPublicPackagesNameNoInternals wants that no exported declaration of a
// public package mentions a type that its user cannot name.
func TestPublicPackagesNameNoInternals(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if strings.HasPrefix(path, "internal/") || strings.HasPrefix(path, "cmd/") || strings.HasPrefix(path, "examples/") {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		internal := map[string]bool{}
		for _, f := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, f), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
			for _, imp := range file.Imports {
				if ip := strings.Trim(imp.Path.Value, `"`); strings.Contains(ip, "/internal/") {
					name := filepath.Base(ip)
					if imp.Name != nil {
						name = imp.Name.Name
					}
					internal[name] = true
				}
			}
		}
		d, err := doc.NewFromFiles(fset, files, p.ImportPath)
		if err != nil {
			t.Fatal(err)
		}
		check := func(owner string, n ast.Node) {
			ast.Inspect(n, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && internal[x.Name] {
						t.Errorf("%s.%s mentions %s.%s, which its users cannot name", p.ImportPath, owner, x.Name, sel.Sel.Name)
					}
				}
				return true
			})
		}
		funcs := append([]*doc.Func{}, d.Funcs...)
		for _, typ := range d.Types {
			funcs = append(append(funcs, typ.Funcs...), typ.Methods...)
			for _, spec := range typ.Decl.Specs {
				if st, ok := spec.(*ast.TypeSpec).Type.(*ast.StructType); ok {
					for _, f := range st.Fields.List {
						for _, n := range f.Names {
							if n.IsExported() {
								check(typ.Name+"."+n.Name, f.Type)
							}
						}
					}
				} else {
					check(typ.Name, spec)
				}
			}
		}
		for _, f := range funcs {
			check(f.Name, f.Decl.Type)
		}
	}
}

// Action names stand in the protocol package, from which all others call them by
// method, and in what plays the other side: the simulator, the fakes and the
// tests. A name elsewhere would be one that no schema holds.
func TestNobodyWritesActionNames(t *testing.T) {
	names := map[string]bool{}
	for _, a := range onebot.Actions() {
		names[a] = true
	}
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch filepath.ToSlash(path) {
			case "onebot", "ncattest", "internal/napcatsim", "internal/e2e":
				return fs.SkipDir
			}
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if s, err := strconv.Unquote(lit.Value); err == nil && names[s] {
				t.Errorf("%s: the action name %q is written by hand; use the method of onebot.Client", set.Position(lit.Pos()), s)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were looked at", files)
	}
}
