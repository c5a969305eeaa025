package napcatsim

import (
	"fmt"
	"maps"
	"runtime"
	"strconv"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// any2str is a JSON value where JavaScript would take a string or a number.
func any2str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return jsval.FormatNumber(v)
	}
	return ""
}

func uinOf(r *request) (int64, string) {
	s := any2str(r.body["uin"])
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, s
	}
	return n, s
}

// loginRoutes is /api/QQLogin.
func (u *webui) loginRoutes() map[string]route {
	sh, c := u.w.shell, u.w.core
	// out wraps what must not be called when somebody is logged in.
	out := func(do func(*request) reply) func(*request) reply {
		return func(r *request) reply {
			if sh.isLogged() {
				return failure("QQ Is Logined")
			}
			return do(r)
		}
	}
	routes := map[string]route{
		"CheckLoginStatus": post(func(*request) reply { return success(orderedStatus(sh.status())) }),
		"GetQQLoginQrcode": post(out(func(*request) reply {
			qr, _ := sh.status()["qrcodeurl"].(string)
			if qr == "" {
				return failure("QRCode Get Error")
			}
			return success(map[string]any{"qrcode": qr})
		})),
		"RefreshQRcode": post(out(func(*request) reply {
			sh.setError("")
			c.fetchCode()
			return success(nil)
		})),
		"GetQuickLoginList": {do: func(*request) reply {
			list := []string{}
			for _, h := range c.history() {
				list = append(list, h.UIN)
			}
			return success(list)
		}},
		"GetQuickLoginListNew": {do: func(*request) reply { return success(c.history()) }},
		"SetQuickLogin": withBody(out(func(r *request) reply {
			uin, s := uinOf(r)
			if s == "" {
				return failure("uin is empty")
			}
			if !sh.ready() {
				return failure("")
			}
			if text := sh.quickLogin(uin); text != "" {
				return failure(text)
			}
			return success(nil)
		})),
		"GetQQLoginInfo":  post(func(*request) reply { return success(sh.info()) }),
		"GetQuickLoginQQ": post(func(*request) reply { return success(u.conf.str("autoLoginAccount")) }),
		"SetQuickLoginQQ": withBody(func(r *request) reply {
			_, s := uinOf(r)
			if err := u.conf.set(map[string]any{"autoLoginAccount": s}); err != nil {
				return failure(err.Error())
			}
			return success(nil)
		}),
	}
	maps.Copy(routes, u.passwordRoutes(out))
	maps.Copy(routes, u.hostRoutes())
	all := map[string]route{}
	for name, r := range routes {
		all["/api/QQLogin/"+name] = r
	}
	return all
}

// passwordRoutes are the login by a password; out wraps what must not be called
// when somebody is logged in.
func (u *webui) passwordRoutes(out func(func(*request) reply) func(*request) reply) map[string]route {
	c := u.w.core
	return map[string]route{
		"PasswordLogin": withBody(out(func(r *request) reply {
			uin, s := uinOf(r)
			switch {
			case s == "":
				return failure("uin is empty")
			case r.str("passwordMd5") == "":
				return failure("passwordMd5 is empty")
			}
			return u.password(passwordStep{uin: uin, md5: r.str("passwordMd5")})
		})),
		"CaptchaLogin": withBody(out(func(r *request) reply {
			uin, s := uinOf(r)
			switch {
			case s == "" || r.str("passwordMd5") == "":
				return failure("uin or passwordMd5 is empty")
			case r.str("ticket") == "" || r.str("randstr") == "":
				return failure("captcha ticket or randstr is empty")
			}
			return u.password(passwordStep{uin: uin, md5: r.str("passwordMd5"), ticket: r.str("ticket"), randstr: r.str("randstr"), sid: any2str(r.body["sid"])})
		})),
		"NewDeviceLogin": withBody(out(func(r *request) reply {
			uin, s := uinOf(r)
			switch {
			case s == "" || r.str("passwordMd5") == "":
				return failure("uin or passwordMd5 is empty")
			case r.str("newDevicePullQrCodeSig") == "":
				return failure("newDevicePullQrCodeSig is empty")
			}
			return u.password(passwordStep{uin: uin, md5: r.str("passwordMd5"), sig: r.str("newDevicePullQrCodeSig")})
		})),
		"GetNewDeviceQRCode": withBody(func(r *request) reply {
			uin, s := uinOf(r)
			if s == "" || r.str("jumpUrl") == "" {
				return failure("uin and jumpUrl are required")
			}
			return success(c.deviceQR(uin, r.str("jumpUrl")))
		}),
		"PollNewDeviceQR": withBody(func(r *request) reply {
			uin, s := uinOf(r)
			if s == "" || r.str("bytesToken") == "" {
				return failure("uin and bytesToken are required")
			}
			return success(c.pollDevice(uin, r.str("bytesToken")))
		}),
	}
}

