//go:build unix

package cli

import (
	"fmt"
	"os"
	"slices"
	"syscall"
)

// canExec says that a process can become another program and keep its pid.
const canExec = true

// execAgain makes this process the program that lies at its path now, with the
// same command line. It returns only if that fails.
func (a *app) execAgain() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return fmt.Errorf("begin anew: %w", syscall.Exec(exe, os.Args, append(slices.Clone(a.Env), againEnv+"=1")))
}
