package script

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/evanw/esbuild/pkg/api"
)

// maxSource bounds one file of a plugin, and what they come to together.
const maxSource = 4 << 20

// bundle is a plugin's source made into one module.
type bundle struct {
	code   string
	source *sourceMap
}

// buildError is what is wrong with a plugin's source, with the place.
type buildError struct {
	list []Problem
}

// Problem is one mistake in a plugin, where it is and what helps.
type Problem struct {
	File   string `json:"file,omitempty"` // as the plugin's folder sees it
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"`
}

// String returns "file:line:column: text".
func (p Problem) String() string {
	var s strings.Builder
	if p.File != "" {
		s.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&s, ":%d:%d", p.Line, p.Column)
		}
		s.WriteString(": ")
	}
	s.WriteString(p.Text)
	if p.Hint != "" {
		s.WriteString(" (" + p.Hint + ")")
	}
	return s.String()
}

func (e *buildError) Error() string {
	lines := make([]string, 0, len(e.list))
	for i, p := range e.list {
		if i == 5 {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.list)-i))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// bundler makes one module of a plugin's source, or of a file of its tests.
type bundler struct {
	root   string          // the folder out of which no import leads
	main   string          // the entry, in root
	alone  bool            // it may read no other file
	plugin bool            // async functions are run by the prelude, see lower.go
	awaits map[string][]at // by file, where it awaits at its top level
}

func (b *bundler) build() (*bundle, error) {
	entry := filepath.Join(b.root, b.main)
	if _, err := b.read(entry); err != nil {
		return nil, err
	}
	r := b.run(entry)
	if b.plugin && b.findAwaits(r.Errors) {
		r = b.run(entry)
	}
	if b.plugin && len(r.Errors) > 0 { // what is wrong is told of the source as it stands
		b.plugin = false
		r = b.run(entry)
	}
	if len(r.Errors) > 0 {
		return nil, b.problems(r.Errors)
	}
	out := &bundle{}
	var mapping []byte
	for _, f := range r.OutputFiles {
		switch {
		case strings.HasSuffix(f.Path, ".map"):
			mapping = f.Contents
		case strings.HasSuffix(f.Path, ".js"):
			out.code = string(f.Contents)
		}
	}
	if len(out.code) > maxSource {
		return nil, &buildError{[]Problem{{File: b.main, Text: fmt.Sprintf("the plugin comes to %d bytes with all it imports, at most %d MiB are allowed", len(out.code), maxSource>>20),
			Hint: "leave out what it does not need"}}}
	}
	var err error
	out.source, err = parseSourceMap(mapping)
	if err == nil && b.plugin {
		out.code = restoreAwaits(runByPrelude(out.code), out.source)
	}
	return out, err
}

// run runs esbuild.
func (b *bundler) run(entry string) api.BuildResult {
	o := api.BuildOptions{
		EntryPoints: []string{entry}, AbsWorkingDir: b.root, Outdir: b.root, Bundle: true, Write: false, Metafile: false,
		Format: api.FormatESModule, Platform: api.PlatformNeutral, Target: api.ES2023, Charset: api.CharsetUTF8,
		MainFields: []string{"module", "main"}, Conditions: []string{"import", "default"},
		Sourcemap: api.SourceMapExternal, SourcesContent: api.SourcesContentExclude, LogLevel: api.LogLevelSilent,
		TsconfigRaw: `{"compilerOptions":{"target":"ES2023","verbatimModuleSyntax":false}}`,
		Plugins:     []api.Plugin{{Name: "ncat", Setup: b.setup}},
	}
	if b.plugin {
		o.Supported = map[string]bool{"async-await": false, "async-generator": false, "for-await": false}
	}
	return api.Build(o)
}

