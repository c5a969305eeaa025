//go:build e2e_login

package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/e2e/tmux"
)

// TestLoginProcess is not a test: it is the command that the tests below run in
// a terminal.
func TestLoginProcess(t *testing.T) {
	if os.Getenv("NCATD_LOGIN_PROCESS") == "" {
		t.Skip("run by other tests")
	}
	args := os.Args
	for i, a := range args {
		if a == "--" {
			args = args[i+1:]
			break
		}
	}
	os.Exit(Run(context.Background(), args, Deps{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Environ()}))
}

func (d *loginDaemon) pane(t *testing.T, cols, rows int, env []string, args ...string) *tmux.Pane {
	t.Helper()
	argv := append([]string{os.Args[0], "-test.run=TestLoginProcess", "--"}, append(args, "--home", string(d.home))...)
	return tmux.New(t, cols, rows, append([]string{"NCATD_LOGIN_PROCESS=1", "LC_ALL=C.UTF-8"}, env...), argv...)
}

// realCode is as long as the codes that QQ issues.
func (d *loginDaemon) realCode(seq int) string {
	url := fmt.Sprintf("https://txz.qq.com/p?k=D8*Y2cwjIjxe2CRxMZnyzGFmXkvNa6%02d&f=1600001604", seq)
	d.show(url, seq)
	return url
}

// decoded waits until the rendered screen shows exactly the code of url.
func decoded(t *testing.T, p *tmux.Pane, url string, history bool) {
	t.Helper()
	var got []string
	if !await.Poll(5*time.Second, func() bool {
		for _, theme := range []tmux.Theme{tmux.Dark, tmux.Light} {
			if got = tmux.Decode(t, p.Cells(history), theme); len(got) != 1 || got[0] != url {
				return false
			}
		}
		return true
	}) {
		t.Fatalf("decoded %q, want %q\n%s", got, url, p.Text(history))
	}
}

func TestScreenDecodes(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {200, 50}, {60, 21}, {43, 20}} {
		for _, lang := range []string{"en", "zh"} {
			t.Run(fmt.Sprintf("%dx%d %s", size[0], size[1], lang), func(t *testing.T) {
				d := newLoginDaemon(t)
				d.serve(t)
				first := d.realCode(1)
				p := d.pane(t, size[0], size[1], nil, "login", "--lang", lang)
				decoded(t, p, first, false)
				d.expire()
				decoded(t, p, first, false) // it stays until the next one is there
				for seq := 2; seq < 5; seq++ {
					decoded(t, p, d.realCode(seq), false)
				}
				d.online()
				if code := p.Exit(5 * time.Second); code != 0 {
					t.Errorf("exit %d", code)
				}
				last := p.Text(true)
				if strings.ContainsAny(last, "█▀▄") || !strings.Contains(last, "10001") {
					t.Errorf("left on the screen:\n%s", last)
				}
			})
		}
	}
}

// TestScreenResized: whatever the window does, the code stands whole in it.
func TestScreenResized(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	url := d.realCode(1)
	p := d.pane(t, 80, 24, nil, "login")
	decoded(t, p, url, false)
	for _, size := range [][2]int{{200, 50}, {45, 22}, {120, 30}} {
		p.Resize(size[0], size[1])
		decoded(t, p, url, false)
	}
	p.Resize(30, 15)
	p.Until("says that it is too small", 5*time.Second, func(s string) bool { return strings.Contains(s, "too small") && !strings.Contains(s, "█") })
	joined := strings.ReplaceAll(p.Text(false), "\n", "")
	if !strings.Contains(joined, url) {
		t.Errorf("the small window lacks the text of the code:\n%s", p.Text(false))
	}
	p.Resize(80, 24)
	decoded(t, p, url, false)
	p.Key("C-c")
	if code := p.Exit(5 * time.Second); code != 130 {
		t.Errorf("exit %d", code)
	}
}

func TestScreenASCII(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	url := d.realCode(1)
	// On a large window it stands in the frame; it is read without colours too,
	// as on paper.
	p := d.pane(t, 120, 50, nil, "login", "--qr", "ascii")
	decoded(t, p, url, false)
	paper := tmux.Theme{Fg: tmux.Light.Fg, Bg: tmux.Light.Bg}
	if got := tmux.Decode(t, p.Text(false), paper); len(got) != 1 || got[0] != url {
		t.Errorf("without colours: %q", got)
	}
	// On a console of 24 lines it is in the scroll-back, once.
	p = d.pane(t, 80, 24, nil, "login", "--qr", "ascii")
	decoded(t, p, url, true)
	p.Until("tells the time", 5*time.Second, func(s string) bool { return strings.Contains(s, "2s old") || strings.Contains(s, "3s old") })
	decoded(t, p, url, true)
}

