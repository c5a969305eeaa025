//go:build !race

package rpc_test

const slowdown = 1
