package webui

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

const testMD5 = "0123456789abcdef0123456789abcdef"

// exchange is one line of testdata/exchanges.txt.
type exchange struct {
	method, path, body string
	status             int
	contentType        string
	answer             string
}

func loadExchanges(t *testing.T) map[string]exchange {
	t.Helper()
	f, err := os.Open("testdata/exchanges.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]exchange{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		line := sc.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		left, right, ok := strings.Cut(line, " => ")
		l := strings.SplitN(left, " ", 3)
		r := strings.SplitN(right, " ", 3)
		if !ok || len(l) < 2 || len(r) != 3 {
			t.Fatalf("bad line %q", line)
		}
		status, err := strconv.Atoi(r[0])
		if err != nil {
			t.Fatal(err)
		}
		x := exchange{method: l[0], status: status, answer: r[2]}
		if len(l) == 3 {
			x.body = l[2]
		}
		x.path, _, _ = strings.Cut(l[1], "#")
		x.contentType = map[string]string{"json": "application/json; charset=utf-8", "html": "text/html; charset=utf-8", "text": "text/plain"}[r[1]]
		if _, dup := all[l[1]]; dup {
			t.Fatalf("%s twice", l[1])
		}
		all[l[1]] = x
	}
	return all
}

// TestExchanges replays what NapCat answers: what each method sends, what it
// makes of success, and which kind each message and each quirk becomes.
func TestExchanges(t *testing.T) {
	all := loadExchanges(t)
	used := map[string]bool{}
	nd := NewDevice{JumpURL: "https://accounts.qq.com/safe/verify?_wv=2", sig: json.RawMessage(`{"0":1,"1":2}`)}
	dq := DeviceQR{URL: "https://accounts.qq.com/safe/qr?str_url=abc", Token: "dG9r"}
	const url = "https://txz.qq.com/p?k=abc&f=1600001615"

	call := map[string]func(context.Context, *Client) (any, error){
		"auth/check":               func(ctx context.Context, c *Client) (any, error) { return nil, c.CheckAuth(ctx) },
		"QQLogin/CheckLoginStatus": func(ctx context.Context, c *Client) (any, error) { return c.CheckLoginStatus(ctx) },
		"QQLogin/GetQQLoginQrcode": func(ctx context.Context, c *Client) (any, error) { return c.GetQQLoginQrcode(ctx) },
		"QQLogin/RefreshQRcode":    func(ctx context.Context, c *Client) (any, error) { return nil, c.RefreshQRcode(ctx) },
		"QQLogin/GetQuickLoginList": func(ctx context.Context, c *Client) (any, error) {
			return c.GetQuickLoginList(ctx)
		},
		"QQLogin/GetQuickLoginListNew": func(ctx context.Context, c *Client) (any, error) { return c.GetQuickLoginListNew(ctx) },
		"QQLogin/SetQuickLogin":        func(ctx context.Context, c *Client) (any, error) { return nil, c.SetQuickLogin(ctx, 10001) },
		"QQLogin/GetQQLoginInfo":       func(ctx context.Context, c *Client) (any, error) { return c.GetQQLoginInfo(ctx) },
		"QQLogin/GetQuickLoginQQ":      func(ctx context.Context, c *Client) (any, error) { return c.GetQuickLoginQQ(ctx) },
		"QQLogin/SetQuickLoginQQ":      func(ctx context.Context, c *Client) (any, error) { return nil, c.SetQuickLoginQQ(ctx, 10001) },
		"QQLogin/SetQuickLoginQQ#none": func(ctx context.Context, c *Client) (any, error) { return nil, c.SetQuickLoginQQ(ctx, 0) },
		"QQLogin/PasswordLogin": func(ctx context.Context, c *Client) (any, error) {
			return c.PasswordLogin(ctx, 10001, testMD5)
		},
		"QQLogin/CaptchaLogin": func(ctx context.Context, c *Client) (any, error) {
			return c.CaptchaLogin(ctx, 10001, testMD5, "t", "@r", "42")
		},
		"QQLogin/CaptchaLogin#empty": func(ctx context.Context, c *Client) (any, error) {
			return c.CaptchaLogin(ctx, 10001, testMD5, "", "", "")
		},
		"QQLogin/NewDeviceLogin": func(ctx context.Context, c *Client) (any, error) {
			return c.NewDeviceLogin(ctx, 10001, testMD5, nd, "succ")
		},
		"QQLogin/NewDeviceLogin#sig": func(ctx context.Context, c *Client) (any, error) {
			return c.NewDeviceLogin(ctx, 10001, testMD5, nd, "")
		},
		"QQLogin/NewDeviceLogin#nosig": func(ctx context.Context, c *Client) (any, error) {
			return c.NewDeviceLogin(ctx, 10001, testMD5, NewDevice{}, "")
		},
		"QQLogin/GetNewDeviceQRCode": func(ctx context.Context, c *Client) (any, error) {
			return c.GetNewDeviceQRCode(ctx, 10001, nd)
		},
		"QQLogin/PollNewDeviceQR": func(ctx context.Context, c *Client) (any, error) { return c.PollNewDeviceQR(ctx, 10001, dq) },
		"QQLogin/PollNewDeviceQR#missing": func(ctx context.Context, c *Client) (any, error) {
			return c.PollNewDeviceQR(ctx, 10001, DeviceQR{})
		},
		"QQLogin/RestartNapCat": func(ctx context.Context, c *Client) (any, error) { return nil, c.RestartNapCat(ctx) },
		"OB11Config/GetConfig": func(ctx context.Context, c *Client) (any, error) {
			b, err := c.OB11Config(ctx)
			return len(b) > 0 && json.Valid(b), err
		},
		"OB11Config/SetConfig": func(ctx context.Context, c *Client) (any, error) {
			return nil, c.SetOB11Config(ctx, json.RawMessage(`{"network":{}}`))
		},
		"OB11Config/SetConfig#schema": func(ctx context.Context, c *Client) (any, error) {
			return nil, c.SetOB11Config(ctx, json.RawMessage(`{"network":{"websocketServers":[{"port":"x"}]}}`))
		},
		"base/GetNapCatVersion": func(ctx context.Context, c *Client) (any, error) { return c.NapCatVersion(ctx) },
		"base/QQVersion":        func(ctx context.Context, c *Client) (any, error) { return c.QQVersion(ctx) },
		"Debug/call": func(ctx context.Context, c *Client) (any, error) {
			b, err := c.DebugCall(ctx, "get_status", nil)
			var v struct{ Status string }
			_ = json.Unmarshal(b, &v)
			return v.Status, err
		},
	}

	for _, tt := range []struct {
		name string
		want any
		kind Kind
	}{
		{"auth/check", nil, ""},
		{"auth/check#internal", nil, KindInternal},
		{"QQLogin/CheckLoginStatus#start", LoginStatus{}, ""},
		{"QQLogin/CheckLoginStatus#qr", LoginStatus{QRCodeURL: url}, ""},
		{"QQLogin/CheckLoginStatus#expired", LoginStatus{QRCodeURL: url, LoginError: "二维码已过期，请刷新"}, ""},
		{"QQLogin/CheckLoginStatus#online", LoginStatus{IsLogin: true, QRCodeURL: url, LoginError: "二维码已过期，请刷新"}, ""},
		{"QQLogin/CheckLoginStatus#offline", LoginStatus{IsOffline: true, QRCodeURL: url}, ""},
		{"QQLogin/CheckLoginStatus#kicked", LoginStatus{QRCodeURL: url, LoginError: "[KickedOffLine] [下线通知] x"}, ""},
		{"QQLogin/GetQQLoginQrcode#none", "", KindNoQR},
		{"QQLogin/GetQQLoginQrcode#qr", url, ""},
		{"QQLogin/GetQQLoginQrcode#accepted", "", KindAlreadyLoggedIn},
		{"QQLogin/GetQQLoginQrcode#nodata", "", KindNoQR},
		{"QQLogin/RefreshQRcode", nil, ""},
		{"QQLogin/GetQuickLoginList#empty", []int64{}, ""},
		{"QQLogin/GetQuickLoginList", []int64{10001, 10002}, ""},
		{"QQLogin/GetQuickLoginListNew", []QuickAccount{{10001, "bot", true}, {10002, "old", false}}, ""},
		{"QQLogin/SetQuickLogin", nil, ""},
		{"QQLogin/SetQuickLogin#notready", nil, KindNotReady},
		{"QQLogin/SetQuickLogin#nouin", nil, KindInvalid},
		{"QQLogin/SetQuickLogin#refused", nil, KindRefused},
		{"QQLogin/SetQuickLogin#broken", nil, KindRefused},
		{"QQLogin/SetQuickLogin#again", nil, KindAlreadyLoggedIn},
		{"QQLogin/GetQQLoginInfo#before", LoginInfo{}, ""},
		{"QQLogin/GetQQLoginInfo", LoginInfo{UIN: 10001, UID: "u_x", Nick: "bot", Online: true}, ""},
		{"QQLogin/GetQuickLoginQQ#none", int64(0), ""},
		{"QQLogin/GetQuickLoginQQ", int64(10001), ""},
		{"QQLogin/SetQuickLoginQQ", nil, ""},
		{"QQLogin/SetQuickLoginQQ#none", nil, ""},
		{"QQLogin/PasswordLogin", Challenge{}, ""},
		{"QQLogin/PasswordLogin#captcha", Challenge{Captcha: &Captcha{URL: "https://ti.qq.com/safe/tools/captcha/sms-verify-login?uin=10001&sid=42&aid=2081081773", SID: "42"}}, ""},
		{"QQLogin/PasswordLogin#device", Challenge{NewDevice: &nd}, ""},
		{"QQLogin/PasswordLogin#notready", Challenge{}, KindNotReady},
		{"QQLogin/PasswordLogin#wrong", Challenge{}, KindRefused},
		{"QQLogin/PasswordLogin#nomd5", Challenge{}, KindInvalid},
		{"QQLogin/CaptchaLogin", Challenge{NewDevice: &NewDevice{JumpURL: nd.JumpURL, sig: json.RawMessage(`"sig"`)}}, ""},
		{"QQLogin/CaptchaLogin#empty", Challenge{}, KindInvalid},
		{"QQLogin/NewDeviceLogin", Challenge{}, ""},
		{"QQLogin/NewDeviceLogin#sig", Challenge{}, ""},
		{"QQLogin/NewDeviceLogin#nosig", Challenge{}, KindInvalid},
		{"QQLogin/GetNewDeviceQRCode", dq, ""},
		{"QQLogin/GetNewDeviceQRCode#notoken", DeviceQR{URL: dq.URL, Token: "YWJj"}, ""},
		{"QQLogin/GetNewDeviceQRCode#fail", DeviceQR{}, KindRefused},
		{"QQLogin/GetNewDeviceQRCode#net", DeviceQR{}, KindRefused},
		{"QQLogin/PollNewDeviceQR#wait", DeviceState{}, ""},
		{"QQLogin/PollNewDeviceQR#scanned", DeviceState{Scanned: true}, ""},
		{"QQLogin/PollNewDeviceQR#confirmed", DeviceState{Confirmed: true, Token: "succ"}, ""},
		{"QQLogin/PollNewDeviceQR#missing", DeviceState{}, KindInvalid},
		{"QQLogin/RestartNapCat", nil, ""},
		{"QQLogin/RestartNapCat#single", nil, KindNoRestart},
		{"QQLogin/RestartNapCat#orphan", nil, KindNoRestart},
		{"OB11Config/GetConfig", true, ""},
		{"OB11Config/GetConfig#early", false, KindNotLoggedIn},
		{"OB11Config/GetConfig#gap", false, KindNotReady},
		{"OB11Config/SetConfig", nil, ""},
		{"OB11Config/SetConfig#schema", nil, KindInvalid},
		{"base/GetNapCatVersion", "4.18.19", ""},
		{"base/GetNapCatVersion#old", "", KindNotFound},
		{"base/QQVersion#early", "", ""},
		{"base/QQVersion", "3.2.30-50969", ""},
		{"base/QQVersion#rules", "", KindForbidden},
		{"base/QQVersion#limited", "", KindRateLimited},
		{"base/QQVersion#broken", "", KindInternal},
		{"base/QQVersion#stranger", "", KindBadAnswer},
		{"base/QQVersion#strangejson", "", KindBadAnswer},
		{"base/QQVersion#shape", "", KindBadAnswer},
		{"base/QQVersion#redirect", "", KindBadAnswer},
		{"Debug/call", "ok", ""},
		{"Debug/call#early", "", KindNotReady},
		{"Debug/call#unknown", "", KindNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, ok := all[tt.name]
			if !ok {
				t.Fatal("no such exchange")
			}
			used[tt.name] = true
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/api/auth/login" {
					writeEnvelope(w, `{"code":0,"data":{"Credential":"cred"},"message":"success"}`)
					return
				}
				var body strings.Builder
				if _, err := bufio.NewReader(r.Body).WriteTo(&body); err != nil {
					t.Error(err)
				}
				if r.Method != x.method || r.URL.RequestURI() != "/api/"+x.path || body.String() != x.body {
					t.Errorf("sent %s %s %s", r.Method, r.URL.RequestURI(), body.String())
				}
				if got := r.Header.Get("Authorization"); got != "Bearer cred" {
					t.Errorf("authorization %q", got)
				}
				if x.status == 301 {
					w.Header().Set("Location", "/webui")
				}
				w.Header().Set("Content-Type", x.contentType)
				w.WriteHeader(x.status)
				fmt.Fprint(w, x.answer)
			}))
			defer srv.Close()
			c := New(srv.URL+"/", "tok123456", Options{})
			do := call[tt.name]
			if do == nil {
				do = call[x.path]
			}
			got, err := do(t.Context(), c)
			if k := KindOf(err); k != tt.kind {
				t.Fatalf("kind %q, want %q (%v)", k, tt.kind, err)
			}
			if (err != nil) != (tt.kind != "") {
				t.Fatalf("err %v", err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "<") {
				t.Errorf("the error carries a page: %v", err)
			}
		})
	}
	for name := range all {
		if !used[name] {
			t.Errorf("exchange %s has no case", name)
		}
	}
}

