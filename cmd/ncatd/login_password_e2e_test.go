//go:build e2e_login

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/e2e/tmux"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

func TestLoginPasswordTyped(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, "order: [qr]"), napcatsim.Options{Accounts: []napcatsim.Account{{UIN: testUIN, Nick: "bot", PasswordMD5: testMD5()}}})
	s.start()
	a := s.login("not the password\n", "--password-stdin")
	if code := a.exit(); code != 4 || !strings.Contains(a.errs.String(), "账号或密码错误") || !strings.Contains(a.errs.String(), "hint:") {
		t.Errorf("wrong password: exit %d, %s\n%s", code, a.steps(), a.errs.String())
	}
	a = s.login(testPassword+"\n", "--password-stdin")
	s.noSecretArgs()
	a.succeeds("password online")
}

// TestLoginPasswordAtATerminal types the password, the wrong captcha and the
// right one.
func TestLoginPasswordAtATerminal(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, "order: [qr]"), napcatsim.Options{Accounts: []napcatsim.Account{{UIN: testUIN, Nick: "bot", PasswordMD5: testMD5(), Captcha: true}}})
	s.start()
	p := tmux.New(t, 110, 40, s.env, s.bin, "login", "--password-stdin")
	p.Until("asks for the password", 20*time.Second, func(s string) bool { return strings.Contains(s, "QQ password") })
	p.Send(testPassword)
	p.Key("Enter")
	p.Until("shows the captcha's page", 20*time.Second, func(s string) bool {
		return strings.Contains(s, "https://ti.qq.com/") && strings.Contains(s, "ticket and randstr:")
	})
	p.Send("wrong @r")
	p.Key("Enter")
	p.Until("says no and asks again", 20*time.Second, func(s string) bool {
		_, rest, no := strings.Cut(s, "验证码错误")
		return no && strings.Contains(rest, "ticket and randstr:")
	})
	p.Send(`{"ret":0,"ticket":"` + testTicket + `","randstr":"@r"}`)
	p.Key("Enter")
	if code := p.Exit(20 * time.Second); code != 0 {
		t.Errorf("exit %d", code)
	}
	if strings.Contains(p.Text(true), testPassword) {
		t.Error("the password shows on the screen")
	}
}

const fromEnv = "order: [quick, password, qr], password_md5_env: TEST_QQ_MD5"

func withPassword(captcha, device bool) napcatsim.Options {
	return napcatsim.Options{Accounts: []napcatsim.Account{{UIN: testUIN, Nick: "bot", PasswordMD5: testMD5(), Captcha: captcha, NewDevice: device}}}
}

func TestLoginPasswordFromTheEnvironment(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, fromEnv), withPassword(false, false), "TEST_QQ_MD5="+testMD5())
	s.start()
	s.login("").exit()
	s.await("online", func(a api.Account) bool { return a.State == api.StateOnline && a.UIN == testUIN })
	s.noSecretArgs()
	// NapCat has no business with it.
	st, err := s.sim.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", st.PID)); err != nil || bytes.Contains(b, []byte(testMD5())) {
		t.Errorf("%v: NapCat's environment has the password", err)
	}
	if st.LastMethod != "password" {
		t.Errorf("logged in by %s", st.LastMethod)
	}
}

func TestLoginWrongPasswordThenCode(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, fromEnv), withPassword(false, false), "TEST_QQ_MD5="+strings.Repeat("0", 32))
	s.start()
	a := s.login("")
	a.code()
	s.scan(testUIN)
	if code := a.exit(); code != 0 {
		t.Errorf("exit %d: %s", code, a.steps())
	}
}

// solve answers the captcha over the control API.
func (s *site) solve(ticket string) {
	s.t.Helper()
	cl := client.New(s.home.Socket())
	defer cl.Close()
	if err := cl.LoginCaptcha(context.Background(), "main", api.CaptchaRequest{Ticket: ticket, RandStr: "@r"}); err != nil {
		s.t.Fatalf("captcha: %v", err)
	}
}

func TestLoginCaptcha(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(testUIN, fromEnv), withPassword(true, false), "TEST_QQ_MD5="+testMD5())
	s.start()
	a := s.login("")
	e := a.until("a captcha", is("captcha"))
	if !strings.HasPrefix(e.URL, "https://ti.qq.com/") {
		t.Errorf("page %q", e.URL)
	}
	s.solve(testTicket)
	if code := a.exit(); code != 0 || !strings.HasSuffix(a.steps(), "captcha online") {
		t.Errorf("exit %d: %s", code, a.steps())
	}
}

func TestLoginNewDevice(t *testing.T) {
	t.Parallel()
	for _, captcha := range []bool{false, true} {
		t.Run(fmt.Sprintf("after a captcha %v", captcha), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, account(testUIN, fromEnv), withPassword(captcha, true), "TEST_QQ_MD5="+testMD5())
			s.start()
			a := s.login("")
			if captcha {
				a.until("a captcha", is("captcha"))
				s.solve(testTicket)
			}
			e := a.until("a new device", is("new_device"))
			if !strings.HasPrefix(e.URL, "https://accounts.qq.com/") {
				t.Errorf("code %q", e.URL)
			}
			s.scan(0)
			if code := a.exit(); code != 0 || !strings.HasSuffix(a.steps(), "online") {
				t.Errorf("exit %d: %s", code, a.steps())
			}
		})
	}
}

func TestLogin2FA(t *testing.T) {
	t.Parallel()
	s := newSite(t, account(0, ""), napcatsim.Options{})
	conf := s.home.Join("accounts", "main", "napcat", "config")
	if err := os.MkdirAll(conf, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(conf, "webui.json"), []byte(`{"enable2FA":true,"totpSecret":"`+testTOTP+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	a := s.login("")
	a.code()
	s.scan(testUIN)
	a.succeeds("qr online")
	if n := s.webuiLogins(); n > 2 {
		t.Errorf("%d logins to the WebUI", n)
	}
}
