package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// quick is what a test may take to run in the first batch against a mutant: most
// are noticed there, and the slow ones need not run.
const quick = 300 * time.Millisecond

// memory bounds a test's address space in KiB: a mutant may append for ever.
const memory = 8 << 20

// one is a test function of a package.
type one struct {
	bin  *binary
	name string
	took time.Duration
	hits []int // sites that it reaches, by their first number
}

// binary is the compiled tests of a package.
type binary struct {
	path, dir string
	flags     []string
}

func compile(ctx context.Context, pkg, overlay, to string) (*binary, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", to, pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", pkg, err, out)
	}
	b := &binary{path: to, dir: filepath.FromSlash(pkg)}
	// A property test would leave what made it fail in the source tree.
	help := exec.CommandContext(ctx, to, "-help")
	if out, _ := help.CombinedOutput(); bytes.Contains(out, []byte("-rapid.nofailfile")) { // its status says nothing
		b.flags = []string{"-rapid.nofailfile"}
	}
	return b, nil
}

// run runs the tests that match a pattern and says whether they passed.
func (b *binary) run(ctx context.Context, pattern string, limit time.Duration, env ...string) (bool, []byte) {
	ctx, cancel := context.WithTimeout(ctx, limit+10*time.Second)
	defer cancel()
	args := append([]string{"-c", fmt.Sprintf(`ulimit -v %d; exec "$0" "$@"`, memory), b.path,
		"-test.run", pattern, "-test.failfast", "-test.short", "-test.timeout", limit.String()}, b.flags...)
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = b.dir, append(os.Environ(), env...), time.Second
	out, err := cmd.CombinedOutput()
	return err == nil, out
}

var testName = regexp.MustCompile(`^(Test|Example|Fuzz)\w*$`)

// tests runs every test of a binary once, alone, and notes what it reaches. A
// test that does not bear the switches (it counts allocations, say) is left out.
func (b *binary) tests(ctx context.Context, dir string) ([]*one, error) {
	_, list := b.list(ctx)
	var all []*one
	for s := bufio.NewScanner(bytes.NewReader(list)); s.Scan(); {
		name := s.Text()
		if !testName.MatchString(name) {
			continue
		}
		hits := filepath.Join(dir, "hits")
		_ = os.Remove(hits)
		started := time.Now()
		passed, out := b.run(ctx, "^"+name+"$", testLimit, "MUTANT_HITS="+hits)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t := &one{bin: b, name: name, took: time.Since(started)}
		if !passed {
			fmt.Printf("UNUSED %s: it fails without a mutant:\n%s\n", name, tail(out))
			continue
		}
		text, _ := os.ReadFile(hits)
		for field := range strings.FieldsSeq(string(text)) {
			n, _ := strconv.Atoi(field)
			t.hits = append(t.hits, n)
		}
		all = append(all, t)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no test", b.dir)
	}
	return all, nil
}

func (b *binary) list(ctx context.Context) (bool, []byte) {
	cmd := exec.CommandContext(ctx, b.path, "-test.list", ".")
	cmd.Dir = b.dir
	out, err := cmd.Output()
	return err == nil, out
}

func tail(out []byte) []byte { return out[max(0, len(out)-1500):] }

// noticed says whether one of the tests that reach a mutant fails with it: the
// quick ones together, then the others one by one.
func noticed(ctx context.Context, m *mutant, tests []*one) bool {
	var batches [][]*one
	for _, t := range tests {
		if !slices.Contains(t.hits, m.site.first) {
			continue
		}
		at := slices.IndexFunc(batches, func(b []*one) bool { return b[0].bin == t.bin && b[0].took < quick })
		if t.took < quick && at >= 0 {
			batches[at] = append(batches[at], t)
			continue
		}
		batches = append(batches, []*one{t})
	}
	slices.SortStableFunc(batches, func(a, b []*one) int { return int(a[0].took - b[0].took) })
	for _, batch := range batches {
		limit := 10 * time.Second
		var names []string
		for _, t := range batch {
			limit += 5 * t.took
			names = append(names, t.name)
		}
		if passed, _ := batch[0].bin.run(ctx, "^("+strings.Join(names, "|")+")$", limit, "MUTANT="+strconv.Itoa(m.id)); !passed {
			return true
		}
	}
	return false
}
