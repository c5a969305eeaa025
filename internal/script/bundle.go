package script

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	esbuild "github.com/evanw/esbuild/pkg/api"

	"github.com/ncatd/ncatd/internal/control/api"
)

// maxSource bounds one file of a plugin, and what they come to together.
const maxSource = 4 << 20

// bundle is a plugin's source made into one module.
type bundle struct {
	code   string
	source *sourceMap
}

// bundler makes one module of a plugin's source, or of a file of its tests.
type bundler struct {
	root   string          // the folder out of which no import leads
	main   string          // the entry, in root
	alone  bool            // it may read no other file
	plugin bool            // async functions are run by the prelude, see lower.go
	awaits map[string][]at // by file, where it awaits at its top level

	trusted bool        // nothing in it is nested too deeply for esbuild
	deep    atomic.Bool // something may be
}

func (b *bundler) build() (*bundle, error) {
	entry := filepath.Join(b.root, b.main)
	if _, err := b.read(entry); err != nil {
		return nil, err
	}
	r := b.run(entry)
	if b.deep.Load() {
		return nil, errDeep
	}
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
		return nil, &buildError{[]Problem{{File: b.main, What: api.Because(api.CodeScriptBundle, len(out.code), maxSource>>20), Hint: api.Because(api.CodeScriptBundleHint)}}}
	}
	var err error
	out.source, err = parseSourceMap(mapping)
	if err == nil && b.plugin {
		out.code = restoreAwaits(runByPrelude(out.code), out.source)
	}
	return out, err
}

// run runs esbuild.
func (b *bundler) run(entry string) esbuild.BuildResult {
	o := esbuild.BuildOptions{
		EntryPoints: []string{entry}, AbsWorkingDir: b.root, Outdir: b.root, Bundle: true, Write: false, Metafile: false,
		Format: esbuild.FormatESModule, Platform: esbuild.PlatformNeutral, Target: esbuild.ES2023, Charset: esbuild.CharsetUTF8,
		MainFields: []string{"module", "main"}, Conditions: []string{"import", "default"},
		Sourcemap: esbuild.SourceMapExternal, SourcesContent: esbuild.SourcesContentExclude, LogLevel: esbuild.LogLevelSilent,
		TsconfigRaw: `{"compilerOptions":{"target":"ES2023","verbatimModuleSyntax":false}}`,
		Plugins:     []esbuild.Plugin{{Name: "ncat", Setup: b.setup}},
	}
	if b.plugin {
		o.Supported = map[string]bool{"async-await": false, "async-generator": false, "for-await": false}
	}
	return esbuild.Build(o)
}

func (b *bundler) setup(p esbuild.PluginBuild) {
	p.OnResolve(esbuild.OnResolveOptions{Filter: `^ncat(/test)?$`}, func(a esbuild.OnResolveArgs) (esbuild.OnResolveResult, error) {
		return esbuild.OnResolveResult{Path: a.Path, Namespace: "ncat"}, nil
	})
	// A URL would be left for the engine, which fetches nothing.
	p.OnResolve(esbuild.OnResolveOptions{Filter: `^([A-Za-z][A-Za-z0-9+.-]*:|//)`}, func(a esbuild.OnResolveArgs) (esbuild.OnResolveResult, error) {
		return esbuild.OnResolveResult{Errors: []esbuild.Message{{Detail: Problem{What: api.Because(api.CodeScriptForeign, a.Path), Hint: importHint(a.Path)}}}}, nil
	})
	p.OnLoad(esbuild.OnLoadOptions{Filter: `.*`, Namespace: "ncat"}, func(a esbuild.OnLoadArgs) (esbuild.OnLoadResult, error) {
		code := moduleJS
		if a.Path == "ncat/test" {
			code = testModuleJS
		}
		return esbuild.OnLoadResult{Contents: &code, Loader: esbuild.LoaderJS}, nil
	})
	p.OnLoad(esbuild.OnLoadOptions{Filter: `.*`, Namespace: "file"}, func(a esbuild.OnLoadArgs) (esbuild.OnLoadResult, error) {
		text, err := b.read(a.Path)
		if err != nil {
			var bad *buildError
			if errors.As(err, &bad) {
				return esbuild.OnLoadResult{Errors: []esbuild.Message{{Detail: bad.list[0], Location: &esbuild.Location{File: bad.list[0].File, Line: 1}}}}, nil
			}
			return esbuild.OnLoadResult{}, err
		}
		if !b.trusted && tokens(text) > maxTokens {
			b.deep.Store(true)
			text = ""
		}
		if b.plugin {
			text = b.lowered(b.name(a.Path), text)
		}
		loader, ok := loaders()[strings.ToLower(filepath.Ext(a.Path))]
		if !ok {
			loader = esbuild.LoaderDefault
		}
		return esbuild.OnLoadResult{Contents: &text, Loader: loader, ResolveDir: filepath.Dir(a.Path)}, nil
	})
}

