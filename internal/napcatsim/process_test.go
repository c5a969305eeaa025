//go:build !windows

package napcatsim

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFirstLoginByQR(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	r.options(Options{ScanAfter: offDur(), QRDelay: dur(0), LoginDelay: dur(0), OneBotDelay: dur(0), Nick: "小助手"})
	p := r.start()
	p.expect("二维码已保存到 "+filepath.Join(r.work, "cache", "qrcode.png"), 1)
	u := r.login(r.port)
	s := u.status()
	if s.IsLogin || s.IsOffline || !strings.HasPrefix(s.QRCodeURL, "https://txz.qq.com/p?k=") || s.LoginError != "" {
		t.Fatalf("status before the scan: %+v", s)
	}
	if !strings.Contains(p.text(), "二维码解码URL: "+s.QRCodeURL+"\n") {
		t.Error("the code on stdout is not the one of the WebUI")
	}
	if err := r.control().ExpireQR(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new code", func() bool { return u.status().QRCodeURL != s.QRCodeURL })
	if got := u.status(); got.LoginError != expiredText || got.IsLogin {
		t.Fatalf("status after expiry: %+v", got)
	}
	p.expect("[\x1b[31merror\x1b[39m] [Core] [Login] Login Error,ErrType:  1  ErrCode: 3", 1)
	if err := r.control().Scan(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	p.expect(onebotReady, 1)
	eventually(t, "online", func() bool { return u.status().IsLogin })
	if got := u.status(); got.LoginError != expiredText || got.QRCodeURL == "" {
		t.Errorf("loginError and code are sticky, have %+v", got)
	}
	if got := u.post("QQLogin/GetQQLoginInfo", ""); !strings.Contains(got, `"uin":"3889001001"`) || !strings.Contains(got, `"nick":"小助手","online":true`) {
		t.Errorf("login info %s", got)
	}
	if !strings.Contains(p.text(), "小助手 | "+onebotReady) {
		t.Error("lines after the login lack the nick")
	}
	for _, name := range []string{"napcat", "napcat_protocol", "onebot11"} {
		if _, err := os.Stat(filepath.Join(r.work, "config", accountFile(name, DefaultUIN))); err != nil {
			t.Error(err)
		}
	}
	if st := r.state(); st.Phase != "online" || st.Sessions != 1 || st.QRCount != 2 || st.LastMethod != "qr" || st.MasterPID != p.cmd.Process.Pid {
		t.Errorf("state %+v", st)
	}
}

func TestQuickLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	p := r.start("-q", "3889001001")
	p.expect("快速登录失败，未找到该 QQ 历史登录记录，将尝试密码回退登录", 1)
	p.expect("QQ 3889001001 未配置回退密码环境变量，", 1)
	p.expect(onebotReady, 1)
	p.signal(os.Interrupt)
	if code := p.exit(); code != 0 {
		t.Fatalf("exit code %d after SIGINT", code)
	}

	p = r.start("-q", "3889001001")
	p.expect(onebotReady, 1)
	if out := p.text(); strings.Contains(out, "二维码") || !strings.Contains(out, "正在快速登录  3889001001") {
		t.Error("a quick login shows no code and says what it does")
	}
	u := r.login(r.port)
	if got := u.post("QQLogin/GetQuickLoginList", ""); got != `{"code":0,"data":["3889001001"],"message":"success"}` {
		t.Errorf("quick login list %s", got)
	}
	// A kick takes the ticket along.
	if err := r.control().Kick(t.Context(), "下线通知", "x", false); err != nil {
		t.Fatal(err)
	}
	if s := u.status(); s.IsLogin || s.IsOffline || s.LoginError != "[KickedOffLine] [下线通知] x" {
		t.Errorf("status after a kick: %+v", s)
	}
	p.expect("[KickedOffLine] [下线通知] x", 1)
	// In this process no login helps any more.
	u.post("QQLogin/RefreshQRcode", "")
	eventually(t, "half a login", func() bool { return u.status().IsOffline })
	if s := u.status(); s.IsLogin || s.LoginError != "" {
		t.Errorf("status after a login that follows a kick: %+v", s)
	}
	p.signal(syscall.SIGKILL)
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the orphaned worker
	p.exit()
	eventually(t, "its control says that it is gone", func() bool {
		return errors.Is(r.control().Do(t.Context(), "state", nil, nil), ErrNotRunning)
	})

	// That login brought a new ticket, which the next kick takes.
	if err := (&store{root: filepath.Join(r.home, ".config", "QQ")}).revoke(DefaultUIN); err != nil {
		t.Fatal(err)
	}
	p = r.start("-q", "3889001001")
	p.expect("快速登录错误： ", 1)
	p.expect("请扫描下面的二维码", 1)
	p.expect(onebotReady, 1)
}

func TestWorkerDeaths(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	p := r.start("-q", "3889001001")
	for i := 1; i <= 2; i++ {
		p.expect(onebotReady, i)
		if err := r.control().Crash(t.Context(), CrashRequest{Code: 11}); err != nil {
			t.Fatal(err)
		}
		p.expect(fmt.Sprintf("Worker进程意外退出 (%d/3)，正在尝试重新拉起...", i), 1)
	}
	p.expect(onebotReady, 3)
	if err := r.control().Crash(t.Context(), CrashRequest{Signal: "SIGKILL"}); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(); code != 1 {
		t.Errorf("exit code %d of a master whose worker keeps dying", code)
	}
	out := p.text()
	for _, want := range []string{
		"[NapCat] [UtilityProcess] Worker进程退出，退出码: 11", "[NapCat] [UtilityProcess] Worker进程退出，退出码: 9",
		"[NapCat] [UtilityProcess] Worker进程在 10 秒内异常退出 3 次，主进程退出", "正在快速登录  3889001001",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q", want)
		}
	}
}

