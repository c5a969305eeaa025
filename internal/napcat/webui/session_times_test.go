package webui

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSpacing(t *testing.T) {
	for n, want := range map[int]time.Duration{
		0: 5 * time.Second, 1: 5 * time.Second, 2: 30 * time.Second, 3: 61 * time.Second, 9: 61 * time.Second,
		10: 5 * time.Minute, 100: 5 * time.Minute,
	} {
		if got := spacing(n); got != want {
			t.Errorf("after %d logins: %v, want %v", n, got, want)
		}
	}
}

// Logins count for an hour, to the moment.
func TestLoginsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		c := h.client(Options{})
		if err := c.CheckAuth(t.Context()); err != nil || c.Logins() != 1 {
			t.Fatalf("%v, %d logins", err, c.Logins())
		}
		time.Sleep(time.Hour - time.Nanosecond)
		if n := c.Logins(); n != 1 {
			t.Errorf("%d logins within an hour", n)
		}
		time.Sleep(time.Nanosecond)
		if n := c.Logins(); n != 0 {
			t.Errorf("%d logins after an hour", n)
		}
	})
}

// What the WebUI refused counts for a minute, and not for another WebUI.
func TestRefusalsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.hash = "other"
		c := h.client(Options{})
		refused := func(after time.Duration) {
			t.Helper()
			err := c.CheckAuth(t.Context())
			var e *Error
			if !errors.As(err, &e) || e.Kind != KindBadToken || e.RetryAfter != after {
				t.Fatalf("%v: %+v, want to be told to wait %v", err, e, after)
			}
		}
		refused(0)
		time.Sleep(20 * time.Second)
		refused(40 * time.Second)
		time.Sleep(39 * time.Second)
		refused(time.Second)
		if len(h.logins) != 1 {
			t.Errorf("%d logins", len(h.logins))
		}
		time.Sleep(time.Second)
		refused(0)
		c.SetBaseURL("http://127.0.0.1:6099/") // the same
		refused(time.Minute)
		c.SetBaseURL("http://127.0.0.1:6100")
		time.Sleep(30 * time.Second) // logins keep apart all the same
		refused(0)
		if len(h.logins) != 3 {
			t.Errorf("%d logins, want one for each minute and one for the other address", len(h.logins))
		}
	})
}

// A credential near its end is renewed, and used until its end if the WebUI lets
// nobody in. One that is void is not.
func TestOldCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		c := h.client(Options{})
		check := func(logins int) error {
			t.Helper()
			err := c.CheckAuth(t.Context())
			if len(h.logins) != logins {
				t.Errorf("%d logins, want %d", len(h.logins), logins)
			}
			return err
		}
		if err := check(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(credentialLife - time.Nanosecond)
		if err := check(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Nanosecond)
		if err := check(2); err != nil {
			t.Fatal(err)
		}
		h.rate = 0
		time.Sleep(credentialLife)
		for range 3 {
			if err := check(2); err != nil {
				t.Errorf("good for some minutes more: %v", err)
			}
			time.Sleep(time.Minute)
		}
		h.forgetAll()
		if err := check(2); KindOf(err) != KindRateLimited {
			t.Errorf("void: %v", err)
		}
		h.rate = 10
		time.Sleep(time.Minute)
		if err := check(3); err != nil {
			t.Errorf("let in again: %v", err)
		}
	})
}

func TestWaitsOfARateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.rate = 0
		c := h.client(Options{})
		var e *Error
		if err := c.CheckAuth(t.Context()); !errors.As(err, &e) || e.Kind != KindRateLimited || e.RetryAfter != time.Minute {
			t.Errorf("%+v", e)
		}
	})
}

