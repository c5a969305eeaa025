package gobuild

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long nothing may change before a change counts: an editor that
// saves writes, renames and sets times in one go, and one that saves all files
// writes them one after another.
const settle = 20 * time.Millisecond

// Watch tells when the sources of a program change.
type Watch struct {
	fs      *fsnotify.Watcher
	changed chan struct{}

	mu    sync.Mutex      // guards the fields below
	dirs  map[string]bool // with sources
	files []string        // that count wherever they lie
	seen  map[string]bool // folders that are watched
}

// NewWatch returns a watch on nothing. Close ends it.
func NewWatch() (*Watch, error) {
	fw, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &Watch{fs: fw, changed: make(chan struct{}, 1), seen: map[string]bool{}}, nil
}

// Close gives up what the system keeps for the watch.
func (w *Watch) Close() error { return w.fs.Close() }

// Changed delivers once for changes that come together.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

// Follow watches what a program is made of now. What changed since then in a
// folder that was not watched yet counts as a change.
func (w *Watch) Follow(s *Sources, since time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dirs, w.files = map[string]bool{}, s.Files
	want := map[string]bool{}
	for _, dir := range s.Packages {
		w.dirs[dir], want[dir] = true, true
	}
	for _, f := range s.Files {
		want[filepath.Dir(f)] = true
	}
	for dir := range w.seen {
		if !want[dir] {
			_ = w.fs.Remove(dir) // it may be gone already
			delete(w.seen, dir)
		}
	}
	var errs []error
	late := false
	for dir := range want {
		again := w.seen[dir]
		if err := w.fs.Add(dir); err != nil { // again for one that was made anew
			if !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
			continue
		}
		w.seen[dir] = true
		late = late || !again && w.newerLocked(dir, since)
	}
	if late {
		w.tell()
	}
	return errors.Join(errs...)
}

// newerLocked reports whether a source in dir is younger than since.
func (w *Watch) newerLocked(dir string, since time.Time) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false // the build will say so
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.ModTime().After(since) && w.mattersLocked(filepath.Join(dir, e.Name())) {
			return true
		}
	}
	return false
}

// mattersLocked tells sources from tests and from an editor's own files.
func (w *Watch) mattersLocked(path string) bool {
	if slices.Contains(w.files, path) {
		return true
	}
	base := filepath.Base(path)
	if base == "go.work" || base == "go.sum" {
		return true
	}
	return w.dirs[filepath.Dir(path)] && filepath.Ext(base) == ".go" && !strings.HasSuffix(base, "_test.go") && !strings.ContainsAny(base[:1], "._#")
}

func (w *Watch) tell() {
	select {
	case w.changed <- struct{}{}:
	default: // one is waiting already
	}
}

// Run delivers changes until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.fs.Events:
			if !ok {
				return errors.New("the watch on the sources ended")
			}
			w.mu.Lock()
			matters := e.Op != fsnotify.Chmod && w.mattersLocked(e.Name)
			w.mu.Unlock()
			if matters {
				timer.Reset(settle)
			}
		case _, ok := <-w.fs.Errors: // some changes were not told
			if !ok {
				return errors.New("the watch on the sources ended")
			}
			timer.Reset(settle)
		case <-timer.C:
			w.tell()
		}
	}
}
