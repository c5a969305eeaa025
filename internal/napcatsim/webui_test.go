//go:build !windows

package napcatsim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/totp"
)

// syncBuffer is a stdout that a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// desk is a worker without a process: its WebUI is served by the test.
type desk struct {
	*ui
	w   *worker
	out *syncBuffer
}

// newDesk makes a worker whose boot has not begun.
func newDesk(t *testing.T, webuiJSON string, o Options) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{out: &syncBuffer{}}
	p := &process{
		env:    map[string]string{"HOME": filepath.Join(dir, "home"), "NAPCAT_WORKDIR": filepath.Join(dir, "work")},
		stdout: d.out, stderr: d.out, opt: o,
		in: Installation{QQVersion: DefaultQQVersion, NapCatVersion: "4.18.19", Main: filepath.Join(dir, "napcat", "napcat.mjs")},
	}
	d.w = newWorker(p)
	if err := d.w.prepare(); err != nil {
		t.Fatal(err)
	}
	if webuiJSON != "" {
		if err := writeFile(d.w.conf.path("webui.json"), []byte(webuiJSON)); err != nil {
			t.Fatal(err)
		}
	}
	conf, err := loadWebUIConfig(d.w.conf.dir, "", d.w.log)
	if err != nil {
		t.Fatal(err)
	}
	d.w.webui = newWebUI(d.w, conf)
	srv := httptest.NewServer(d.w.webui)
	t.Cleanup(srv.Close)
	t.Cleanup(d.w.core.stop)
	d.ui = &ui{t: t, base: srv.URL}
	return d
}

// enter logs in to the WebUI.
func (d *desk) enter() {
	d.t.Helper()
	var data struct{ Credential string }
	d.data("auth/login", fmt.Sprintf(`{"hash":"%s"}`, hashToken(d.w.webui.conf.str("token"))), &data)
	d.cred = data.Credential
}

const deskJSON = `{"port":36099,"host":"127.0.0.1","prefix":"/x","token":"tok123456"}`

