package install

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// runningFrom returns the paths below dir that a process of this machine was
// started from, works in, or was told to load NapCat from. Processes of other
// users that may not be looked at are left out.
func runningFrom(dir string) []string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var used []string
	add := func(path string) {
		path = strings.TrimSuffix(path, " (deleted)")
		if filepath.IsAbs(path) && within(dir, path) {
			used = append(used, path)
		}
	}
	for _, p := range procs {
		for _, link := range []string{"exe", "cwd"} {
			if to, err := os.Readlink(filepath.Join(p, link)); err == nil {
				add(to)
			}
		}
		// A script's exe is its interpreter; its own path is an argument.
		if b, err := os.ReadFile(filepath.Join(p, "cmdline")); err == nil {
			for arg := range bytes.SplitSeq(b, []byte{0}) {
				add(string(arg))
			}
		}
		if b, err := os.ReadFile(filepath.Join(p, "environ")); err == nil {
			for kv := range bytes.SplitSeq(b, []byte{0}) {
				if main, ok := bytes.CutPrefix(kv, []byte("NCATD_NAPCAT_MAIN=")); ok {
					add(string(main))
				}
			}
		}
	}
	slices.Sort(used)
	return slices.Compact(used)
}
