//go:build linux

package daemon

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/systemd"
)

func TestStatusLine(t *testing.T) {
	acc := func(name string, s api.State, reason string) api.Account {
		return api.Account{Name: name, State: s, Reason: reason}
	}
	for _, tt := range []struct {
		accounts []api.Account
		want     string
	}{
		{nil, "0 accounts: 0 online"},
		{[]api.Account{acc("main", api.StateOnline, "online")}, "1 account: 1 online"},
		{[]api.Account{acc("main", api.StateOnline, "online"), acc("bot2", api.StateLoginRequired, "qr")}, "2 accounts: 1 online, 1 waits for a QR: ncatd login bot2"},
		{[]api.Account{acc("a", api.StateLoginRequired, "captcha"), acc("b", api.StateLoginRequired, "qr")}, "2 accounts: 0 online, 2 wait for a login: ncatd login a, ncatd login b"},
		{[]api.Account{acc("a", api.StateBackoff, "crash")}, "1 account: 0 online, a backoff (crash)"},
	} {
		if got := statusLine(tt.accounts); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// noHost is a host without a process, noLink a link that is never up.
type (
	noHost struct{ account.Host }
	noLink struct{ account.Connection }
)

func (noHost) Spawn(context.Context, *account.Life) error { return nil }
func (noHost) Stop(context.Context, time.Duration) error  { return nil }
func (noHost) Forget()                                    {}

func (noLink) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (noLink) Disconnect()                   {}
func (noLink) Stats() account.Stats          { return account.Stats{} }

// TestStuckRunnerStarvesWatchdog freezes the runner of one of two accounts: the
// service manager hears nothing more until it goes on.
func TestStuckRunnerStarvesWatchdog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const watchdog = 400 * time.Millisecond
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt(watchdog.Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	d := &Daemon{log: slog.New(slog.DiscardHandler), notify: systemd.New()}

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stuck, freed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	for _, name := range []string{"lively", "frozen"} {
		store, err := account.OpenStore(filepath.Join(t.TempDir(), "state.json"), new(struct{}), func() any { return struct{}{} }, nil)
		if err != nil {
			t.Fatal(err)
		}
		acc := account.New(account.Options{
			Name: name, Policy: napCatConfig{Supervisor: config.Default().Supervisor}.policy(), Logger: d.log, Store: store, Host: noHost{}, Say: say, StopTimeout: time.Second,
			Link: func(func(account.Fact)) account.Connection { return noLink{} },
			Changed: func(a api.Account, _ bool) {
				if name == "frozen" && a.State != api.StateStopped {
					once.Do(func() { close(stuck); <-freed })
				}
			},
		})
		d.slots = append(d.slots, &slot{acc: acc})
		wg.Go(func() { _ = acc.Run(ctx) }) // it ends with ctx
	}
	wg.Go(func() { d.watchdog(ctx) })

	// heard tells whether the manager hears of progress within limit.
	heard := func(limit time.Duration) bool {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 256)
		n, err := conn.Read(buf)
		return err == nil && string(buf[:n]) == "WATCHDOG=1"
	}
	if !heard(10 * time.Second) {
		t.Fatal("the watchdog is not fed")
	}
	d.slots[1].acc.Want(true)
	<-stuck
	for heard(watchdog / 2) { // what was under way
	}
	if heard(2 * watchdog) {
		t.Error("the watchdog is fed although a runner is stuck")
	}
	close(freed)
	if !heard(10 * time.Second) {
		t.Error("the watchdog is not fed again")
	}
}