// hostRoutes are about the machine that QQ sees.
func (u *webui) hostRoutes() map[string]route {
	return map[string]route{
		"RestartNapCat":   post(func(*request) reply { return u.restart("") }),
		"GetPlatformInfo": post(func(*request) reply { return success(map[string]any{"platform": platform()}) }),
		"GetLinuxMAC": post(func(*request) reply {
			mac, err := u.w.store.mac()
			if err != nil {
				return failure("Failed to get MAC: " + err.Error())
			}
			return success(map[string]any{"mac": mac})
		}),
		"SetLinuxMAC": withBody(func(r *request) reply {
			if err := u.w.store.setMAC(r.str("mac")); err != nil {
				return failure("Failed to set MAC: " + err.Error())
			}
			return success(map[string]any{"message": "MAC set successfully"})
		}),
		"GetLinuxMachineId": post(func(*request) reply { return success(map[string]any{"machineId": machineID()}) }),
		"ResetLinuxDeviceID": post(func(*request) reply {
			if err := u.w.store.forgetDevice(); err != nil {
				return failure("Failed to reset: " + err.Error())
			}
			return success(map[string]any{"message": "Device ID reset successfully (machine-info deleted)"})
		}),
	}
}

// post is the route of a handler; withBody that of one that takes its request
// apart before looking.
func post(do func(*request) reply) route     { return route{method: "POST", do: do} }
func withBody(do func(*request) reply) route { return route{method: "POST", body: true, do: do} }

func platform() string {
	if runtime.GOOS == "windows" {
		return "win32"
	}
	return runtime.GOOS
}

// orderedStatus is CheckLoginStatus with its keys in NapCat's order.
func orderedStatus(m map[string]any) any {
	return struct {
		IsLogin    any `json:"isLogin"`
		IsOffline  any `json:"isOffline"`
		QRCodeURL  any `json:"qrcodeurl"`
		LoginError any `json:"loginError"`
	}{m["isLogin"], m["isOffline"], m["qrcodeurl"], m["loginError"]}
}

// ready reports whether QQ's login service is up.
func (s *shell) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.network
}

// info is the answer of GetQQLoginInfo.
func (s *shell) info() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.onebot || s.self.UIN == "" {
		return struct {
			UID  string `json:"uid"`
			UIN  string `json:"uin"`
			Nick string `json:"nick"`
		}{}
	}
	return s.self
}

// password is one step of a password login, as the WebUI answers it.
func (u *webui) password(step passwordStep) reply {
	if !u.w.shell.ready() {
		return failure("密码登录功能未初始化")
	}
	switch r := u.w.core.password(step); r.code {
	case codeOK:
		u.w.shell.setError("")
		return success(nil)
	case codeCaptcha:
		return success(map[string]any{"needCaptcha": true, "proofWaterUrl": r.proofURL})
	case codeNewDevice:
		return success(map[string]any{"needNewDevice": true, "jumpUrl": r.jumpURL, "newDevicePullQrCodeSig": r.sig})
	default:
		u.w.shell.setError(r.text)
		return failure(r.text)
	}
}

// restart asks the master for a new worker.
func (u *webui) restart(prefix string) reply {
	if err := u.w.requestRestart(); err != nil {
		return failure(fmt.Sprintf("%s%v", prefix, err))
	}
	return success(map[string]any{"message": "进程重启请求已发送"})
}
