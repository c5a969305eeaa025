package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/control/socket"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/logfile"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/internal/systemd"
)

// readyEnv names, for a detached daemon, the socket on which it tells that it
// is ready.
const readyEnv = "NCATD_DETACHED"

// againEnv is set for a program that took another's place in its process: what
// that one packed and said is there.
const againEnv = "NCATD_AGAIN"

// detachedLog is the file in the home's logs that takes what a detached daemon
// prints.
const detachedLog = "start.out"

// defaultWait is how long start -d waits for the accounts: long enough for a
// first download on a slow line.
const defaultWait = 15 * time.Minute

type startOptions struct {
	detach    bool
	sim       bool
	scanAfter napcatsim.Duration
	yes       bool
	wait      time.Duration
	scripts   string // the folder of scripts; "" for the home's
}

func newStart(a *app) *cobra.Command {
	o := startOptions{scanAfter: napcatsim.Duration(2 * time.Second)}
	c := a.command("start", "start", noArgs, func(c *cobra.Command, _ []string) error {
		h, err := a.startHome(o.sim)
		if err != nil {
			return err
		}
		if o.detach {
			return a.startDetached(c.Context(), h, o)
		}
		return a.startHere(c.Context(), h, o)
	})
	f := c.Flags()
	f.BoolVarP(&o.detach, "detach", "d", false, a.t("flag.detach"))
	f.BoolVar(&o.sim, "sim", false, a.t("flag.sim"))
	f.Var(&o.scanAfter, "scan-after", a.t("flag.scan_after"))
	f.BoolVarP(&o.yes, "yes", "y", false, a.t("flag.yes"))
	f.DurationVar(&o.wait, "wait", defaultWait, a.t("flag.wait"))
	return c
}

func (a *app) startHome(sim bool) (home.Dir, error) {
	if sim {
		return home.Find(a.homeFlag, a.getenv, simHome)
	}
	return a.home()
}

// startHere runs the daemon in this process until it is told to stop.
func (a *app) startHere(ctx context.Context, h home.Dir, o startOptions) error {
	extra, err := a.startSettings(h, o)
	if err != nil {
		return err
	}
	scripts := o.scripts
	if scripts == "" && o.sim {
		if scripts, err = a.scriptsOf(h); err != nil {
			return err
		}
	}
	detached := a.getenv(readyEnv)
	stagesShown := detached == "" && !systemd.New().On() // STATUS and the journal tell it there
	began := time.Now()
	err = a.runDaemon(ctx, daemonRun{
		home: h, again: true, scripts: scripts,
		load: func() (*config.Config, error) { return a.loadConfig(a.configPath(h), extra) },
		prepare: func(cfg *config.Config) error {
			switch {
			case o.sim && a.getenv(againEnv) != "":
				return nil
			case o.sim:
				return a.prepareSim(h, cfg, o, stagesShown)
			}
			return a.consent(ctx, h, cfg, o)
		},
		body: func(dctx context.Context, cl *client.Client) error {
			if detached != "" {
				tellReady(dctx, detached)
			}
			if !stagesShown {
				return nil
			}
			p := &stages{a: a, began: began, sim: o.sim, foreground: true, tried: a.getenv(againEnv) != ""}
			_ = p.follow(dctx, cl, func() error { return nil }) // it ends with the daemon, whose error counts
			if c := context.Cause(ctx); c == errInterrupted || c == errTerminated {
				a.out.say("%s", a.t("start.stopping"))
			}
			return nil
		},
	})
	if errors.Is(err, errAgain) {
		return a.execAgain()
	}
	if err != nil {
		return err
	}
	if stagesShown {
		a.out.say("%s", a.t("start.stopped"))
	}
	if context.Cause(ctx) == errInterrupted {
		return quiet(exitInterrupted)
	}
	return nil
}

// startSettings returns the settings that the flags of start stand for, and for
// a simulation packs what they point to.
func (a *app) startSettings(h home.Dir, o startOptions) (map[string]string, error) {
	if !o.sim {
		return nil, nil
	}
	if runtime.GOOS != "linux" {
		return nil, fail(exitFailure, errors.New(a.t("err.sim_platform")), a.t("hint.sim_unix"))
	}
	dir := h.Join("downloads", "sim")
	return map[string]string{
		"napcat.source":    dir + "/" + napcatsim.NapCatPackageName,
		"napcat.qq_source": dir + "/" + napcatsim.QQPackageName,
		"napcat.version":   napcatsim.DefaultNapCatVersion,
		"napcat.update":    "off",
	}, nil
}

// prepareSim packs the simulated packages and sets the simulated phone.
func (a *app) prepareSim(h home.Dir, cfg *config.Config, o startOptions, say bool) error {
	p, err := napcatsim.Pack(h.Join("downloads", "sim"), napcatsim.PackOptions{})
	if err != nil {
		return err
	}
	if err := napcatsim.Repoint(h.Join("releases")); err != nil {
		return err
	}
	debug.FreeOSMemory() // compressing took memory that the daemon never needs again
	for i, acc := range cfg.Accounts {
		dir := napcatsim.AccountHome(string(h), acc.Name)
		so, err := napcatsim.ReadOptions(dir)
		if err != nil {
			return err
		}
		scan := o.scanAfter
		so.ScanAfter = &scan
		if so.UIN == 0 && acc.UIN == 0 && i > 0 {
			so.UIN = napcatsim.DefaultUIN + int64(i) // each phone has an account of its own
		}
		if err := napcatsim.WriteOptions(dir, so); err != nil {
			return err
		}
	}
	if say && !systemd.New().On() {
		a.out.say("%s", a.t("start.sim_note", h))
		a.out.say("%s", a.t("start.sim_packed", p.QQVersion, p.NapCatVersion))
	}
	return nil
}

