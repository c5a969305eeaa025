package napcatsim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Times of the real master, see the contract's process model.
const (
	crashWindow   = 10 * time.Second // worker deaths inside it count
	crashLimit    = 3
	prepareWait   = 5 * time.Second // a worker's time to end before a restart
	shutdownWait  = 2 * time.Second // then, after a plain shutdown message
	restartPause  = 3 * time.Second // between the old worker and the new one
	interruptExit = time.Second     // from SIGINT to exit
	terminateExit = 2400 * time.Millisecond
)

// message is what master and worker say to each other.
type message struct {
	Type      string `json:"type"` // restart, login-success; restart-prepare, shutdown
	SecretKey string `json:"secretKey,omitempty"`
	Port      int    `json:"port,omitempty"`
}

// master is the process that the user started. All its state belongs to the
// goroutine of run.
type master struct {
	p      *process
	outMu  sync.Mutex // one write to stdout at a time
	log    *console
	deaths []time.Time

	child   *child
	fromIPC chan message
	exited  chan *child
	restart *restarting
	jwt     string // handed to a worker after an asked-for restart
	port    int
	copying sync.WaitGroup
}

// child is one worker process.
type child struct {
	cmd  *exec.Cmd
	ipc  io.WriteCloser
	err  error
	done chan struct{}
}

// restarting is an asked-for restart in progress.
type restarting struct {
	step  int
	timer <-chan time.Time
}

func newMaster(p *process) *master {
	m := &master{p: p, fromIPC: make(chan message, 8), exited: make(chan *child, 4)}
	m.log = newConsole(func(b []byte) error { return m.write(b) })
	return m
}

// write is every byte of the master's stdout.
func (m *master) write(b []byte) error {
	m.outMu.Lock()
	defer m.outMu.Unlock()
	_, err := m.p.stdout.Write(b)
	return err
}

// lastWords is how long the master waits for the rest of a dead worker's output.
const lastWords = 300 * time.Millisecond

// run is the master's life; it returns its exit code.
func (m *master) run(ctx context.Context) int {
	code := m.live(ctx)
	quiet := make(chan struct{})
	go func() { // ends with the copying, at the latest with the process
		m.copying.Wait()
		close(quiet)
	}()
	select {
	case <-quiet:
	case <-time.After(lastWords):
	}
	return code
}

