//go:build !unix

package config

// withFileLock runs f; the rename that ends it is atomic, and two edits in the
// same moment are rare enough where folders cannot be locked.
func withFileLock(_ string, f func() error) error { return f() }
