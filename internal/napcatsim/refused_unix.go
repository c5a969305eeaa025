//go:build !windows

package napcatsim

import (
	"errors"
	"syscall"
)

// refused reports whether nobody listens there (any more), so that the request
// was not seen by anybody.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
