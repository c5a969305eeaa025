//go:build e2e_fleet && linux

package fleet

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// accountsAlive returns which accounts have processes, from outside: by number of
// hosts, each a folder of which the account's home is below. uins tells the number of
// an account by its folder.
func accountsAlive(hosts []*host) map[string][]string {
	out := map[string][]string{} // account name: hosts
	seen := map[string]bool{}
	eachProcess(hosts, func(_ int, h *host, name string) {
		if !seen[h.name+"/"+name] {
			seen[h.name+"/"+name] = true
			out[name] = append(out[name], h.name)
		}
	})
	return out
}

// eachProcess visits the processes of the accounts of hosts.
func eachProcess(hosts []*host, visit func(pid int, h *host, account string)) {
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return
	}
	for _, p := range procs {
		env, err := os.ReadFile(filepath.Join(p, "environ"))
		if err != nil {
			continue // it ended, or is another user's
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			dir, ok := strings.CutPrefix(string(v), "HOME=")
			if !ok {
				continue
			}
			for _, h := range hosts {
				if name, ok := strings.CutPrefix(dir, h.home.Join("accounts")+"/"); ok {
					pid, _ := strconv.Atoi(filepath.Base(p)) // all digits
					visit(pid, h, strings.TrimSuffix(name, "/home"))
				}
			}
		}
	}
}

// watchTwins fails the test if an account ever has processes on two hosts, until the
// function that it returns is called.
func watchTwins(t *testing.T, hosts []*host) (stop func()) {
	t.Helper()
	var once sync.Once
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for {
			for name, on := range accountsAlive(hosts) {
				if len(on) > 1 {
					t.Errorf("account %s runs on hosts %v", name, on)
					return
				}
			}
			select {
			case <-end:
				return
			case <-tick.C:
			}
		}
	}()
	stop = func() { once.Do(func() { close(end); <-ended }) }
	t.Cleanup(stop)
	return stop
}

// count is a number that a target of the Makefile sets by an environment variable.
func count(t *testing.T, env string, fallback int) int {
	t.Helper()
	v := os.Getenv(env)
	if v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a count", env, v)
	}
	return n
}
