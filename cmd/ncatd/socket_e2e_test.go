//go:build e2e && linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// What TestSocket wants of a daemon that everybody leans on.
const (
	idleWatchers  = 1000
	stuckWatchers = 20
	lorises       = 50
	memoryBound   = 96 << 20
	beat          = 2 * time.Second // the heartbeat of the stage
	beatLate      = beat + beat/2   // a heartbeat after this is late
	lorisPatience = 20 * time.Second
)

// TestSocket holds what the control API's two doors let in, and what those who
// lean on them cost: another user, wrong tokens, foreign sites, giant bodies,
// senders that never end, and a thousand who watch.
func TestSocket(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	s := newStage(t, fmt.Sprintf("display: none\ncontrol: {listen: %q}\naccounts: [{name: main, onebot: {heartbeat: %s}}]\n", addr, beat), nil)
	b, err := os.ReadFile(s.home.Secrets())
	if err != nil {
		t.Fatal(err)
	}
	var secrets struct{ Control string }
	if err := json.Unmarshal(b, &secrets); err != nil || secrets.Control == "" {
		t.Fatalf("no token: %v", err)
	}
	beats := s.listen()
	t.Run("another user", func(t *testing.T) { s.anotherUser(t) })
	t.Run("tcp", func(t *testing.T) { tcpGuarded(t, addr, secrets.Control) })
	t.Run("crowd", func(t *testing.T) { s.crowd(t, addr, secrets.Control) })
	longest, n := beats()
	t.Logf("%d heartbeats, the longest pause %v", n, longest.Round(time.Millisecond))
	if n < 3 || longest > beatLate {
		t.Errorf("%d heartbeats, the longest pause %v; they come every %v", n, longest, beat)
	}
	if acc := s.account(); acc.State != api.StateOnline || acc.Restarts != 0 {
		t.Errorf("the account is %s, restarts %d", acc.State, acc.Restarts)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// listen follows the account's heartbeats as the daemon hands them on. What it
// returns ends that and tells the longest pause between two and their number.
func (s *stage) listen() func() (longest time.Duration, n int) {
	ctx, cancel := context.WithCancel(context.Background())
	var longest time.Duration
	var last time.Time
	n := 0
	done := make(chan error, 1)
	go func() {
		done <- s.cl.Events(ctx, "main", func(raw json.RawMessage) error {
			var e struct {
				Kind string `json:"meta_event_type"`
			}
			if err := json.Unmarshal(raw, &e); err != nil || e.Kind != "heartbeat" {
				return err
			}
			now := time.Now()
			if n++; n > 1 {
				longest = max(longest, now.Sub(last))
			}
			last = now
			return nil
		})
	}()
	return func() (time.Duration, int) {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Errorf("the heartbeats ended: %v", err)
		}
		return max(longest, time.Since(last)), n
	}
}

// anotherUser asks for the status as nobody, of a socket that file permissions
// do not protect.
func (s *stage) anotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("needs setpriv (Debian: util-linux)")
	}
	program := filepath.Join(s.work, "ncatd")
	if err := os.Link(binary, program); err != nil {
		b, rerr := os.ReadFile(binary)
		if err := errors.Join(rerr, os.WriteFile(program, b, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	status := func(as ...string) (string, int) {
		t.Helper()
		cmd := exec.Command(setpriv, append(as, program, "status", "--json", "--home", string(s.home))...)
		cmd.Env = []string{"NCATD_LANG=en", "HOME=" + s.work}
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, _ := cmd.Output()
		return string(out) + errs.String(), cmd.ProcessState.ExitCode()
	}
	nobody := []string{"--reuid", "65534", "--regid", "65534", "--clear-groups"}
	if out, code := status(nobody...); code == 0 || strings.Contains(out, `"accounts"`) {
		t.Errorf("nobody got in: exit %d\n%s", code, out)
	}
	for dir := filepath.Dir(s.home.Socket()); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // that is the point
			t.Fatal(err)
		}
	}
	if err := os.Chmod(s.home.Socket(), 0o666); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	if out, code := status(nobody...); code == 0 || strings.Contains(out, `"accounts"`) {
		t.Errorf("nobody got in through an open door: exit %d\n%s", code, out)
	} else {
		t.Logf("nobody: exit %d, %s", code, strings.TrimSpace(out))
	}
	if out, code := status("--clear-groups"); code != 0 {
		t.Errorf("root is kept out: exit %d\n%s", code, out)
	}
}

