//go:build !linux

package script

// openForWriting reports whether some process has a file open for writing, which
// nothing tells here.
func openForWriting(string) bool { return false }
