//go:build unix

package gateway

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile returns the first n bytes of a file as memory. done ends it and closes
// the file.
func mapFile(f *os.File, n int) (mem []byte, done func() error, err error) {
	mem, err = unix.Mmap(int(f.Fd()), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return mem, func() error { return errors.Join(unix.Munmap(mem), f.Close()) }, nil
}
