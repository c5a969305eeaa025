package napcatsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ncatd/ncatd/internal/totp"
)

// discardLog swallows what net/http has to say of odd clients.
var discardLog = log.New(io.Discard, "", 0)

const (
	credentialLife = 3600 // seconds
	rateWindow     = time.Minute
)

// authenticator guards the WebUI. Safe for concurrent use.
type authenticator struct {
	conf    *webuiConfig
	key     string // of the credentials' signature
	attempt func() // called at each login that was tried

	mu      sync.Mutex
	tries   map[string]*tries
	revoked map[string]bool
}

type tries struct {
	since time.Time
	n     int
}

func newAuthenticator(conf *webuiConfig, key string, attempt func()) *authenticator {
	if key == "" {
		key = randomHex(32)
	}
	return &authenticator{conf: conf, key: key, attempt: attempt, tries: map[string]*tries{}, revoked: map[string]bool{}}
}

// hashToken is what a client sends in place of the token.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token + ".napcat"))
	return hex.EncodeToString(sum[:])
}

type credentialData struct {
	CreatedTime int64  `json:"CreatedTime"`
	HashEncoded string `json:"HashEncoded"`
}

type signedCredential struct {
	Data credentialData `json:"Data"`
	Hmac string         `json:"Hmac"`
}

func (a *authenticator) sign(d credentialData) string {
	m := hmac.New(sha256.New, []byte(a.key))
	_, _ = m.Write(jsonLine(d)) // never fails
	return hex.EncodeToString(m.Sum(nil))
}

func (a *authenticator) issue() string {
	d := credentialData{time.Now().Unix(), hashToken(a.conf.str("token"))}
	return base64.StdEncoding.EncodeToString(jsonLine(signedCredential{d, a.sign(d)}))
}

// valid reports whether a credential is ours, fresh, not revoked and for the
// token of now.
func (a *authenticator) valid(cred string) bool {
	b, err := base64.StdEncoding.DecodeString(cred)
	if err != nil || cred == "" {
		return false
	}
	var c signedCredential
	if json.Unmarshal(b, &c) != nil {
		return false
	}
	age := time.Now().Unix() - c.Data.CreatedTime
	a.mu.Lock()
	revoked := a.revoked[cred]
	a.mu.Unlock()
	return !revoked && hmac.Equal([]byte(c.Hmac), []byte(a.sign(c.Data))) && age >= 0 && age <= credentialLife &&
		c.Data.HashEncoded == hashToken(a.conf.str("token"))
}

func (a *authenticator) revoke(cred string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revoked[cred] = true
}

// allowed counts an attempt from ip and reports whether it is within the rate.
func (a *authenticator) allowed(ip string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tries[ip]
	if t == nil || time.Since(t.since) > rateWindow {
		t = &tries{since: time.Now()}
		a.tries[ip] = t
	}
	t.n++
	return float64(t.n) <= a.conf.num("loginRate")
}

func (u *webui) authRoutes() map[string]route {
	a, conf := u.auth, u.conf
	routes := map[string]route{
		"/api/auth/login": {method: "POST", body: true, do: func(r *request) reply {
			hash := r.str("hash")
			if hash == "" {
				return failure("token is empty")
			}
			a.attempt()
			switch {
			case !a.allowed(r.ip):
				return failure("login rate limit")
			case conf.str("token") == "":
				return failure("Server token not initialized")
			case hash != hashToken(conf.str("token")):
				return failure("token is invalid")
			case conf.boolean("enable2FA") && conf.str("totpSecret") != "":
				code := r.str("totpCode")
				if code == "" {
					return success(map[string]any{"require2FA": true, "message": "Please enter your authenticator code"})
				}
				if !totp.Valid(code, conf.str("totpSecret"), time.Now()) {
					return failure("Invalid or expired code")
				}
				return success(map[string]any{"Credential": a.issue(), "require2FA": false})
			}
			return success(map[string]any{"Credential": a.issue()})
		}},
		"/api/auth/check": {method: "POST", do: func(*request) reply { return success(nil) }},
		"/api/auth/logout": {method: "POST", do: func(r *request) reply {
			a.revoke(credential(r.Request))
			return success("Logged out successfully")
		}},
		"/api/auth/update_token":                            {method: "POST", body: true, do: u.updateToken},
		"/api/auth/passkey/generate-authentication-options": {method: "POST", do: func(*request) reply { return failure("No passkeys registered") }},
		"/api/auth/passkey/verify-authentication":           {method: "POST", do: func(*request) reply { return failure("No passkeys registered") }},
	}
	maps.Copy(routes, u.secondFactorRoutes())
	return routes
}

