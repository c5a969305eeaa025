package webui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPasswordLogins(t *testing.T) {
	runLogins(t, []loginCase{
		{
			name:   "password",
			napcat: func(n *napcat) { n.issue() },
			cfg:    Login{UIN: 10001, PasswordMD5: md5Func}, kind: OutcomeLoggedIn,
			steps: "failed:quick(no_ticket) password accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("password 10001 "+testMD5) != 1 {
					t.Errorf("calls %q", n.calls)
				}
			},
		},
		{
			name: "password, not ready at first",
			napcat: func(n *napcat) {
				n.issue()
				tries := 0
				n.password = func(string) (Challenge, error) {
					if tries++; tries < 3 {
						return Challenge{}, &Error{Kind: KindNotReady, Message: "密码登录功能未初始化"}
					}
					n.accept(10001)
					return Challenge{}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func}, kind: OutcomeLoggedIn,
			steps: "password password password accepted online",
		},
		{
			name: "wrong password, then a code",
			napcat: func(n *napcat) {
				n.issue()
				n.password = func(string) (Challenge, error) { return Challenge{}, wrong }
				n.after(4*time.Second, func() { n.accept(10001) })
			},
			cfg:   Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind:  OutcomeLoggedIn,
			steps: "password failed:password(refused) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[1].Detail != "密码错误" {
					t.Errorf("detail %q", r.events[1].Detail)
				}
			},
		},
		{
			name:   "the password's MD5 is none, and an account without number",
			napcat: func(n *napcat) { n.issue(); n.after(4*time.Second, func() { n.accept(10001) }) },
			cfg:    Login{Order: []Method{MethodPassword, MethodPassword, MethodQR}, PasswordMD5: alternate("secret", testMD5)},
			kind:   OutcomeLoggedIn,
			steps:  "failed:password(bad_md5) failed:password(no_uin) waiting accepted online",
		},
		{
			name: "captcha",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.captcha = func(ticket, randStr, sid string) (Challenge, error) {
					if ticket != "t" || randStr != "@r" || sid != "42" {
						return Challenge{}, wrong
					}
					n.accept(10001)
					return Challenge{}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(30 * time.Second)
				return d.Captcha(ctx, "t", "@r", "")
			},
			kind: OutcomeLoggedIn, steps: "password captcha accepted online",
		},
		{
			name: "captcha answered wrongly, then rightly",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.captcha = func(ticket, _, _ string) (Challenge, error) {
					if ticket != "good" {
						return Challenge{}, wrong
					}
					n.accept(10001)
					return Challenge{}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(10 * time.Second)
				if err := d.Captcha(ctx, "bad", "r", ""); KindOf(err) != KindRefused {
					return fmt.Errorf("bad ticket: %w", err)
				}
				return d.Captcha(ctx, "good", "r", "")
			},
			kind: OutcomeLoggedIn, steps: "password captcha failed:captcha(refused) password captcha accepted online",
		},
		{
			name: "nobody solves the captcha: a fresh code, not an old one",
			napcat: func(n *napcat) {
				n.issue()
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.after(6*time.Minute, func() { n.accept(10001) })
			},
			cfg:   Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind:  OutcomeLoggedIn,
			steps: "password captcha failed:password(captcha_timeout) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if n.count("refresh") != 1 || r.events[3].URL != "https://txz.qq.com/p?k=2" {
					t.Errorf("%d refreshes, code %s", n.count("refresh"), r.events[3].URL)
				}
			},
		},
		{
			name: "new device",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return device, nil }
				polls := 0
				n.poll = func() (DeviceState, error) {
					polls++
					switch {
					case polls < 3:
						return DeviceState{}, nil
					case polls < 5:
						return DeviceState{Scanned: true}, nil
					}
					return DeviceState{Confirmed: true, Token: "succ"}, nil
				}
			},
			cfg:  Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind: OutcomeLoggedIn, steps: "password new_device scanned accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[1].URL != "https://accounts.qq.com/qr" {
					t.Errorf("code %q", r.events[1].URL)
				}
				if n.count("device 10001 "+testMD5+" succ") != 1 || n.count("poll dG9r") != 5 {
					t.Errorf("calls %q", n.calls)
				}
			},
		},
		{
			name: "captcha, after which a new device is asked; its code dies once",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.captcha = func(string, string, string) (Challenge, error) { return device, nil }
				polls := 0
				n.poll = func() (DeviceState, error) {
					if polls++; polls == 1 {
						return DeviceState{}, wrong
					}
					return DeviceState{Confirmed: true}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(3 * time.Second)
				return d.Captcha(ctx, "t", "r", "s")
			},
			kind: OutcomeLoggedIn, steps: "password captcha new_device new_device accepted online",
		},
		{
			name: "the new device's code cannot be had, then nobody confirms",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return device, nil }
				tries := 0
				n.deviceQR = func() (DeviceQR, error) {
					if tries++; tries < 4 {
						return DeviceQR{}, &Error{Kind: KindRefused, Message: "fetch failed"}
					}
					return DeviceQR{URL: "https://accounts.qq.com/qr", Token: "x"}, nil
				}
				n.poll = func() (DeviceState, error) { return DeviceState{}, nil }
				n.after(6*time.Minute, func() { n.accept(10001) })
			},
			cfg:   Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind:  OutcomeLoggedIn,
			steps: "password new_device(no_qr) new_device failed:password(device_timeout) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[1].URL != "https://jump" {
					t.Errorf("page %q", r.events[1].URL)
				}
			},
		},
		{
			name: "QQ asks for one confirmation after the other",
			napcat: func(n *napcat) {
				n.issue()
				n.password = func(string) (Challenge, error) { return device, nil }
				n.poll = func() (DeviceState, error) { return DeviceState{Confirmed: true}, nil }
				n.device = func(string) (Challenge, error) { return device, nil }
				n.after(time.Minute, func() { n.accept(10001) })
			},
			cfg:   Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind:  OutcomeLoggedIn,
			steps: "password new_device new_device new_device failed:password(refused) waiting accepted online",
		},
		{
			name: "NapCat restarts while a captcha waits",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.after(10*time.Second, func() { n.restart(4 * time.Second); n.password = nil })
			},
			cfg:  Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			kind: OutcomeLoggedIn, steps: "password captcha restarted password accepted online",
		},
		{
			name: "one lost request does not throw a captcha away",
			napcat: func(n *napcat) {
				n.password = func(string) (Challenge, error) { return captcha, nil }
				n.captcha = func(string, string, string) (Challenge, error) { n.accept(10001); return Challenge{}, nil }
				n.after(9900*time.Millisecond, func() { n.down = &Error{Kind: KindUnreachable} })
				n.after(10100*time.Millisecond, func() { n.down = nil })
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodPassword, MethodQR}, PasswordMD5: md5Func},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(20 * time.Second)
				return d.Captcha(ctx, "t", "r", "")
			},
			kind: OutcomeLoggedIn, steps: "password captcha accepted online",
		},
		{
			name:   "every method of the order fails; a code on demand",
			napcat: func(n *napcat) { n.issue() },
			cfg:    Login{UIN: 10001, Order: []Method{MethodQuick}},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(20 * time.Second)
				if err := d.Refresh(ctx); err != nil {
					return err
				}
				time.Sleep(5 * time.Second)
				n.do(func() { n.accept(10001) })
				return nil
			},
			kind: OutcomeLoggedIn, steps: "failed:quick(no_ticket) failed(exhausted) waiting accepted online",
			check: func(t *testing.T, n *napcat, r result) {
				if r.events[2].URL != "https://txz.qq.com/p?k=2" {
					t.Errorf("an old code: %s", r.events[2].URL)
				}
			},
		},
		{
			name: "a password typed while a code is shown, wrong at first",
			napcat: func(n *napcat) {
				n.issue()
				n.password = func(md5 string) (Challenge, error) {
					if md5 != testMD5 {
						return Challenge{}, wrong
					}
					n.accept(10001)
					return Challenge{}, nil
				}
			},
			cfg: Login{UIN: 10001, Order: []Method{MethodQR}},
			script: func(ctx context.Context, n *napcat, d *Driver) error {
				time.Sleep(2 * time.Second)
				if err := d.Password(ctx, 0, "zz"); !errors.Is(err, ErrBadMD5) {
					return fmt.Errorf("not hex: %w", err)
				}
				if err := d.Password(ctx, 10002, testMD5); !errors.Is(err, ErrWrongAccount) {
					return fmt.Errorf("other account: %w", err)
				}
				if err := d.Quick(ctx, 10002); !errors.Is(err, ErrWrongAccount) {
					return fmt.Errorf("other account: %w", err)
				}
				if err := d.Captcha(ctx, "t", "r", ""); !errors.Is(err, ErrNoCaptcha) {
					return fmt.Errorf("no captcha: %w", err)
				}
				if err := d.Password(ctx, 0, strings.Repeat("f", 32)); KindOf(err) != KindRefused {
					return fmt.Errorf("wrong password: %w", err)
				}
				return d.Password(ctx, 10001, testMD5)
			},
			kind: OutcomeLoggedIn, steps: "waiting password failed:password(refused) waiting password accepted online",
		},
	})
}
