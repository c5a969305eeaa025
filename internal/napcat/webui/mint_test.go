package webui

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMintedForm compares with a credential that was seen on the wire, but for
// the signature, whose key nobody knows.
func TestMintedForm(t *testing.T) {
	b, err := base64.StdEncoding.DecodeString(mint("key", "tok123456", time.Unix(1795317638, 0)))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Data":{"CreatedTime":1795317638,"HashEncoded":"20b2dc02b6e1913ec9dbe53af19c9ce1b1f9d758d83d0ec8dc8b5a33ea09ff30"},"Hmac":"`
	if got := string(b); !strings.HasPrefix(got, want) || len(got) != len(want)+64+2 {
		t.Errorf("got %s", got)
	}
}

func TestSigningKeySparesLogins(t *testing.T) {
	for _, c := range []struct {
		name   string
		known  bool // the WebUI has the same key
		logins int32
	}{{"same key", true, 0}, {"another key", false, 1}} {
		t.Run(c.name, func(t *testing.T) {
			var logins atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				cred := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				switch {
				case r.URL.Path == "/api/auth/login":
					logins.Add(1)
					io.WriteString(w, `{"code":0,"data":{"Credential":"granted"},"message":"success"}`)
				case cred == "granted" || cred != "" && c.known:
					io.WriteString(w, `{"code":0,"data":{"isLogin":true,"isOffline":false,"qrcodeurl":"","loginError":""},"message":"success"}`)
				default:
					io.WriteString(w, `{"code":-1,"message":"Unauthorized"}`)
				}
			}))
			defer srv.Close()
			cl := New(srv.URL, "tok123456", Options{SigningKey: "key"})
			defer cl.Close()
			for range 3 {
				if st, err := cl.CheckLoginStatus(t.Context()); err != nil || !st.IsLogin {
					t.Fatalf("%+v, %v", st, err)
				}
			}
			if logins.Load() != c.logins {
				t.Errorf("%d logins, want %d", logins.Load(), c.logins)
			}
		})
	}
}