func writeEnvelope(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprint(w, s)
}

// A look that does not say whether the account is logged in says nothing: it is no
// word of a logout.
func TestLoginStatusThatSaysNothing(t *testing.T) {
	for _, data := range []string{``, `,"data":null`, `,"data":{}`, `,"data":{"qrcodeurl":"x"}`, `,"data":{"isLogin":null}`, `,"data":{"isLogin":"yes"}`} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/auth/login" {
				writeEnvelope(w, `{"code":0,"data":{"Credential":"cred"}}`)
				return
			}
			writeEnvelope(w, `{"code":0,"message":"success"`+data+`}`)
		}))
		c := New(s.URL, "t", Options{})
		if st, err := c.CheckLoginStatus(t.Context()); KindOf(err) != KindBadAnswer {
			t.Errorf("%s: got %+v, %v", data, st, err)
		}
		c.Close()
		s.Close()
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := New("http://"+addr, "tok123456", Options{})
	if _, err := c.CheckLoginStatus(t.Context()); KindOf(err) != KindUnreachable {
		t.Errorf("refused connection: %v", err)
	}
	if n := c.Logins(); n != 0 {
		t.Errorf("counted %d logins that reached nobody", n)
	}

	hang := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/auth/login" {
			writeEnvelope(w, `{"code":0,"data":{"Credential":"cred"}}`)
			return
		}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(hang)
	c = New(srv.URL, "tok123456", Options{Timeout: 50 * time.Millisecond})
	if _, err := c.CheckLoginStatus(t.Context()); KindOf(err) != KindUnreachable {
		t.Errorf("timeout: %v", err)
	}
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := c.CheckLoginStatus(ctx); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestNoConnectionOfNodesAge: Node ends a connection that was idle for 5s, and
// a look every 5s must not be sent into that end.
func TestNoConnectionOfNodesAge(t *testing.T) {
	const node = 5 * time.Second
	tr, ok := New("http://127.0.0.1:1", "tok123456", Options{}).http.Transport.(*http.Transport)
	if !ok || tr.IdleConnTimeout <= 0 || tr.IdleConnTimeout > node-time.Second {
		t.Errorf("connections stay idle for %v", tr.IdleConnTimeout)
	}
}

