//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/proc"
)

// census counts, every few milliseconds and with no help of ncatd, how many
// NapCats run for each account.
type census struct {
	prefix string // of the accounts' NAPCAT_WORKDIR
	quit   chan struct{}
	wg     sync.WaitGroup

	mu     sync.Mutex
	looks  int
	copies []string // what should not be
}

func newCensus(s *stage) *census {
	c := &census{prefix: "NAPCAT_WORKDIR=" + s.home.Join("accounts") + "/", quit: make(chan struct{})}
	c.wg.Go(func() {
		t := time.NewTicker(30 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-c.quit:
				return
			case <-t.C:
			}
			found := c.now()
			c.mu.Lock()
			c.looks++
			for name, pids := range found {
				if len(pids) > 1 && len(c.copies) < 20 {
					c.copies = append(c.copies, fmt.Sprintf("%s: %s has the masters %v", time.Now().Format("15:04:05.000"), name, pids))
				}
			}
			c.mu.Unlock()
		}
	})
	return c
}

// now returns the masters of each account that run now.
func (c *census) now() map[string][]int {
	found := make(map[string][]int)
	parent := make(map[int]int)
	dirs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil
	}
	for _, path := range dirs {
		env, err := os.ReadFile(path)
		if err != nil || len(env) == 0 { // gone, a zombie, or not ours to see
			continue
		}
		name, worker := "", false
		for kv := range bytes.SplitSeq(env, []byte{0}) {
			v := string(kv)
			if rest, ok := strings.CutPrefix(v, c.prefix); ok {
				name, _, _ = strings.Cut(rest, "/")
			}
			worker = worker || v == "NAPCAT_WORKER_PROCESS=1"
		}
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err != nil || name == "" || worker {
			continue
		}
		if p, err := proc.Parent(pid); err == nil {
			parent[pid] = p
			found[name] = append(found[name], pid)
		}
	}
	// A child between fork and exec still shows the environment of its parent.
	for name, pids := range found {
		found[name] = orphans(pids, parent)
	}
	return found
}

// stop ends the census and returns what it found wrong.
func (c *census) stop() error {
	close(c.quit)
	c.wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Printf("census: %d looks, %d with two copies of an account\n", c.looks, len(c.copies))
	if len(c.copies) > 0 {
		return fmt.Errorf("two copies of an account: %s", strings.Join(c.copies, "; "))
	}
	return nil
}

// orphans returns the pids whose parent is not among them.
func orphans(pids []int, parent map[int]int) []int {
	var out []int
	for _, pid := range pids {
		if !slices.Contains(pids, parent[pid]) {
			out = append(out, pid)
		}
	}
	return out
}
