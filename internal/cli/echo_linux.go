package cli

import "golang.org/x/sys/unix"

// How Linux reads and sets the state of a terminal.
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)
