//go:build !linux

// Command soak runs ncatd under faults for a while. It needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "soak: needs Linux")
	os.Exit(1)
}
