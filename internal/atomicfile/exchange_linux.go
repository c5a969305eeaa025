package atomicfile

import "golang.org/x/sys/unix"

// Exchange lets two files or folders of one file system change places in one step, and
// reports whether the system could.
func Exchange(a, b string) bool {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) == nil
}