// TestRecorded replays what the real WebUI answered before anybody was logged
// in.
func TestRecorded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskJSON, Options{ScanAfter: offDur(), QRDelay: dur(0)})
	hash := hashToken("tok123456")
	if hash != "20b2dc02b6e1913ec9dbe53af19c9ce1b1f9d758d83d0ec8dc8b5a33ea09ff30" {
		t.Fatalf("hash %s", hash)
	}
	type exchange struct {
		method, path, body string
		want               string
	}
	replay := func(list []exchange) {
		t.Helper()
		for _, x := range list {
			code, got := d.do(x.method, x.path, x.body)
			if got != x.want || code != 200 {
				t.Errorf("%s %s %s\n got %d %s\nwant 200 %s", x.method, x.path, x.body, code, got, x.want)
			}
		}
	}
	const unauthorized = `{"code":-1,"message":"Unauthorized"}`
	const broken = `{"code":-1,"message":"An unknown error occurred."}`
	replay([]exchange{
		{"POST", "/api/auth/login", `{}`, `{"code":-1,"message":"token is empty"}`},
		{"POST", "/api/auth/login", `{"hash":"bad"}`, `{"code":-1,"message":"token is invalid"}`},
		{"POST", "/api/auth/login", `{"hash":`, broken},
		{"POST", "/api/auth/login", ``, broken},
		{"POST", "/api/auth/login?x=1", `{"hash":"` + hash + `"}`, unauthorized},
		{"POST", "/api/auth/check", ``, unauthorized},
		{"GET", "/api/nope", ``, unauthorized},
	})
	d.enter()
	raw, err := base64.StdEncoding.DecodeString(d.cred)
	if err != nil {
		t.Fatal(err)
	}
	var c signedCredential
	if err := json.Unmarshal(raw, &c); err != nil || c.Data.HashEncoded != hash || len(c.Hmac) != 64 || !bytes.HasPrefix(raw, []byte(`{"Data":{"CreatedTime":`)) {
		t.Errorf("credential %s", raw)
	}
	replay([]exchange{
		{"POST", "/api/auth/check", ``, `{"code":0,"data":null,"message":"success"}`},
		{"GET", "/api/test", ``, `{"code":0,"message":"success"}`},
		{"POST", "/api/QQLogin/CheckLoginStatus", ``, `{"code":0,"data":{"isLogin":false,"isOffline":false,"qrcodeurl":"","loginError":""},"message":"success"}`},
		{"POST", "/api/QQLogin/GetQQLoginQrcode", `{}`, `{"code":-1,"message":"QRCode Get Error"}`},
		{"POST", "/api/QQLogin/GetQuickLoginList", `{}`, `{"code":0,"data":[],"message":"success"}`},
		{"GET", "/api/QQLogin/GetQuickLoginListNew", ``, `{"code":0,"data":[],"message":"success"}`},
		{"POST", "/api/QQLogin/SetQuickLogin", `{}`, `{"code":-1,"message":"uin is empty"}`},
		{"POST", "/api/QQLogin/SetQuickLogin", `{"uin":"1"}`, `{"code":-1,"message":""}`},
		{"POST", "/api/QQLogin/PasswordLogin", `{"uin":"1","passwordMd5":"x"}`, `{"code":-1,"message":"密码登录功能未初始化"}`},
		{"POST", "/api/QQLogin/PasswordLogin", `{"uin":"1"}`, `{"code":-1,"message":"passwordMd5 is empty"}`},
		{"POST", "/api/QQLogin/CaptchaLogin", `{"uin":"1"}`, `{"code":-1,"message":"uin or passwordMd5 is empty"}`},
		{"POST", "/api/QQLogin/CaptchaLogin", `{"uin":"1","passwordMd5":"x"}`, `{"code":-1,"message":"captcha ticket or randstr is empty"}`},
		{"POST", "/api/QQLogin/NewDeviceLogin", `{"uin":"1","passwordMd5":"x"}`, `{"code":-1,"message":"newDevicePullQrCodeSig is empty"}`},
		{"POST", "/api/QQLogin/GetNewDeviceQRCode", `{"uin":"1"}`, `{"code":-1,"message":"uin and jumpUrl are required"}`},
		{"POST", "/api/QQLogin/PollNewDeviceQR", `{"uin":"1"}`, `{"code":-1,"message":"uin and bytesToken are required"}`},
		{"POST", "/api/QQLogin/PasswordLogin", ``, broken},
		{"POST", "/api/QQLogin/GetQQLoginInfo", `{}`, `{"code":0,"data":{"uid":"","uin":"","nick":""},"message":"success"}`},
		{"POST", "/api/QQLogin/GetQuickLoginQQ", `{}`, `{"code":0,"data":"","message":"success"}`},
		{"POST", "/api/QQLogin/SetQuickLoginQQ", `{"uin":"10001"}`, `{"code":0,"data":null,"message":"success"}`},
		{"POST", "/api/QQLogin/GetQuickLoginQQ", `{}`, `{"code":0,"data":"10001","message":"success"}`},
		{"POST", "/api/QQLogin/RestartNapCat", `{}`, `{"code":-1,"message":"重启功能未初始化"}`},
		{"POST", "/api/Process/Restart", `{}`, `{"code":-1,"message":"重启功能未初始化"}`},
		{"POST", "/api/OB11Config/GetConfig", `{}`, `{"code":-1,"message":"Not Login"}`},
		{"POST", "/api/OB11Config/SetConfig", `{"config":"{}"}`, `{"code":-1,"message":"Not Login"}`},
		{"GET", "/api/base/GetNapCatVersion", ``, `{"code":0,"data":{"version":"4.18.19"},"message":"success"}`},
		{"GET", "/api/base/QQVersion", ``, `{"code":0,"data":"unknown","message":"success"}`},
		{"GET", "/api/Log/GetLogList", ``, `{"code":0,"data":[],"message":"success"}`},
		{"GET", "/api/WebUIConfig/GetConfig", ``, `{"code":0,"data":{"host":"127.0.0.1","port":36099,"loginRate":10,"disableWebUI":false,"accessControlMode":"none","ipWhitelist":[],"ipBlacklist":[],"enableXForwardedFor":false},"message":"success"}`},
		{"GET", "/api/NapCatConfig/GetConfig", ``, `{"code":0,"data":{"fileLog":false,"consoleLog":true,"fileLogLevel":"debug","consoleLogLevel":"info","packetBackend":"auto","packetServer":"","o3HookMode":0,"autoTimeSync":true},"message":"success"}`},
		{"GET", "/api/NapCatConfig/GetUinConfig", ``, `{"code":-1,"message":"Not Login"}`},
		{"POST", "/api/Debug/call", `{"action":"get_status"}`, `{"code":-1,"message":"OneBot 未初始化，无法创建调试适配器"}`},
		{"GET", "/api/auth/2fa/status", ``, `{"code":0,"data":{"enable2FA":false,"hasSecret":false},"message":"success"}`},
		{"POST", "/api/QQLogin/RefreshQRcode", `{}`, `{"code":0,"data":null,"message":"success"}`},
	})
	for _, path := range []string{"/api/nope", "/api/QQLogin/CheckLoginStatus"} {
		want := "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n<pre>Cannot GET " + path + "</pre>\n</body>\n</html>\n"
		if code, got := d.do("GET", path, ""); code != 404 || got != want {
			t.Errorf("GET %s: %d %s", path, code, got)
		}
	}
	if code, _ := d.do("GET", "/", ""); code != 301 {
		t.Errorf("GET /: %d", code)
	}
	if _, got := d.do("POST", "/api/auth/check?webui_token=bad", ""); !strings.Contains(got, "success") {
		t.Errorf("the header wins over the query: %s", got)
	}
	cred := d.cred
	d.cred = ""
	if _, got := d.do("GET", "/api/test?webui_token="+strings.ReplaceAll(cred, "+", "%2B"), ""); got != `{"code":0,"message":"success"}` {
		t.Errorf("credential in the query: %s", got)
	}
	d.cred = cred
	replay([]exchange{
		{"POST", "/api/auth/update_token", `{"oldToken":"tok123456","newToken":"abc12345"}`, `{"code":0,"data":"Token updated successfully","message":"success"}`},
		{"POST", "/api/auth/check", ``, unauthorized},
	})
	var disk map[string]any
	if err := readJSON(d.w.conf.path("webui.json"), &disk); err != nil || disk["token"] != "abc12345" || disk["prefix"] != "/x" || disk["autoLoginAccount"] != "10001" {
		t.Errorf("webui.json %v %v", disk, err)
	}
	for i := range 20 {
		_, got := d.do("POST", "/api/auth/login", `{"hash":"bad"}`)
		want := `{"code":-1,"message":"token is invalid"}`
		if i >= 8 { // two attempts above counted already, the right one too
			want = `{"code":-1,"message":"login rate limit"}`
		}
		if got != want {
			t.Errorf("attempt %d: %s", i, got)
		}
	}
}

