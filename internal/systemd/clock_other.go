//go:build !linux

package systemd

// monotonicUsec returns 0: there is no systemd to compare it.
func monotonicUsec() (int64, error) { return 0, nil }
