// Command mutants breaks the code on purpose, one small place at a time, and
// runs the tests that should notice. What no test notices is printed: it is a
// test that is missing, or code that does nothing.
//
//	mutants [-n COUNT] [-seed N] [-min PERCENT] [-named FILE] [-only TEXT] PLAN
//
// PLAN is a file of lines `FILES: TESTS`: a glob of Go files, and the packages
// whose tests have to notice. From each line COUNT places are drawn (0: all of
// them); the same seed draws the same places. The packages of a line are built
// once, with every change behind a switch, and a change is tried on the tests
// that reach it. -named adds mutants written by hand, see [readNamed]; those are
// built one by one. The source tree is never written to: changed files are given
// by -overlay.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// testLimit bounds one run of a package's tests: what makes them hang was noticed.
const testLimit = 2 * time.Minute

// tally counts the mutants of one group.
type tally struct {
	group         string
	killed, lived int
}

func (t tally) percent() float64 { return 100 * float64(t.killed) / float64(max(1, t.killed+t.lived)) }

type options struct {
	n       int
	seed    uint64
	only    string
	workers int
}

func main() {
	var o options
	flag.IntVar(&o.n, "n", 40, "mutants drawn from each line of the plan; 0 is all")
	flag.Uint64Var(&o.seed, "seed", 1, "draws other places")
	least := flag.Float64("min", 85, "fail below this score, in percent")
	named := flag.String("named", "", "file of mutants written by hand")
	flag.StringVar(&o.only, "only", "", "only lines of the plan, and named mutants, that contain this")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "runs of tests at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, flag.Arg(0), *named, *least, o); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, plan, named string, least float64, o options) error {
	started := time.Now()
	lines, err := readPlan(plan, o.only)
	if err != nil {
		return err
	}
	var all []tally
	if named != "" {
		t, err := tryNamed(ctx, named, o.only)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	for _, l := range lines {
		t, err := l.try(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", l.glob, err)
		}
		all = append(all, t)
	}
	err = score(all, least)
	fmt.Printf("in %v\n", time.Since(started).Round(time.Second))
	return err
}

// line is one line of the plan.
type line struct {
	glob  string
	tests []string
}

func readPlan(path, only string) ([]line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []line
	for s := bufio.NewScanner(f); s.Scan(); {
		text := strings.TrimSpace(s.Text())
		if text == "" || text[0] == '#' || !strings.Contains(text, only) {
			continue
		}
		glob, tests, ok := strings.Cut(text, ":")
		if !ok {
			return nil, fmt.Errorf("%s: %q: expected FILES: TESTS", path, text)
		}
		all = append(all, line{glob, strings.Fields(tests)})
	}
	return all, nil
}

// mutant is one change of one site.
type mutant struct {
	site *site
	id   int
	name string
}

// try builds the line's tests once and runs them against the drawn mutants.
func (l line) try(ctx context.Context, o options) (tally, error) {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return tally{}, err
	}
	defer os.RemoveAll(dir)
	found, tests, err := l.build(ctx, dir)
	if err != nil {
		return tally{}, err
	}
	rng := rand.New(rand.NewPCG(o.seed, uint64(len(found))))
	rng.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	if o.n > 0 && len(found) > o.n {
		found = found[:o.n]
	}
	t := tally{group: l.glob}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan *mutant)
	for range o.workers {
		wg.Go(func() {
			for m := range next {
				killed := noticed(ctx, m, tests)
				mu.Lock()
				if killed {
					t.killed++
				} else {
					t.lived++
					fmt.Println("LIVED ", m.name)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range found {
		if ctx.Err() == nil {
			next <- m
		}
	}
	close(next)
	wg.Wait()
	return t, ctx.Err()
}

// build compiles the tests with every change of the line's files behind a switch.
func (l line) build(ctx context.Context, dir string) ([]*mutant, []*one, error) {
	files, err := filepath.Glob(l.glob)
	if err != nil {
		return nil, nil, err
	}
	pkgs, err := load(files)
	if err != nil {
		return nil, nil, err
	}
	overlay := map[string]string{}
	var found []*mutant
	next := 1
	for _, pkg := range pkgs {
		all, n, err := sources(pkg, files, next)
		if err != nil {
			return nil, nil, err
		}
		if err := write(dir, pkg, all, n, overlay); err != nil {
			return nil, nil, err
		}
		next = n
		for _, s := range all {
			name, _ := filepath.Rel(".", s.path)
			if abs, err := filepath.Abs("."); err == nil {
				name, _ = filepath.Rel(abs, s.path)
			}
			for _, at := range s.sites {
				for k, c := range at.changes {
					found = append(found, &mutant{at, at.first + k, fmt.Sprintf("%s:%d  %s", name, at.line, c.what)})
				}
			}
		}
	}
	if len(found) == 0 {
		return nil, nil, errors.New("no place to change")
	}
	slices.SortFunc(found, func(a, b *mutant) int { return a.id - b.id })
	b, _ := json.Marshal(map[string]any{"Replace": overlay})
	listed := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(listed, b, 0o600); err != nil {
		return nil, nil, err
	}
	var tests []*one
	for i, pkg := range l.tests {
		bin, err := compile(ctx, pkg, listed, filepath.Join(dir, fmt.Sprintf("tests%d", i)))
		if err != nil {
			return nil, nil, err
		}
		of, err := bin.tests(ctx, dir)
		if err != nil {
			return nil, nil, err
		}
		tests = append(tests, of...)
	}
	return found, tests, nil
}

// score prints how many mutants of each group were noticed.
func score(all []tally, least float64) error {
	total := tally{group: "all"}
	for _, t := range all {
		total.killed += t.killed
		total.lived += t.lived
	}
	for _, t := range append(slices.Clone(all), total) {
		fmt.Printf("%-40s %4d killed %4d lived  %5.1f %%\n", t.group, t.killed, t.lived, t.percent())
	}
	if i := slices.IndexFunc(all, func(t tally) bool { return t.group == "named" && t.lived > 0 }); i >= 0 {
		return errors.New("a mutant written by hand lived")
	}
	if p := total.percent(); p < least {
		return fmt.Errorf("%.1f %% of the mutants were noticed, at least %.0f %% must be", p, least)
	}
	return nil
}
