//go:build unix

package daemon

import (
	"fmt"
	"os/user"
	"strconv"

	"github.com/ncatd/ncatd/internal/proc"
)

// userOf returns the user with that name and their home; "" is ncatd's own.
func userOf(name string) (*proc.User, string, error) {
	if name == "" {
		return nil, "", nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, "", err
	}
	id := func(s string) (uint32, error) {
		n, err := strconv.ParseUint(s, 10, 32)
		return uint32(n), err
	}
	uid, err := id(u.Uid)
	if err != nil {
		return nil, "", fmt.Errorf("user %s: %w", name, err)
	}
	gid, err := id(u.Gid)
	if err != nil {
		return nil, "", fmt.Errorf("user %s: %w", name, err)
	}
	out := &proc.User{UID: uid, GID: gid}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, "", fmt.Errorf("groups of user %s: %w", name, err)
	}
	for _, g := range groups {
		if n, err := id(g); err == nil {
			out.Groups = append(out.Groups, n)
		}
	}
	return out, u.HomeDir, nil
}
