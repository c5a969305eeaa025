package napcatsim

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// What the WebUI says of a code that expired.
const expiredText = "二维码已过期，请刷新"

// selfInfo is what NapCat knows of its own account.
type selfInfo struct {
	UIN    string `json:"uin"`
	UID    string `json:"uid"`
	Nick   string `json:"nick"`
	Online bool   `json:"online"`
}

// shell is NapCat's side of a login: the order in which it tries the ways in,
// and the state that the WebUI reports. Safe for concurrent use.
type shell struct {
	p    *process
	log  *console
	core *core
	// begin starts the session of the first login; it runs once.
	begin func(a Account, uid string)
	// wentOffline tells the OneBot adapters of a kick.
	wentOffline func(title, text string)
	setOnline   func(bool)

	mu         sync.Mutex
	logged     bool // loginStatus
	began      bool // a session was begun in this process
	qr         string
	loginError string
	self       selfInfo // zero until OneBot knows it
	uin        int64    // of the account that was accepted
	nick       string
	onebot     bool // the OneBot context exists
	method     string
	kicked     bool
	network    bool // the network is up
}

// status is the answer of CheckLoginStatus.
func (s *shell) status() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{
		"isLogin":    s.logged && s.onebot && s.self.Online,
		"isOffline":  s.logged && s.onebot && !s.self.Online,
		"qrcodeurl":  s.qr,
		"loginError": s.loginError,
	}
}

func (s *shell) isLogged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged
}

// phase is one word for how far the login is.
func (s *shell) phase() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.kicked:
		return "kicked"
	case s.logged && s.onebot && s.self.Online:
		return "online"
	case s.logged && s.onebot:
		return "offline"
	case s.logged:
		return "accepted"
	case s.network:
		return "login"
	}
	return "starting"
}

func (s *shell) setError(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loginError = text
}

// onCode shows a code.
func (s *shell) onCode(url string) {
	s.mu.Lock()
	s.qr = url
	s.mu.Unlock()
	s.log.warn("请扫描下面的二维码，然后在手Q上授权登录：")
	art, err := drawQR(url)
	if err != nil {
		s.log.error("二维码生成失败: " + err.Error())
		return
	}
	s.log.warn("\n\n" + art + "\n二维码解码URL: " + url + "\n如果控制台二维码无法扫码，可以复制解码url到二维码生成网站生成二维码再扫码，也可以打开下方的二维码路径图片进行扫码。")
	path := filepath.Join(s.p.writePath(), "cache", "qrcode.png")
	png, err := pngQR(url)
	if err == nil {
		err = writeFile(path, png)
	}
	if err != nil {
		s.log.error("二维码保存失败: " + err.Error())
		return
	}
	s.log.warn("二维码已保存到 " + path)
}

// onFailure is QQ ending the login session.
func (s *shell) onFailure(kind, code int) {
	s.log.error(fmt.Sprintf("[Core] [Login] Login Error,ErrType:  %d  ErrCode: %d", kind, code))
	s.mu.Lock()
	logged := s.logged
	if kind == 1 && code == 3 {
		s.loginError = expiredText
	}
	s.mu.Unlock()
	if !logged {
		s.core.fetchCode()
	}
}

// onLogin is QQ's success callback, whatever way in it was.
func (s *shell) onLogin(a Account, uid, method string) {
	s.mu.Lock()
	if s.logged {
		s.mu.Unlock()
		s.log.error("当前账号(" + uid + ")已登录,无法重复登录")
		return
	}
	first := !s.began
	s.logged, s.began, s.method, s.kicked = true, true, method, false
	s.uin, s.nick = a.UIN, a.Nick
	s.mu.Unlock()
	if err := s.core.store.issue(a, uid); err != nil {
		s.log.error("[Core] [Login] " + err.Error())
	}
	// After a kick QQ accepts the account again, but nothing of the old session
	// comes back to life.
	if first {
		s.begin(a, uid)
	}
}

// onebotReady makes the WebUI say that the account is online. With self known
// only in part (OneBot did not start) GetQQLoginInfo stays empty.
func (s *shell) onebotReady(self selfInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onebot, s.self = true, self
}

// kick is QQ ending the session.
func (s *shell) kick(title, text string) bool {
	s.mu.Lock()
	if !s.logged {
		s.mu.Unlock()
		return false
	}
	line := "[KickedOffLine] [" + title + "] " + text
	s.logged, s.kicked, s.loginError, s.self.Online = false, true, line, false
	s.mu.Unlock()
	s.setOnline(false)
	s.log.error(line)
	s.wentOffline(title, text)
	return true
}

// changeOnline is QQ's status 20 and back. A session that was ended stays so.
func (s *shell) changeOnline(on bool) bool {
	s.mu.Lock()
	if !s.logged || !s.onebot || s.kicked {
		s.mu.Unlock()
		return false
	}
	s.self.Online = on
	s.mu.Unlock()
	s.setOnline(on)
	if !on {
		s.log.info("账号状态变更为离线")
	}
	return true
}

// quickLogin tries a ticket and returns what the WebUI says of a refusal.
func (s *shell) quickLogin(uin int64) string {
	ok, text := s.core.quick(uin)
	if ok {
		s.setError("")
		return ""
	}
	if text == "" {
		text = "快速登录失败，错误码: 140022011"
	}
	s.setError(text)
	return text
}

