//go:build amd64 || arm64

package rpc

// CanPark tells whether calls on a [Fiber] give way on this architecture.
const CanPark = true

// getg returns a number that no other living goroutine has. It is compared
// only, never followed.
func getg() uintptr
