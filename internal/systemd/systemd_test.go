package systemd

import (
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// TestNotifications plays the service manager's side of the socket.
func TestNotifications(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skip("no datagram sockets here: ", err)
	}
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000000")
	n := New()
	if !n.On() || n.WatchdogInterval() != 15*time.Second {
		t.Fatalf("On = %v, WatchdogInterval = %s", n.On(), n.WatchdogInterval())
	}
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{n.Ready, `^READY=1$`},
		{func() error { return n.Status("2 accounts:\n1 online") }, `^STATUS=2 accounts: 1 online$`},
		{n.Alive, `^WATCHDOG=1$`},
		{n.Reloading, `^RELOADING=1\nMONOTONIC_USEC=\d+$`},
		{func() error { return n.ExtendTimeout(time.Second) }, `^EXTEND_TIMEOUT_USEC=1000000$`},
		{n.Stopping, `^STOPPING=1$`},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		k, err := c.Read(b)
		if err != nil || !regexp.MustCompile(step.want).Match(b[:k]) {
			t.Errorf("got %q, %v; want %s", b[:k], err, step.want)
		}
	}
	// The same status again is not sent.
	if err := n.Status("2 accounts: 1 online"); err != nil {
		t.Fatal(err)
	}
	if err := n.Ready(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	if k, err := c.Read(b); err != nil || string(b[:k]) != "READY=1" {
		t.Errorf("got %q, %v", b[:k], err)
	}
}

func TestOutsideSystemdNothingHappens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "1000")
	var none *Notifier
	for _, n := range []*Notifier{New(), none, {}} {
		if n.On() || n.WatchdogInterval() != 0 {
			t.Errorf("On = %v, WatchdogInterval = %s", n.On(), n.WatchdogInterval())
		}
		if n.Ready() != nil || n.Alive() != nil || n.Status("x") != nil || n.Stopping() != nil {
			t.Error("a notification failed")
		}
	}
	if _, err := OpenJournal(nil, nil); err == nil {
		t.Error("a test's stderr is no journal")
	}
}

func TestScrub(t *testing.T) {
	got := Scrub([]string{"A=1", "NOTIFY_SOCKET=/x", "WATCHDOG_USEC=1", "WATCHDOG_PID=2", "LISTEN_FDS=1", "JOURNAL_STREAM=8:1", "B=2"})
	if !slices.Equal(got, []string{"A=1", "B=2"}) {
		t.Errorf("got %v", got)
	}
}
