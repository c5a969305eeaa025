//go:build unix

package cli

import (
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/ncatd/ncatd/internal/selfupgrade"
)

// canExec says that a process can become another program and keep its pid.
const canExec = true

// execAgain makes this process the program that lies at its path now, or one that
// is on trial in its place, with the same command line. It returns only if that
// fails.
func (a *app) execAgain() error {
	exe, err := selfupgrade.Program()
	if err != nil {
		return err
	}
	env := append(slices.Clone(a.Env), againEnv+"=1")
	if t, ok := selfupgrade.ReadTrial(exe); ok && t.On(exe) {
		_ = syscall.Exec(t.At(exe), os.Args, env) // one that cannot be executed failed its trial
	}
	return fmt.Errorf("begin anew: %w", syscall.Exec(exe, os.Args, env))
}