// TestRecordedLoggedIn replays what it answered around a login.
func TestRecordedLoggedIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskJSON, Options{ScanAfter: offDur(), QRDelay: dur(0), LoginDelay: dur(0), OneBotDelay: dur(2 * time.Second)})
	d.enter()
	d.w.shell.login()
	eventually(t, "a code", func() bool { return d.status().QRCodeURL != "" })
	qr := d.status().QRCodeURL
	if got := d.post("QQLogin/GetQQLoginQrcode", ""); got != `{"code":0,"data":{"qrcode":"`+qr+`"},"message":"success"}` {
		t.Error(got)
	}
	if err := d.w.core.scan(0, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "accepted", func() bool { return d.w.shell.phase() == "accepted" })
	// The gap: accepted, but OneBot is not up.
	if got := d.post("QQLogin/GetQQLoginQrcode", ""); got != `{"code":-1,"message":"QQ Is Logined"}` {
		t.Error(got)
	}
	if s := d.status(); s.IsLogin || s.IsOffline || s.QRCodeURL != qr {
		t.Errorf("status in the gap %+v", s)
	}
	if got := d.post("OB11Config/GetConfig", ""); got != `{"code":-1,"message":"Config Get Error"}` {
		t.Error(got)
	}
	if got := d.post("OB11Config/SetConfig", `{"config":"{}"}`); got != `{"code":0,"data":null,"message":"success"}` {
		t.Error(got)
	}
	eventually(t, "online", func() bool { return d.status().IsLogin })
	for _, x := range []struct{ path, body, want string }{
		{"QQLogin/RefreshQRcode", "", `{"code":-1,"message":"QQ Is Logined"}`},
		{"QQLogin/SetQuickLogin", `{"uin":"1"}`, `{"code":-1,"message":"QQ Is Logined"}`},
		{"OB11Config/SetConfig", `{"config":"{\"network\":{\"websocketServers\":[{\"port\":\"x\"}]}}"}`, `{"code":-1,"message":"Error: Error: Expected number"}`},
		{"OB11Config/SetConfig", `{"config":{"network":{}}}`, `{"code":-1,"message":"Error: SyntaxError: JSON5: invalid character 'o' at 1:2"}`},
		{"OB11Config/SetConfig", `{}`, `{"code":-1,"message":"config is empty"}`},
		{"OB11Config/SetConfig", `{"config":"{network:{}, parseMultMsg: 1, extra: 5}"}`, `{"code":0,"data":null,"message":"success"}`},
	} {
		if got := d.post(x.path, x.body); got != x.want {
			t.Errorf("%s %s: %s", x.path, x.body, got)
		}
	}
	var disk map[string]any
	if err := readJSON(d.w.conf.path(accountFile("onebot11", DefaultUIN)), &disk); err != nil || disk["parseMultMsg"] != true || disk["extra"] != nil || disk["timeout"] == nil {
		t.Errorf("saved %v %v", disk, err)
	}
	if !d.w.shell.changeOnline(false) {
		t.Error("no status 20")
	}
	if s := d.status(); s.IsLogin || !s.IsOffline {
		t.Errorf("status at status 20: %+v", s)
	}
	if !strings.Contains(d.out.String(), "账号状态变更为离线") {
		t.Error("status 20 is not in the log")
	}
	d.w.shell.changeOnline(true)
	if s := d.status(); !s.IsLogin || s.IsOffline {
		t.Errorf("status afterwards: %+v", s)
	}
	d.w.shell.kick("下线通知", "x")
	if s := d.status(); s.IsLogin || s.IsOffline || s.LoginError != "[KickedOffLine] [下线通知] x" || s.QRCodeURL != qr {
		t.Errorf("status after a kick: %+v", s)
	}
	if d.w.shell.changeOnline(true) {
		t.Error("a session that was ended comes back")
	}
}

