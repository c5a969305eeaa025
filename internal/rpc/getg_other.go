//go:build !amd64 && !arm64

package rpc

// CanPark tells whether calls on a [Fiber] give way on this machine. Without
// it all work runs on ordinary goroutines, which costs more and is otherwise
// the same.
var CanPark = false

func getg() uintptr { return 0 }

func locked() bool { return false }

func unlock() {}
