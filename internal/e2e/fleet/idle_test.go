//go:build e2e_fleet && linux

package fleet

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/fleet/natstest"
)

// idleFor is how long a daemon with nothing to do is watched.
const idleFor = 20 * time.Second

// usage is what a daemon costs.
type usage struct {
	start time.Duration // until its control API answers
	kib   int           // memory
	cpu   float64       // percent of a core, idle
}

// TestIdleWithoutBus prints what a daemon costs without `bus:` beside one with it, by
// turns, and fails if it is no less without. It is run by make bench-bus.
func TestIdleWithoutBus(t *testing.T) {
	if os.Getenv("NCATD_BENCH") == "" {
		t.Skip("a benchmark: make bench-bus")
	}
	var got [2][]usage
	for round := range 3 {
		s := natstest.Start(t, 1) // a stopped account stays its host's
		for side, url := range []string{"", s.URL()} {
			h := newHost(t, fmt.Sprintf("b%d%d", round, side), s.URL())
			if url == "" {
				if err := os.WriteFile(h.home.Config(), []byte("supervisor: {stop_timeout: 3s}\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got[side] = append(got[side], idle(t, h))
		}
	}
	middle := func(side int) usage {
		slices.SortFunc(got[side], func(a, b usage) int { return a.kib - b.kib })
		return got[side][1]
	}
	without, with := middle(0), middle(1)
	for i, u := range []usage{without, with} {
		fmt.Printf("%-12s start %s, memory %.1f MiB, idle CPU %.2f %%\n", []string{"without bus:", "with bus:"}[i], u.start.Round(time.Millisecond), float64(u.kib)/1024, u.cpu)
	}
	word := "PASS"
	if without.kib > with.kib {
		word = "FAIL"
		t.Fail()
	}
	fmt.Printf("%s  memory without bus: at most that with it\n", word)
}

func idle(t *testing.T, h *host) usage {
	t.Helper()
	began := time.Now()
	h.start()
	await.True(t, time.Minute, "the control API answers", func() bool { _, err := h.cl.Status(t.Context()); return err == nil })
	u := usage{start: time.Since(began)}
	h.online()
	before := ticks(t, h.cmd.Process.Pid)
	<-time.After(idleFor)
	u.cpu = float64(ticks(t, h.cmd.Process.Pid)-before) / idleFor.Seconds() // a tick is a hundredth of a second
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if _, err := fmt.Sscan(rest, &u.kib); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.stop()
	h.cmd = nil
	return u
}

// ticks is the CPU time that a process has used.
func ticks(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	sum := 0
	for _, v := range f[11:13] {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