// login is the way into QQ after the network is up.
func (s *shell) login() {
	s.mu.Lock()
	s.network = true
	s.mu.Unlock()
	if uin, err := strconv.ParseInt(s.p.quick, 10, 64); err == nil && uin > 0 {
		s.quickByFlag(uin)
		return
	}
	s.log.info("没有 -q 指令指定快速登录，将使用二维码登录方式")
	history := s.core.history()
	if len(history) > 0 {
		var b strings.Builder
		b.WriteString("可用于快速登录的 QQ：\n")
		for i, h := range history {
			fmt.Fprintf(&b, "%d. %s %s\n", i+1, h.UIN, h.NickName)
		}
		s.log.info(strings.TrimRight(b.String(), "\n"))
	}
	// Somebody else is expected to log in: no code is asked for, even if that
	// somebody never comes.
	if s.p.env["NAPCAT_QUICK_ACCOUNT"] != "" || s.quickPassword() != "" {
		return
	}
	s.core.fetchCode()
}

// quickByFlag is -q.
func (s *shell) quickByFlag(uin int64) {
	known := false
	for _, h := range s.core.history() {
		known = known || h.UIN == strconv.FormatInt(uin, 10)
	}
	if known {
		s.log.info(fmt.Sprintf("正在快速登录  %d", uin))
		text := s.quickLogin(uin)
		if text == "" {
			return
		}
		s.log.error("快速登录错误： " + text)
	} else {
		s.log.info("快速登录失败，未找到该 QQ 历史登录记录，将尝试密码回退登录")
	}
	s.passwordFallback(uin)
}

var md5Pattern = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)

// quickPassword is the MD5 of the password for fall-backs, "" if there is none.
func (s *shell) quickPassword() string {
	if m := s.p.env["NAPCAT_QUICK_PASSWORD_MD5"]; md5Pattern.MatchString(m) {
		return strings.ToLower(m)
	}
	if pw := s.p.env["NAPCAT_QUICK_PASSWORD"]; pw != "" {
		sum := md5.Sum([]byte(pw))
		return hex.EncodeToString(sum[:])
	}
	return ""
}

// passwordFallback follows a quick login by -q that failed.
func (s *shell) passwordFallback(uin int64) {
	sum := s.quickPassword()
	if sum == "" {
		s.log.warn(fmt.Sprintf("QQ %d 未配置回退密码环境变量，建议优先设置 NAPCAT_QUICK_PASSWORD_MD5（NAPCAT_QUICK_PASSWORD 作为备选），将使用二维码登录方式", uin))
		s.core.fetchCode()
		return
	}
	if s.p.env["NAPCAT_QUICK_PASSWORD"] != "" && !md5Pattern.MatchString(s.p.env["NAPCAT_QUICK_PASSWORD_MD5"]) {
		s.log.info("检测到 NAPCAT_QUICK_PASSWORD，已在内存中计算 MD5 用于回退登录")
	}
	s.log.info(fmt.Sprintf("正在尝试密码回退登录  %d", uin))
	s.log.info(fmt.Sprintf("正在密码登录  %d", uin))
	switch r := s.core.password(passwordStep{uin: uin, md5: sum}); r.code {
	case codeOK:
		s.setError("")
		s.log.info(fmt.Sprintf("密码回退登录成功  %d", uin))
	case codeCaptcha:
		s.log.warn("密码回退需要验证码，请在 WebUi 中继续完成验证：" + r.proofURL)
	case codeNewDevice:
		s.log.warn("密码回退需要新设备验证，请在 WebUi 中继续完成验证：" + r.jumpURL)
	default:
		s.setError(r.text)
		s.log.error("密码回退登录失败： " + r.text)
		s.core.fetchCode()
	}
}

// autoLogin is the WebUI's helper, which logs in the account of the environment
// or of webui.json when there is no -q. It writes raw lines.
func (s *shell) autoLogin(auto string) {
	account := s.p.env["NAPCAT_QUICK_ACCOUNT"]
	uin, err := strconv.ParseInt(cmp.Or(account, auto), 10, 64)
	if err != nil || s.p.quick != "" {
		return
	}
	if account == "" {
		account = auto
		s.core.hurry() // both ways were begun, and a code is shown although the ticket works
	}
	const tag = "[NapCat] [WebUi] "
	text := s.quickLogin(uin)
	if text == "" {
		s.log.raw(tag + "自动快速登录成功: " + account)
		return
	}
	s.log.raw(tag + "自动快速登录失败: " + text)
	sum := s.quickPassword()
	if sum == "" {
		s.log.raw(tag + "QQ " + account + " 未配置回退密码环境变量，建议优先设置 NAPCAT_QUICK_PASSWORD_MD5（NAPCAT_QUICK_PASSWORD 作为备选），将使用二维码登录方式")
		s.core.fetchCode()
		return
	}
	switch r := s.core.password(passwordStep{uin: uin, md5: sum}); r.code {
	case codeOK:
		s.setError("")
		s.log.raw(tag + "自动密码回退登录成功: " + account)
	case codeCaptcha:
		s.log.raw(tag + "自动密码回退登录需要验证码，请在登录页面继续完成验证: " + r.proofURL)
	case codeNewDevice:
		s.log.raw(tag + "自动密码回退登录需要新设备验证，请在登录页面继续完成验证: " + r.jumpURL)
	default:
		s.setError(r.text)
		s.log.raw(tag + "自动密码回退登录失败: " + r.text)
		s.core.fetchCode()
	}
}