func (b *bundler) setup(p api.PluginBuild) {
	p.OnResolve(api.OnResolveOptions{Filter: `^ncat(/test)?$`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		return api.OnResolveResult{Path: a.Path, Namespace: "ncat"}, nil
	})
	// A URL would be left for the engine, which fetches nothing.
	p.OnResolve(api.OnResolveOptions{Filter: `^([A-Za-z][A-Za-z0-9+.-]*:|//)`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		return api.OnResolveResult{Errors: []api.Message{{Text: fmt.Sprintf("Could not resolve %q: a plugin imports files of its own folder only", a.Path), Detail: importHint(a.Path)}}}, nil
	})
	p.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: "ncat"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		code := moduleJS
		if a.Path == "ncat/test" {
			code = testModuleJS
		}
		return api.OnLoadResult{Contents: &code, Loader: api.LoaderJS}, nil
	})
	p.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: "file"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		text, err := b.read(a.Path)
		if err != nil {
			var bad *buildError
			if errors.As(err, &bad) {
				return api.OnLoadResult{Errors: []api.Message{{Text: bad.list[0].Text, Detail: bad.list[0].Hint, Location: &api.Location{File: bad.list[0].File, Line: 1}}}}, nil
			}
			return api.OnLoadResult{}, err
		}
		if b.plugin {
			text = b.lowered(b.name(a.Path), text)
		}
		loader, ok := loaders()[strings.ToLower(filepath.Ext(a.Path))]
		if !ok {
			loader = api.LoaderDefault
		}
		return api.OnLoadResult{Contents: &text, Loader: loader, ResolveDir: filepath.Dir(a.Path)}, nil
	})
}

func loaders() map[string]api.Loader {
	return map[string]api.Loader{".ts": api.LoaderTS, ".mts": api.LoaderTS, ".cts": api.LoaderTS, ".js": api.LoaderJS, ".mjs": api.LoaderJS,
		".cjs": api.LoaderJS, ".json": api.LoaderJSON, ".txt": api.LoaderText, ".md": api.LoaderText, ".tsx": api.LoaderTSX, ".jsx": api.LoaderJSX}
}

// read reads a file of the plugin. Links are followed before it is seen whether
// the file lies in the plugin's folder.
func (b *bundler) read(path string) (string, error) {
	name := b.name(path)
	bad := func(hint, format string, args ...any) error {
		return &buildError{[]Problem{{File: name, Text: fmt.Sprintf(format, args...), Hint: hint}}}
	}
	root, err := filepath.EvalSymlinks(b.root)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", bad("", "the file does not exist")
	} else if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(root, real)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", bad("put what it needs into its folder", "the file lies outside of the plugin's folder")
	}
	if b.alone && name != b.main {
		return "", bad("make it a folder with main.ts to use several files", "a plugin of one file imports \"ncat\" only")
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", bad("", "this is no regular file")
	case info.Size() > maxSource:
		return "", bad("", "the file has %d bytes, at most %d MiB are allowed", info.Size(), maxSource>>20)
	}
	text, err := os.ReadFile(real)
	if err != nil {
		return "", err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(text) {
		return "", bad("save it as UTF-8", "the file is not UTF-8")
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return "", bad("save it as UTF-8", "the file holds a NUL byte and is no text")
	}
	return string(text), nil
}

// name returns a path as the plugin's folder sees it.
func (b *bundler) name(path string) string {
	if rel, err := filepath.Rel(b.root, path); err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}

// problems translates what the bundler says.
func (b *bundler) problems(errs []api.Message) error {
	out := &buildError{}
	for _, e := range errs {
		p := Problem{Text: e.Text}
		if e.Location != nil {
			p.File, p.Line, p.Column = filepath.ToSlash(e.Location.File), e.Location.Line, e.Location.Column+1
			if filepath.IsAbs(e.Location.File) {
				p.File = b.name(e.Location.File)
			}
		}
		hint, ours := e.Detail.(string)
		switch {
		case ours:
			p.Hint = hint
		case strings.HasPrefix(e.Text, "Could not resolve "):
			name, _, _ := strings.Cut(strings.TrimPrefix(e.Text, `Could not resolve "`), `"`)
			p.Hint = importHint(name)
		case len(e.Notes) > 0:
			p.Hint, _, _ = strings.Cut(e.Notes[0].Text, "\n")
		}
		out.list = append(out.list, p)
	}
	return out
}