// md5 of "secret"
const secretMD5 = "5ebe2294ecd0e0f08eab7690d2a6ee69"

func TestPasswordLogin(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]Account{
		"plain": {}, "captcha": {Captcha: true}, "new device": {NewDevice: true}, "both": {Captcha: true, NewDevice: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a.UIN, a.PasswordMD5, a.Nick = 10001, secretMD5, "密码"
			d := newDesk(t, deskJSON, Options{Accounts: []Account{a}, ScanAfter: offDur(), QRDelay: dur(0), LoginDelay: dur(0), OneBotDelay: dur(0)})
			d.enter()
			d.w.shell.login()
			if got := d.post("QQLogin/PasswordLogin", `{"uin":"10001","passwordMd5":"`+strings.Repeat("0", 32)+`"}`); !strings.Contains(got, "密码错误") || d.status().LoginError == "" {
				t.Errorf("wrong password: %s", got)
			}
			body := `"uin":"10001","passwordMd5":"` + secretMD5 + `"`
			type answer struct {
				NeedCaptcha   bool
				ProofWaterURL string
				NeedNewDevice bool
				JumpURL       string
				Sig           string `json:"newDevicePullQrCodeSig"`
			}
			var r *answer
			d.data("QQLogin/PasswordLogin", "{"+body+"}", &r)
			if a.Captcha {
				if r == nil || !r.NeedCaptcha || !strings.Contains(r.ProofWaterURL, "uin=10001") || !strings.Contains(r.ProofWaterURL, "sid=") {
					t.Fatalf("want a captcha, have %+v", r)
				}
				_, after, _ := strings.Cut(r.ProofWaterURL, "sid=")
				sid, _, _ := strings.Cut(after, "&")
				if got := d.post("QQLogin/CaptchaLogin", "{"+body+`,"ticket":"bad","randstr":"@abc","sid":"`+sid+`"}`); !strings.Contains(got, "验证码错误") {
					t.Errorf("wrong ticket: %s", got)
				}
				r = nil
				d.data("QQLogin/CaptchaLogin", "{"+body+`,"ticket":"t03xyz","randstr":"@abc","sid":"`+sid+`"}`, &r)
			}
			if a.NewDevice {
				if r == nil || !r.NeedNewDevice || r.Sig == "" {
					t.Fatalf("want a new device, have %+v", r)
				}
				var qr struct {
					StrURL string `json:"str_url"`
				}
				b, err := json.Marshal(map[string]string{"uin": "10001", "jumpUrl": r.JumpURL})
				if err != nil {
					t.Fatal(err)
				}
				d.data("QQLogin/GetNewDeviceQRCode", string(b), &qr)
				_, token, _ := strings.Cut(qr.StrURL, "str_url=")
				token = base64.StdEncoding.EncodeToString([]byte(token))
				var poll struct {
					Status int    `json:"uint32_guarantee_status"`
					Token  string `json:"str_nt_succ_token"`
				}
				d.data("QQLogin/PollNewDeviceQR", `{"uin":"10001","bytesToken":"`+token+`"}`, &poll)
				if poll.Status != 0 || poll.Token != "" {
					t.Errorf("before the phone confirms: %+v", poll)
				}
				if got := d.post("QQLogin/NewDeviceLogin", "{"+body+`,"newDevicePullQrCodeSig":"x"}`); !strings.Contains(got, `"code":-1`) {
					t.Errorf("login with an unconfirmed device: %s", got)
				}
				if !d.w.core.confirmDevices() {
					t.Error("nothing to confirm")
				}
				d.data("QQLogin/PollNewDeviceQR", `{"uin":"10001","bytesToken":"`+token+`"}`, &poll)
				if poll.Status != 1 || poll.Token == "" {
					t.Fatalf("after the phone confirmed: %+v", poll)
				}
				r = nil
				d.data("QQLogin/NewDeviceLogin", "{"+body+`,"newDevicePullQrCodeSig":"`+poll.Token+`"}`, &r)
			}
			if r != nil {
				t.Fatalf("one step too many: %+v", r)
			}
			eventually(t, "online", func() bool { return d.status().IsLogin })
			if s := d.status(); s.LoginError != "" {
				t.Errorf("loginError %q after a login by password", s.LoginError)
			}
		})
	}
}

