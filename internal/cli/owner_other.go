//go:build unix && !linux

package cli

// selfExe is not known on this system.
const selfExe = ""

// closeOthers has nothing to do: what Go opens is closed by an exec.
func closeOthers() error { return nil }
