//go:build unix

package cli

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ncatd/ncatd/internal/home"
)

func ownPrivileges() privileges {
	return privileges{euid: os.Geteuid, guard: home.Dir.Guard, become: become, units: unitFolders}
}

// become carries out this process's command line as another user, for good.
func become(who account, env []string) error {
	runtime.LockOSThread() // what follows holds for the thread that executes
	if err := closeOthers(); err != nil {
		return err
	}
	if err := syscall.Setgroups(who.groups); err != nil {
		return fmt.Errorf("set the groups: %w", err)
	}
	if err := syscall.Setgid(who.gid); err != nil {
		return fmt.Errorf("set the group: %w", err)
	}
	if err := syscall.Setuid(who.uid); err != nil {
		return fmt.Errorf("set the user: %w", err)
	}
	exe := selfExe
	if _, err := os.Lstat(exe); exe == "" || err != nil {
		if exe, err = os.Executable(); err != nil {
			return err
		}
	}
	if err := unix.Exec(exe, os.Args, env); err != nil {
		return fmt.Errorf("execute %s: %w", exe, err)
	}
	return nil
}
