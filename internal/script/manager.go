package script

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
)

// Manager keeps a bot's scripts: those that lie in a folder are its plugins, and
// what changes there is taken over. It starts nothing before [Manager.Load].
type Manager struct {
	dir string
	bot *ncat.Bot
	env *Environment

	loading sync.Mutex           // held while plugins come, go and change
	loaded  time.Time            // the first time
	gone    map[string]time.Time // plugins whose files are not there, and since when; changes within loading only

	mu      sync.Mutex         // guards the fields below, which change within loading only
	plugins map[string]*Plugin // by path
	broken  map[string]error   // paths that could not be added
}

// New returns the manager of the scripts in dir for bot.
func New(dir string, bot *ncat.Bot, env Environment) *Manager {
	env.Limits = env.Limits.withDefaults()
	return &Manager{dir: dir, bot: bot, env: &env, plugins: map[string]*Plugin{}, broken: map[string]error{}, gone: map[string]time.Time{}}
}

// Load brings the bot's scripts in line with the folder: new ones are added, those
// that are gone are taken out, those that changed in one of the paths are loaded
// anew; with nil for paths nothing is loaded anew.
func (m *Manager) Load(ctx context.Context, changed []string) {
	as := map[string]bool{}
	for _, path := range changed {
		as[path] = true
	}
	m.load(ctx, as, 0)
}

