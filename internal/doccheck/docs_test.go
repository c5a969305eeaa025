package doccheck

import (
	"go/scanner"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/onebot"
)

const root = "../.."

func pages(t *testing.T) map[string]*Page {
	t.Helper()
	list, err := Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]*Page{}
	for _, p := range list {
		byPath[p.Path] = p
	}
	return byPath
}

// TestLinks wants every link within the repository to lead to a file that is
// there and to a heading that it has.
func TestLinks(t *testing.T) {
	all := pages(t)
	for _, p := range all {
		for _, l := range p.Links {
			if strings.Contains(l.Target, "://") || strings.HasPrefix(l.Target, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(l.Target, "#")
			target := p.Path
			if file != "" {
				target = path.Join(path.Dir(p.Path), file)
				if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(target))); err != nil {
					t.Errorf("%s:%d: %s is not there", p.Path, l.Line, l.Target)
					continue
				}
			}
			if anchor == "" {
				continue
			}
			to, ok := all[target]
			if !ok || !slices.ContainsFunc(to.Headings, func(h Heading) bool { return h.Anchor == anchor }) {
				t.Errorf("%s:%d: %s has no heading #%s", p.Path, l.Line, target, anchor)
			}
		}
	}
}

// oneLanguage are the pages for contributors, which are in English only.
var oneLanguage = []string{"ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/performance.md"}

// TestBothLanguages wants a page of the same build in the other language: the
// same levels of headings, the same code but for texts and comments, as many
// tables and links, and a link to each other.
func TestBothLanguages(t *testing.T) {
	all := pages(t)
	for _, p := range all {
		if slices.Contains(oneLanguage, p.Path) {
			continue
		}
		q := all[p.Twin()]
		if q == nil {
			t.Errorf("%s: there is no %s", p.Path, p.Twin())
			continue
		}
		if !slices.ContainsFunc(p.Links, func(l Link) bool { return path.Join(path.Dir(p.Path), l.Target) == q.Path }) {
			t.Errorf("%s: no link to %s", p.Path, q.Path)
		}
		if p.Chinese() {
			continue
		}
		var a, b []int
		for _, h := range p.Headings {
			a = append(a, h.Level)
		}
		for _, h := range q.Headings {
			b = append(b, h.Level)
		}
		if !slices.Equal(a, b) {
			t.Errorf("%s has headings of levels %v, %s %v", p.Path, a, q.Path, b)
		}
		if p.Tables != q.Tables || len(p.Links) != len(q.Links) || len(p.Blocks) != len(q.Blocks) {
			t.Errorf("%s has %d tables, %d links, %d blocks of code; %s %d, %d, %d", p.Path, p.Tables, len(p.Links), len(p.Blocks), q.Path, q.Tables, len(q.Links), len(q.Blocks))
			continue
		}
		for i, x := range p.Blocks {
			y := q.Blocks[i]
			if x.Lang != y.Lang || x.Lang == "go" && !slices.Equal(tokens(x.Text), tokens(y.Text)) {
				t.Errorf("%s:%d and %s:%d are not the same code", p.Path, x.Line, q.Path, y.Line)
			}
		}
	}
}

// tokens returns the Go tokens of a text without comments, all strings alike.
func tokens(src string) []string {
	var s scanner.Scanner
	fset := token.NewFileSet()
	s.Init(fset.AddFile("", fset.Base(), len(src)), []byte(src), nil, 0)
	var out []string
	for {
		switch _, tok, lit := s.Scan(); tok {
		case token.EOF:
			return out
		case token.STRING:
			out = append(out, `""`)
		case token.IDENT, token.INT, token.FLOAT:
			out = append(out, lit)
		default:
			out = append(out, tok.String())
		}
	}
}

// TestYAML wants every piece of ncatd.yaml in the pages to be one that ncatd
// takes, and every key that is named to be one.
func TestYAML(t *testing.T) {
	keys := config.Keys("main")
	top := map[string]bool{}
	for _, k := range keys {
		first, _, _ := strings.Cut(k, ".")
		top[first] = true
	}
	named := regexp.MustCompile(`^(napcat|supervisor|bot|log|control|login|onebot|webui)(\.[a-z0-9_]+)+$`)
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if b.Lang != "yaml" {
				continue
			}
			var m map[string]any
			if err := yaml.Unmarshal([]byte(b.Text), &m); err != nil {
				t.Errorf("%s:%d: %v", p.Path, b.Line, err)
				continue
			}
			ours := len(m) > 0
			for k := range m {
				ours = ours && top[k]
			}
			if !ours {
				continue
			}
			if _, err := config.Parse(p.Path, []byte(b.Text)); err != nil {
				t.Errorf("%s:%d: %v", p.Path, b.Line, err)
			}
		}
		for _, s := range p.Spans {
			if !named.MatchString(s.Text) || strings.HasSuffix(s.Text, ".json") {
				continue
			}
			if strings.Contains(p.Path, "migrate") && !s.Last { // names of the other framework
				continue
			}
			if !slices.ContainsFunc(keys, func(k string) bool {
				return k == s.Text || k == "accounts.main."+s.Text || strings.HasPrefix(k, s.Text+".") || strings.HasPrefix(k, "accounts.main."+s.Text+".")
			}) && !strings.HasPrefix(s.Text, "bot.plugin_config.") {
				t.Errorf("%s:%d: %s is no key of the config", p.Path, s.Line, s.Text)
			}
		}
	}
}

// TestMetrics wants every metric that is named to be one.
func TestMetrics(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(root, "internal", "control", "metrics.go"))
	if err != nil {
		t.Fatal(err)
	}
	metric := regexp.MustCompile(`\bncatd_[a-z_]+`)
	for _, p := range pages(t) {
		for _, s := range p.Spans {
			for _, name := range metric.FindAllString(s.Text, -1) {
				if !strings.Contains(string(src), `"`+name+`"`) {
					t.Errorf("%s:%d: %s is no metric", p.Path, s.Line, name)
				}
			}
		}
	}
}

// TestNumbers holds numbers that pages give to the program.
func TestNumbers(t *testing.T) {
	actions := regexp.MustCompile(`(\d+) (?:typed methods|actions|methods)|全部 (\d+) 个动作|[Aa]ll (\d+) actions`)
	for _, p := range pages(t) {
		src, err := os.ReadFile(filepath.Join(root, p.Path))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range actions.FindAllStringSubmatch(string(src), -1) {
			if n := m[1] + m[2] + m[3]; n != strconv.Itoa(len(onebot.Actions())) {
				t.Errorf("%s: %q, but there are %d actions", p.Path, m[0], len(onebot.Actions()))
			}
		}
	}
}
