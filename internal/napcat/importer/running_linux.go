package importer

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Running are the processes of this machine that seem to be the installation's
// QQ: a QQ without a sandbox whose program or data lie in its folders, or that was
// told one of its accounts. What runs from below the folder not, which may be
// empty, is not meant.
func (p *Plan) Running(not string) []int {
	found, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	folders := []string{real(p.Path)}
	if before, _, ok := strings.Cut(real(p.ConfigDir), "/resources/app/app_launcher/"); ok {
		folders = append(folders, before)
	}
	not = real(not)
	var pids []int
	for _, dir := range found {
		exe, err := os.Readlink(filepath.Join(dir, "exe"))
		exe = strings.TrimSuffix(exe, " (deleted)") // replaced while it runs
		if err != nil || filepath.Base(exe) != "qq" || not != "" && strings.HasPrefix(exe, not+"/") {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !strings.Contains(string(cmdline), "--no-sandbox") || strings.Contains(string(cmdline), "--type=") {
			continue
		}
		within := slices.ContainsFunc(folders, func(f string) bool { return f != "" && strings.HasPrefix(exe, f+"/") })
		elsewhere := p.Layout == Docker && exe == "/opt/QQ/qq" || p.Layout == AppImage && strings.Contains(exe, "/.mount_")
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && (within || elsewhere || p.told(cmdline) || p.uses(dir)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// told reports whether a command line names one of the accounts.
func (p *Plan) told(cmdline []byte) bool {
	words := strings.Split(string(cmdline), "\x00")
	for i := 1; i < len(words); i++ {
		if words[i-1] != "-q" && words[i-1] != "--qq" {
			continue
		}
		if uin := uinOf(words[i]); uin != 0 && slices.ContainsFunc(p.Accounts, func(a Account) bool { return a.UIN == uin }) {
			return true
		}
	}
	return false
}

// uses reports whether a process has its QQ data where the plan found them.
func (p *Plan) uses(dir string) bool {
	env, err := os.ReadFile(filepath.Join(dir, "environ")) // empty for another user's
	if err != nil || p.QQDir == "" {
		return false
	}
	for _, kv := range bytes.Split(env, []byte{0}) {
		if h, ok := strings.CutPrefix(string(kv), "HOME="); ok {
			return real(filepath.Join(h, ".config", "QQ")) == real(p.QQDir)
		}
	}
	return false
}

// real is a path without links, "" where there is none.
func real(path string) string {
	r, err := filepath.EvalSymlinks(path)
	if path == "" || err != nil {
		return path
	}
	return r
}
