//go:build !linux

package proc

import "net"

// Listener is a program that listens on a TCP port. This system is not asked.
type Listener struct{}

// String names it for a person.
func (Listener) String() string { return "another program" }

// Of reports whether it is a process of an account.
func (Listener) Of(int, string) (bool, error) { return true, nil }

// ListensOn returns which program listens on a TCP port; here it is never known.
func ListensOn(int) (Listener, bool) { return Listener{}, false }

// ServerOf returns which program has the other end of a connection; here it is
// never known.
func ServerOf(net.Conn) (Listener, bool, error) { return Listener{}, false, nil }
