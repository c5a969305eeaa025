//go:build unix

package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many links a path may lead through, as for the kernel.
const maxLinks = 40

// guard looks at each folder and link on the way to path.
func guard(path string) (Guard, error) {
	g := Guard{Path: "/"}
	owners := map[string]int{} // of what is on the way
	rest := strings.Split(path, "/")
	for links := 0; ; {
		dir, uid, gid, err := lookAt(g.Path)
		if err != nil {
			return g, err
		}
		g.UID, g.GID, owners[g.Path] = uid, gid, uid
		for len(rest) > 0 && (rest[0] == "" || rest[0] == ".") {
			rest = rest[1:]
		}
		end := len(rest) == 0
		// In a sticky folder nobody replaces what is another's.
		if dir.Mode().Perm()&0o022 != 0 && (end || dir.Mode()&fs.ModeSticky == 0) && g.Loose == "" {
			g.Loose = g.Path
		}
		if end {
			g.Exists = true
			break
		}
		p := filepath.Join(g.Path, rest[0])
		next, uid, _, err := lookAt(p)
		if errors.Is(err, fs.ErrNotExist) {
			g.Path = filepath.Join(append([]string{g.Path}, rest...)...)
			break
		}
		if err != nil {
			return g, err
		}
		rest = rest[1:]
		if next.Mode()&fs.ModeSymlink == 0 {
			g.Path = p
			continue
		}
		owners[p] = uid
		to, err := os.Readlink(p)
		if links++; err != nil || links > maxLinks {
			return g, fmt.Errorf("follow the links of %s: %w", path, errors.Join(err, syscall.ELOOP))
		}
		if filepath.IsAbs(to) {
			g.Path = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	for p, uid := range owners {
		if uid != 0 && uid != g.UID && (g.Through == "" || p < g.Through) {
			g.Through, g.ThroughUID = p, uid
		}
	}
	return g, nil
}

func lookAt(path string) (fi fs.FileInfo, uid, gid int, err error) {
	if fi, err = os.Lstat(path); err != nil {
		return nil, 0, 0, fmt.Errorf("look at the home: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, 0, 0, fmt.Errorf("look at the home: %s does not tell its owner", path)
	}
	return fi, int(st.Uid), int(st.Gid), nil
}
