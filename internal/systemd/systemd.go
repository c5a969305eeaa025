// Package systemd tells the service manager how the daemon is doing: the
// sd_notify protocol, the watchdog and the journal. Outside systemd all of it
// does nothing. It decides nothing; the caller of [Notifier.Alive] vouches for the
// daemon's progress.
package systemd

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier sends notifications to the service manager that started this
// process. A nil or zero Notifier sends none. It is safe for concurrent use.
type Notifier struct {
	on       bool
	watchdog time.Duration

	mu     sync.Mutex
	status string
}

// New returns a Notifier for the environment's NOTIFY_SOCKET and WATCHDOG_USEC.
// It leaves the environment as it is; [Scrub] keeps it from child processes.
func New() *Notifier {
	n := &Notifier{on: os.Getenv("NOTIFY_SOCKET") != ""}
	if d, err := daemon.SdWatchdogEnabled(false); err == nil && n.on {
		n.watchdog = d
	}
	return n
}

// On reports whether a service manager listens.
func (n *Notifier) On() bool { return n != nil && n.on }

// WatchdogInterval returns how often [Notifier.Alive] must be called at least,
// half of the manager's limit, and 0 if it asks for none.
func (n *Notifier) WatchdogInterval() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog / 2
}

// Ready says that the daemon serves.
func (n *Notifier) Ready() error { return n.send(daemon.SdNotifyReady) }

// Alive feeds the watchdog. Call it only after real progress.
func (n *Notifier) Alive() error {
	if n == nil || n.watchdog == 0 {
		return nil
	}
	return n.send(daemon.SdNotifyWatchdog)
}

// Reloading says that the config is being read again; [Notifier.Ready] ends it.
func (n *Notifier) Reloading() error {
	usec, err := monotonicUsec()
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return n.send("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(usec, 10))
}

// Stopping says that the daemon is on its way down.
func (n *Notifier) Stopping() error { return n.send(daemon.SdNotifyStopping) }

// ExtendTimeout asks the manager to wait d longer for the start or stop that
// is under way.
func (n *Notifier) ExtendTimeout(d time.Duration) error {
	return n.send("EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(d.Microseconds(), 10))
}

// Status sets the line that `systemctl status` shows. The same text twice is
// sent once.
func (n *Notifier) Status(text string) error {
	if !n.On() {
		return nil
	}
	text = strings.Join(strings.Fields(text), " ")
	n.mu.Lock()
	defer n.mu.Unlock()
	if text == n.status {
		return nil
	}
	if err := n.send("STATUS=" + text); err != nil {
		return err
	}
	n.status = text
	return nil
}

func (n *Notifier) send(state string) error {
	if !n.On() {
		return nil
	}
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// Scrub returns env without the variables that let a process speak to the
// service manager in this one's name: a child's message would end up as ours.
func Scrub(env []string) []string {
	out := make([]string, 0, len(env))
	for _, kv := range env {
		k, _, _ := strings.Cut(kv, "=")
		switch k {
		case "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "JOURNAL_STREAM":
			continue
		}
		out = append(out, kv)
	}
	return out
}