func (u *webui) updateToken(r *request) reply {
	a, conf := u.auth, u.conf
	old, next := r.str("oldToken"), r.str("newToken")
	switch {
	case next == "":
		return failure("newToken is empty")
	case old == "":
		return failure("oldToken is required")
	case old == next:
		return failure("新密码不能与旧密码相同")
	case len([]rune(next)) < 6:
		return failure("新密码至少需要6个字符")
	case !strings.ContainsFunc(next, func(r rune) bool { return r < 128 && unicode.IsLetter(r) }):
		return failure("新密码必须包含字母")
	case !strings.ContainsFunc(next, func(r rune) bool { return r >= '0' && r <= '9' }):
		return failure("新密码必须包含数字")
	}
	a.revoke(credential(r.Request)) // even when the old token turns out wrong
	if old != conf.str("token") {
		return failure("旧 token 不匹配")
	}
	if err := conf.set(map[string]any{"token": next}); err != nil {
		return failure(err.Error())
	}
	return success("Token updated successfully")
}

func (u *webui) secondFactorRoutes() map[string]route {
	conf := u.conf
	return map[string]route{
		"/api/auth/2fa/status": {method: "GET", do: func(*request) reply {
			return success(map[string]any{"enable2FA": conf.boolean("enable2FA"), "hasSecret": conf.str("totpSecret") != ""})
		}},
		"/api/auth/2fa/generate-secret": {method: "POST", do: func(*request) reply {
			secret := totp.NewSecret()
			return success(map[string]any{"secret": secret, "qrCodeUrl": "otpauth://totp/NapCat:NapCat%20WebUI?algorithm=SHA1&digits=6&issuer=NapCat&period=30&secret=" + secret})
		}},
		"/api/auth/2fa/enable": {method: "POST", body: true, do: func(r *request) reply {
			secret, code := r.str("secret"), r.str("totpCode")
			if secret == "" || code == "" {
				return failure("secret and totpCode are required")
			}
			if !totp.Valid(code, secret, time.Now()) {
				return failure("Invalid code")
			}
			if err := conf.set(map[string]any{"enable2FA": true, "totpSecret": secret}); err != nil {
				return failure(err.Error())
			}
			return success(map[string]any{"message": "2FA enabled"})
		}},
		"/api/auth/2fa/disable": {method: "POST", body: true, do: func(r *request) reply {
			if !totp.Valid(r.str("totpCode"), conf.str("totpSecret"), time.Now()) {
				return failure("Invalid code")
			}
			if err := conf.set(map[string]any{"enable2FA": false, "totpSecret": ""}); err != nil {
				return failure(err.Error())
			}
			return success(map[string]any{"message": "2FA disabled"})
		}},
	}
}

// clientIP is the address that the request comes from.
func (u *webui) clientIP(r *http.Request) string {
	if u.conf.boolean("enableXForwardedFor") {
		if f := r.Header.Get("X-Forwarded-For"); f != "" {
			first, _, _ := strings.Cut(f, ",")
			return strings.TrimSpace(first)
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return strings.TrimPrefix(host, "::ffff:")
}

// refusesIP is the text for a client that may not come in, "" if it may.
func (u *webui) refusesIP(ip string) string {
	listed := func(key string) bool {
		for _, p := range u.conf.strings(key) {
			if matchIP(p, ip) {
				return true
			}
		}
		return false
	}
	switch mode := u.conf.str("accessControlMode"); {
	case mode == "whitelist" && !listed("ipWhitelist"):
		return "访问被拒绝：IP不在白名单中"
	case mode == "blacklist" && listed("ipBlacklist"):
		return "访问被拒绝：IP在黑名单中"
	}
	return ""
}

// matchIP matches an address, a pattern such as 192.168.*.* or a network.
func matchIP(pattern, ip string) bool {
	if _, network, err := net.ParseCIDR(pattern); err == nil {
		addr := net.ParseIP(ip)
		return addr != nil && network.Contains(addr)
	}
	p, a := strings.Split(pattern, "."), strings.Split(ip, ".")
	if len(p) != 4 || len(a) != 4 {
		return pattern == ip
	}
	for i := range p {
		if p[i] != "*" && p[i] != a[i] {
			return false
		}
	}
	return true
}
