package importer

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Running are the processes of this machine that seem to be the installation's
// QQ: their program lies in its folders, or for layouts that keep it elsewhere
// they are a QQ without a sandbox. What runs from below the folder not, which may
// be empty, is not meant.
func (p *Plan) Running(not string) []int {
	found, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var pids []int
	for _, dir := range found {
		exe, err := os.Readlink(filepath.Join(dir, "exe"))
		if err != nil || filepath.Base(exe) != "qq" || not != "" && strings.HasPrefix(exe, not+"/") {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !strings.Contains(string(cmdline), "--no-sandbox") || strings.Contains(string(cmdline), "--type=") {
			continue
		}
		within := strings.HasPrefix(exe, p.Path+"/")
		elsewhere := p.Layout == Docker && exe == "/opt/QQ/qq" || p.Layout == AppImage && strings.Contains(exe, "/.mount_")
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && (within || elsewhere) {
			pids = append(pids, pid)
		}
	}
	return pids
}