// A credential of our own making is signed as NapCat signs its own, is not used
// for an hour once the WebUI did not know it, and follows a new token and key.
func TestMinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		c := h.client(Options{SigningKey: "key one"})
		unknown := 0
		h.met = func(cred string, good bool) {
			if !good {
				unknown++
			}
		}
		for start := time.Now(); time.Since(start) < 3*time.Hour-time.Minute; time.Sleep(10 * time.Second) {
			if err := c.CheckAuth(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if unknown != 2 { // at the start, and when the second login's credential ends
			t.Errorf("%d tries with a signature the WebUI does not know in three hours", unknown)
		}
		c.SetKeys("another token", "key two")
		var signed string
		h.met = func(cred string, good bool) {
			if signed == "" {
				signed = cred
			}
		}
		_ = c.CheckAuth(t.Context())
		raw, err := base64.StdEncoding.DecodeString(signed)
		var got struct {
			Data json.RawMessage
			Hmac string
		}
		if err != nil || json.Unmarshal(raw, &got) != nil {
			t.Fatalf("%q, %v", signed, err)
		}
		sum := sha256.Sum256([]byte("another token.napcat"))
		if want := fmt.Sprintf(`{"CreatedTime":%d,"HashEncoded":"%x"}`, time.Now().Add(-time.Minute).Unix(), sum); string(got.Data) != want {
			t.Errorf("got %s, want %s", got.Data, want)
		}
		mac := hmac.New(sha256.New, []byte("key two"))
		mac.Write(got.Data)
		if want := hex.EncodeToString(mac.Sum(nil)); got.Hmac != want {
			t.Errorf("signed %s, want %s", got.Hmac, want)
		}
	})
}

// What is no answer of NapCat's is told in the words it has, if any.
func TestStrangeAnswers(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		kind   Kind
		words  string
	}{
		{200, `<html>hello</html>`, KindBadAnswer, ""},
		{204, ``, KindBadAnswer, ""},
		{200, `{"message":"some other program"}`, KindBadAnswer, "some other program"},
		{404, `{"error":"Not Found"}`, KindNotFound, "Not Found"},
		{500, `{"error":"first","message":"second"}`, KindInternal, "first"},
		{500, `{"message":"only"}`, KindInternal, "only"},
		{502, `<html>nginx</html>`, KindInternal, ""},
		{200, `{"code":0,"data":"text","message":"success"}`, KindBadAnswer, "unexpected shape of data"},
	} {
		var e *Error
		var out struct{ X int }
		if err := decode("op", tt.status, []byte(tt.body), &out); !errors.As(err, &e) || e.Kind != tt.kind || e.Message != tt.words || e.Status != tt.status {
			t.Errorf("%d %s: %+v", tt.status, tt.body, e)
		}
	}
	var e *Error
	if err := decode("auth/login", 200, []byte(`{"code":-1,"message":"login rate limit"}`), nil); !errors.As(err, &e) || e.RetryAfter != time.Minute {
		t.Errorf("%+v", e)
	}
	if err := decode("auth/login", 200, []byte(`{"code":-1,"message":"no"}`), nil); !errors.As(err, &e) || e.RetryAfter != 0 {
		t.Errorf("%+v", e)
	}
}

// Only a request with a body says what is in it.
func TestHeaders(t *testing.T) {
	seen := map[string]string{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen[r.Method] = r.Header.Get("Content-Type")
		_, _ = io.WriteString(w, `{"code":0,"data":null,"message":"success"}`)
	}))
	defer srv.Close()
	c := New(srv.URL, "tok123456", Options{})
	defer c.Close()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if err := c.send(t.Context(), request{method: method, op: "x"}, "cred", nil); err != nil {
			t.Error(err)
		}
	}
	if seen["GET"] != "" || seen["POST"] != "application/json" {
		t.Errorf("%q", seen)
	}
}

func TestNewDeviceRefusals(t *testing.T) {
	for answer, refused := range map[string]bool{
		`{}`: false, `{"ErrorCode":0}`: false, `{"ErrorCode":"0","ActionStatus":"OK"}`: false, `{"ErrorCode":null}`: false, `{"ErrorCode":""}`: false,
		`{"ErrorCode":7,"ErrorInfo":"no"}`: true, `{"ErrorCode":"7"}`: true, `{"ActionStatus":"fail"}`: true, `{"ErrorCode":0,"ActionStatus":"FAIL"}`: true,
	} {
		var r rawDevice
		if err := json.Unmarshal([]byte(answer), &r); err != nil {
			t.Fatal(err)
		}
		if err := r.err("op"); (err != nil) != refused || refused && KindOf(err) != KindRefused {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestAccountNumbers(t *testing.T) {
	for s, want := range map[string]uin{`"10001"`: 10001, `10001`: 10001, `""`: 0, `null`: 0} {
		u := uin(7)
		if err := json.Unmarshal([]byte(s), &u); err != nil || u != want && s != "null" {
			t.Errorf("%s: %d, %v", s, u, err)
		}
	}
	var u uin
	if json.Unmarshal([]byte(`"x"`), &u) == nil {
		t.Error("letters were taken for a number")
	}
	if got := MessageOf(&Error{Op: "x", Kind: KindRefused}); !strings.Contains(got, "refused") {
		t.Errorf("without words: %q", got)
	}
}
