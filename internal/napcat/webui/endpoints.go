package webui

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Names of endpoints whose failures are read in a way of their own.
const (
	opLogin         = "auth/login"
	opSetQuickLogin = "QQLogin/SetQuickLogin"
)

// uin is a QQ number on the wire: a string, and "" for none.
type uin int64

func (u uin) MarshalJSON() ([]byte, error) {
	return json.Marshal(strconv.FormatInt(int64(u), 10))
}

func (u *uin) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "" || s == "null" {
		*u = 0
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return err
	}
	*u = uin(n)
	return nil
}

// LoginStatus is the answer of QQLogin/CheckLoginStatus. Read it through
// [Classify]: the fields alone mislead (contract C.4).
type LoginStatus struct {
	IsLogin    bool   `json:"isLogin"`
	IsOffline  bool   `json:"isOffline"`
	QRCodeURL  string `json:"qrcodeurl"`  // the last code issued; never cleared
	LoginError string `json:"loginError"` // sticky
}

// LoginInfo is who is logged in; UIN is 0 before OneBot is up.
type LoginInfo struct {
	UIN    int64
	UID    string
	Nick   string
	Online bool
}

// QuickAccount is an account in QQ's local history.
type QuickAccount struct {
	UIN      int64
	Nickname string
	Quick    bool // its ticket allows a quick login
}

// Challenge is what a password login asks for before it goes on. At most one of
// the two is set; both nil mean that QQ accepted the login.
type Challenge struct {
	Captcha   *Captcha
	NewDevice *NewDevice
}

// Captcha is a captcha to be solved in a browser at URL.
type Captcha struct {
	URL string
	SID string // from URL; goes back with the ticket
}

// NewDevice is the confirmation that QQ wants on a device it does not know.
type NewDevice struct {
	JumpURL string
	sig     json.RawMessage // opaque, goes back as it came
}

// DeviceQR is a code for the phone that confirms a new device.
type DeviceQR struct {
	URL   string // the text to encode
	Token string // for PollNewDeviceQR
}

// DeviceState is how far the phone is with a DeviceQR.
type DeviceState struct {
	Scanned   bool
	Confirmed bool
	Token     string // with Confirmed: replaces the challenge's signature; may be empty
}

func post(op string, body any) request {
	return request{method: http.MethodPost, op: op, body: body}
}

// slow marks a request that waits for QQ's servers.
func (r request) slow() request {
	r.timeout = loginTimeout
	return r
}

// CheckAuth tells whether the WebUI accepts us, logging in if need be.
func (c *Client) CheckAuth(ctx context.Context) error {
	return c.do(ctx, post("auth/check", nil), nil)
}

// CheckLoginStatus returns the WebUI's view of the login.
func (c *Client) CheckLoginStatus(ctx context.Context) (LoginStatus, error) {
	var out struct {
		LoginStatus
		IsLogin *bool `json:"isLogin"` // every NapCat says it
	}
	err := c.do(ctx, post("QQLogin/CheckLoginStatus", nil), &out)
	if err == nil && out.IsLogin == nil {
		err = &Error{Op: "QQLogin/CheckLoginStatus", Kind: KindBadAnswer, Status: http.StatusOK, Message: "it does not say whether the account is logged in"}
	}
	if err != nil {
		return LoginStatus{}, err
	}
	out.LoginStatus.IsLogin = *out.IsLogin
	return out.LoginStatus, nil
}

// GetQQLoginQrcode returns the text of the newest QR code. [KindNoQR]: none yet.
// [KindAlreadyLoggedIn]: QQ accepted a login, even where CheckLoginStatus does
// not say so yet.
func (c *Client) GetQQLoginQrcode(ctx context.Context) (string, error) {
	var out struct {
		QRCode string `json:"qrcode"`
	}
	err := c.do(ctx, post("QQLogin/GetQQLoginQrcode", nil), &out)
	if err == nil && out.QRCode == "" {
		err = &Error{Op: "QQLogin/GetQQLoginQrcode", Kind: KindNoQR, Status: http.StatusOK}
	}
	return out.QRCode, err
}

// RefreshQRcode asks QQ for a new code and clears a sticky login error. The code
// arrives later: watch CheckLoginStatus.
func (c *Client) RefreshQRcode(ctx context.Context) error {
	return c.do(ctx, post("QQLogin/RefreshQRcode", nil), nil)
}

// GetQuickLoginList returns the numbers of the accounts that have a ticket.
func (c *Client) GetQuickLoginList(ctx context.Context) ([]int64, error) {
	var raw []uin
	if err := c.do(ctx, post("QQLogin/GetQuickLoginList", nil), &raw); err != nil {
		return nil, err
	}
	out := make([]int64, len(raw))
	for i, u := range raw {
		out[i] = int64(u)
	}
	return out, nil
}

