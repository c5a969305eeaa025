package napcatsim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Result codes of QQ's password login.
const (
	codeOK        = "0"
	codeCaptcha   = "140022008"
	codeNewDevice = "140022010"
	codeRefused   = "140022006"
)

// errNoCode says that there is nothing on screen to scan.
var errNoCode = &NotYetError{"no login code is on screen"}

// core is QQ itself and the world behind it: login codes and the phone that
// scans them, tickets, passwords. It knows nothing of NapCat. Its callbacks run
// on goroutines of their own, without its lock. Safe for concurrent use.
type core struct {
	store *store
	opt   func() Options
	asked int64 // the account that the program was started for, 0 if none

	onCode    func(url string)                    // a login code came
	onFailure func(kind, code int)                // the login session failed; 1 and 3: the code expired
	onLogin   func(a Account, uid, method string) // an account was accepted

	mu       sync.Mutex
	code     string // on screen, "" if none
	issued   int
	pending  bool        // a code was asked for
	fetching *time.Timer // and comes when this fires
	timers   []*time.Timer
	devices  map[string]*deviceCheck // by bytes_token
}

// deviceCheck is one confirmation of a new device.
type deviceCheck struct {
	uin       int64
	started   time.Time
	confirmed bool
}

// uidOf is the internal id of an account.
func uidOf(uin int64) string {
	sum := sha256.Sum256([]byte(strconv.FormatInt(uin, 10)))
	return "u_" + base64.RawURLEncoding.EncodeToString(sum[:])[:22]
}

// owner is the account of the phone.
func (c *core) owner() int64 {
	switch o := c.opt(); {
	case o.UIN != 0:
		return o.UIN
	case c.asked != 0:
		return c.asked
	}
	return DefaultUIN
}

// account is what QQ knows of uin.
func (c *core) account(uin int64) Account {
	o := c.opt()
	for _, a := range o.Accounts {
		if a.UIN == uin {
			if a.Nick == "" {
				a.Nick = DefaultNick
			}
			return a
		}
	}
	nick := o.Nick
	if nick == "" {
		nick = DefaultNick
	}
	return Account{UIN: uin, Nick: nick}
}

// fetchCode asks QQ for a login code, which comes a little later.
func (c *core) fetchCode() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending {
		return
	}
	c.pending = true
	c.fetching = time.AfterFunc(duration(c.opt().QRDelay, 150*time.Millisecond), c.deliver)
}

// laterLocked runs f after d, unless the code leaves the screen before.
func (c *core) laterLocked(d time.Duration, f func()) {
	c.timers = append(c.timers, time.AfterFunc(d, f))
}

// stopTimersLocked forgets the phone's plans for the code on screen.
func (c *core) stopTimersLocked() {
	for _, t := range c.timers {
		t.Stop()
	}
	c.timers = nil
}

// deliver puts a new code on screen.
func (c *core) deliver() {
	c.mu.Lock()
	c.stopTimersLocked()
	c.pending = false
	code := "https://txz.qq.com/p?k=" + base64.RawURLEncoding.EncodeToString([]byte(randomHex(12))) + "&f=1600001615"
	c.code = code
	c.issued++
	c.planLocked()
	c.mu.Unlock()
	c.onCode(code)
}

// planLocked decides what becomes of the code on screen.
func (c *core) planLocked() {
	o, code := c.opt(), c.code
	if d := duration(o.ScanAfter, 2*time.Second); d >= 0 {
		c.laterLocked(d, func() { _ = c.scan(0, code) }) // gone by then: another code came
	}
	if d := duration(o.QRLifetime, 2*time.Minute); d >= 0 {
		c.laterLocked(d, func() { _ = c.expire(code) })
	}
}

// replan decides again, from now on, after the options changed.
func (c *core) replan() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopTimersLocked()
	if c.code != "" {
		c.planLocked()
	}
}

// hurry lets a code that was asked for come at once.
func (c *core) hurry() {
	c.mu.Lock()
	coming := c.pending && c.fetching != nil && c.fetching.Stop()
	c.mu.Unlock()
	if coming {
		c.deliver()
	}
}