// A plain fork that a signal ends has neither code nor signal.
func TestDeathOfAPlainFork(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	r.options(Options{ScanAfter: dur(0), QRDelay: dur(0), LoginDelay: dur(0), OneBotDelay: dur(0), PlainForks: true})
	p := r.start("-q", "3889001001")
	p.expect(onebotReady, 1)
	if err := r.control().Crash(t.Context(), CrashRequest{Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	p.expect("[NapCat] [Fork] Worker进程退出，退出码: null", 1)
	p.expect("[NapCat] [Fork] Worker进程意外退出 (1/3)", 1)
}

func TestAskedRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	p := r.start("-q", "3889001001")
	p.expect(onebotReady, 1)
	u := r.login(r.port)
	before, began := r.state().PID, time.Now()
	if got := u.post("QQLogin/RestartNapCat", ""); got != `{"code":0,"data":{"message":"进程重启请求已发送"},"message":"success"}` {
		t.Fatal(got)
	}
	p.expect("NapCat Shell App Loading...", 2)
	if d := time.Since(began); d < 3*time.Second {
		t.Errorf("new worker after %v", d)
	}
	// Without -q, but with address and credential of the old one.
	p.expect("没有 -q 指令指定快速登录，将使用二维码登录方式", 1)
	p.expect("可用于快速登录的 QQ：\n1. 3889001001 "+DefaultNick, 1)
	eventually(t, "the old credential works", func() bool {
		_, body, err := u.try("POST", "/api/auth/check", "")
		return err == nil && body == `{"code":0,"data":null,"message":"success"}`
	})
	if r.state().PID == before {
		t.Error("the worker is the same")
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		sig      syscall.Signal
		group    bool
		min, max time.Duration
	}{
		{syscall.SIGINT, false, interruptExit, terminateExit},
		{syscall.SIGTERM, false, terminateExit, 5 * time.Second},
		{syscall.SIGTERM, true, terminateExit, 5 * time.Second},
	} {
		t.Run(fmt.Sprint(tt.sig, tt.group), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, PackOptions{})
			p := r.start()
			p.expect(onebotReady, 1)
			pid := p.cmd.Process.Pid
			if tt.group {
				pid = -pid
			}
			began := time.Now()
			if err := syscall.Kill(pid, tt.sig); err != nil {
				t.Fatal(err)
			}
			if code := p.exit(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if d := time.Since(began); d < tt.min || d > tt.max {
				t.Errorf("ended after %v", d)
			}
			if err := syscall.Kill(-p.cmd.Process.Pid, 0); err != syscall.ESRCH {
				t.Errorf("the group still exists: %v", err)
			}
		})
	}
}