// GetQuickLoginListNew returns the accounts in QQ's history with their names.
func (c *Client) GetQuickLoginListNew(ctx context.Context) ([]QuickAccount, error) {
	var raw []struct {
		UIN          uin    `json:"uin"`
		NickName     string `json:"nickName"`
		IsQuickLogin *bool  `json:"isQuickLogin"`
	}
	if err := c.do(ctx, post("QQLogin/GetQuickLoginListNew", nil), &raw); err != nil {
		return nil, err
	}
	out := make([]QuickAccount, 0, len(raw))
	for _, r := range raw {
		out = append(out, QuickAccount{UIN: int64(r.UIN), Nickname: r.NickName,
			Quick: r.IsQuickLogin == nil || *r.IsQuickLogin})
	}
	return out, nil
}

// SetQuickLogin logs in with the ticket of account. nil: QQ accepted.
// [KindNotReady]: ask again. [KindRefused]: the ticket is no good.
func (c *Client) SetQuickLogin(ctx context.Context, account int64) error {
	return c.do(ctx, post(opSetQuickLogin, map[string]uin{"uin": uin(account)}).slow(), nil)
}

// GetQQLoginInfo returns who is logged in.
func (c *Client) GetQQLoginInfo(ctx context.Context) (LoginInfo, error) {
	var out struct {
		UIN    uin    `json:"uin"`
		UID    string `json:"uid"`
		Nick   string `json:"nick"`
		Online bool   `json:"online"`
	}
	err := c.do(ctx, post("QQLogin/GetQQLoginInfo", nil), &out)
	return LoginInfo{UIN: int64(out.UIN), UID: out.UID, Nick: out.Nick, Online: out.Online}, err
}

// GetQuickLoginQQ returns the account that NapCat logs in by itself, 0 for none.
func (c *Client) GetQuickLoginQQ(ctx context.Context) (int64, error) {
	var out uin
	err := c.do(ctx, post("QQLogin/GetQuickLoginQQ", nil), &out)
	return int64(out), err
}

// SetQuickLoginQQ sets the account that NapCat logs in by itself when it is
// restarted through the API; it is kept in webui.json. 0 is none.
func (c *Client) SetQuickLoginQQ(ctx context.Context, account int64) error {
	s := ""
	if account != 0 {
		s = strconv.FormatInt(account, 10)
	}
	return c.do(ctx, post("QQLogin/SetQuickLoginQQ", map[string]string{"uin": s}), nil)
}

// rawChallenge is data of the three password endpoints; null when accepted.
type rawChallenge struct {
	NeedCaptcha   bool            `json:"needCaptcha"`
	ProofWaterURL string          `json:"proofWaterUrl"`
	NeedNewDevice bool            `json:"needNewDevice"`
	JumpURL       string          `json:"jumpUrl"`
	Sig           json.RawMessage `json:"newDevicePullQrCodeSig"`
}

func (c *Client) password(ctx context.Context, op string, body any) (Challenge, error) {
	var raw rawChallenge
	if err := c.do(ctx, post(op, body).slow(), &raw); err != nil {
		return Challenge{}, err
	}
	switch {
	case raw.NeedCaptcha:
		return Challenge{Captcha: &Captcha{URL: raw.ProofWaterURL, SID: queryParam(raw.ProofWaterURL, "sid")}}, nil
	case raw.NeedNewDevice:
		return Challenge{NewDevice: &NewDevice{JumpURL: raw.JumpURL, sig: raw.Sig}}, nil
	}
	return Challenge{}, nil
}

// PasswordLogin logs account in with the MD5 of its password, 32 hex digits.
// [KindRefused]: QQ's words are in the message. [KindNotReady]: ask again.
func (c *Client) PasswordLogin(ctx context.Context, account int64, passwordMD5 string) (Challenge, error) {
	return c.password(ctx, "QQLogin/PasswordLogin", struct {
		UIN uin    `json:"uin"`
		MD5 string `json:"passwordMd5"`
	}{uin(account), passwordMD5})
}

// CaptchaLogin goes on with a password login after its captcha was solved.
func (c *Client) CaptchaLogin(ctx context.Context, account int64, passwordMD5, ticket, randStr, sid string) (Challenge, error) {
	return c.password(ctx, "QQLogin/CaptchaLogin", struct {
		UIN     uin    `json:"uin"`
		MD5     string `json:"passwordMd5"`
		Ticket  string `json:"ticket"`
		RandStr string `json:"randstr"`
		SID     string `json:"sid"`
	}{uin(account), passwordMD5, ticket, randStr, sid})
}

// NewDeviceLogin goes on with a password login after the phone confirmed the
// device: token is [DeviceState].Token, and where that is empty the challenge's
// own signature is sent.
func (c *Client) NewDeviceLogin(ctx context.Context, account int64, passwordMD5 string, nd NewDevice, token string) (Challenge, error) {
	sig := nd.sig
	if token != "" {
		sig, _ = json.Marshal(token)
	}
	return c.password(ctx, "QQLogin/NewDeviceLogin", struct {
		UIN uin             `json:"uin"`
		MD5 string          `json:"passwordMd5"`
		Sig json.RawMessage `json:"newDevicePullQrCodeSig,omitempty"`
	}{uin(account), passwordMD5, sig})
}