func (m *master) live(ctx context.Context) int {
	sig := make(chan os.Signal, 2)
	signal.Notify(sig, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(sig)
	ignorePipe()
	if err := m.spawn(ctx, true); err != nil {
		m.log.error("[NapCat] [Process] 启动失败: " + err.Error())
		return 1
	}
	for {
		var timer <-chan time.Time
		if m.restart != nil {
			timer = m.restart.timer
		}
		select {
		case s := <-sig:
			return m.shutdown(s == os.Interrupt)
		case <-ctx.Done():
			// The program around this may turn a signal into the end of ctx.
			select {
			case s := <-sig:
				return m.shutdown(s == os.Interrupt)
			case <-time.After(50 * time.Millisecond):
				return m.shutdown(false)
			}
		case msg := <-m.fromIPC:
			switch msg.Type {
			case "restart":
				m.askedRestart(msg)
			case "login-success":
				m.log.info("[NapCat] [" + m.kind() + "] Worker进程已登录成功")
			}
		case c := <-m.exited:
			if c != m.child {
				continue
			}
			if code, end := m.childExited(ctx, c); end {
				return code
			}
		case <-timer:
			if err := m.restartStep(ctx); err != nil {
				m.log.error("[NapCat] [Process] 启动失败: " + err.Error())
				return 1
			}
		}
	}
}

// childExited acts on the end of the running worker; end says that the master
// ends with code.
func (m *master) childExited(ctx context.Context, c *child) (code int, end bool) {
	if m.restart != nil {
		if m.restart.step < 3 {
			m.restart.step, m.restart.timer = 3, time.After(restartPause)
		}
		return 0, false
	}
	if code := m.exitCode(c.err); code != "0" {
		m.log.error("[NapCat] [" + m.kind() + "] Worker进程退出，退出码: " + code)
	}
	now := time.Now()
	recent := m.deaths[:0]
	for _, t := range m.deaths {
		if now.Sub(t) < crashWindow {
			recent = append(recent, t)
		}
	}
	m.deaths = append(recent, now)
	if len(m.deaths) >= crashLimit {
		m.log.error("[NapCat] [" + m.kind() + "] Worker进程在 10 秒内异常退出 3 次，主进程退出")
		return 1, true
	}
	m.log.warn(fmt.Sprintf("[NapCat] ["+m.kind()+"] Worker进程意外退出 (%d/%d)，正在尝试重新拉起...", len(m.deaths), crashLimit))
	if err := m.spawn(ctx, true); err != nil {
		m.log.error("[NapCat] [" + m.kind() + "] 重新拉起Worker进程失败: " + err.Error())
		return 1, true
	}
	return 0, false
}

// askedRestart begins a restart that the worker was asked for.
func (m *master) askedRestart(msg message) {
	if m.restart != nil {
		return
	}
	m.log.info("[NapCat] [" + m.kind() + "] 正在重启Worker进程...")
	m.jwt, m.port = msg.SecretKey, msg.Port
	m.restart = &restarting{timer: time.After(prepareWait)}
	m.child.send(message{Type: "restart-prepare"})
}

// restartStep is the end of one wait of a restart.
func (m *master) restartStep(ctx context.Context) error {
	switch m.restart.step {
	case 0:
		m.restart.step, m.restart.timer = 1, time.After(shutdownWait)
		m.child.send(message{Type: "shutdown"})
	case 1, 2:
		_ = m.child.cmd.Process.Kill() // gone already: its exit is on the way
		m.restart.step, m.restart.timer = 2, time.After(time.Second)
	default:
		m.restart = nil
		return m.spawn(ctx, false)
	}
	return nil
}

// spawn starts a worker, with -q if quick and the master got one.
func (m *master) spawn(ctx context.Context, quick bool) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if strings.HasSuffix(exe, " (deleted)") { // rebuilt meanwhile; the worker is of the same build as the master
		exe = "/proc/self/exe"
	}
	args := []string{"sim", "qq", m.p.qq}
	if quick && m.p.quick != "" {
		args = append(args, "-q", m.p.quick)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), exe, args...)
	cmd.Env = m.p.environ()
	cmd.Env = append(cmd.Env, "NAPCAT_WORKER_PROCESS=1")
	if m.jwt != "" {
		cmd.Env = append(cmd.Env, "NAPCAT_WEBUI_JWT_SECRET_KEY="+m.jwt, "NAPCAT_WEBUI_PREFERRED_PORT="+strconv.Itoa(m.port))
	}
	out, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = outW, outW
	from, ipc, err := ipcPipes(cmd)
	if err != nil {
		return errors.Join(err, out.Close(), outW.Close())
	}
	err = cmd.Start()
	closeErr := errors.Join(outW.Close(), from.afterStart())
	if err != nil {
		return errors.Join(err, closeErr, out.Close())
	}
	c := &child{cmd: cmd, ipc: ipc, done: make(chan struct{})}
	m.child = c
	m.copying.Go(func() { m.copy(out) })
	m.copying.Go(func() {
		sc := bufio.NewScanner(from)
		for sc.Scan() {
			var msg message
			if json.Unmarshal(sc.Bytes(), &msg) == nil {
				m.fromIPC <- msg
			}
		}
	})
	m.copying.Go(func() {
		c.err = cmd.Wait()
		close(c.done)
		_ = from.Close() // a grandchild may hold the other end
		m.exited <- c
	})
	return nil
}

// copy passes the worker's output on. When ours is not read any more it stops,
// and the worker's next write fails.
func (m *master) copy(out *os.File) {
	defer func() { _ = out.Close() }() // read side
	buf := make([]byte, 32<<10)
	for {
		n, err := out.Read(buf)
		if n > 0 && m.write(buf[:n]) != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// send tells the worker something; one that cannot hear it any more is dealt
// with by the timers.
func (c *child) send(msg message) {
	b, err := json.Marshal(msg)
	if err != nil {
		return
	}
	_, _ = c.ipc.Write(append(b, '\n'))
}

// shutdown ends worker and master the way a signal does.
func (m *master) shutdown(interrupt bool) int {
	wait := terminateExit
	if interrupt {
		wait = interruptExit
	}
	m.child.send(message{Type: "shutdown"})
	time.Sleep(wait)
	_ = m.child.cmd.Process.Kill() // ended already when it heard us
	return 0
}

// exitCode is a worker's exit code as the master prints it. Electron reports the
// number of the signal where one ended the process; a plain fork has neither
// (contract L.5), and then what the master prints is null.
func (m *master) exitCode(err error) string {
	var ee *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &ee):
		if n := signalNumber(ee.ProcessState); n != 0 && m.p.opt.PlainForks {
			return "null"
		} else if n != 0 {
			return strconv.Itoa(n)
		}
		return strconv.Itoa(ee.ExitCode())
	}
	return "-1"
}

// kind is the master's name for how it starts workers.
func (m *master) kind() string {
	if m.p.opt.PlainForks {
		return "Fork"
	}
	return "UtilityProcess"
}

// environ is the environment for a worker: the process's own with config/.env
// on top.
func (p *process) environ() []string {
	out := make([]string, 0, len(p.env)+4)
	for k, v := range p.env {
		out = append(out, k+"="+v)
	}
	return out
}
