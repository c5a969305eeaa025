package script

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// location is where a plugin lies: a file of the folder of all plugins, or a
// folder of its own in there.
type location struct {
	name string // without the extension
	root string // the folder of what it is built from
	file string // within root; "" for a plugin with a folder, whose manifest says it
	dir  string // its own folder; "" for a plugin of one file
}

// sourceExts are what plugins are written in.
var sourceExts = []string{".ts", ".mts", ".js", ".mjs"}

// otherExts are those of JavaScript in which no plugin begins: one is named, not
// passed over.
var otherExts = []string{".tsx", ".jsx", ".cts", ".cjs"}

func isSource(name string) bool {
	ext := filepath.Ext(name)
	return slices.Contains(sourceExts, ext) || slices.Contains(otherExts, ext)
}

// locate returns the plugin that lies at path, a file or folder.
func locate(path string) (location, bool) {
	base := filepath.Base(path)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "node_modules" {
		return location{}, false
	}
	info, err := os.Stat(path)
	if err != nil {
		return location{}, false
	}
	if info.IsDir() {
		if !isPluginDir(path) {
			return location{}, false
		}
		return location{name: base, root: path, dir: path}, true
	}
	ext := filepath.Ext(base)
	name := strings.TrimSuffix(base, ext)
	if !isSource(base) || strings.HasSuffix(name, ".d") || strings.HasSuffix(name, ".test") {
		return location{}, false
	}
	return location{name: name, root: filepath.Dir(path), file: base}, true
}

// isPluginDir tells a plugin's folder from one that holds a plugin's data: there
// is a manifest or a source in it, so that one whose main file has another name
// is not passed over in silence.
func isPluginDir(path string) bool {
	entries, err := os.ReadDir(path)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.Name() == manifestName || isSource(e.Name()) && !strings.HasSuffix(e.Name(), ".d.ts")
	})
}

// discover returns the plugins of a folder, by name.
func discover(dir string) ([]location, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []location
	for _, e := range entries {
		if l, ok := locate(filepath.Join(dir, e.Name())); ok {
			out = append(out, l)
		}
	}
	return out, nil
}

func (l location) path() string {
	if l.dir != "" {
		return l.dir
	}
	return filepath.Join(l.root, l.file)
}

func (l location) bundleName() string { return l.name + ".plugin.js" }

func (l location) manifest() (Manifest, error) {
	if l.dir == "" {
		if ext := filepath.Ext(l.file); slices.Contains(otherExts, ext) {
			return Manifest{}, &buildError{[]Problem{{File: l.file, What: api.Because(api.CodeScriptExt, ext), Hint: api.Because(api.CodeScriptExtHint, l.name)}}}
		}
		m := Manifest{ID: l.name, Version: "0"}
		return m, CheckID(m.ID)
	}
	return readManifest(l.dir, l.name)
}

// main returns the file with which the plugin begins, within root.
func (l location) main(m Manifest) (string, error) {
	if l.file != "" {
		return l.file, nil
	}
	if m.Main != "main.ts" {
		return m.Main, nil
	}
	for _, ext := range sourceExts {
		if _, err := os.Stat(filepath.Join(l.dir, "main"+ext)); err == nil {
			return "main" + ext, nil
		}
	}
	return "", &buildError{[]Problem{{File: m.Main, What: api.Because(api.CodeScriptNoFile), Hint: api.Because(api.CodeScriptNoMainHint)}}}
}

// unfinished reports whether the main file is empty, as one is that an editor is
// about to write.
func (l location) unfinished() bool {
	m, err := l.manifest()
	if err != nil {
		return true
	}
	main, err := l.main(m)
	if err != nil {
		return true
	}
	info, err := os.Stat(filepath.Join(l.root, main))
	return err != nil || info.Size() == 0
}

// files returns the files of the plugin, as far as its first level has them.
func (l location) files() []string {
	if l.dir == "" {
		return []string{l.path()}
	}
	var out []string
	entries, _ := os.ReadDir(l.dir) // one that is gone has none
	for _, e := range entries {
		out = append(out, filepath.Join(l.dir, e.Name()))
	}
	return out
}

// touched returns when something of the plugin changed last, as far as a look at
// its first level tells.
func (l location) touched() time.Time {
	last := time.Time{}
	for _, path := range append(l.files(), l.path()) {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// stamp tells what the files of the plugin were at a moment: one that is written to has
// another afterwards.
func (l location) stamp() string {
	var b strings.Builder
	for _, path := range l.files() {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
