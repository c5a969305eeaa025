package doccheck

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// Page is one Markdown file.
type Page struct {
	Path     string // from the root of the repository, with slashes
	Headings []Heading
	Blocks   []Block
	Spans    []Span
	Links    []Link
	Tables   int
}

// Heading is one heading.
type Heading struct {
	Level  int
	Text   string
	Anchor string // as GitHub makes it
	Line   int
}

// Block is a fenced code block.
type Block struct {
	Lang string
	Text string
	Line int // of the first line of Text
}

// Span is code within a line.
type Span struct {
	Text string
	Line int
	// Last says that it stands in the last column of a table.
	Last bool
}

// Link is a link or a picture.
type Link struct {
	Target string
	Line   int
}

// Chinese reports whether the page is the Chinese one of a pair.
func (p *Page) Chinese() bool { return strings.HasSuffix(p.Path, ".zh-CN.md") }

// Twin returns the path of the same page in the other language.
func (p *Page) Twin() string {
	if s, ok := strings.CutSuffix(p.Path, ".zh-CN.md"); ok {
		return s + ".md"
	}
	return strings.TrimSuffix(p.Path, ".md") + ".zh-CN.md"
}

// Pages reads the pages of the repository at root: those at its top and all
// below docs.
func Pages(root string) ([]*Page, error) {
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	var pages []*Page
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(root, f)
		if err != nil {
			return nil, err
		}
		pages = append(pages, Read(filepath.ToSlash(rel), src))
	}
	return pages, nil
}

// Read reads one page.
func Read(name string, src []byte) *Page {
	p := &Page{Path: path.Clean(name)}
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(src))
	line := 1
	at := func(offset int) int { return 1 + bytes.Count(src[:min(offset, len(src))], []byte("\n")) }
	seen := map[string]int{}
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // never fails: no step does
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			line = at(n.Lines().At(0).Start)
		}
		switch n := n.(type) {
		case *ast.Text:
			line = at(n.Segment.Start)
		case *ast.Heading:
			t := plain(n, src)
			a := Anchor(t)
			if k := seen[a]; k > 0 {
				a = fmt.Sprintf("%s-%d", a, k)
			}
			seen[Anchor(t)]++
			p.Headings = append(p.Headings, Heading{n.Level, t, a, line})
		case *ast.FencedCodeBlock:
			p.Blocks = append(p.Blocks, Block{string(n.Language(src)), string(n.Lines().Value(src)), line})
		case *ast.CodeSpan:
			if t, ok := n.FirstChild().(*ast.Text); ok {
				line = at(t.Segment.Start)
			}
			cell, ok := n.Parent().(*east.TableCell)
			p.Spans = append(p.Spans, Span{strings.ReplaceAll(plain(n, src), "\n", " "), line, ok && cell.NextSibling() == nil})
		case *ast.Link:
			p.Links = append(p.Links, Link{string(n.Destination), line})
		case *ast.Image:
			p.Links = append(p.Links, Link{string(n.Destination), line})
		case *east.Table:
			p.Tables++
		}
		return ast.WalkContinue, nil
	})
	return p
}

// plain returns the text of a node without its markup.
func plain(n ast.Node, src []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(src))
			continue
		}
		b.WriteString(plain(c, src))
	}
	return b.String()
}

// Anchor returns the anchor that GitHub gives to a heading: lower case, spaces
// as dashes, punctuation left out.
func Anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}
