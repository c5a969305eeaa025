//go:build !windows

package napcatsim

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWaysIn plays the start of a login with every combination of what the
// account was told to do, on a clock of its own.
func TestWaysIn(t *testing.T) {
	t.Parallel()
	const account = "10001"
	secret := Account{UIN: 10001, PasswordMD5: secretMD5}
	for name, tt := range map[string]struct {
		quick    string // -q
		env      map[string]string
		auto     string // webui.json's autoLoginAccount
		noWebUI  bool
		ticket   bool
		fail     string // QuickFail
		account  Account
		log      []string // in the log
		code     bool     // a code is shown
		login    string   // way of the login, "" for none
		loginErr string
	}{
		"nothing":                  {log: []string{"没有 -q 指令指定快速登录，将使用二维码登录方式"}, code: true},
		"nothing but a history":    {ticket: true, log: []string{"可用于快速登录的 QQ：\n1. 10001 老号"}, code: true},
		"flag and ticket":          {quick: account, ticket: true, log: []string{"正在快速登录  10001"}, login: "quick"},
		"flag without ticket":      {quick: account, log: []string{"快速登录失败，未找到该 QQ 历史登录记录", "QQ 10001 未配置回退密码环境变量"}, code: true},
		"flag, ticket refused":     {quick: account, ticket: true, fail: "登录态已失效", log: []string{"快速登录错误： 登录态已失效"}, code: true, loginErr: "登录态已失效"},
		"flag, refused wordlessly": {quick: account, ticket: true, fail: "-", log: []string{"快速登录错误： 快速登录失败，错误码: "}, code: true, loginErr: "快速登录失败，错误码: 140022011"},
		"flag, password": {quick: account, env: map[string]string{"NAPCAT_QUICK_PASSWORD": "secret"}, account: secret, login: "password",
			log: []string{"检测到 NAPCAT_QUICK_PASSWORD，已在内存中计算 MD5", "正在尝试密码回退登录  10001", "正在密码登录  10001", "密码回退登录成功  10001"}},
		"flag, digest wins": {quick: account, env: map[string]string{"NAPCAT_QUICK_PASSWORD": "wrong", "NAPCAT_QUICK_PASSWORD_MD5": secretMD5}, account: secret, login: "password",
			log: []string{"密码回退登录成功  10001"}},
		"flag, wrong password": {quick: account, env: map[string]string{"NAPCAT_QUICK_PASSWORD": "wrong"}, account: secret, code: true, loginErr: "账号或密码错误，请重新输入。",
			log: []string{"密码回退登录失败： 账号或密码错误"}},
		"flag, captcha": {quick: account, env: map[string]string{"NAPCAT_QUICK_PASSWORD": "secret"}, account: Account{UIN: 10001, PasswordMD5: secretMD5, Captcha: true},
			log: []string{"密码回退需要验证码，请在 WebUi 中继续完成验证：https://"}},
		"flag, new device": {quick: account, env: map[string]string{"NAPCAT_QUICK_PASSWORD": "secret"}, account: Account{UIN: 10001, PasswordMD5: secretMD5, NewDevice: true},
			log: []string{"密码回退需要新设备验证，请在 WebUi 中继续完成验证：https://"}},
		"variable and ticket":        {env: map[string]string{"NAPCAT_QUICK_ACCOUNT": account}, ticket: true, log: []string{"\n[NapCat] [WebUi] 自动快速登录成功: 10001\n"}, login: "quick"},
		"variable without ticket":    {env: map[string]string{"NAPCAT_QUICK_ACCOUNT": account}, log: []string{"\n[NapCat] [WebUi] 自动快速登录失败: ", "QQ 10001 未配置回退密码环境变量"}, code: true, loginErr: "快速登录失败，错误码: 140022011"},
		"variable without WebUI":     {env: map[string]string{"NAPCAT_QUICK_ACCOUNT": account}, noWebUI: true, ticket: true},
		"variable, password":         {env: map[string]string{"NAPCAT_QUICK_ACCOUNT": account, "NAPCAT_QUICK_PASSWORD_MD5": secretMD5}, account: secret, log: []string{"自动密码回退登录成功: 10001"}, login: "password"},
		"variable, captcha":          {env: map[string]string{"NAPCAT_QUICK_ACCOUNT": account, "NAPCAT_QUICK_PASSWORD_MD5": secretMD5}, account: Account{UIN: 10001, PasswordMD5: secretMD5, Captcha: true}, log: []string{"自动密码回退登录需要验证码"}, loginErr: "快速登录失败，错误码: 140022011"},
		"password without account":   {env: map[string]string{"NAPCAT_QUICK_PASSWORD": "secret"}, account: secret},
		"webui.json and ticket":      {auto: account, ticket: true, log: []string{"自动快速登录成功: 10001"}, code: true, login: "quick"},
		"flag makes webui.json mute": {quick: account, auto: "10002", ticket: true, login: "quick"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, deskJSON, Options{ScanAfter: offDur(), QuickFail: tt.fail, Accounts: []Account{tt.account}})
			synctest.Test(t, func(t *testing.T) {
				d.w.p.quick = tt.quick
				for k, v := range tt.env {
					d.w.p.env[k] = v
				}
				if tt.ticket {
					if err := d.w.store.issue(Account{UIN: 10001, Nick: "老号"}, "u_x"); err != nil {
						t.Fatal(err)
					}
				}
				d.w.shell.begin = func(Account, string) {} // no session: the way in is what counts
				d.w.shell.login()
				if !tt.noWebUI {
					d.w.shell.autoLogin(tt.auto)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				out := d.out.String()
				for _, want := range tt.log {
					if !strings.Contains(out, want) {
						t.Errorf("log lacks %q", want)
					}
				}
				if got := strings.Contains(out, "二维码解码URL: "); got != tt.code {
					t.Errorf("code shown: %v", got)
				}
				if d.w.shell.method != tt.login || d.w.shell.logged != (tt.login != "") {
					t.Errorf("logged in by %q", d.w.shell.method)
				}
				if got := d.w.shell.loginError; got != tt.loginErr {
					t.Errorf("loginError %q", got)
				}
				if t.Failed() {
					t.Log(out)
				}
				// A code can be had in any case, unless somebody is in.
				if tt.login == "" && !tt.code {
					d.w.core.fetchCode()
					time.Sleep(time.Second)
					synctest.Wait()
					if code, _ := d.w.core.current(); code == "" {
						t.Error("no code after RefreshQRcode")
					}
				}
				d.w.core.stop()
			})
		})
	}
}