// load is Load, but takes what is still being written only of the paths that are
// true in changed, and returns the others. A plugin whose file is gone ends when that
// was so for the time of absent; until then load is to be called again.
func (m *Manager) load(ctx context.Context, changed map[string]bool, absent time.Duration) (half []string, again bool) {
	m.loading.Lock()
	defer m.loading.Unlock()
	if m.loaded.IsZero() {
		m.write(func() { m.loaded = time.Now() })
	}
	found, err := discover(m.dir)
	if err != nil {
		m.env.Log.Error("scripts cannot be read", "dir", m.dir, "error", err)
		return nil, false
	}
	here, moved := map[string]bool{}, m.move(found)
	for _, l := range found {
		here[l.path()] = true
		if m.plugins[l.path()] == nil && m.broken[l.path()] == nil {
			absent = 0 // it may be the one that is gone, by another name
		}
	}
	for path, p := range m.plugins {
		switch since, gone := m.gone[path]; {
		case here[path]:
			delete(m.gone, path)
		case absent > 0 && !gone:
			m.gone[path] = time.Now()
			again = true
		case time.Since(since) < absent:
			again = true
		default:
			delete(m.gone, path)
			m.remove(path, p)
		}
	}
	for path := range m.broken {
		if !here[path] {
			m.fixed(path)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex // guards half
	for _, l := range found {
		p := m.plugins[l.path()]
		if p == nil {
			m.add(ctx, l)
			continue
		}
		if anyway, ok := changed[l.path()]; ok || moved[l.path()] {
			wg.Go(func() {
				if !m.changed(ctx, p, anyway, moved[l.path()]) {
					mu.Lock()
					half = append(half, l.path())
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	return half, again
}

// move lets plugins lie where they were found that are no longer where they were, such
// as in a folder that was renamed, and returns the new paths.
func (m *Manager) move(found []location) map[string]bool {
	here, fresh := map[string]bool{}, map[string]location{} // by paths, and by ids
	for _, l := range found {
		here[l.path()] = true
		if m.plugins[l.path()] == nil {
			fresh[newPlugin(m.env, l).id] = l
		}
	}
	moved := map[string]bool{}
	for id, l := range fresh {
		for path, p := range m.plugins {
			if p.id != id || here[path] {
				continue
			}
			m.fixed(l.path()) // its id was taken
			p.at.Store(&l)
			m.write(func() { delete(m.plugins, path); m.plugins[l.path()] = p })
			delete(m.gone, path)
			moved[l.path()] = true
			break
		}
	}
	return moved
}

// touched returns the plugins of which something may have changed since they were
// read.
func (m *Manager) touched() []location {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []location
	for _, p := range m.plugins {
		if p.where().touched().After(m.loaded.Add(-time.Second)) {
			out = append(out, p.where())
		}
	}
	return out
}

func (m *Manager) add(ctx context.Context, l location) {
	p := newPlugin(m.env, l)
	err := m.bot.InsertPlugin(ctx, p)
	taken := errors.Is(err, ncat.ErrPluginTaken)
	if taken {
		err = &buildError{[]Problem{{File: filepath.Base(l.path()), What: api.Because(api.CodeScriptIDTaken, p.id), Hint: api.Because(api.CodeScriptIDTakenHint)}}}
	}
	if bad := CheckID(p.id); bad != nil {
		err = bad
	}
	switch {
	case err == nil || !taken && idPattern.MatchString(p.id): // it may have failed
		m.fixed(l.path())
		m.write(func() { m.plugins[l.path()] = p })
	default:
		if was := m.broken[l.path()]; was == nil || was.Error() != err.Error() {
			m.env.Log.Error("script cannot be added", "path", l.path(), "error", err)
		}
		m.write(func() { m.broken[l.path()] = err })
		m.report(nameOf(l.path()), err)
	}
}

func (m *Manager) fixed(path string) {
	if m.broken[path] != nil {
		m.write(func() { delete(m.broken, path) })
		m.report(nameOf(path), nil)
	}
}

func (m *Manager) write(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *Manager) report(id string, err error) {
	if m.env.Report != nil {
		m.env.Report(id, err)
	}
}

func (m *Manager) remove(path string, p *Plugin) {
	m.write(func() { delete(m.plugins, path) })
	if err := m.bot.RemovePlugin(p.id); err != nil {
		m.env.Log.Error("script cannot be taken out cleanly", "plugin", p.id, "error", err)
	}
	m.report(p.id, nil)
}

// patience is how long a new version that cannot run may be a file that is still
// being written.
const patience = 150 * time.Millisecond

// changed loads what changed of a plugin. It reports false if that is still being
// written; then anyway loads it all the same, as does moved, which loads it also if
// nothing else changed.
func (m *Manager) changed(ctx context.Context, p *Plugin, anyway, moved bool) bool {
	if p.where().unfinished() {
		wait(ctx, patience)
	}
	taken, err := p.reload(ctx, moved, false)
	if errors.Is(err, errHalf) && !anyway && !moved {
		return false
	}
	if err != nil && !errors.Is(err, errNotRunning) {
		wait(ctx, patience)
		taken, err = p.reload(ctx, moved, true)
	}
	if errors.Is(err, errNotRunning) {
		m.restart(ctx, p)
		return true
	}
	if err != nil {
		m.env.Log.Error("new version of the plugin does not run, the one before goes on", "plugin", p.id, "error", err)
		return true
	}
	if taken {
		m.env.Log.Info("plugin was reloaded", "plugin", p.id, "version", p.Version())
	}
	return true
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// restart sets up a plugin anew that had failed.
func (m *Manager) restart(ctx context.Context, p *Plugin) {
	for _, s := range m.bot.Plugins() {
		if s.ID == p.id && s.State == ncat.PluginFailed {
			if err := m.bot.RestartPlugin(ctx, p.id); err != nil {
				m.env.Log.Error("plugin does not run", "plugin", p.id, "error", err)
			}
		}
	}
}

// Reload loads a plugin anew, by its id.
func (m *Manager) Reload(ctx context.Context, id string) error {
	m.loading.Lock()
	defer m.loading.Unlock()
	for _, p := range m.plugins {
		if p.id != id {
			continue
		}
		err := p.Reload(ctx)
		if errors.Is(err, errNotRunning) {
			return m.bot.RestartPlugin(ctx, id)
		}
		return err
	}
	return fmt.Errorf("plugin %s: %w", id, ncat.ErrNoPlugin)
}

// Info is what is known of a script.
type Info struct {
	Manifest Manifest
	Path     string
	Err      error // of the newest version
	Loads    int
	Grants   Grants
}

// Info returns what is known of a script, false if the id is none's.
func (m *Manager) Info(id string) (Info, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for path, p := range m.plugins {
		if p.id == id {
			man, err := p.where().manifest()
			if e := p.Err(); e != nil {
				err = e
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			return Info{Manifest: man, Path: path, Err: err, Loads: p.loads, Grants: m.env.Grants(id)}, true
		}
	}
	return Info{}, false
}

// nameOf is what a plugin is called that could not become one, so that nothing is
// known but where it lies.
func nameOf(path string) string {
	return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
}

// needsLocked returns which plugin that p needs does not run, nil if that is none.
func (m *Manager) needsLocked(p *Plugin, all map[string]ncat.PluginStatus) error {
	for _, id := range p.DependsOn() {
		s, there := all[id]
		if !there {
			return Fail(api.Because(api.CodeScriptNeedsNone, id).With(api.Because(api.CodeScriptNeedsNoneHint)), nil)
		}
		if s.State == ncat.PluginRunning {
			continue
		}
		for _, other := range m.plugins {
			if other.id == id && slices.Contains(other.DependsOn(), p.id) {
				return Fail(api.Because(api.CodeScriptNeedsCycle, id), nil)
			}
		}
		return Fail(api.Because(api.CodeScriptNeedsDown, id), nil)
	}
	return nil
}

// Problems returns why newest versions do not run, by the ids of the plugins, or
// the names of files that could not become plugins.
func (m *Manager) Problems() map[string]error {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]error{}
	all := map[string]ncat.PluginStatus{}
	for _, s := range m.bot.Plugins() {
		all[s.ID] = s
	}
	for _, p := range m.plugins {
		err := p.Err()
		if err == nil && all[p.id].State == ncat.PluginFailed {
			err = m.needsLocked(p, all)
		}
		if err != nil {
			out[p.id] = err
		}
	}
	for path, err := range m.broken {
		out[nameOf(path)] = err
	}
	return out
}
