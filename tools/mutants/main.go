// Command mutants breaks the code on purpose, one small place at a time, and
// runs the tests that should notice. What no test notices is printed: it is a
// test that is missing, or code that does nothing.
//
//	mutants [-n COUNT] [-seed N] [-min PERCENT] [-named FILE] [-only TEXT] PLAN
//
// PLAN is a file of lines `FILES: TESTS`: a glob of Go files, and the packages
// whose tests have to notice. From each line COUNT places are drawn (0: all of
// them); the same seed draws the same places. -named adds mutants written by
// hand, see [readNamed]. The source tree is never written to: every build gets
// its changed file by -overlay.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// testLimit bounds one run of tests: a mutant that makes them hang was noticed.
const testLimit = 2 * time.Minute

// mutant is one change of one file.
type mutant struct {
	file  string
	line  int
	what  string
	text  []byte   // the whole file, changed
	tests []string // packages whose tests should notice
	group string   // what it counts for in the score
}

type outcome int

const (
	killed outcome = iota
	lived
	invalid // does not compile
)

func main() {
	n := flag.Int("n", 40, "mutants drawn from each line of the plan; 0 is all")
	seed := flag.Uint64("seed", 1, "draws other places")
	least := flag.Float64("min", 85, "fail below this score, in percent")
	named := flag.String("named", "", "file of mutants written by hand")
	only := flag.String("only", "", "only lines of the plan, and named mutants, that contain this")
	workers := flag.Int("workers", runtime.NumCPU(), "runs of tests at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, flag.Arg(0), *n, *seed, *least, *named, *only, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, plan string, n int, seed uint64, least float64, named, only string, workers int) error {
	all, err := draw(plan, n, seed, only)
	if err != nil {
		return err
	}
	byHand, err := readNamed(named, only)
	if err != nil {
		return err
	}
	all = append(byHand, all...)
	started := time.Now()
	results := make([]outcome, len(all))
	var wg sync.WaitGroup
	var print sync.Mutex
	next := make(chan int)
	for range workers {
		wg.Go(func() {
			for i := range next {
				results[i] = try(ctx, all[i])
				if results[i] == lived {
					print.Lock()
					fmt.Printf("LIVED  %s:%d  %s\n", all[i].file, all[i].line, all[i].what)
					print.Unlock()
				}
			}
		})
	}
	for i := range all {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	err = score(all, results, least)
	fmt.Printf("%d mutants in %v\n", len(all), time.Since(started).Round(time.Second))
	return err
}

// draw reads the plan and picks n places of each of its lines.
func draw(plan string, n int, seed uint64, only string) ([]mutant, error) {
	f, err := os.Open(plan)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []mutant
	for s := bufio.NewScanner(f); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || line[0] == '#' || !strings.Contains(line, only) {
			continue
		}
		glob, tests, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%s: %q: expected FILES: TESTS", plan, line)
		}
		files, err := filepath.Glob(glob)
		if err != nil {
			return nil, err
		}
		var found []mutant
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "_gen.go") {
				continue
			}
			m, err := enumerate(file)
			if err != nil {
				return nil, err
			}
			found = append(found, m...)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: %q: no place to change", plan, line)
		}
		rng := rand.New(rand.NewPCG(seed, uint64(len(found))))
		rng.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
		if n > 0 && len(found) > n {
			found = found[:n]
		}
		for _, m := range found {
			m.tests, m.group = strings.Fields(tests), glob
			all = append(all, m)
		}
	}
	return all, nil
}

// readNamed reads mutants written by hand: a JSON array of objects with the keys
// name, file, old (must stand in the file exactly once), new and tests.
func readNamed(path, only string) ([]mutant, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []struct {
		Name, File, Old, New string
		Tests                []string
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []mutant
	for _, m := range list {
		if !strings.Contains(m.Name+m.File, only) {
			continue
		}
		src, err := os.ReadFile(m.File)
		if err != nil {
			return nil, err
		}
		at := bytes.Index(src, []byte(m.Old))
		if at < 0 || bytes.Count(src, []byte(m.Old)) != 1 {
			return nil, fmt.Errorf("%s: %q: %q stands %d times in %s, not once", path, m.Name, m.Old, bytes.Count(src, []byte(m.Old)), m.File)
		}
		all = append(all, mutant{
			file: m.File, line: bytes.Count(src[:at], []byte("\n")) + 1, what: m.Name,
			text: slices.Concat(src[:at], []byte(m.New), src[at+len(m.Old):]), tests: m.Tests, group: "named",
		})
	}
	return all, nil
}

// try builds the changed code and runs its tests.
func try(ctx context.Context, m mutant) outcome {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return invalid
	}
	defer os.RemoveAll(dir)
	original, err := filepath.Abs(m.file)
	if err != nil {
		return invalid
	}
	changed := filepath.Join(dir, "changed.go")
	overlay := filepath.Join(dir, "overlay.json")
	b, _ := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if os.WriteFile(changed, m.text, 0o600) != nil || os.WriteFile(overlay, b, 0o600) != nil {
		return invalid
	}
	ctx, cancel := context.WithTimeout(ctx, 2*testLimit)
	defer cancel()
	args := append([]string{"test", "-overlay", overlay, "-vet=off", "-failfast", "-short", "-timeout", testLimit.String()}, m.tests...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return lived
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		return invalid
	}
	return killed
}

// score prints how many mutants of each group were noticed.
func score(all []mutant, results []outcome, least float64) error {
	var groups []string
	count := map[string]*[3]int{}
	total := [3]int{}
	for i, m := range all {
		if count[m.group] == nil {
			count[m.group] = new([3]int)
			groups = append(groups, m.group)
		}
		count[m.group][results[i]]++
		total[results[i]]++
	}
	percent := func(c [3]int) float64 { return 100 * float64(c[killed]) / float64(max(1, c[killed]+c[lived])) }
	for _, g := range groups {
		c := *count[g]
		fmt.Printf("%-36s %4d killed %4d lived  %5.1f %%\n", g, c[killed], c[lived], percent(c))
	}
	fmt.Printf("%-36s %4d killed %4d lived  %5.1f %%\n", "all", total[killed], total[lived], percent(total))
	if c := count["named"]; c != nil && c[lived]+c[invalid] > 0 {
		return errors.New("a mutant written by hand lived, or does not compile")
	}
	if p := percent(total); p < least {
		return fmt.Errorf("%.1f %% of the mutants were noticed, at least %.0f %% must be", p, least)
	}
	return nil
}
