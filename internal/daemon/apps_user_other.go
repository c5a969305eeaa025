//go:build !unix

package daemon

import (
	"errors"

	"github.com/ncatd/ncatd/internal/proc"
)

// userOf returns the user with that name; here only "", ncatd's own.
func userOf(name string) (*proc.User, string, error) {
	if name != "" {
		return nil, "", errors.New("another user is not possible on this system")
	}
	return nil, "", nil
}