func TestSingleProcess(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	r.env = []string{"NAPCAT_DISABLE_MULTI_PROCESS=1"}
	p := r.start()
	p.expect(onebotReady, 1)
	if got := r.login(r.port).post("Process/Restart", ""); got != `{"code":-1,"message":"重启功能未初始化"}` {
		t.Error(got)
	}
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != -int(syscall.SIGTERM) {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

func TestOrphanedWorkerWedges(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	p := r.start()
	p.expect(onebotReady, 1)
	u := r.login(r.port)
	if err := r.control().Crash(t.Context(), CrashRequest{Master: true}); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(); code != -int(syscall.SIGKILL) {
		t.Fatalf("exit code %d of the master", code)
	}
	// It lives and answers until it has something to log.
	if s := u.status(); !s.IsLogin {
		t.Errorf("status of the orphan %+v", s)
	}
	if err := r.control().SetOnline(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it wedges", func() bool { return r.state().Hanging })
	c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(r.port))
	if err != nil {
		t.Fatalf("its port is closed: %v", err)
	}
	_ = c.Close() // open was all it had to be
	if err := syscall.Kill(r.state().PID, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func TestHang(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	p := r.start()
	p.expect(onebotReady, 1)
	u := r.login(r.port)
	if err := r.control().Hang(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	answered := make(chan string, 1)
	go func() {
		_, body, err := u.try("POST", "/api/auth/check", "")
		answered <- fmt.Sprint(body, err)
	}()
	select {
	case a := <-answered:
		t.Fatalf("a hanging worker answered %s", a)
	case <-time.After(100 * time.Millisecond):
	}
	if err := r.control().Hang(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; !strings.Contains(a, `"success"`) {
		t.Errorf("answer after the hang: %s", a)
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(r.port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // ours
	p := r.start()
	p.expect(onebotReady, 1)
	st := r.state()
	var next int
	if _, err := fmt.Sscanf(st.WebUIURL, "http://127.0.0.1:%d", &next); err != nil || next <= r.port {
		t.Fatalf("WebUI at %s, its port is %d and busy", st.WebUIURL, r.port)
	}
	p.expect(fmt.Sprintf("WebUi User Panel Url: http://127.0.0.1:%d/webui?token=%s", next, testToken), 1)
	r.login(next)
}

func TestPlainQQ(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"no import":    `require('./application.asar/app_launcher/index.js');`,
		"env unset":    `(async () => {await import(process.env.SOMETHING_ELSE);})();`,
		"file is gone": `(async () => {await import('file:///nowhere/napcat.mjs');})();`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, PackOptions{})
			r.patch(src)
			p := r.start()
			p.expect("not mini app.", 1)
			p.signal(syscall.SIGTERM)
			if code := p.exit(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if strings.Contains(p.text(), "NapCat Shell") {
				t.Error("it became NapCat")
			}
		})
	}
}

func TestNeedDisplay(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{Options: Options{NeedDisplay: "on"}})
	p := r.start()
	if code := p.exit(); code != 1 || !strings.Contains(p.text(), "Missing X server or $DISPLAY") {
		t.Errorf("exit code %d", code)
	}
}

func TestBuiltInFaults(t *testing.T) {
	t.Parallel()
	bad := Options{NeverReady: true, Versions: []string{"4.99.0"}}
	r := newRig(t, PackOptions{NapCatVersion: "4.99.0", Options: bad})
	p := r.start()
	p.expect("NapCat Shell App Loading...", 1)
	if st := r.state(); st.Phase != "starting" || st.Version != "4.99.0" {
		t.Errorf("state %+v", st)
	}
	r = newRig(t, PackOptions{NapCatVersion: "4.99.1", Options: bad})
	r.start().expect(onebotReady, 1)

	r = newRig(t, PackOptions{Options: Options{CrashAfter: dur(0), CrashCode: 7}})
	p = r.start()
	if code := p.exit(); code != 1 || strings.Count(p.text(), "退出码: 7") != 3 {
		t.Errorf("exit code %d of a crash loop", code)
	}
	code := 42
	r = newRig(t, PackOptions{Options: Options{ExitAtStart: &code}})
	if got := r.start().exit(); got != 42 {
		t.Errorf("exit code %d", got)
	}
}

func TestSecondCopyPushesTheFirstOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	first := r.start()
	first.expect(onebotReady, 1)
	r.start().expect(onebotReady, 1)
	first.expect("[KickedOffLine] [下线通知] 你的帐号在另一台设备登录", 1)
	eventually(t, "it is counted", func() bool { return r.state().Displaced == 1 })
}
