//go:build !unix

package gateway

import (
	"errors"
	"io"
	"os"
)

// mapFile returns the first n bytes of a file, which are written back when done
// is called: here they do not outlive a process that is killed.
func mapFile(f *os.File, n int) (mem []byte, done func() error, err error) {
	mem = make([]byte, n)
	if _, err := f.ReadAt(mem, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	return mem, func() error {
		_, err := f.WriteAt(mem, 0)
		return errors.Join(err, f.Close())
	}, nil
}
