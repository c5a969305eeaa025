//go:build !linux

package install

// runningFrom cannot tell on this system; the caller's own list decides.
func runningFrom(string) []string { return nil }