// TestScreenPlain: without colours or without a terminal the bare characters are
// a code on paper.
func TestScreenPlain(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	url := d.realCode(1)
	for _, form := range []string{"terminal", "ascii"} {
		r := d.ncatd(t, "", func() { d.online() }, "login", "--qr", form)
		if got := tmux.Decode(t, r.out, tmux.Light); len(got) != 1 || got[0] != url {
			t.Errorf("%s: %q in\n%s", form, got, r.out)
		}
		url = d.realCode(1)
	}
	file := filepath.Join(t.TempDir(), "qr.png")
	r := d.ncatd(t, "", func() {
		d.until(t, "wrote the picture", func() bool { _, err := os.Stat(file); return err == nil })
		d.online()
	}, "login", "--qr", "png="+file)
	if got := tmux.DecodeFile(t, file); len(got) != 1 || got[0] != url || r.code != 0 {
		t.Errorf("png: %q, exit %d", got, r.code)
	}
}

func TestScreenSeveralTerminals(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	url := d.realCode(1)
	panes := []*tmux.Pane{d.pane(t, 80, 24, nil, "login"), d.pane(t, 100, 40, nil, "login"), d.pane(t, 80, 24, []string{"NCATD_LANG=zh"}, "login")}
	for _, p := range panes {
		decoded(t, p, url, false)
	}
	d.online()
	for _, p := range panes {
		if code := p.Exit(5 * time.Second); code != 0 {
			t.Errorf("exit %d", code)
		}
	}
}

// TestScreenCaptcha: the page is shown, the answer is typed, a wrong one can be
// corrected; a typed password does not show.
func TestScreenCaptcha(t *testing.T) {
	d := newLoginDaemon(t)
	d.serve(t)
	d.realCode(1)
	page := "https://ti.qq.com/safe/tools/captcha/sms-verify-login?uin=10001&sid=42"
	captcha := func() { d.asksCaptcha(page) }
	d.passwd = func(string) error { captcha(); return nil }
	d.captcha = func(r api.CaptchaRequest) error {
		if r.Ticket != "t03good" {
			d.refuse(api.MethodCaptcha, api.LoginRefused, "验证码错误")
			return &api.Error{Code: "napcat_failed", Message: "验证码错误"}
		}
		go d.online()
		return nil
	}
	p := d.pane(t, 100, 30, nil, "login", "--password-stdin")
	p.Until("asks for the password", 5*time.Second, func(s string) bool { return strings.Contains(s, "QQ password") })
	p.Send("hunter2")
	p.Key("Enter")
	p.Until("shows the page", 5*time.Second, func(s string) bool { return strings.Contains(s, page) && strings.Contains(s, "ticket and randstr:") })
	p.Send("t03bad @abc")
	p.Key("Enter")
	p.Until("says no", 5*time.Second, func(s string) bool { return strings.Contains(s, "验证码错误") })
	p.Send(`{"ticket":"t03good","randstr":"@abc"}`)
	p.Key("Enter")
	if code := p.Exit(5 * time.Second); code != 0 {
		t.Errorf("exit %d\n%s", code, p.Text(true))
	}
	if s := p.Text(true); strings.Contains(s, "hunter2") {
		t.Errorf("the password shows:\n%s", s)
	}
	if !d.did("captcha t03good @abc ") {
		t.Errorf("calls %q", d.calls)
	}
}

func TestTools(t *testing.T) {
	for _, tool := range []string{"tmux", "zbarimg"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v (Debian packages tmux, zbar-tools)", err)
		}
	}
}

// TestScreenPictures draws the pictures of docs/login.md into the folder that
// NCATD_LOGIN_PICTURES names.
func TestScreenPictures(t *testing.T) {
	dir := os.Getenv("NCATD_LOGIN_PICTURES")
	if dir == "" {
		t.Skip("NCATD_LOGIN_PICTURES is not set")
	}
	save := func(name string, p *tmux.Pane) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), []byte(tmux.SVG(strings.TrimRight(p.Cells(false), "\n "), tmux.Dark)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, lang := range []string{"en", "zh"} {
		d := newLoginDaemon(t)
		d.serve(t)
		url := d.realCode(1)
		p := d.pane(t, 84, 24, nil, "login", "--lang", lang)
		decoded(t, p, url, false)
		save("login-qr."+lang, p)
		d.asksCaptcha("https://ti.qq.com/safe/tools/captcha/…?uin=10001&sid=42")
		p.Until("asks", 5*time.Second, func(s string) bool { return strings.Contains(s, "ticket") && strings.Contains(s, "randstr") })
		save("login-captcha."+lang, p)
	}
}
