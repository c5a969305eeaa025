package control

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// TestConnLimit: however few descriptors there are, enough of them stay for the
// daemon itself, and the socket still answers.
func TestConnLimit(t *testing.T) {
	for _, tt := range []struct{ files, listeners, want int }{
		{0, 2, maxConns}, {1 << 20, 2, maxConns}, {1024, 1, 1024 - reservedFDs}, {1024, 2, (1024 - reservedFDs) / 2},
		{128, 1, 32}, {128, 2, 16}, {64, 2, minConns},
	} {
		if got := connLimit(tt.files, tt.listeners); got != tt.want {
			t.Errorf("connLimit(%d, %d) = %d, want %d", tt.files, tt.listeners, got, tt.want)
		}
	}
}

// TestStrangersKeepNoConnection: whoever has no token gets an answer and loses
// the connection.
func TestStrangersKeepNoConnection(t *testing.T) {
	r := serve(t, true)
	for _, path := range []string{"/healthz", "/readyz", "/v0/status"} {
		resp, err := http.Get(r.tcp + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if !resp.Close {
			t.Errorf("%s: the connection is kept after %s", path, resp.Status)
		}
	}
}

// TestLabelsAreBounded: what callers make up is no label of any length.
func TestLabelsAreBounded(t *testing.T) {
	m := NewMetrics()
	long := strings.Repeat("x", 10<<10)
	m.Call("main", long, "0", time.Second)
	m.Call("main", "\xff\xfe", "0", time.Second)
	m.Event("main", long)
	m.Restart("main", long)
	m.attach(statusOnly{st: api.Status{Accounts: []api.Account{{Name: "main", State: api.StateOnline, NapCat: long, QQ: "\xff",
		Degraded: []api.Degraded{{Code: api.CodeDiskLow}, {Code: api.CodeDiskLow}, {Code: api.CodePluginFailed}}}}}}, &Hub{})
	text := string(m.text())
	for _, l := range regexp.MustCompile(`="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if len(l[1]) > maxLabelLen {
			t.Errorf("a label of %d bytes: %s", len(l[1]), l[1])
		}
	}
	degraded := strings.Count(text, "\nncatd_account_degraded{")
	if degraded != 2 {
		t.Errorf("%d codes of degraded, want 2", degraded)
	}
}

type statusOnly struct {
	Backend
	st api.Status
}

func (s statusOnly) Status() api.Status { return s.st }
