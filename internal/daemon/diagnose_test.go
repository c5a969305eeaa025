package daemon

import (
	"strings"
	"syscall"
	"testing"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/output"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// understood are lines as they came.
func understood(raw []string) []output.Line {
	var p output.Parser
	var lines []output.Line
	for _, s := range raw {
		lines = append(lines, p.Parse([]byte(s)))
	}
	return lines
}

// TestEveryFatalFactHasACause: what explains an end comes with a sentence.
func TestEveryFatalFactHasACause(t *testing.T) {
	for k, c := range causes {
		if d := text.Fault(text.English, api.Fault{Code: c.code, Args: []string{"x"}}); strings.HasPrefix(d, "fault.") {
			t.Errorf("%s: %q", k, d)
		}
	}
}

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
		{"nothing known", proc.Exit{Code: 3}, nil, account.ReasonCrash, []string{"exit code 3"}},
		{"adopted", proc.Exit{Code: -1, Unknown: true}, nil, account.ReasonCrash, []string{"the process ended"}},
		{"killed", proc.Exit{Code: -1, Signal: syscall.SIGKILL}, []string{"x", ""}, account.ReasonCrash, []string{"signal 9", "last line: x"}},
		{"segfault of the worker", exit1, []string{head + "[NapCat] [UtilityProcess] Worker进程退出，退出码: 11", head + "[NapCat] [UtilityProcess] Worker进程在 10 秒内异常退出 3 次，主进程退出"},
			account.ReasonCrash, []string{"SIGSEGV", "ncatd rollback", "NAPCAT_DISABLE_BYPASS"}},
		{"segfault of the master", proc.Exit{Code: -1, Signal: syscall.SIGSEGV}, nil, account.ReasonCrash, []string{"SIGSEGV"}},
		{"segfault with an unsupported QQ", exit1, []string{head + "[QQ版本兼容性检测] 3.2.99 版本兼容性不佳，x", head + "[NapCat] [Fork] Worker进程退出，退出码: 139"},
			account.ReasonUnsupportedQQ, []string{"ncatd rollback"}},
		{"another worker exit", exit1, []string{head + "[NapCat] [UtilityProcess] Worker进程退出，退出码: 5"}, account.ReasonCrash, []string{"exit code 5"}},
		{"missing library", proc.Exit{Code: 127}, []string{"qq: error while loading shared libraries: libgbm.so.1: cannot open shared object file"}, account.ReasonMissingLib, []string{"libgbm.so.1", "apt-get"}},
		{"no display", exit1, []string{"Missing X server or $DISPLAY"}, account.ReasonNoDisplay, []string{"xvfb"}},
		{"disk full", exit1, []string{head + "[NapCat] [Error] Unhandled Exception: ENOSPC: no space left on device, write"}, account.ReasonDiskFull, []string{"space"}},
		{"not NapCat", exit1, []string{"Error: Cannot find module '/x/napcat.mjs'"}, account.ReasonNotNapCat, []string{"ncatd install"}},
		{"kicked", exit1, []string{head + "[KickedOffLine] [下线通知] 已失效"}, account.ReasonKicked, []string{"已失效"}},
		{"no network", exit1, []string{head + "等待网络连接..."}, account.ReasonNoNetwork, []string{"network"}},
		{"network came", exit1, []string{head + "等待网络连接...", head + "网络已连接"}, account.ReasonCrash, []string{"exit code 1"}},
		{"node's own 9", proc.Exit{Code: 9}, []string{"/opt/QQ/qq: bad option: --foo"}, account.ReasonBadConfig, []string{"--foo", "extra_args"}},
		{"glibc", exit1, []string{"/opt/QQ/qq: /lib64/libc.so.6: version `GLIBC_2.28' not found (required by /opt/QQ/qq)"}, account.ReasonMissingLib, []string{"GLIBC_2.28"}},
		{"root", exit1, []string{"[1:0101/000000.000000:ERROR:electron_main_delegate.cc(298)] Running as root without --no-sandbox is not supported."}, account.ReasonCrash, []string{"--no-sandbox"}},
		{"shm", proc.Exit{Code: 133}, []string{"[7:0101/000000.000000:ERROR:x.cc(214)] Creating shared memory in /dev/shm/.org.chromium.Chromium.abc failed: No space left on device (28)"}, account.ReasonCrash, []string{"/dev/shm", "--shm-size"}},
		{"address in use", exit1, []string{"Error: listen EADDRINUSE: address already in use 127.0.0.1:6099", "    at Server.setupListenHandle [as _listen2] (node:net:1817:16)"}, account.ReasonPortBusy, []string{"6099"}},
		{"illegal instruction", proc.Exit{Code: -1, Signal: syscall.SIGILL}, nil, account.ReasonCrash, []string{"processor"}},
		{"a worker without a code", exit1, []string{head + "[NapCat] [Fork] Worker进程退出，退出码: null"}, account.ReasonCrash, []string{"no exit code"}},
		{"after a chat", exit1, []string{head + "接收 <- 群聊 x", "\x1b[0m", head[:16] + "\x1b[31m" + head[16:] + "[NapCat] [Process] 启动失败: boom"}, account.ReasonCrash, []string{"boom"}},
		{"long last line", exit1, []string{strings.Repeat("长", 500)}, account.ReasonCrash, []string{"…"}},
	} {
		d := diagnose(tt.exit, understood(tt.tail))
		if d.Reason != tt.reason {
			t.Errorf("%s: %+v, want %s", tt.name, d, tt.reason)
		}
		detail := say(d.Why) + "; " + text.FaultHint(text.English, d.Why)
		for _, w := range tt.words {
			if !strings.Contains(detail, w) {
				t.Errorf("%s: %q lacks %q", tt.name, detail, w)
			}
		}
		if len(detail) > 2000 {
			t.Errorf("%s: detail of %d bytes", tt.name, len(detail))
		}
	}
}