// rawDevice is the reply of QQ's device service, passed through by NapCat.
type rawDevice struct {
	URL          string          `json:"str_url"`
	Token        string          `json:"bytes_token"`
	Status       int             `json:"uint32_guarantee_status"`
	SuccToken    string          `json:"str_nt_succ_token"`
	ActionStatus string          `json:"ActionStatus"`
	ErrorCode    json.RawMessage `json:"ErrorCode"`
	ErrorInfo    string          `json:"ErrorInfo"`
}

func (r rawDevice) err(op string) error {
	code := strings.Trim(string(r.ErrorCode), `"`)
	if (code != "" && code != "0" && code != "null") || strings.EqualFold(r.ActionStatus, "FAIL") {
		return &Error{Op: op, Kind: KindRefused, Status: http.StatusOK, Message: r.ErrorInfo}
	}
	return nil
}

// GetNewDeviceQRCode returns the code to scan for a new device.
func (c *Client) GetNewDeviceQRCode(ctx context.Context, account int64, nd NewDevice) (DeviceQR, error) {
	const op = "QQLogin/GetNewDeviceQRCode"
	var raw rawDevice
	err := c.do(ctx, post(op, struct {
		UIN     uin    `json:"uin"`
		JumpURL string `json:"jumpUrl"`
	}{uin(account), nd.JumpURL}).slow(), &raw)
	if err != nil {
		return DeviceQR{}, err
	}
	if raw.URL == "" {
		if err := raw.err(op); err != nil {
			return DeviceQR{}, err
		}
		return DeviceQR{}, &Error{Op: op, Kind: KindBadAnswer, Status: http.StatusOK, Message: "no str_url in the answer"}
	}
	q := DeviceQR{URL: raw.URL, Token: raw.Token}
	if q.Token == "" {
		// QQ leaves the token out at times; it is then derived from the code.
		if inner := queryParam(raw.URL, "str_url"); inner != "" {
			q.Token = base64.StdEncoding.EncodeToString([]byte(inner))
		}
	}
	return q, nil
}

// PollNewDeviceQR asks how far the phone is. Ask every 2.5s.
func (c *Client) PollNewDeviceQR(ctx context.Context, account int64, q DeviceQR) (DeviceState, error) {
	const op = "QQLogin/PollNewDeviceQR"
	var raw rawDevice
	err := c.do(ctx, post(op, struct {
		UIN   uin    `json:"uin"`
		Token string `json:"bytesToken"`
	}{uin(account), q.Token}).slow(), &raw)
	if err != nil {
		return DeviceState{}, err
	}
	if err := raw.err(op); err != nil {
		return DeviceState{}, err
	}
	return DeviceState{Scanned: raw.Status == 3, Confirmed: raw.Status == 1, Token: raw.SuccToken}, nil
}

// RestartNapCat asks the master for a fresh worker, which comes without -q after
// 3 to 11 seconds. [KindNoRestart]: NapCat runs as one process.
func (c *Client) RestartNapCat(ctx context.Context) error {
	return c.do(ctx, post("QQLogin/RestartNapCat", nil), nil)
}

// OB11Config returns the OneBot configuration of the logged-in account.
// [KindNotLoggedIn] before the login. The WebUI leaves out verifyCertificate
// (contract C.6): do not write back what this returns if that key is in use.
func (c *Client) OB11Config(ctx context.Context) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.do(ctx, post("OB11Config/GetConfig", nil), &out)
	return out, err
}

// SetOB11Config replaces the OneBot configuration and reloads it at once.
// [KindInvalid]: NapCat's schema refuses it. Between the login and OneBot being
// up it does nothing and says nothing: call it when the account is online.
func (c *Client) SetOB11Config(ctx context.Context, config json.RawMessage) error {
	// The endpoint wants the document as a string.
	return c.do(ctx, post("OB11Config/SetConfig", map[string]string{"config": string(config)}), nil)
}

// NapCatVersion returns NapCat's version, such as "4.18.19".
func (c *Client) NapCatVersion(ctx context.Context) (string, error) {
	var out struct {
		Version string `json:"version"`
	}
	err := c.do(ctx, request{method: http.MethodGet, op: "base/GetNapCatVersion"}, &out)
	return out.Version, err
}

// QQVersion returns QQ's version, "" before OneBot is up.
func (c *Client) QQVersion(ctx context.Context) (string, error) {
	var out string
	err := c.do(ctx, request{method: http.MethodGet, op: "base/QQVersion"}, &out)
	if out == "unknown" {
		out = ""
	}
	return out, err
}

// DebugCall calls a OneBot action without an adapter and returns OneBot's whole
// answer, refusals included, with the return codes of the HTTP adapter.
// [KindNotReady] before OneBot is up, [KindNotFound] for an unknown action.
func (c *Client) DebugCall(ctx context.Context, action string, params json.RawMessage) (json.RawMessage, error) {
	var out json.RawMessage
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	err := c.do(ctx, post("Debug/call", struct {
		Action string          `json:"action"`
		Params json.RawMessage `json:"params"`
	}{action, params}).slow(), &out)
	return out, err
}

// queryParam returns the parameter name of raw's query, "" without one.
func queryParam(raw, name string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Query().Get(name)
}
