package webui

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/totp"
)

const (
	// credentialLife is when a credential is renewed ahead of its end at one
	// hour. With it, undisturbed running logs in at most twice in any hour.
	credentialLife = 50 * time.Minute
	// minSpacing keeps two logins apart, whatever asked for them.
	minSpacing = 5 * time.Second
	// rateWindow is NapCat's rate limit window; it counts good logins too.
	rateWindow = 60 * time.Second
	// logKept is how long a login counts for the spacing of the next ones.
	logKept = time.Hour
)

// session is the credential and the record of how it was got.
type session struct {
	// busy holds one token while a login is under way, so that waiting for it
	// can be cancelled.
	busy chan struct{}

	mu          sync.Mutex
	signingKey  string // Options.SigningKey, a secret
	credential  string
	issued      time.Time
	logins      []time.Time // of the last hour, refused ones included
	minted      string      // the last credential of our own making
	mintRefused time.Time   // when the WebUI did not know one
	wantsCode   bool        // 2FA is on: a login without a code is a wasted attempt
	blocked     *Error      // what the last login was refused with
	until       time.Time   // blocked counts until then
}

// Logins returns how often the client logged in to the WebUI, or tried, during
// the last hour.
func (c *Client) Logins() int {
	s := &c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(time.Now())
	return len(s.logins)
}

func (s *session) unblock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked = nil
}

func (s *session) forgetLocked(now time.Time) {
	n := 0
	for n < len(s.logins) && now.Sub(s.logins[n]) >= logKept {
		n++
	}
	s.logins = s.logins[n:]
}

// spacing is how far a login keeps from the one before it when n logins were
// made in the last hour. Ordinary running makes one or two; a worker that
// crashes again and again must not lock us out at the lowest loginRate that
// NapCat's users are told to set, 3 a minute.
func spacing(n int) time.Duration {
	switch {
	case n < 2:
		return minSpacing
	case n < 3:
		return 30 * time.Second
	case n < 10:
		return rateWindow + time.Second
	default:
		return 5 * time.Minute
	}
}

// credential returns a good credential, logging in when there is none or it
// nears its end.
func (c *Client) credential(ctx context.Context) (string, error) {
	s := &c.session
	s.mu.Lock()
	cred, issued := s.credential, s.issued
	if cred == "" || time.Since(issued) >= credentialLife {
		if own := c.mintedLocked(time.Now()); own != "" {
			cred, issued = own, s.issued
		}
	}
	s.mu.Unlock()
	if cred != "" && time.Since(issued) < credentialLife {
		return cred, nil
	}
	return c.renew(ctx, cred, time.Since(issued) < time.Hour)
}

// renew replaces the credential old, unless another caller has done so meanwhile. Keep
// says that old still works should the WebUI's rate limit forbid a new one.
func (c *Client) renew(ctx context.Context, old string, keep bool) (string, error) {
	s := &c.session
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}

	s.mu.Lock()
	now := time.Now()
	if old != "" && old == s.minted && !keep {
		s.mintRefused, s.minted = now, ""
	}
	cred, wait, err := s.beforeLoginLocked(old, keep, now)
	s.mu.Unlock()
	if cred != "" || err != nil {
		return cred, err
	}
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}

	cred, err = c.login(ctx)
	if KindOf(err) == KindBadToken && c.changed() {
		cred, err = c.login(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		switch kind := KindOf(err); kind {
		case KindBadToken, KindBadCode, KindNeedsCode, KindRateLimited:
			// Asking again at once cannot help and counts against the limit.
			if errors.As(err, &s.blocked) {
				s.until = time.Now().Add(rateWindow)
			}
		}
		if keep && old != "" && KindOf(err) == KindRateLimited {
			return old, nil
		}
		return "", err
	}
	s.credential, s.issued, s.blocked = cred, time.Now(), nil
	return cred, nil
}

// beforeLoginLocked returns a credential that does without a login, how long to
// wait before one, or why there must be none now.
func (s *session) beforeLoginLocked(old string, keep bool, now time.Time) (cred string, wait time.Duration, err error) {
	if s.credential != old && s.credential != "" {
		return s.credential, 0, nil
	}
	if s.blocked != nil && now.Before(s.until) {
		if keep && old != "" && s.blocked.Kind == KindRateLimited {
			return old, 0, nil
		}
		e := *s.blocked
		e.RetryAfter = s.until.Sub(now)
		return "", 0, &e
	}
	s.forgetLocked(now)
	if n := len(s.logins); n > 0 {
		wait = spacing(n) - now.Sub(s.logins[n-1])
	}
	if wait <= minSpacing {
		return "", wait, nil
	}
	if keep && old != "" {
		return old, 0, nil
	}
	// The caller is not made to hang for minutes: there is something to show or to
	// probe meanwhile.
	return "", 0, &Error{Op: opLogin, Kind: KindRateLimited, RetryAfter: wait,
		Message: "too many logins to the WebUI within the last hour"}
}

// changed takes over the token that the WebUI has by now, and reports whether it
// is another than ours.
func (c *Client) changed() bool {
	if c.latest == nil {
		return false
	}
	token, err := c.latest()
	if err != nil {
		c.log.Debug("token of the webui not read", "err", err)
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if token == "" || token == c.token {
		return false
	}
	c.token = token
	c.log.Info("the token was changed in NapCat's WebUI; it holds until NapCat starts again")
	return true
}

// login asks for a credential (C.3). It counts every attempt that may have
// reached the WebUI.
func (c *Client) login(ctx context.Context) (string, error) {
	body := map[string]string{"hash": hashToken(c.secret())}
	var out struct {
		Credential string `json:"Credential"`
		Require2FA bool   `json:"require2FA"`
	}
	ask := func() error {
		out.Credential, out.Require2FA = "", false
		err := c.send(ctx, request{method: http.MethodPost, op: opLogin, body: body}, "", &out)
		c.session.mu.Lock()
		defer c.session.mu.Unlock()
		if KindOf(err) != KindUnreachable {
			c.session.logins = append(c.session.logins, time.Now())
		}
		if err == nil && out.Require2FA {
			c.session.wantsCode = true
		}
		return err
	}
	c.session.mu.Lock()
	wantsCode := c.session.wantsCode
	c.session.mu.Unlock()
	if !wantsCode {
		if err := ask(); err != nil {
			return "", err
		}
		wantsCode = out.Credential == "" && out.Require2FA
	}
	if wantsCode {
		code, err := c.code()
		if err != nil {
			return "", err
		}
		body["totpCode"] = code
		if err := ask(); err != nil {
			return "", err
		}
	}
	if out.Credential == "" {
		return "", &Error{Op: opLogin, Kind: KindBadAnswer, Status: http.StatusOK, Message: "no credential in the answer"}
	}
	c.log.DebugContext(ctx, "logged in to webui", "webui_url", c.BaseURL())
	return out.Credential, nil
}

// code returns the 2FA code of this moment.
func (c *Client) code() (string, error) {
	secret := ""
	if c.totp != nil {
		var err error
		if secret, err = c.totp(); err != nil {
			return "", fmt.Errorf("2FA secret of the WebUI: %w", err)
		}
	}
	if secret == "" {
		return "", &Error{Op: opLogin, Kind: KindNeedsCode, Status: http.StatusOK,
			Message: "the WebUI asks for an authenticator code and no secret is known"}
	}
	code, err := totp.Code(secret, time.Now())
	if err != nil {
		return "", &Error{Op: opLogin, Kind: KindBadCode, Message: "the 2FA secret is not base32"}
	}
	return code, nil
}
