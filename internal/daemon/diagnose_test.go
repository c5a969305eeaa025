package daemon

import (
	"strings"
	"syscall"
	"testing"

	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

func TestDiagnose(t *testing.T) {
	exit1 := proc.Exit{Code: 1}
	const head = "11-22 03:20:38 [error] "
	for _, tt := range []struct {
		name   string
		exit   proc.Exit
		tail   []string
		reason supervisor.Reason
		words  []string
	}{
		{"nothing known", proc.Exit{Code: 3}, nil, reasonCrash, []string{"exit code 3"}},
		{"adopted", proc.Exit{Code: -1, Unknown: true}, nil, reasonCrash, []string{"unknown"}},
		{"killed", proc.Exit{Code: -1, Signal: syscall.SIGKILL}, []string{"x", ""}, reasonCrash, []string{"signal 9", "last line: x"}},
		{"segfault of the worker", exit1, []string{head + "[NapCat] [UtilityProcess] Worker进程退出，退出码: 11", head + "[NapCat] [UtilityProcess] Worker进程在 10 秒内异常退出 3 次，主进程退出"},
			reasonCrash, []string{"SIGSEGV", "ncatd rollback", "NAPCAT_DISABLE_BYPASS"}},
		{"segfault of the master", proc.Exit{Code: -1, Signal: syscall.SIGSEGV}, nil, reasonCrash, []string{"SIGSEGV"}},
		{"segfault with an unsupported QQ", exit1, []string{head + "[QQ版本兼容性检测] 3.2.99 版本兼容性不佳，x", head + "[NapCat] [Fork] Worker进程退出，退出码: 139"},
			reasonUnsupportedQQ, []string{"ncatd rollback"}},
		{"another worker exit", exit1, []string{head + "[NapCat] [UtilityProcess] Worker进程退出，退出码: 5"}, reasonCrash, []string{"exit code 5"}},
		{"missing library", proc.Exit{Code: 127}, []string{"qq: error while loading shared libraries: libgbm.so.1: cannot open shared object file"}, reasonMissingLib, []string{"libgbm.so.1", "apt-get"}},
		{"no display", exit1, []string{"Missing X server or $DISPLAY"}, reasonNoDisplay, []string{"xvfb"}},
		{"disk full", exit1, []string{head + "[NapCat] [Error] Unhandled Exception: ENOSPC: no space left on device, write"}, reasonDiskFull, []string{"space"}},
		{"not NapCat", exit1, []string{"Error: Cannot find module '/x/napcat.mjs'"}, reasonNotNapCat, []string{"ncatd install"}},
		{"kicked", exit1, []string{head + "[KickedOffLine] [下线通知] 已失效"}, reasonKicked, []string{"已失效"}},
		{"no network", exit1, []string{head + "等待网络连接..."}, reasonNoNetwork, []string{"network"}},
		{"network came", exit1, []string{head + "等待网络连接...", head + "网络已连接"}, reasonCrash, []string{"exit code 1"}},
		{"long last line", exit1, []string{strings.Repeat("长", 500)}, reasonCrash, []string{"…"}},
	} {
		d := diagnose(tt.exit, tt.tail)
		if d.Reason != tt.reason {
			t.Errorf("%s: %+v, want %s", tt.name, d, tt.reason)
		}
		for _, w := range tt.words {
			if !strings.Contains(d.Detail, w) {
				t.Errorf("%s: %q lacks %q", tt.name, d.Detail, w)
			}
		}
		if len(d.Detail) > 2000 {
			t.Errorf("%s: detail of %d bytes", tt.name, len(d.Detail))
		}
	}
}
