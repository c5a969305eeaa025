package script

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long nothing of a plugin may change before it is loaded: an
	// editor that saves writes, renames and sets times in one go.
	settle = 8 * time.Millisecond
	// writing is how long nothing of a file may change that somebody has open for
	// writing, such as a slow upload, until it is loaded all the same; uploading is
	// how long that may go on altogether.
	writing   = 3 * time.Second
	uploading = 30 * time.Second
	// maxWatched bounds the folders that are watched.
	maxWatched = 512
)

// watcher watches the folder of scripts, or, while there is none, the folder in
// which it would appear.
type watcher struct {
	m       *Manager
	fs      *fsnotify.Watcher
	watched map[string]bool
	due     map[string]*change // changed plugins by path, "" for the folder itself
}

// change is what happened to a plugin and is not taken over yet.
type change struct {
	first, last time.Time
	at          time.Time       // when to load it
	sources     map[string]bool // the files that changed
}

// late reports whether it is loaded even while it is being written.
func (c *change) late(now time.Time) bool {
	return now.Sub(c.last) > writing || now.Sub(c.first) > uploading
}

// unfinished reports whether one of the files is still being written.
func (c *change) unfinished() bool {
	for path := range c.sources {
		if openForWriting(path) {
			return true
		}
	}
	return false
}

// note notes that a plugin changed and returns the change.
func (w *watcher) note(path string) *change {
	now := time.Now()
	c := w.due[path]
	if c == nil {
		c = &change{first: now, sources: map[string]bool{}}
		w.due[path] = c
	}
	c.last, c.at = now, now.Add(settle)
	return c
}

// Run takes over what changes in the folder until ctx ends. Without any script it
// waits on one watch and does nothing else.
func (m *Manager) Run(ctx context.Context) error {
	fw, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	w := &watcher{m: m, fs: fw, watched: map[string]bool{}, due: map[string]*change{}}
	defer func() { _ = fw.Close() }() // nothing is lost with it
	w.follow()
	m.Load(ctx, nil)
	w.noteTouched() // what came before the watch
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if next, ok := w.next(); ok {
			timer.Reset(max(time.Until(next), 0))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-fw.Events:
			if !ok {
				return errors.New("the watch on the scripts ended")
			}
			w.see(e)
		case err := <-fw.Errors:
			m.env.Log.Warn("changes of scripts may have been missed", "error", err)
			w.note("")
		case <-timer.C:
			w.load(ctx)
		}
	}
}

// noteTouched notes what may have changed without an event.
func (w *watcher) noteTouched() {
	for _, l := range w.m.touched() {
		c := w.note(l.path())
		for _, path := range l.files() {
			c.sources[path] = true
		}
	}
}

func (w *watcher) next() (time.Time, bool) {
	var first time.Time
	for _, c := range w.due {
		if first.IsZero() || c.at.Before(first) {
			first = c.at
		}
	}
	return first, !first.IsZero()
}

// load loads what has not changed any more for a while.
func (w *watcher) load(ctx context.Context) {
	now := time.Now()
	paths, taken := map[string]bool{}, map[string]*change{}
	for path, c := range w.due {
		switch {
		case c.at.After(now):
		case !c.late(now) && c.unfinished():
			c.at = now.Add(settle)
		default:
			delete(w.due, path)
			taken[path], paths[path] = c, c.late(now)
		}
	}
	if len(taken) == 0 {
		return
	}
	if w.follow() {
		w.noteTouched() // what changed before the watch
	}
	absence := w.m.env.Limits.Absence
	half, again := w.m.load(ctx, paths, absence)
	for _, path := range half {
		if w.due[path] == nil {
			w.due[path] = taken[path]
		}
	}
	if again {
		w.note("").at = now.Add(absence)
	}
}

// follow watches every folder that matters and forgets those that are gone. It
// reports whether there are new ones. What appears between a look and its watch is
// found by the look after it.
func (w *watcher) follow() (grown bool) {
	for w.extend() {
		grown = true
	}
	return grown
}

// extend is follow, with one look.
func (w *watcher) extend() (grown bool) {
	want := map[string]bool{}
	if info, err := os.Stat(w.m.dir); err != nil || !info.IsDir() {
		above := filepath.Dir(w.m.dir)
		for above != filepath.Dir(above) {
			if _, err := os.Stat(above); err == nil {
				break
			}
			above = filepath.Dir(above)
		}
		want[above] = true
	} else {
		want[w.m.dir] = true
		found, _ := discover(w.m.dir) // Load tells the error
		for _, l := range found {
			if l.dir != "" {
				w.tree(l.dir, want)
			}
		}
		entries, _ := os.ReadDir(w.m.dir)
		for _, e := range entries { // one that becomes a plugin when its main file comes
			if e.IsDir() && len(want) < maxWatched && !skipped(e.Name()) {
				want[filepath.Join(w.m.dir, e.Name())] = true
			}
		}
	}
	for dir := range w.watched {
		if !want[dir] {
			_ = w.fs.Remove(dir) // it may be gone already
			delete(w.watched, dir)
		}
	}
	for dir := range want {
		if err := w.fs.Add(dir); err != nil {
			if !w.watched[dir] && !errors.Is(err, fs.ErrNotExist) {
				w.m.env.Log.Warn("changes in a folder are not seen; ncatd plugin reload takes them over", "dir", dir, "error", err)
			}
			continue
		}
		grown = grown || !w.watched[dir]
		w.watched[dir] = true
	}
	return grown
}

func skipped(name string) bool { return strings.HasPrefix(name, ".") || name == "node_modules" }

func (w *watcher) tree(dir string, want map[string]bool) {
	// The folder itself may be a link, which the separator follows.
	_ = filepath.WalkDir(dir+string(filepath.Separator), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		path = filepath.Clean(path)
		if path != dir && skipped(d.Name()) || len(want) >= maxWatched {
			return fs.SkipDir
		}
		want[path] = true
		return nil
	})
}

// see notes what an event of the file system means.
func (w *watcher) see(e fsnotify.Event) {
	dir := w.m.dir
	if e.Name == dir || strings.HasPrefix(dir, e.Name+string(filepath.Separator)) {
		w.note("")
		return
	}
	rel, err := filepath.Rel(dir, e.Name)
	if err != nil || strings.HasPrefix(rel, "..") {
		return
	}
	parts := strings.Split(rel, string(filepath.Separator))
	if !matters(e.Name) {
		return
	}
	top := filepath.Join(dir, parts[0])
	source := isSource(e.Name) || filepath.Base(e.Name) == manifestName
	if len(parts) == 1 && e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0 {
		if c := w.note(""); source {
			c.sources[e.Name] = true
		}
	}
	if e.Op == fsnotify.Chmod {
		return
	}
	if c := w.note(top); source {
		c.sources[e.Name] = true
	}
}

// matters tells a plugin's files from an editor's: swap files, backups, and the
// numbers that some test a folder with.
func matters(path string) bool {
	base := filepath.Base(path)
	switch {
	case strings.HasPrefix(base, "."), strings.HasPrefix(base, "#"), strings.HasSuffix(base, "~"), strings.HasSuffix(base, ".test.ts"), strings.HasSuffix(base, ".d.ts"):
		return false
	case strings.Trim(base, "0123456789") == "":
		return false
	}
	ext := strings.ToLower(filepath.Ext(base))
	return ext == "" || base == manifestName || slices.Contains([]string{".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx", ".json", ".txt", ".md"}, ext)
}
