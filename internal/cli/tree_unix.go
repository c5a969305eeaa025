//go:build unix

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ncatd/ncatd/internal/home"
)

// Folders of other users are walked by descriptor and without following links:
// between looking at a name and using it, its owner may change what it means.

const openFolder = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// makeTree makes the folder path, which leads through no links, with what lacks
// above it, and gives it to a user. A folder that is there already goes to that
// user if it is root's, else it stays as it is.
func makeTree(path string, uid, gid int) error {
	fd, err := unix.Open("/", openFolder, 0)
	if err != nil {
		return pathError("open", "/", err)
	}
	defer func() { unix.Close(fd) }()
	names := strings.Split(strings.Trim(path, "/"), "/")
	for i, name := range names {
		last := i == len(names)-1
		mode := uint32(0o755)
		if last {
			mode = 0o700
		}
		err := unix.Mkdirat(fd, name, mode)
		made := err == nil
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return pathError("make", path, err)
		}
		if last && !made {
			return giveTree(fd, name, "", 0, uid, gid)
		}
		var above unix.Stat_t
		if err := unix.Fstat(fd, &above); err != nil {
			return pathError("look at", path, err)
		}
		next, err := unix.Openat(fd, name, openFolder, 0)
		if err != nil {
			return pathError("open", path, err)
		}
		unix.Close(fd)
		fd = next
		if made && (last || above.Uid != 0) {
			if err := unix.Fchown(fd, uid, gid); err != nil {
				return pathError("give away", path, err)
			}
		}
	}
	return nil
}

// giveAway makes all that belongs to one user in and below dir another's.
func giveAway(dir string, from, uid, gid int) error {
	g, err := home.Dir(dir).Guard()
	if err != nil {
		return err
	}
	fd, err := unix.Open(filepath.Dir(g.Path), openFolder, 0)
	if err != nil {
		return pathError("open", filepath.Dir(g.Path), err)
	}
	defer unix.Close(fd)
	return giveTree(fd, filepath.Base(g.Path), "", from, uid, gid)
}

// giveTree is giveAway for a name in a folder; rel is the folder's path from the
// top. What goes to root loses its links out of the tree, which root would
// follow one day. A file that has further names may be another's: it stays.
func giveTree(dir int, name, rel string, from, uid, gid int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return pathError("look at", name, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		fd, err := unix.Openat(dir, name, openFolder, 0)
		if err != nil {
			return pathError("open", name, err)
		}
		f := os.NewFile(uintptr(fd), name)
		defer f.Close()
		if err := unix.Fstat(fd, &st); err != nil {
			return pathError("look at", name, err)
		}
		give := func() error {
			if int(st.Uid) != from {
				return nil
			}
			return pathError("give away", name, unix.Fchown(fd, uid, gid))
		}
		if uid == 0 { // first: then its owner changes nothing below it any more
			if err := give(); err != nil {
				return err
			}
		}
		names, err := f.Readdirnames(-1)
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := giveTree(fd, n, filepath.Join(rel, n), from, uid, gid); err != nil {
				return err
			}
		}
		if uid != 0 {
			return give()
		}
		return nil
	case unix.S_IFLNK:
		if uid == 0 && leadsOut(dir, name, rel) {
			return pathError("remove", name, unix.Unlinkat(dir, name, 0))
		}
	case unix.S_IFREG:
		if st.Nlink > 1 {
			return nil
		}
	}
	if int(st.Uid) != from {
		return nil
	}
	return pathError("give away", name, unix.Fchownat(dir, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW))
}

// leadsOut reports whether the link at rel leads out of the tree or cannot be read.
func leadsOut(dir int, name, rel string) bool {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return true
	}
	to := string(buf[:n])
	return filepath.IsAbs(to) || !filepath.IsLocal(filepath.Join(filepath.Dir(rel), to))
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}

// uninstallAs removes all that ncatd keeps in a home, as another user.
func (a *app) uninstallAs(ctx context.Context, who account, h home.Dir) error {
	exe := selfExe
	if exe == "" {
		var err error
		if exe, err = os.Executable(); err != nil {
			return err
		}
	}
	groups := make([]uint32, len(who.groups))
	for i, g := range who.groups {
		groups[i] = uint32(g)
	}
	cmd := exec.CommandContext(ctx, exe, "uninstall", "--purge", "--yes", "--lang", string(a.lang))
	cmd.Dir = "/"
	cmd.Env = ownerEnv(a.Env, who, h)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(who.uid), Gid: uint32(who.gid), Groups: groups}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("uninstall as %s: %w: %s", who.name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
