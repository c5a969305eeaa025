// Package trial runs the tests that lie beside a script: each *.test.ts on a bot
// of its own, with an account, people and a clock that package ncattest makes.
package trial

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/script"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

// Result is how one test ended.
type Result struct {
	File   string   `json:"file"`
	Name   string   `json:"name"`
	OK     bool     `json:"ok"`
	Failed []string `json:"failed,omitempty"` // what was not as it should be
	Log    []string `json:"log,omitempty"`    // what the plugin logged
	Took   float64  `json:"took"`             // seconds, of the real clock
}

// ErrNoTests says that a plugin has no tests.
var ErrNoTests = errors.New("no tests: they are called like main.test.ts")

// ErrNoMatch says that no test's name contains what was asked for.
var ErrNoMatch = errors.New("no test of that name")

// longest is how long one test may take, of the real clock.
const longest = 20 * time.Second

// Run runs the tests of the plugin at path whose names contain only, and hands each
// result to done when there is one; nil: to nobody. say words for the results what is
// wrong with the plugin.
func Run(ctx context.Context, path, only string, say func(error) string, done func(Result) error) ([]Result, error) {
	files, err := testFiles(path)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, ErrNoTests
	}
	var out []Result
	for _, f := range files {
		suite, err := script.OpenSuite(path, f)
		if err != nil {
			return out, err
		}
		names, err := namesOf(ctx, suite)
		if err != nil {
			return out, err
		}
		for _, name := range names {
			if !strings.Contains(name, only) {
				continue
			}
			r := one(ctx, suite, filepath.Base(f), name, say)
			out = append(out, r)
			if done != nil {
				if err := done(r); err != nil {
					return out, err
				}
			}
			if ctx.Err() != nil {
				return out, context.Cause(ctx)
			}
		}
	}
	if len(out) == 0 && only != "" {
		return nil, ErrNoMatch
	}
	return out, nil
}

// namesOf returns the names of a file's tests. A file that loops is ended.
func namesOf(ctx context.Context, suite *script.Suite) ([]string, error) {
	defer watch(ctx, suite)()
	names, err := suite.Names()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return names, err
}

// watch interrupts what runs of a suite when it takes too long or ctx ends, until
// the returned function is called.
func watch(ctx context.Context, suite *script.Suite) (stop func()) {
	late := time.AfterFunc(longest, suite.Interrupt)
	ended := context.AfterFunc(ctx, suite.Interrupt)
	return func() { late.Stop(); ended() }
}

func testFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		var all []string
		for _, ext := range []string{"ts", "js"} {
			more, err := filepath.Glob(filepath.Join(path, "*.test."+ext))
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
		return all, nil
	}
	ext := filepath.Ext(path)
	at := strings.TrimSuffix(path, ext) + ".test" + ext
	if _, err := os.Stat(at); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return []string{at}, nil
}

// lines collects what a plugin logs.
type lines struct{ all []string }

func (l *lines) Write(p []byte) (int, error) {
	l.all = append(l.all, strings.TrimSpace(string(p)))
	return len(p), nil
}

// one runs one test in a bubble of package synctest, which needs a testing.T.
func one(ctx context.Context, suite *script.Suite, file, name string, say func(error) string) Result {
	r := Result{File: file, Name: name}
	log := &lines{}
	began := time.Now()
	// The clock of the bubble does not move while a script loops: that is watched
	// from outside.
	defer watch(ctx, suite)()
	p, err := suite.Plugin(slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		r.Failed = []string{say(err)}
		return r
	}
	run := func(t *testing.T) {
		bot := ncat.New(ncat.WithLogger(slog.New(slog.NewTextHandler(log, nil))), ncat.WithAdmins(9))
		bot.AddPlugin(p)
		ncattest.Run(t, bot, func(h *ncattest.Harness) {
			for _, s := range bot.Plugins() {
				switch err := p.Err(); {
				case err != nil:
					r.Failed = append(r.Failed, say(err))
				case s.Error != "":
					r.Failed = append(r.Failed, s.Error)
				}
			}
			if len(r.Failed) == 0 {
				for _, err := range suite.Play(name, &stage{h: h, bot: bot, claimed: map[int]bool{}}) {
					r.Failed = append(r.Failed, say(err))
				}
			}
			for _, err := range h.Errors() { // those that the test did not ask for
				r.Failed = append(r.Failed, say(script.Fail(api.Because(api.CodeScriptTestHandler).With(script.Fault(err)), err)))
			}
		})
	}
	r.OK = inTest(name, run)
	r.OK = r.OK && len(r.Failed) == 0
	if !r.OK && len(r.Failed) == 0 {
		r.Failed = []string{say(script.Fail(api.Because(api.CodeScriptTestOpen, name), nil))}
	}
	r.Log, r.Took = log.all, time.Since(began).Seconds()
	return r
}