// tcpGuarded tries the TCP door.
func tcpGuarded(t *testing.T, addr, token string) {
	endless := func() io.Reader { return io.LimitReader(blanks{}, 10<<20) }
	for _, tt := range []struct {
		name, method, path, token, host, origin string
		body                                    io.Reader
		length                                  int64
		want                                    int
	}{
		{name: "no token", path: "/v0/status", want: 401},
		{name: "wrong token", path: "/v0/status", token: token[1:] + "x", want: 401},
		{name: "token", path: "/v0/status", token: token, want: 200},
		{name: "metrics without a token", path: "/metrics", want: 401},
		{name: "probe", path: "/healthz", want: 200},
		{name: "foreign host", path: "/v0/status", token: token, host: "evil.example", want: 403},
		{name: "foreign host with the port", path: "/healthz", host: "evil.example" + addr[strings.LastIndex(addr, ":"):], want: 403},
		{name: "foreign origin", path: "/v0/status", token: token, origin: "https://evil.example", want: 403},
		{name: "null origin", path: "/v0/status", token: token, origin: "null", want: 403},
		{name: "own origin", path: "/v0/status", token: token, origin: "http://" + addr, want: 200},
		{name: "10 MiB", method: "POST", path: "/v0/accounts/main/call", token: token, body: endless(), length: 10 << 20, want: 413},
		{name: "10 MiB in chunks", method: "POST", path: "/v0/accounts/main/call", token: token, body: endless(), length: -1, want: 413},
		{name: "10 MiB without a token", method: "POST", path: "/v0/stop", body: endless(), length: 10 << 20, want: 413},
		{name: "a header of 1 MiB", path: "/healthz", token: strings.Repeat("x", 1<<20), want: 431},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+addr+tt.path, tt.body)
		if err != nil {
			t.Fatal(err)
		}
		req.Host, req.ContentLength = tt.host, tt.length
		if tt.token != "" {
			req.Header.Set("Authorization", "Bearer "+tt.token)
		}
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			// The answer may be lost with a connection that is cut while the rest
			// of the body is on its way.
			if tt.body == nil || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: %s %s, want %d", tt.name, resp.Status, body, tt.want)
		}
		if tt.want >= 400 && tt.want != 431 && !strings.Contains(string(body), `{"error":{"code":"`) {
			t.Errorf("%s: %s", tt.name, body)
		}
	}
}

// blanks is an endless text of blanks, which JSON allows before a value.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// crowd lets a thousand watch, some never read and some never finish asking,
// while the bot works.
func (s *stage) crowd(t *testing.T, addr, token string) {
	before := s.rss()
	peak := before
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	watch := func(query string, read bool) {
		t.Helper()
		c, err := net.Dial("unix", s.home.Socket())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if _, err := fmt.Fprintf(c, "GET /v0/watch%s HTTP/1.1\r\nHost: ncatd\r\n\r\n", query); err != nil {
			t.Fatal(err)
		}
		if !read {
			return
		}
		r := bufio.NewReader(c)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("watcher %d: %v", len(conns), err)
			}
			if strings.Contains(line, `"kind":"snapshot"`) {
				return
			}
		}
	}
	for range stuckWatchers {
		watch("?kinds=event,log,state", false)
	}
	for i := range idleWatchers {
		watch("", true)
		if i%100 == 0 {
			peak = max(peak, s.rss())
		}
	}
	peak = max(peak, s.rss())
	t.Logf("RSS %d MiB before, %d MiB with %d watchers", before>>20, s.rss()>>20, idleWatchers)

	slow := make(chan error, lorises)
	var wg sync.WaitGroup
	for i := range lorises {
		network, to := "tcp", addr
		if i%2 == 0 {
			network, to = "unix", s.home.Socket()
		}
		wg.Go(func() { slow <- loris(network, to, token, i%4 < 2) })
	}
	for i := range 300 { // every one of them an event of 4 KiB for those that never read
		if err := s.ask("/echo "+strings.Repeat("x", 4<<10)+fmt.Sprint(i), strings.Repeat("x", 4<<10)+fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			peak = max(peak, s.rss())
		}
	}
	wg.Wait()
	for range lorises {
		if err := <-slow; err != nil {
			t.Error(err)
		}
	}
	peak = max(peak, s.rss())
	t.Logf("RSS at most %d MiB", peak>>20)
	if peak > memoryBound {
		t.Errorf("RSS %d MiB, at most %d", peak>>20, memoryBound>>20)
	}
}

// loris sends a request that never ends, a byte at a time: its header, or its
// body. It wants to be cut off, or at least answered, in time.
func loris(network, addr, token string, body bool) error {
	c, err := net.Dial(network, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	head := "POST /v0/accounts/main/call HTTP/1.1\r\nHost: " + addr + "\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 1000\r\n"
	if body {
		head += "\r\n{"
	}
	if _, err := io.WriteString(c, head); err != nil {
		return err
	}
	limit := time.Now().Add(lorisPatience + 5*time.Second)
	if err := c.SetReadDeadline(limit); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, c)
		ended <- err
	}()
	tick := time.NewTicker(500 * time.Millisecond) // that slow
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				return fmt.Errorf("a sender of a byte at a time over %s (body: %v) was still heard after %v", network, body, lorisPatience)
			}
			return nil
		case <-tick.C:
			_, _ = io.WriteString(c, " ") // what it says when cut off, the reader knows
		}
	}
}
