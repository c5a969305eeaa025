package daemon

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/account"
	"github.com/ncatd/ncatd/internal/control/api"
)

// tell notes a notification that the service manager did not take.
func (d *Daemon) tell(err error) {
	if err != nil {
		d.log.Warn("service manager not told", "err", err)
	}
}

// told sets the line that `systemctl status` shows.
func (d *Daemon) told() {
	if d.notify.On() {
		d.tell(d.notify.Status(statusLine(d.Status().Accounts)))
	}
}

// statusLine says in words how the accounts are, such as
// "2 accounts: 1 online, 1 waits for a QR: ncatd login bot2".
func statusLine(accounts []api.Account) string {
	var online, login, other int
	var hints, troubles []string
	for _, a := range accounts {
		switch a.State {
		case api.StateOnline:
			online++
		case api.StateLoginRequired:
			login++
			hints = append(hints, "ncatd login "+a.Name)
		default:
			other++
			troubles = append(troubles, fmt.Sprintf("%s %s (%s)", a.Name, a.State, a.Reason))
		}
	}
	parts := []string{fmt.Sprintf("%d online", online)}
	if login > 0 {
		verb := "wait"
		if login == 1 {
			verb = "waits"
		}
		what := "a login"
		if qrOnly(accounts) {
			what = "a QR"
		}
		parts = append(parts, fmt.Sprintf("%d %s for %s: %s", login, verb, what, strings.Join(hints, ", ")))
	}
	parts = append(parts, troubles...)
	noun := "accounts"
	if len(accounts) == 1 {
		noun = "account"
	}
	return fmt.Sprintf("%d %s: %s", len(accounts), noun, strings.Join(parts, ", "))
}

func qrOnly(accounts []api.Account) bool {
	for _, a := range accounts {
		if a.State == api.StateLoginRequired && a.Reason != string(account.ReasonQR) {
			return false
		}
	}
	return true
}

// watchdog feeds the service manager's watchdog as long as every account's
// runner makes progress: a stuck one starves it.
func (d *Daemon) watchdog(ctx context.Context) {
	every := d.notify.WatchdogInterval()
	if every <= 0 {
		return
	}
	t := time.NewTicker(every / 2)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := d.alive(ctx, every/2); err != nil {
			if ctx.Err() == nil {
				d.log.Error("a runner makes no progress, the watchdog is not fed", "err", err)
			}
			continue
		}
		d.tell(d.notify.Alive())
	}
}

// alive returns nil if every account's runner answers within limit.
func (d *Daemon) alive(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d.mu.Lock()
	slots := append([]*slot(nil), d.slots...)
	d.mu.Unlock()
	for _, s := range slots {
		if err := s.acc.Ping(ctx); err != nil {
			return fmt.Errorf("account %s: %w", s.acc.Name(), err)
		}
	}
	return nil
}

// dumping keeps two signals from writing their dumps into each other.
var dumping sync.Mutex

// dump logs the state of everything, for a person who looks for a fault.
func (d *Daemon) dump() {
	dumping.Lock()
	defer dumping.Unlock()
	for _, a := range d.Status().Accounts {
		d.log.Info("state dump", "account", a.Name, "uin", a.UIN, "state", a.State, "reason", a.Reason, "detail", a.Detail, "since", a.Since,
			"pid", a.PIDs.NapCat, "restarts", a.Restarts, "events", a.Events, "calls", a.Calls, "sends_failed", a.SendsFailed, "queue_dropped", a.QueueDropped)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	d.log.Info("state dump", "goroutines", runtime.NumGoroutine(), "heap_bytes", m.HeapAlloc, "watchers", d.hub.Len())
	buf := make([]byte, 256<<10)
	d.log.Debug("goroutines", "stacks", string(buf[:runtime.Stack(buf, true)]))
}
