//go:build amd64 || arm64

package rpc

import "runtime"

// CanPark tells whether calls on a [Fiber] give way on this machine. Without
// it all work runs on ordinary goroutines, which costs more and is otherwise
// the same.
var CanPark = lockWord != 0

// lockWord is where in its descriptor the runtime notes the thread that a
// goroutine is locked to, 0 if that could not be found out.
//
// Two goroutines that swap directly must both be free of threads: the runtime
// ends the process otherwise. Whether one is locked is no secret (a stack trace
// says so), but asking for it takes microseconds, and there is one question to
// each call. So it is looked up where the runtime keeps it; and as that place is
// the runtime's own affair, it is found anew in each process by watching what a
// lock changes, and nothing swaps where that has no clear outcome.
var lockWord = findLockWord()

// locked reports whether the calling goroutine is locked to its thread, be it by
// runtime.LockOSThread or because C code called it.
func locked() bool { return gword(lockWord) != 0 }

// unlock ends the lock of the calling goroutine on its thread.
func unlock() {
	for i := 0; i < 1<<20 && locked(); i++ {
		runtime.UnlockOSThread()
	}
}

// findLockWord looks for the one word that is zero but while the goroutine is
// locked. Initialization runs locked, so that it takes other goroutines.
func findLockWord() uintptr {
	const words, rounds = 50, 3 // a descriptor is longer than that, and has been for years
	found := make(chan uintptr)
	var first uintptr
	for range rounds {
		go func() {
			var free, held, after [words]uintptr
			read := func(into *[words]uintptr) {
				for i := range into {
					into[i] = gword(uintptr(i) * 8)
				}
			}
			read(&free)
			runtime.LockOSThread()
			runtime.LockOSThread() // locks nest
			read(&held)
			runtime.UnlockOSThread()
			read(&after)
			nested := after
			runtime.UnlockOSThread()
			read(&after)
			at := uintptr(0)
			for i := range words {
				if free[i] == 0 && held[i] != 0 && nested[i] == held[i] && after[i] == 0 {
					if at != 0 {
						at = 0
						break
					}
					at = uintptr(i) * 8
				}
			}
			found <- at
		}()
		at := <-found
		if at == 0 || first != 0 && at != first {
			return 0
		}
		first = at
	}
	return first
}

// getg returns a number that no other living goroutine has. It is compared
// only, never followed.
func getg() uintptr

// gword returns a word of the calling goroutine's descriptor.
func gword(off uintptr) uintptr