func TestTwoFactor(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskJSON, Options{})
	d.enter()
	var g struct{ Secret, QRCodeURL string }
	d.data("auth/2fa/generate-secret", "{}", &g)
	code := func() string {
		c, err := totp.Code(g.Secret, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if got := d.post("auth/2fa/enable", `{"secret":"`+g.Secret+`","totpCode":"000000x"}`); got != `{"code":-1,"message":"Invalid code"}` {
		t.Error(got)
	}
	if got := d.post("auth/2fa/enable", `{"secret":"`+g.Secret+`","totpCode":"`+code()+`"}`); got != `{"code":0,"data":{"message":"2FA enabled"},"message":"success"}` {
		t.Fatal(got)
	}
	hash := `"hash":"` + hashToken("tok123456") + `"`
	if got := d.post("auth/login", "{"+hash+"}"); got != `{"code":0,"data":{"message":"Please enter your authenticator code","require2FA":true},"message":"success"}` {
		t.Error(got)
	}
	if got := d.post("auth/login", "{"+hash+`,"totpCode":"00000x"}`); got != `{"code":-1,"message":"Invalid or expired code"}` {
		t.Error(got)
	}
	if got := d.post("auth/login", "{"+hash+`,"totpCode":"`+code()+`"}`); !strings.Contains(got, `"Credential":"`) || !strings.Contains(got, `"require2FA":false`) {
		t.Error(got)
	}
	srv, err := d.w.store.servers()
	if err != nil || srv.WebUILogins != 4 {
		t.Errorf("logins counted: %d, %v", srv.WebUILogins, err)
	}
}

func TestAccessControl(t *testing.T) {
	t.Parallel()
	d := newDesk(t, `{"token":"tok123456","accessControlMode":"whitelist","ipWhitelist":["10.0.0.0/8","192.168.*.*"],"enableXForwardedFor":true}`, Options{})
	if code, got := d.do("GET", "/webui", ""); code != 403 || got != `{"error":"访问被拒绝：IP不在白名单中"}` {
		t.Errorf("%d %s", code, got)
	}
	for _, tt := range []struct {
		pattern, ip string
		want        bool
	}{
		{"10.0.0.0/8", "10.1.2.3", true}, {"10.0.0.0/8", "11.1.2.3", false}, {"192.168.*.*", "192.168.7.8", true},
		{"192.168.*.*", "192.169.7.8", false}, {"::1", "::1", true}, {"fe80::/10", "fe80::1", true}, {"1.2.3.4", "1.2.3.4", true},
	} {
		if got := matchIP(tt.pattern, tt.ip); got != tt.want {
			t.Errorf("matchIP(%q, %q) = %v", tt.pattern, tt.ip, got)
		}
	}
}

func TestWebUIConfigSurprises(t *testing.T) {
	t.Parallel()
	load := func(t *testing.T, text, secret string) (*webuiConfig, string, string) {
		dir := t.TempDir()
		path := filepath.Join(dir, "webui.json")
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out syncBuffer
		c, err := loadWebUIConfig(dir, secret, newConsole(func(b []byte) error { _, err := out.Write(b); return err }))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return c, string(b), out.String()
	}
	t.Run("absent", func(t *testing.T) {
		c, disk, _ := load(t, "", "")
		if len(c.str("token")) != 12 || !strings.Contains(disk, c.str("token")) || c.num("port") != 6099 || c.str("host") != "::" {
			t.Errorf("%s", disk)
		}
	})
	t.Run("no token", func(t *testing.T) {
		c, disk, _ := load(t, `{"port":1}`, "")
		if c.str("token") == "" || disk != `{"port":1}` {
			t.Errorf("the random token is not written: %s", disk)
		}
	})
	for _, weak := range []string{"", "napcat"} {
		t.Run("weak "+weak, func(t *testing.T) {
			c, disk, _ := load(t, `{"token":"`+weak+`"}`, "")
			if len(c.str("token")) != 8 || c.sent != c.str("token") || !strings.Contains(disk, c.sent) {
				t.Errorf("token %q, disk %s", c.str("token"), disk)
			}
		})
	}
	t.Run("broken", func(t *testing.T) {
		c, disk, out := load(t, `{"token":"abc12345",}`, "")
		if c.str("token") == "abc12345" || disk != `{"token":"abc12345",}` || !strings.Contains(out, "读取配置文件失败") {
			t.Errorf("token %q, disk %s, log %s", c.str("token"), disk, out)
		}
	})
	t.Run("environment", func(t *testing.T) {
		c, disk, _ := load(t, `{"token":"old","port":7}`, "fromEnv99")
		if c.str("token") != "fromEnv99" || !strings.Contains(disk, "fromEnv99") || !strings.Contains(disk, `"port": 7`) {
			t.Errorf("token %q, disk %s", c.str("token"), disk)
		}
	})
}

func TestAccountFiles(t *testing.T) {
	t.Parallel()
	var out syncBuffer
	c := confDir{dir: t.TempDir(), log: newConsole(func(b []byte) error { _, err := out.Write(b); return err })}
	if err := os.WriteFile(c.path("napcat.json"), []byte("// comment\n{o3HookMode: '1', fileLog: 1, unknown: 2,}"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := c.byAccount("napcat", 10001, napcatSchema)
	if err != nil || doc.Get("o3HookMode") != 1.0 || doc.Get("fileLog") != true || doc.Has("unknown") || doc.Has("bypass") {
		t.Errorf("%v %v", doc, err)
	}
	// The copy is made once.
	if err := os.WriteFile(c.path("napcat.json"), []byte("{o3HookMode: 0}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if doc, err = c.byAccount("napcat", 10001, napcatSchema); err != nil || doc.Get("o3HookMode") != 1.0 {
		t.Errorf("%v %v", doc, err)
	}
	if err := os.WriteFile(c.path("onebot11_10001.json"), []byte("{network:"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.onebot(10001); err == nil || !strings.Contains(out.String(), "[Core] [Config] 操作配置文件格式错误，请检查配置文件: SyntaxError: JSON5: invalid end of input at 1:10") {
		t.Errorf("%v; log %s", err, out.String())
	}
	if err := os.WriteFile(c.path("onebot11_10001.json"), []byte("{network:{websocketServers:[{port:'x'}]}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.onebot(10001); err == nil || !strings.Contains(out.String(), "[Core] [Config] 读取配置文件时发生错误: ") {
		t.Errorf("%v; log %s", err, out.String())
	}
}
