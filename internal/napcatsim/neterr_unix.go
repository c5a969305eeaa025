//go:build !windows

package napcatsim

import (
	"errors"
	"syscall"
)

// refused reports whether nothing listens there (any more), so that the request
// was not seen by anybody.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// inUse reports whether a port belongs to another program.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