// TestClassify is the table of contract C.4.
func TestClassify(t *testing.T) {
	const u = "https://txz.qq.com/p?k=abc"
	for _, tt := range []struct {
		st       LoginStatus
		accepted bool
		want     Phase
	}{
		{LoginStatus{}, false, PhaseStarting},
		{LoginStatus{QRCodeURL: u}, false, PhaseQR},
		{LoginStatus{QRCodeURL: u, LoginError: expiredText}, false, PhaseExpired},
		{LoginStatus{LoginError: expiredText}, false, PhaseExpired},
		{LoginStatus{QRCodeURL: u, LoginError: "登录失败: [1]"}, false, PhaseFailed},
		{LoginStatus{}, true, PhaseAccepted},
		{LoginStatus{QRCodeURL: u}, true, PhaseAccepted},
		{LoginStatus{QRCodeURL: u, LoginError: expiredText}, true, PhaseAccepted},
		{LoginStatus{IsLogin: true, QRCodeURL: u, LoginError: expiredText}, false, PhaseOnline},
		{LoginStatus{IsLogin: true, LoginError: "[KickedOffLine] [a] b"}, false, PhaseOnline},
		{LoginStatus{IsOffline: true, QRCodeURL: u}, false, PhaseOffline},
		{LoginStatus{IsOffline: true, LoginError: expiredText}, false, PhaseOffline},
		{LoginStatus{QRCodeURL: u, LoginError: "[KickedOffLine] [下线通知] x"}, false, PhaseKicked},
		{LoginStatus{IsOffline: true, LoginError: "[KickedOffLine] [下线通知] x"}, false, PhaseKicked},
	} {
		if got := Classify(tt.st, tt.accepted); got != tt.want {
			t.Errorf("Classify(%+v, %v) = %s, want %s", tt.st, tt.accepted, got, tt.want)
		}
	}
	if got := KickDetail(LoginStatus{LoginError: "[KickedOffLine] [下线通知] x"}); got != "[下线通知] x" {
		t.Errorf("KickDetail %q", got)
	}
}

// FuzzDecode holds that no answer makes the client panic, and that only an
// envelope with code 0 is a success.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"code":0}`, `{"code":0,"data":null}`, `{"code":-1,"message":""}`, `{}`, `[]`, `<html>`, ``, `{"code":"0"}`, `{"code":0,"data":[1]}`} {
		f.Add(200, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, raw []byte) {
		var st LoginStatus
		err := decode("QQLogin/CheckLoginStatus", status, raw, &st)
		if err == nil {
			var env struct {
				Code *int `json:"code"`
			}
			if json.Unmarshal(raw, &env) != nil || env.Code == nil || *env.Code != 0 {
				t.Fatalf("%q is a success", raw)
			}
		} else if KindOf(err) == "" {
			t.Fatalf("%v has no kind", err)
		}
	})
}