// current is the code on screen and how many there were.
func (c *core) current() (string, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code, c.issued
}

// take removes the code from the screen; want "" is whatever is there.
func (c *core) take(want string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code == "" || want != "" && c.code != want {
		return errNoCode
	}
	c.code = ""
	c.stopTimersLocked()
	return nil
}

// scan lets the phone scan the code (want "": the one on screen) and confirm,
// as uin or as its owner.
func (c *core) scan(uin int64, want string) error {
	if err := c.take(want); err != nil {
		return err
	}
	if uin == 0 {
		uin = c.owner()
	}
	c.accept(c.account(uin), "qr")
	return nil
}

// expire ends the life of a code.
func (c *core) expire(want string) error {
	if err := c.take(want); err != nil {
		return err
	}
	go c.onFailure(1, 3)
	return nil
}

// accept lets the account in after the usual delay. Codes end.
func (c *core) accept(a Account, method string) {
	c.stop()
	time.AfterFunc(duration(c.opt().LoginDelay, 100*time.Millisecond), func() { c.onLogin(a, uidOf(a.UIN), method) })
}

// quick logs in by ticket. On refusal text is what QQ says, which may be
// nothing.
func (c *core) quick(uin int64) (ok bool, text string) {
	if f := c.opt().QuickFail; f == "-" {
		return false, ""
	} else if f != "" {
		return false, f
	}
	list, err := c.store.tickets()
	if err != nil {
		return false, ""
	}
	for _, t := range list {
		if t.UIN != uin {
			continue
		}
		if !c.store.usable(t) {
			return false, "你的用户身份已失效，为保证账号安全，请你重新登录。"
		}
		c.accept(c.account(uin), "quick")
		return true, ""
	}
	return false, ""
}

// passwordResult is QQ's answer to a password.
type passwordResult struct {
	code     string
	text     string // of a refusal
	proofURL string // with codeCaptcha
	jumpURL  string // with codeNewDevice
	sig      string
}

// passwordStep says what a password attempt brings along.
type passwordStep struct {
	uin                  int64
	md5                  string
	ticket, randstr, sid string // of a solved captcha
	sig                  string // of a confirmed device
}

// Tickets of captchas that are solved, in the eyes of the simulated QQ.
const captchaTicket = "t03"

// password logs in by password, with whatever steps the account asks for. A
// captcha is solved by any ticket that begins with captchaTicket.
func (c *core) password(s passwordStep) passwordResult {
	a := c.account(s.uin)
	switch {
	case a.PasswordMD5 == "" || a.PasswordMD5 != s.md5:
		return passwordResult{code: codeRefused, text: "账号或密码错误，请重新输入。"}
	case a.Captcha && s.ticket == "" && s.sig == "":
		q := url.Values{"aid": {"1600001615"}, "sid": {sidOf(s.uin)}, "uin": {strconv.FormatInt(s.uin, 10)}}
		return passwordResult{code: codeCaptcha, proofURL: "https://ti.qq.com/safe/tools/captcha/sms-verify-login?" + q.Encode()}
	case a.Captcha && s.sig == "" && (len(s.ticket) < len(captchaTicket) || s.ticket[:len(captchaTicket)] != captchaTicket || s.randstr == "" || s.sid != sidOf(s.uin)):
		return passwordResult{code: codeRefused, text: "验证码错误，请重新验证。"}
	case a.NewDevice && s.sig == "":
		return c.newDevice(s.uin)
	case a.NewDevice && !c.confirmed(s.uin, s.sig):
		return passwordResult{code: codeRefused, text: "设备验证未通过，请重新验证。"}
	}
	c.accept(a, "password")
	return passwordResult{code: codeOK}
}

// sidOf is the session id that a captcha page of the account carries.
func sidOf(uin int64) string {
	sum := sha256.Sum256([]byte("sid" + strconv.FormatInt(uin, 10)))
	return strconv.FormatUint(uint64(sum[0])<<40|uint64(sum[1])<<32|uint64(sum[2])<<24|uint64(sum[3])<<16|1, 10)
}

func hexOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// newDevice begins the confirmation of this device.
func (c *core) newDevice(uin int64) passwordResult {
	sig := hexOf("pull" + strconv.FormatInt(uin, 10) + randomHex(8))
	q := url.Values{"uin_token": {sig}, "uin": {strconv.FormatInt(uin, 10)}}
	return passwordResult{code: codeNewDevice, sig: sig, jumpURL: "https://accounts.qq.com/safe/verify?" + q.Encode()}
}

// deviceQR is the reply of QQ's server to a request for the code by which the
// phone confirms a new device.
func (c *core) deviceQR(uin int64, jumpURL string) map[string]any {
	u, err := url.Parse(jumpURL)
	if err != nil || u.Query().Get("uin_token") == "" {
		return map[string]any{"ActionStatus": "FAIL", "ErrorCode": 10034, "ErrorInfo": "invalid uin_token"}
	}
	strURL := randomHex(16)
	token := base64.StdEncoding.EncodeToString([]byte(strURL))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.devices == nil {
		c.devices = map[string]*deviceCheck{}
	}
	c.devices[token] = &deviceCheck{uin: uin, started: time.Now()}
	return map[string]any{
		"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "", "uint32_guarantee_status": 0,
		"str_url": "https://accounts.qq.com/safe/qrcode?str_url=" + strURL,
	}
}

// pollDevice is the reply to a question for that confirmation: 0 waiting, 3
// scanned, 1 confirmed.
func (c *core) pollDevice(uin int64, token string) map[string]any {
	after := duration(c.opt().ScanAfter, 2*time.Second)
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.devices[token]
	if !ok || d.uin != uin {
		return map[string]any{"ActionStatus": "FAIL", "ErrorCode": 10035, "ErrorInfo": "invalid bytes_token"}
	}
	waited := time.Since(d.started)
	if after >= 0 && waited >= after {
		d.confirmed = true
	}
	reply := map[string]any{"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "", "uint32_guarantee_status": 0}
	switch {
	case d.confirmed:
		reply["uint32_guarantee_status"], reply["str_nt_succ_token"] = 1, succToken(uin)
	case after >= 0 && waited >= after/2:
		reply["uint32_guarantee_status"] = 3
	}
	return reply
}

func succToken(uin int64) string { return "nt" + hexOf("succ"+strconv.FormatInt(uin, 10)) }

// confirmDevices lets the phone confirm whatever new device it is asked about.
func (c *core) confirmDevices() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	some := false
	for _, d := range c.devices {
		if !d.confirmed {
			d.confirmed, some = true, true
		}
	}
	return some
}

// confirmed reports whether sig belongs to a device of uin that the phone has
// confirmed.
func (c *core) confirmed(uin int64, sig string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.devices {
		if d.uin == uin && d.confirmed && sig == succToken(uin) {
			return true
		}
	}
	return false
}

// quickEntry is one account of the quick login list.
type quickEntry struct {
	UIN          string `json:"uin"`
	UID          string `json:"uid"`
	NickName     string `json:"nickName"`
	FaceURL      string `json:"faceUrl"`
	FacePath     string `json:"facePath"`
	LoginType    int    `json:"loginType"`
	IsQuickLogin bool   `json:"isQuickLogin"`
	IsAutoLogin  bool   `json:"isAutoLogin"`
}

// history lists who has logged in on this device.
func (c *core) history() []quickEntry {
	list, err := c.store.tickets()
	if err != nil {
		return []quickEntry{}
	}
	out := []quickEntry{}
	for _, t := range list {
		uin := strconv.FormatInt(t.UIN, 10)
		out = append(out, quickEntry{
			UIN: uin, UID: t.UID, NickName: t.Nick, FaceURL: "https://thirdqq.qlogo.cn/g?b=sdk&s=100&nk=" + uin,
			LoginType: 1, IsQuickLogin: true,
		})
	}
	return out
}

// stop takes the code off the screen and ends what the phone still plans.
func (c *core) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fetching != nil {
		c.fetching.Stop()
		c.fetching = nil
	}
	c.code, c.pending = "", false
	c.stopTimersLocked()
}