func loaders() map[string]esbuild.Loader {
	return map[string]esbuild.Loader{".ts": esbuild.LoaderTS, ".mts": esbuild.LoaderTS, ".cts": esbuild.LoaderTS, ".js": esbuild.LoaderJS, ".mjs": esbuild.LoaderJS,
		".cjs": esbuild.LoaderJS, ".json": esbuild.LoaderJSON, ".txt": esbuild.LoaderText, ".md": esbuild.LoaderText, ".tsx": esbuild.LoaderTSX, ".jsx": esbuild.LoaderJSX}
}

// read reads a file of the plugin. Links are followed before it is seen whether
// the file lies in the plugin's folder.
func (b *bundler) read(path string) (string, error) {
	name := b.name(path)
	bad := func(what, hint api.Fault) error { return &buildError{[]Problem{{File: name, What: what, Hint: hint}}} }
	root, err := filepath.EvalSymlinks(b.root)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", bad(api.Because(api.CodeScriptNoFile), api.Fault{})
	} else if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(root, real)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", bad(api.Because(api.CodeScriptOutside), api.Because(api.CodeScriptOutsideHint))
	}
	if b.alone && name != b.main {
		return "", bad(api.Because(api.CodeScriptAlone), api.Because(api.CodeScriptAloneHint))
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", bad(api.Because(api.CodeScriptIrregular), api.Fault{})
	case info.Size() > maxSource:
		return "", bad(api.Because(api.CodeScriptSize, info.Size(), maxSource>>20), api.Because(api.CodeScriptBundleHint))
	}
	text, err := os.ReadFile(real)
	if err != nil {
		return "", err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(text) {
		return "", bad(api.Because(api.CodeScriptNotUTF8), api.Because(api.CodeScriptUTF8Hint))
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return "", bad(api.Because(api.CodeScriptNUL), api.Because(api.CodeScriptUTF8Hint))
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
func (b *bundler) problems(errs []esbuild.Message) error {
	out := &buildError{}
	for _, e := range errs {
		p, ours := e.Detail.(Problem)
		switch {
		case ours:
		case strings.HasPrefix(e.Text, "Could not resolve "):
			name, _, _ := strings.Cut(strings.TrimPrefix(e.Text, `Could not resolve "`), `"`)
			p.Hint = importHint(name)
		case len(e.Notes) > 0:
			hint, _, _ := strings.Cut(e.Notes[0].Text, "\n")
			p.Hint = api.Because(api.CodeScriptSaidHint, hint)
		}
		if !ours {
			p.What = api.Because(api.CodeScriptSaid, e.Text)
		}
		if e.Location != nil {
			p.File, p.Line, p.Column = filepath.ToSlash(e.Location.File), e.Location.Line, e.Location.Column+1
			if filepath.IsAbs(e.Location.File) {
				p.File = b.name(e.Location.File)
			}
		}
		out.list = append(out.list, p)
	}
	return out
}
