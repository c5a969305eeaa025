//go:build race

package rpc_test

// slowdown is how much slower the race detector makes what is measured here.
const slowdown = 4
