//go:build !windows

package napcatsim

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskJSON, Options{})
	a := d.w.webui.auth
	cred := func(age int64, hash, key string) string {
		b := &authenticator{key: key}
		data := credentialData{time.Now().Unix() - age, hash}
		return base64.StdEncoding.EncodeToString(jsonLine(signedCredential{data, b.sign(data)}))
	}
	good := hashToken("tok123456")
	for name, tt := range map[string]struct {
		cred string
		want bool
	}{
		"fresh":         {cred(0, good, a.key), true},
		"almost old":    {cred(credentialLife-5, good, a.key), true},
		"old":           {cred(credentialLife+5, good, a.key), false},
		"of the future": {cred(-60, good, a.key), false},
		"other token":   {cred(0, hashToken("other"), a.key), false},
		"other key":     {cred(0, good, "key"), false},
		"empty":         {"", false},
		"rubbish":       {"!!!", false},
		"no JSON":       {"aGVsbG8=", false},
	} {
		if got := a.valid(tt.cred); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	d.enter()
	other := d.cred
	if got := d.post("auth/logout", ""); got != `{"code":0,"data":"Logged out successfully","message":"success"}` {
		t.Error(got)
	}
	if a.valid(other) {
		t.Error("a credential works after the logout")
	}
}

func TestUpdateToken(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"oldToken":"tok123456"}`:                          "newToken is empty",
		`{"newToken":"abc12345"}`:                           "oldToken is required",
		`{"oldToken":"tok123456","newToken":"tok123456"}`:   "新密码不能与旧密码相同",
		`{"oldToken":"tok123456","newToken":"a1"}`:          "新密码至少需要6个字符",
		`{"oldToken":"tok123456","newToken":"123456789"}`:   "新密码必须包含字母",
		`{"oldToken":"tok123456","newToken":"abcdefghijk"}`: "新密码必须包含数字",
		`{"oldToken":"wrong","newToken":"abc12345"}`:        "旧 token 不匹配",
	} {
		d := newDesk(t, deskJSON, Options{})
		d.enter()
		if got := d.post("auth/update_token", body); got != `{"code":-1,"message":"`+want+`"}` {
			t.Errorf("%s: %s", body, got)
		}
	}
}

func TestLiveLog(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskJSON, Options{})
	d.enter()
	d.w.log.debug("past token=abc")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.base+"/api/Log/GetLogRealTime", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.cred)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // ends the stream
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("content type %s", ct)
	}
	sc := bufio.NewScanner(resp.Body)
	line := func() string {
		for sc.Scan() {
			if sc.Text() != "" {
				return sc.Text()
			}
		}
		t.Fatal("the stream ended")
		return ""
	}
	if got := line(); got != `data: {"level":"debug","message":"past token=***"}` {
		t.Error(got)
	}
	d.w.log.error("live")
	if got := line(); got != `data: {"level":"error","message":"live"}` {
		t.Error(got)
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, PackOptions{})
	r.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	r.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kb})))
	p := r.start()
	p.expect("[NapCat] [WebUi] 找到SSL证书，将启用HTTPS模式", 1)
	p.expect(fmt.Sprintf("WebUi User Panel Url: http://127.0.0.1:%d/webui", r.port), 2) // it says http all the same
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	resp, err := c.Get(fmt.Sprintf("https://127.0.0.1:%d/webui", r.port))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // only its status is of interest
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %s", resp.Status)
	}
}

func TestNoWebUI(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ conf, want string }{
		"disabled": {`{"disableWebUI":true,"token":"tok123456"}`, "[NapCat] [WebUi] WebUI is disabled by configuration."},
		"port 0":   {`{"port":0,"token":"tok123456"}`, "[NapCat] [WebUi] Current WebUi is not run."},
		"bad host": {`{"host":"203.0.113.1","port":6099,"token":"tok123456"}`, "[NapCat] [WebUi] Current WebUi is not run."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, PackOptions{})
			r.write("webui.json", tt.conf)
			p := r.start()
			p.expect(tt.want, 1)
			p.expect(onebotReady, 1) // it goes on without
		})
	}
}

func TestFrontend(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deskJSON, Options{})
	static := filepath.Join(d.w.p.binaryPath(), "static")
	if err := os.MkdirAll(static, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(static, "index.html"), []byte("front"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.w.p.binaryPath(), "package.json"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/webui", "/webui/", "/webui/qq_login", "/webui/..%2fpackage.json"} {
		if code, got := d.do("GET", path, ""); code != 200 || got != "front" {
			t.Errorf("%s: %d %s", path, code, got)
		}
	}
	if code, _ := d.do("GET", "/elsewhere", ""); code != 404 {
		t.Errorf("elsewhere: %d", code)
	}
}

// FuzzWebUI sends anything to the WebUI: it must answer, in its envelope or
// with a page, whatever comes.
func FuzzWebUI(f *testing.F) {
	for _, s := range []string{`{}`, `{"uin":1}`, `[]`, `null`, `{"config":"{a:"}`, `{"hash":5}`, `{"uin":{"a":[]},"passwordMd5":true}`, `{"port":-1}`} {
		f.Add("POST", "/api/QQLogin/PasswordLogin", s)
		f.Add("POST", "/api/OB11Config/SetConfig", s)
		f.Add("POST", "/api/WebUIConfig/UpdateConfig", s)
		f.Add("POST", "/api/NapCatConfig/SetConfig", s)
	}
	f.Add("GET", "/api/Log/GetLog?id=../../x", "")
	f.Add("GET", "/webui/../../etc/passwd", "")
	d := newFuzzDesk(f)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if strings.Contains(path, "RealTime") || !strings.HasPrefix(path, "/") {
			return // a stream has no end
		}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://x"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		r.RequestURI = r.URL.RequestURI()
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+d.auth.issue())
		rec := httptest.NewRecorder()
		d.ServeHTTP(rec, r)
		if ct := rec.Header().Get("Content-Type"); strings.Contains(ct, "json") && rec.Code == 200 && !strings.HasPrefix(rec.Body.String(), `{"code":`) {
			t.Errorf("%s %s: %s", method, path, rec.Body)
		}
	})
}

// newFuzzDesk is newDesk's WebUI for a fuzz target.
func newFuzzDesk(f *testing.F) *webui {
	dir := f.TempDir()
	out := &syncBuffer{}
	w := newWorker(&process{
		env:    map[string]string{"HOME": filepath.Join(dir, "home"), "NAPCAT_WORKDIR": filepath.Join(dir, "work")},
		stdout: out, stderr: out, in: Installation{Main: filepath.Join(dir, "napcat", "napcat.mjs")},
	})
	if err := w.prepare(); err != nil {
		f.Fatal(err)
	}
	conf, err := loadWebUIConfig(w.conf.dir, "tok123456", w.log)
	if err != nil {
		f.Fatal(err)
	}
	w.webui = newWebUI(w, conf)
	return w.webui
}

// FuzzImports reads loaders of any shape.
func FuzzImports(f *testing.F) {
	f.Add(`(async () => {await import('file:///x/napcat.mjs');})();`)
	f.Add(`import(process.env['A'])`)
	f.Fuzz(func(t *testing.T, src string) {
		for _, s := range imports(src, func(k string) string { return k }) {
			if p := modulePath(s, "/dir"); p != "" && !filepath.IsAbs(p) && !strings.HasPrefix(s, "file:") {
				t.Errorf("%q is no absolute path", p)
			}
		}
	})
}
