package webui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/totp"
)

// hall is the WebUI's door in memory, so that hours pass at once. It follows
// contract C.3: one hour of life, ten logins a minute, good ones counted.
type hall struct {
	mu      sync.Mutex
	hash    string
	rate    int
	secret  string // 2FA
	serial  int
	good    map[string]time.Time
	logins  []time.Time
	window  time.Time
	inside  int // of the window
	down    bool
	revoked string // message for unknown credentials
	met     func(credential string, good bool)
}

func newHall() *hall {
	// sha256("tok123456.napcat")
	return &hall{hash: "20b2dc02b6e1913ec9dbe53af19c9ce1b1f9d758d83d0ec8dc8b5a33ea09ff30",
		rate: 10, good: map[string]time.Time{}, revoked: "Unauthorized"}
}

func (h *hall) client(o Options) *Client {
	o.HTTPClient = &http.Client{Transport: h}
	return New("http://127.0.0.1:6099", "tok123456", o)
}

func (h *hall) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if h.down {
		return nil, errors.New("connection refused")
	}
	answer := func(s string) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(s)), Request: r}, nil
	}
	if r.URL.RequestURI() == "/api/auth/login" {
		var in struct{ Hash, TotpCode string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		now := time.Now()
		if now.Sub(h.window) > time.Minute {
			h.window, h.inside = now, 0
		}
		if h.inside++; h.inside > h.rate {
			return answer(`{"code":-1,"message":"login rate limit"}`)
		}
		h.logins = append(h.logins, now)
		if in.Hash != h.hash {
			return answer(`{"code":-1,"message":"token is invalid"}`)
		}
		if h.secret != "" {
			if in.TotpCode == "" {
				return answer(`{"code":0,"data":{"require2FA":true,"message":"Please enter your authenticator code"},"message":"success"}`)
			}
			if want, _ := totp.Code(h.secret, now); want != in.TotpCode {
				return answer(`{"code":-1,"message":"Invalid or expired code"}`)
			}
		}
		h.serial++
		cred := strings.Repeat("C", h.serial)
		h.good[cred] = now
		return answer(`{"code":0,"data":{"Credential":"` + cred + `"},"message":"success"}`)
	}
	cred := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	at, ok := h.good[cred]
	if h.met != nil {
		h.met(cred, ok)
	}
	if !ok || time.Since(at) > time.Hour {
		return answer(`{"code":-1,"message":"` + h.revoked + `"}`)
	}
	return answer(`{"code":0,"data":{"isLogin":true,"isOffline":false,"qrcodeurl":"","loginError":""},"message":"success"}`)
}

func (h *hall) forgetAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.good)
}

// inAnyHour returns the most logins in any hour.
func (h *hall) inAnyHour() int {
	most := 0
	for i := range h.logins {
		n := 0
		for _, t := range h.logins[i:] {
			if t.Sub(h.logins[i]) < time.Hour {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestLoginsOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		c := h.client(Options{})
		for start := time.Now(); time.Since(start) < 24*time.Hour; time.Sleep(5 * time.Second) {
			if _, err := c.CheckLoginStatus(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.inAnyHour(); n > 2 {
			t.Errorf("%d logins in an hour", n)
		}
		if n := len(h.logins); n < 24 || n > 30 {
			t.Errorf("%d logins in a day", n)
		}
	})
}

func TestManyAtOnceLogInOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		c := h.client(Options{})
		for range 2 {
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if _, err := c.CheckLoginStatus(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			h.forgetAll()
		}
		if len(h.logins) != 2 {
			t.Errorf("%d logins, want 2", len(h.logins))
		}
		if d := h.logins[1].Sub(h.logins[0]); d < 5*time.Second {
			t.Errorf("logins %v apart", d)
		}
	})
}

func TestRevokedInEveryWording(t *testing.T) {
	for _, msg := range []string{"Unauthorized", "Token has been revoked", "Authorization Failed"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHall()
			h.revoked = msg
			c := h.client(Options{})
			for range 2 {
				if _, err := c.CheckLoginStatus(t.Context()); err != nil {
					t.Fatalf("%s: %v", msg, err)
				}
				h.forgetAll()
			}
		})
	}
}

// TestCrashLoop: a worker that dies again and again, with its credentials,
// never makes us hit the rate limit, not even at the lowest one people set.
func TestCrashLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.rate = 3
		c := h.client(Options{})
		answered := 0
		for start := time.Now(); time.Since(start) < time.Hour; time.Sleep(time.Second) {
			h.forgetAll()
			_, err := c.CheckLoginStatus(t.Context())
			switch KindOf(err) {
			case "":
				answered++
			case KindRateLimited:
				var e *Error
				if errors.As(err, &e); e.Status != 0 {
					t.Fatalf("reached NapCat's limit after %v", time.Since(start))
				}
				if e.RetryAfter <= 0 {
					t.Fatal("no RetryAfter")
				}
			default:
				t.Fatal(err)
			}
		}
		if answered < 15 {
			t.Errorf("answered only %d times", answered)
		}
	})
}

func TestBadTokenIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.hash = "other"
		c := h.client(Options{})
		for start := time.Now(); time.Since(start) < 10*time.Minute; time.Sleep(time.Second) {
			if _, err := c.CheckLoginStatus(t.Context()); KindOf(err) != KindBadToken && KindOf(err) != KindRateLimited {
				t.Fatal(err)
			}
		}
		if len(h.logins) > 10 {
			t.Errorf("%d logins with a bad token in 10 minutes", len(h.logins))
		}
	})
}

// The owner of a NapCat may choose another token in its WebUI, which revokes every
// credential; what it writes down then is followed.
func TestTokenChangedInTheWebUI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		now := "tok123456"
		c := h.client(Options{Token: func() (string, error) { return now, nil }})
		if _, err := c.CheckLoginStatus(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = "chosen-1"
		h.hash = hashToken(now)
		h.forgetAll()
		time.Sleep(10 * time.Second)
		if st, err := c.CheckLoginStatus(t.Context()); err != nil || !st.IsLogin {
			t.Fatalf("after the change: %+v, %v", st, err)
		}
		// A token that is written down and does not hold is tried once.
		h.hash, now = "another", "chosen-2"
		h.forgetAll()
		time.Sleep(time.Hour)
		before := len(h.logins)
		for range 10 {
			if _, err := c.CheckLoginStatus(t.Context()); KindOf(err) != KindBadToken {
				t.Fatalf("got %v", err)
			}
			time.Sleep(5 * time.Second)
		}
		if n := len(h.logins) - before; n != 2 {
			t.Errorf("%d logins", n)
		}
	})
}

func TestRateLimitedRenewalKeepsTheOldCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		c := h.client(Options{})
		if err := c.CheckAuth(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(55 * time.Minute)
		h.mu.Lock()
		h.rate = 0
		h.mu.Unlock()
		if err := c.CheckAuth(t.Context()); err != nil {
			t.Errorf("the old credential is good for 5 more minutes: %v", err)
		}
	})
}

func Test2FA(t *testing.T) {
	const secret = "JBSWY3DPEHPK3PXP"
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.secret = secret
		c := h.client(Options{TOTPSecret: func() (string, error) { return secret, nil }})
		for i := range 2 {
			if err := c.CheckAuth(t.Context()); err != nil {
				t.Errorf("with the secret: %v", err)
			}
			// The first login learns that a code is wanted, the second knows.
			if want := 2 + i; len(h.logins) != want {
				t.Errorf("%d attempts, want %d", len(h.logins), want)
			}
			h.forgetAll()
			time.Sleep(time.Hour)
		}
		if err := h.client(Options{}).CheckAuth(t.Context()); KindOf(err) != KindNeedsCode {
			t.Errorf("without a secret: %v", err)
		}
		for _, wrong := range []string{"KRSXG5CTMVRXEZLU", "not base32 !"} {
			err := h.client(Options{TOTPSecret: func() (string, error) { return wrong, nil }}).CheckAuth(t.Context())
			if KindOf(err) != KindBadCode {
				t.Errorf("with a wrong secret: %v", err)
			}
			if strings.Contains(err.Error(), wrong) {
				t.Errorf("the error shows the secret: %v", err)
			}
		}
	})
}

func TestUnreachableLoginCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.down = true
		c := h.client(Options{})
		start := time.Now()
		for range 20 {
			if err := c.CheckAuth(t.Context()); KindOf(err) != KindUnreachable {
				t.Fatal(err)
			}
		}
		h.mu.Lock()
		h.down = false
		h.mu.Unlock()
		if err := c.CheckAuth(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("waited %v for a WebUI that was just starting", d)
		}
	})
}

func TestCancelledWhileSpacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		c := h.client(Options{})
		if err := c.CheckAuth(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.forgetAll()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.CheckAuth(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := c.CheckAuth(t.Context()); err != nil {
			t.Errorf("the lock was left: %v", err)
		}
	})
}

// TestNoSecretsInLogsAndErrors goes through a whole session at debug level.
func TestNoSecretsInLogsAndErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		h := newHall()
		c := h.client(Options{Logger: slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if err := c.CheckAuth(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.down = true
		var errs strings.Builder
		for _, err := range []error{c.CheckAuth(t.Context()), func() error { _, err := c.PasswordLogin(t.Context(), 1, testMD5); return err }()} {
			if err == nil {
				t.Fatal("no error")
			}
			errs.WriteString(err.Error())
		}
		if logs.Len() == 0 {
			t.Error("nothing was logged")
		}
		for _, secret := range []string{"tok123456", h.hash, testMD5, "Bearer"} {
			if strings.Contains(logs.String()+errs.String(), secret) {
				t.Errorf("%s shows in %s%s", secret, logs.String(), errs.String())
			}
		}
	})
}
