//go:build !amd64 && !arm64

package rpc

// CanPark tells whether calls on a [Fiber] give way on this architecture.
const CanPark = false

func getg() uintptr { return 0 }
