package napcatsim

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// startFaults begins what the options want to go wrong with every worker.
func (w *worker) startFaults(ctx context.Context) {
	o := w.options()
	w.after(ctx, o.CrashAfter, func() { w.end(w.crashCode()) })
	if o.MemoryGrowth > 0 {
		w.tasks.Go(func() { w.grow(ctx) })
	}
	if o.StdoutFlood > 0 {
		w.tasks.Go(func() { w.flood(ctx, o.StdoutFlood) })
	}
}

// onlineFaults begins what is to go wrong with a session.
func (w *worker) onlineFaults() {
	ctx := context.Background() // the process is what ends them
	o := w.options()
	w.after(ctx, o.CrashOnline, func() { w.end(w.crashCode()) })
	w.after(ctx, o.HangAfter, func() { w.hang(true) })
	w.after(ctx, o.DeadAfter, func() { w.theWorld().SetDeadLink(world.LinkDead) })
	w.after(ctx, o.KickAfter, func() { w.kick("下线通知", "你的帐号当前登录已失效，请重新登录。", false) })
}

// after runs f when d has passed; nil and "off" are never.
func (w *worker) after(ctx context.Context, d *Duration, f func()) {
	if d == nil || *d < 0 {
		return
	}
	w.tasks.Go(func() {
		if sleep(ctx, d.D()) {
			f()
		}
	})
}

func (w *worker) crashCode() int {
	if c := w.options().CrashCode; c != 0 {
		return c
	}
	return 11
}

// kick ends the session from QQ's side; usually the ticket goes with it.
func (w *worker) kick(title, text string, keepTicket bool) bool {
	w.shell.mu.Lock()
	uin := w.shell.uin
	w.shell.mu.Unlock()
	if !keepTicket && uin != 0 {
		if err := w.store.revoke(uin); err != nil {
			w.log.error(err.Error())
		}
	}
	return w.shell.kick(title, text)
}

// grow takes memory and keeps it.
func (w *worker) grow(ctx context.Context) {
	var kept [][]byte
	const step = 100 * time.Millisecond
	total := int64(0)
	for sleep(ctx, step) {
		o := w.options()
		limit := o.MemoryLimit
		if limit == 0 {
			limit = 1 << 30
		}
		n := o.MemoryGrowth * int64(step) / int64(time.Second)
		if n <= 0 || total+n > limit {
			continue
		}
		b := make([]byte, n)
		for i := 0; i < len(b); i += os.Getpagesize() {
			b[i] = 1
		}
		kept = append(kept, b)
		total += n
	}
	_ = kept
}

// flood writes n bytes of log as fast as they are read, and keeps them out of
// the live log: only stdout is flooded.
func (w *worker) flood(ctx context.Context, n int64) {
	line := time.Now().Format("01-02 15:04:05") + " [\x1b[32minfo\x1b[39m] " + strings.Repeat("数据 flood ", 70) + "\n"
	block := []byte(strings.Repeat(line, 64))
	for n > 0 && ctx.Err() == nil {
		if int64(len(block)) > n {
			block = block[:n]
			block[n-1] = '\n'
		}
		w.log.block(block)
		n -= int64(len(block))
	}
}

// occupy plays another program that sits on a port: it takes connections and
// says nothing.
func (w *worker) occupy(ctx context.Context, host string, port int) {
	if host == "0.0.0.0" || host == "::" {
		host = ""
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return // another program has the port already, which is as good
	}
	w.tasks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.tasks.Go(func() {
				_, _ = c.Read(make([]byte, 1<<10)) // whatever it was
				_ = c.Close()
			})
		}
	})
}

// changedFaults begins what new options want to go wrong from now on.
func (w *worker) changedFaults(before, o Options) {
	ctx := context.Background() // the process is what ends them
	if !w.p.struck() {
		return
	}
	w.after(ctx, o.CrashAfter, func() { w.end(w.crashCode()) })
	if o.MemoryGrowth > 0 && before.MemoryGrowth == 0 {
		w.tasks.Go(func() { w.grow(ctx) })
	}
	if o.StdoutFlood > 0 {
		w.tasks.Go(func() { w.flood(ctx, o.StdoutFlood) })
	}
	if o.ScanAfter != nil || o.QRLifetime != nil {
		w.core.replan()
	}
	if w.net() == nil {
		return
	}
	w.after(ctx, o.CrashOnline, func() { w.end(w.crashCode()) })
	w.after(ctx, o.HangAfter, func() { w.hang(true) })
	w.after(ctx, o.DeadAfter, func() { w.theWorld().SetDeadLink(world.LinkDead) })
	w.after(ctx, o.KickAfter, func() { w.kick("下线通知", "你的帐号当前登录已失效，请重新登录。", false) })
}
