package rpc_test

import (
	"bytes"
	"runtime"
	"sync"
	"testing"

	"github.com/ncatd/ncatd/internal/rpc"
)

// Work may lock itself to its thread, whenever it likes: a call waits where it
// is then, and the process lives.
func TestLockedWork(t *testing.T) {
	if !rpc.CanPark {
		t.Fatal("where the runtime notes a lock was not found")
	}
	lockedNow := func() bool {
		buf := make([]byte, 200)
		line, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte("\n"))
		return bytes.Contains(line, []byte("locked to thread"))
	}
	c, _ := dial(t, endpoint(t, echoServer), rpc.Options{})
	call := func(n int) {
		if got := (numbered{}); c.Call(t.Context(), "get", numbered{n}, &got) != nil || got.N != n {
			t.Errorf("call %d got %d", n, got.N)
		}
	}
	var calls []func()
	for name, body := range map[string]func(){
		"before a call": func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			call(1)
			call(2)
		},
		"between calls": func() {
			call(1)
			runtime.LockOSThread()
			call(2)
			runtime.UnlockOSThread()
			call(3)
		},
		"twice, and never unlocked": func() {
			runtime.LockOSThread()
			runtime.LockOSThread()
			call(1)
		},
		"until the goroutine ends": func() {
			runtime.LockOSThread()
			call(1)
			runtime.Goexit()
		},
		"not at all": func() { call(1); call(2) },
	} {
		var done sync.WaitGroup
		runs, clean := 0, true
		f := &rpc.Fiber{Kept: func(bool) {}, Spawn: func(f func()) { done.Go(f) }}
		f.Body = func() {
			runs++
			clean = clean && !lockedNow()
			if name == "until the goroutine ends" { // and is never idle again
				defer done.Done()
			}
			body()
		}
		f.Idle = done.Done
		f.Working(t.Context())
		calls = append(calls, func() {
			ends := name == "until the goroutine ends"
			for range 3 {
				done.Add(1)
				done.Go(func() {
					defer func() { recover() }()
					f.Run()
				})
				done.Wait()
				if ends { // the fiber is gone with its goroutine
					return
				}
			}
			if runs != 3 || !clean {
				t.Errorf("%s: %d runs, each without a lock at first: %t", name, runs, clean)
			}
			f.Close()
		})
	}
	for _, run := range calls {
		run()
	}
	// Whoever runs a fiber may be locked as well.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var done sync.WaitGroup
	done.Add(1)
	f := &rpc.Fiber{Body: func() { call(5) }, Idle: done.Done, Kept: func(bool) {}, Spawn: func(f func()) { done.Go(f) }}
	f.Run()
	done.Wait()
	f.Close()
}
