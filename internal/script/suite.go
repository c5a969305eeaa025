package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Stage is where a test of a script plays: a bot, people and a clock.
type Stage interface {
	// Do does what a test asks for. An error fails the test.
	Do(op string, args []json.RawMessage) (any, error)
}

// Suite is one file of tests of a plugin.
type Suite struct {
	where location
	file  string // what its bundle is called
	tests *bundle

	mu      sync.Mutex // guards the fields below
	running []func()   // interrupts of what runs
}

// OpenSuite bundles a file of tests of the plugin at path.
func OpenSuite(path, file string) (*Suite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	l, ok := locate(path)
	if !ok {
		return nil, ErrNoPlugin
	}
	s := &Suite{where: l, file: filepath.Base(file) + ".js"}
	s.tests, err = (&bundler{root: l.root, main: filepath.Base(file), alone: l.dir == "", trusted: true}).build()
	return s, err
}

// testBudget is the time of a test in the engine, by a clock that the test itself
// moves: [Suite.Interrupt] ends one that loops.
const testBudget = 100 * 365 * 24 * time.Hour

// Names returns the names of the tests, in the order in which they stand.
func (s *Suite) Names() ([]string, error) {
	r := &runner{suite: s}
	eng, err := r.open()
	if err != nil {
		return nil, err
	}
	out, _, err := eng.Call(testBudget, "names")
	s.watched()
	if err = errors.Join(err, eng.Close()); err != nil {
		return nil, err
	}
	var names []string
	text, _ := out.(string)
	return names, json.Unmarshal([]byte(text), &names)
}

// Plugin returns the plugin as it is run for one test. It is bundled already.
func (s *Suite) Plugin(log *slog.Logger) (*Plugin, error) {
	env := &Environment{
		Log: log, Limits: Limits{}.withDefaults(), VirtualTime: true,
		Grants:  func(string) Grants { return Grants{} },
		Section: func(string) map[string]any { return nil },
	}
	p := newPlugin(env, s.where)
	p.pinned = true
	s.watched(p.interrupt)
	return p, p.Prepare()
}

// interrupt ends what runs of the plugin now.
func (p *Plugin) interrupt() {
	if v := p.running.Load(); v != nil {
		v.m.mu.Lock()
		defer v.m.mu.Unlock()
		if v.m.interrupt != nil {
			v.m.interrupt()
		}
	}
}

// Play runs one test on a stage and returns what was not as it should be.
func (s *Suite) Play(name string, st Stage) []error {
	r := &runner{suite: s, stage: st}
	eng, err := r.open()
	if err != nil {
		return []error{err}
	}
	if _, _, err = eng.Enter(testBudget, "run", name); err == nil && !r.ended {
		err = Fail(api.Because(api.CodeScriptTestWaits), nil)
	}
	if err := errors.Join(err, eng.Close()); err != nil {
		r.failed = append(r.failed, err)
	}
	return r.failed
}

// watch adds to what Interrupt ends.
func (s *Suite) watch(interrupt func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = append(s.running, interrupt)
}

// watched sets what Interrupt ends.
func (s *Suite) watched(interrupts ...func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = interrupts
}

// Interrupt ends what runs of the suite now: time does not pass for a test that
// loops.
func (s *Suite) Interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.running {
		f()
	}
}

// runner is one run of a file of tests.
type runner struct {
	suite         *Suite
	stage         Stage
	loaded, ended bool
	failed        []error
	loadErr       error
}

func (r *runner) open() (*quickEngine, error) {
	eng, err := newEngine(DefaultMemory, testPrelude, r.host, nil)
	if err != nil {
		return nil, err
	}
	r.suite.watch(eng.Interrupt)
	_, err = eng.Load(r.suite.file, r.suite.tests.code, testBudget)
	if err == nil && !r.loaded || errors.Is(err, errCPU) {
		err = Fail(api.Because(api.CodeScriptTestsOpen), nil)
	}
	if err = errors.Join(err, r.loadErr); err != nil {
		return nil, errors.Join(err, eng.Close())
	}
	return eng, nil
}

func (r *runner) host(args []any) (any, error) {
	a := arguments(args)
	switch a.text(0) {
	case "loaded":
		r.loaded = true
		if text := a.text(1); text != "" {
			r.loadErr = errors.New(r.told(text))
		}
	case "ended":
		r.ended = true
		if text := a.text(1); text != "" {
			r.failed = append(r.failed, errors.New(r.told(text)))
		}
	case "test":
		var list []json.RawMessage
		err := json.Unmarshal([]byte(a.text(2)), &list)
		var out any
		if err == nil && r.stage == nil {
			err = fmt.Errorf("%s is for within a test", a.text(1))
		}
		if err == nil {
			out, err = r.stage.Do(a.text(1), list)
		}
		if err != nil {
			return jsonText(map[string]string{"error": err.Error()})
		}
		return jsonText(map[string]any{"value": out})
	}
	return nil, nil
}

// told gives an error the place in the source.
func (r *runner) told(text string) string {
	head, stack, _ := strings.Cut(text, "\n")
	if at := r.suite.tests.source.stack(r.suite.file, stack); at != "" {
		head += "\n" + at
	}
	return strings.TrimPrefix(head, "Error: ")
}