// logger returns the daemon's logger: always the file in the home, besides it
// the journal under systemd, and stderr where no terminal shows the stages. lost
// is the file's [logfile.Writer.Lost].
func (a *app) logger(h home.Dir, cfg *config.Config, level *slog.LevelVar, quiet bool) (log *slog.Logger, lost func() int, end func()) {
	w := logfile.NewWriter(h.Join("logs", "ncatd.log"), int64(cfg.Log.MaxSize), int64(cfg.Log.MaxTotal), logfile.Lost(cfg.Log.Format))
	handlers := []slog.Handler{logfile.Handler(w, cfg.Log.Format, level)}
	closers := []io.Closer{w}
	if j, err := systemd.OpenJournal(level, logfile.Redact); err == nil {
		handlers = append(handlers, j)
		closers = append(closers, j)
	} else if !quiet && a.getenv(readyEnv) == "" && !a.out.errTTY {
		// The stages are told beside it; without a wish for the whole log only
		// what needs attention is repeated here.
		switch cfg.Log.Format {
		case "auto":
			handlers = append(handlers, logfile.Console(a.Stderr, slog.LevelWarn, false))
		default:
			handlers = append(handlers, logfile.Handler(a.Stderr, cfg.Log.Format, level))
		}
	}
	return slog.New(logfile.Fan(handlers...)), w.Lost, func() {
		for _, c := range closers {
			c.Close()
		}
	}
}

// startDetached starts this program again without a terminal and returns when
// it is ready and its accounts need no person, or says why not.
func (a *app) startDetached(ctx context.Context, h home.Dir, o startOptions) error {
	extra, err := a.startSettings(h, o)
	if err != nil {
		return err
	}
	cfg, err := a.loadConfig(a.configPath(h), extra)
	if err != nil {
		return err
	}
	// What keeps a daemon from starting is said here, in the words that it would
	// have for a terminal: it may have no place to leave them.
	lock, err := h.Acquire()
	if err != nil {
		return err
	}
	if err := errors.Join(h.Make(), lock.Release()); err != nil {
		return err
	}
	if !o.sim {
		if err := a.consent(ctx, h, cfg, o); err != nil {
			return err
		}
	} else {
		a.out.say("%s", a.t("start.sim_note", h))
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	readyPath := h.Join("run", "ready-"+randomWord()+".sock")
	l, err := socket.Listen(ctx, readyPath)
	if err != nil {
		return err
	}
	defer l.Close()
	outPath := h.Join("logs", detachedLog)
	out, err := atomicfile.OpenFile(outPath, os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(exe, a.detachedArgs(h, o)...)
	cmd.Env = append(append([]string{}, a.Env...), readyEnv+"="+readyPath)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = detachedProcess()
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := a.awaitChild(ctx, cmd, l, out); err != nil {
		return err
	}
	a.out.say("%s", a.t("start.ready", a.Version, cmd.Process.Pid))
	if o.wait <= 0 {
		return nil
	}
	return a.awaitAccounts(ctx, h, o, began, func() error { return a.childFailed(out, nil) })
}

// awaitChild waits until the child, whose output is out, has connected to l.
func (a *app) awaitChild(ctx context.Context, cmd *exec.Cmd, l net.Listener, out *os.File) error {
	died := make(chan error, 1)
	go func() { died <- cmd.Wait() }() // ends with the child or with this process, which is about to end
	isReady := make(chan struct{})
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close()
			close(isReady)
		}
	}() // ended by l.Close
	select {
	case <-isReady:
		return nil
	case err := <-died:
		return a.childFailed(out, err)
	case <-ctx.Done():
		_ = cmd.Process.Signal(os.Interrupt)
		_ = <-died
		return context.Cause(ctx)
	}
}

// detachedArgs is the command line of the detached daemon.
func (a *app) detachedArgs(h home.Dir, o startOptions) []string {
	args := []string{"start", "--yes", "--lang", string(a.lang), "--scan-after", o.scanAfter.String(), "--home", string(h)}
	if o.sim {
		args = append(args, "--sim")
	}
	if a.configFlag != "" {
		args = append(args, "--config", a.configFlag)
	}
	for _, s := range a.sets {
		args = append(args, "--set", s)
	}
	return args
}

// childFailed passes on what a daemon said that ended before it was ready.
func (a *app) childFailed(out *os.File, waitErr error) error {
	code := exitFailure
	var ee *exec.ExitError
	if errors.As(waitErr, &ee) && ee.ExitCode() > 0 {
		code = ee.ExitCode()
	}
	b, err := io.ReadAll(io.NewSectionReader(out, 0, 64<<10))
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return failf(a, code, "err.child_died")
	}
	for _, line := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		a.out.stderr("%s", line)
	}
	return quiet(code)
}

// tellReady tells the process that started this one that it is ready. That
// process may have gone; the daemon stays.
func tellReady(ctx context.Context, path string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if c, err := socket.Dial(ctx, path); err == nil {
		c.Close()
	}
}
