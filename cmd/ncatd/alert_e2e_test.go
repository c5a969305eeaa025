//go:build e2e && linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
)

// telegramToken is a secret that must stand nowhere but in its file.
const telegramToken = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

// telegram is a fake of Telegram that keeps what a bot was asked to send.
type telegram struct {
	mu   sync.Mutex
	told []told
}

type told struct {
	at    time.Time
	text  string
	photo []byte
}

func (f *telegram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := told{at: time.Now()}
	body, err := io.ReadAll(r.Body)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/bot"+telegramToken+"/") {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"ok":false,"description":"Unauthorized"}`)
		return
	}
	if _, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && params["boundary"] != "" {
		for parts := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
			p, err := parts.NextPart()
			if err != nil {
				break
			}
			b, _ := io.ReadAll(p)
			switch p.FormName() {
			case "photo":
				m.photo = b
			case "caption":
				m.text = string(b)
			}
		}
	} else {
		var in struct{ Text string }
		_ = json.Unmarshal(body, &in) // an empty text fails the test
		m.text = in.Text
	}
	f.mu.Lock()
	f.told = append(f.told, m)
	f.mu.Unlock()
	io.WriteString(w, `{"ok":true}`)
}

// find returns the messages with a text.
func (f *telegram) find(text string) (found []told) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.told {
		if strings.Contains(m.text, text) {
			found = append(found, m)
		}
	}
	return found
}

// await waits for the n-th message with a text.
func (f *telegram) await(t *testing.T, n int, text string) told {
	t.Helper()
	await.True(t, waitLimit, fmt.Sprintf("message %d with %q", n, text), func() bool { return len(f.find(text)) >= n })
	return f.find(text)[n-1]
}

// newAlertStage is a stage whose alerts go to a fake Telegram.
func newAlertStage(t *testing.T, rule string) (*stage, *telegram) {
	t.Helper()
	f := &telegram{}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte(telegramToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, fmt.Sprintf("display: none\ncontrol: {listen: %q, hosts: [bot.example.com], proxies: [127.0.0.1/32]}\nalerts:\n  language: en\n  console: true\n  channels: [{name: phone, kind: telegram, base: %q, chat_id: \"7\", token: \"file:%s\"}]\n  rules: [%s]\n",
		freePort(t), srv.URL, secret, rule), nil)
	if err := s.sim.Fault(t.Context(), map[string]any{"scan_after": "off"}); err != nil {
		t.Fatal(err)
	}
	return s, f
}

// TestAlertWithTheCode kicks the account: within a second of the hold-off the
// message is there with a picture of the code to scan, then how long it lasted. It
// has the machine for itself: times are what it is about.
func TestAlertWithTheCode(t *testing.T) {
	const holdOff = 3 * time.Second
	s, f := newAlertStage(t, `{kinds: [login_needed], channels: [phone], hold_off: 3s, settle: 1s}`)
	// The login of the start settles first: what follows within that is one trouble.
	await.Poll(2*time.Second, func() bool { return false })
	if err := s.sim.Kick(t.Context(), "下线通知", "你的账号在另一地点登录", false); err != nil {
		t.Fatal(err)
	}
	m := f.await(t, 1, "somebody has to log in")
	a := s.account()
	if a.State != api.StateLoginRequired {
		t.Fatalf("the account is %s", a.State)
	}
	late := m.at.Sub(a.Since) - holdOff
	t.Logf("told %s after the hold-off: %s", late, m.text)
	if late < 0 || late > time.Second {
		t.Errorf("told %s after the hold-off", late)
	}
	file := filepath.Join(t.TempDir(), "qr.png")
	if err := os.WriteFile(file, m.photo, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("zbarimg", "--quiet", "--raw", file).Output()
	if err != nil || strings.TrimSpace(string(out)) != a.Login.URL {
		t.Errorf("the picture says %q, %v, the login %q", out, err, a.Login.URL)
	}
	s.linkWorksOnce(t, m.text)
	if err := s.sim.Scan(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	m = f.await(t, 1, "over: somebody has to log in")
	if !strings.Contains(m.text, "for ") || m.photo != nil {
		t.Errorf("told %q", m.text)
	}
	s.alertCommands(t)
	s.noToken(t)
}

// alertCommands runs the command line.
func (s *stage) alertCommands(t *testing.T) {
	t.Helper()
	run := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, append(args, "--home", string(s.home))...)
		cmd.Env = append(os.Environ(), "HOME="+s.work, "NCATD_LANG=en")
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%s: exit %d, %v: %s", args, got, err, out)
		}
		return string(out)
	}
	if out := run(0, "alert", "test"); !strings.Contains(out, "phone: taken after") {
		t.Errorf("test: %s", out)
	}
	if out := run(0, "alert", "log"); strings.Count(out, "phone  told") != 2 {
		t.Errorf("log: %s", out)
	}
	run(0, "alert", "silence", "main", "2h")
	if out := run(0, "alert", "list"); !strings.Contains(out, "nothing is wrong") || !strings.Contains(out, "silent: main") {
		t.Errorf("list: %s", out)
	}
	run(0, "alert", "silence", "main", "0")
	run(2, "alert", "test", "fax")
	run(2, "alert", "silence", "nobody", "2h")
	run(2, "alert", "silence", "main", "soon")
	// A reload takes what is new, and a wrong token is told with what helps.
	if err := os.WriteFile(filepath.Join(s.work, "wrong"), []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(s.home.Config())
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("file:"))
	j := bytes.IndexByte(b[i:], '"')
	b = append(append(append([]byte{}, b[:i]...), "file:"+filepath.Join(s.work, "wrong")...), b[i+j:]...)
	if err := os.WriteFile(s.home.Config(), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(0, "reload"); !strings.Contains(out, "alerts") {
		t.Errorf("reload: %s", out)
	}
	await.True(t, waitLimit, "the new channel", func() bool {
		r, err := s.cl.AlertTest(t.Context(), "phone")
		return err == nil && r[0].Failed.Code == api.CodeAlertToken
	})
	if out := run(1, "alert", "test", "phone"); !strings.Contains(out, "does not accept the secret: Unauthorized") || !strings.Contains(out, "hint: ") {
		t.Errorf("wrong token: %s", out)
	}
}

