package importer

import (
	"errors"
	"io/fs"
	"syscall"
)

// inUse knows WSAEADDRINUSE.
func inUse(err error) bool { return errors.Is(err, syscall.Errno(10048)) }

// sameOwner knows of no owners: links are left.
func sameOwner(_, _ fs.FileInfo) bool { return false }
