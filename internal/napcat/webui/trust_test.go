package webui

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestNothingIsSentToAStranger: another program took the port; it gets neither a
// request nor a credential.
func TestNothingIsSentToAStranger(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer srv.Close()
	stranger := errors.New("not ours")
	var address net.Addr
	c := New(srv.URL, "webuitoken123456", Options{SigningKey: "key", Trust: func(c net.Conn) error { address = c.RemoteAddr(); return stranger }})
	_, err := c.CheckLoginStatus(t.Context())
	if KindOf(err) != KindUnreachable || !errors.Is(err, stranger) {
		t.Errorf("error %v", err)
	}
	if asked.Load() != 0 || "http://"+address.String() != srv.URL {
		t.Errorf("asked %d times at %q", asked.Load(), address)
	}
}

// TestRedirectsAreNotFollowed: a 302 would carry the credential elsewhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "webuitoken") || r.Header.Get("Referer") != "" {
			t.Errorf("the request tells too much: %s, %s", r.URL, r.Header)
		}
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	if _, err := New(srv.URL, "webuitoken123456", Options{SigningKey: "key"}).CheckLoginStatus(t.Context()); err == nil {
		t.Error("a redirect is an answer")
	}
	if elsewhere.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

// TestANewProcessHasANewKey: what was signed for the one before is void.
func TestANewProcessHasANewKey(t *testing.T) {
	var got atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(`{"code":0,"data":{"isLogin":false},"message":"success"}`))
	}))
	defer srv.Close()
	c := New(srv.URL, "webuitoken123456", Options{SigningKey: "first"})
	var keys []string
	for _, key := range []string{"first", "second"} {
		c.SetKeys("webuitoken123456", key)
		if _, err := c.CheckLoginStatus(t.Context()); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, got.Load().(string))
	}
	if keys[0] == keys[1] || keys[0] == "" {
		t.Errorf("credentials %q", keys)
	}
}