// TestCodeLife lets codes expire on a clock of its own.
func TestCodeLife(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskJSON, Options{ScanAfter: offDur()})
	synctest.Test(t, func(t *testing.T) {
		d.w.shell.login()
		time.Sleep(150*time.Millisecond + time.Nanosecond)
		synctest.Wait()
		first, n := d.w.core.current()
		if first == "" || n != 1 {
			t.Fatalf("code %q, number %d", first, n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if code, _ := d.w.core.current(); code != "" {
			t.Error("an expired code is still good")
		}
		s := d.w.shell.status()
		if s["qrcodeurl"] != first || s["loginError"] != expiredText {
			t.Errorf("between two codes: %v", s)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if code, n := d.w.core.current(); code == first || n != 2 {
			t.Errorf("code %q, number %d", code, n)
		}
		// Asking again while a code is on its way does not give two.
		d.w.core.fetchCode()
		d.w.core.fetchCode()
		time.Sleep(time.Second)
		synctest.Wait()
		if _, n := d.w.core.current(); n != 3 {
			t.Errorf("%d codes", n)
		}
		// New options count from now on.
		d.w.opt.ScanAfter = dur(time.Second)
		d.w.shell.begin = func(Account, string) {}
		d.w.core.replan()
		time.Sleep(time.Second + 200*time.Millisecond)
		synctest.Wait()
		if !d.w.shell.logged || d.w.shell.uin != DefaultUIN {
			t.Error("the phone did not scan")
		}
		d.w.core.stop()
	})
}

// TestTickets holds what a ticket is bound to.
func TestTickets(t *testing.T) {
	t.Parallel()
	s := &store{root: t.TempDir()}
	a := Account{UIN: 10001, Nick: "a"}
	if err := s.issue(a, "u_a"); err != nil {
		t.Fatal(err)
	}
	if err := s.issue(Account{UIN: 10002, Nick: "b"}, "u_b"); err != nil {
		t.Fatal(err)
	}
	list, err := s.tickets()
	if err != nil || len(list) != 2 || list[0].UIN != 10002 || !s.usable(list[0]) || !s.usable(list[1]) {
		t.Fatalf("%+v %v", list, err)
	}
	if err := s.revoke(10002); err != nil {
		t.Fatal(err)
	}
	if s.usable(list[0]) || !s.usable(list[1]) {
		t.Error("a kick takes the ticket of one account")
	}
	if mac, err := s.mac(); err != nil || len(mac) != 17 {
		t.Errorf("mac %q %v", mac, err)
	}
	if err := s.setMAC("02:00:00:00:00:01"); err != nil {
		t.Fatal(err)
	}
	if s.usable(list[1]) {
		t.Error("a ticket works on another device")
	}
	if err := s.forgetDevice(); err != nil {
		t.Fatal(err)
	}
	old := list[1]
	if err := s.issue(a, "u_a"); err != nil {
		t.Fatal(err)
	}
	if s.usable(old) {
		t.Error("a new login leaves the old ticket good")
	}
}