// noToken looks for the channel's secret in all that a person may show around.
func (s *stage) noToken(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--json"}, {"logs", "-n", "0"}, {"status", "--json"}, {"alert", "log", "--json"}, {"alert", "list", "--json"}} {
		cmd := exec.Command(binary, append(args, "--home", string(s.home))...)
		cmd.Env = append(os.Environ(), "HOME="+s.work)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", args, err, out)
		}
		if strings.Contains(string(out), telegramToken) {
			t.Errorf("%s shows the token", args)
		}
	}
}

// TestAlertKilled kills the daemon with -9 while its account waits for a login,
// before that was told and after: it is told once or twice, and so is its end.
func TestAlertKilled(t *testing.T) {
	t.Parallel()
	s, f := newAlertStage(t, `{kinds: [login_needed], channels: [phone], hold_off: 1s, settle: 1s}`)
	t.Cleanup(func() {
		for _, m := range f.find("") {
			t.Logf("told %s %s", m.at.Format(time.TimeOnly), m.text)
		}
	})
	for round, moment := range []time.Duration{0, 1200 * time.Millisecond, 2500 * time.Millisecond} {
		if err := s.sim.Kick(t.Context(), "", "", false); err != nil {
			t.Fatal(err)
		}
		await.True(t, waitLimit, "the login", func() bool { return s.account().State == api.StateLoginRequired })
		<-time.After(moment) // any moment around the hold-off
		s.kill(t)
		f.await(t, round+1, "main")
		await.True(t, waitLimit, "the alert", func() bool { return fired(f, round) })
		await.True(t, waitLimit, "the code", func() bool { return s.account().Login.Code() })
		if err := s.sim.Scan(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		await.True(t, waitLimit, "the end", func() bool { return len(f.find("over: ")) > round })
	}
	if n := len(f.find(": somebody")) - len(f.find("over: ")); n < 3 || n > 6 {
		t.Errorf("told %d times after 3 kills", n)
	}
	if n := len(f.find("over: ")); n < 3 || n > 6 {
		t.Errorf("its end was told %d times after 3 kills", n)
	}
}

func fired(f *telegram, round int) bool {
	return len(f.find(": somebody"))-len(f.find("over: ")) > round
}

// kill ends the daemon with -9 and starts it again.
func (s *stage) kill(t *testing.T) {
	t.Helper()
	st, err := s.cl.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !await.Gone(5*time.Second, st.PID) {
		t.Fatal("it lives on")
	}
	cmd := exec.Command(binary, "start", "-d", "--home", string(s.home))
	cmd.Env = append(os.Environ(), "HOME="+s.work, "NCATD_LANG=en")
	if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.ExitCode() != 4 {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if st, err := s.cl.Status(t.Context()); err == nil {
			_ = syscall.Kill(st.PID, syscall.SIGTERM) // killLeft looks after it
		}
	})
}

// linkWorksOnce goes by the link of an alert into the console, twice.
func (s *stage) linkWorksOnce(t *testing.T, text string) {
	t.Helper()
	_, secret, ok := strings.Cut(text, "https://bot.example.com/#k=")
	if !ok {
		t.Fatalf("no link in %q", text)
	}
	secret, _, _ = strings.Cut(secret, "\n")
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.address(t)+"/v0/console/login", strings.NewReader(fmt.Sprintf(`{"secret":%q}`, secret)))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "bot.example.com"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("the link's secret: HTTP %d, want %d", resp.StatusCode, want)
		}
	}
}

// address is where the config has the control API listen.
func (s *stage) address(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(s.home.Config())
	if err != nil {
		t.Fatal(err)
	}
	_, addr, _ := strings.Cut(string(b), `listen: "`)
	addr, _, _ = strings.Cut(addr, `"`)
	return addr
}
