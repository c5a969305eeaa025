package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/gobuild"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/proc"
)

// devSwapLimit is how long the program may take until it is as it was before; a
// change that comes meanwhile waits for it.
const devSwapLimit = 10 * time.Second

// dev builds a program with ncatd linked in and keeps its newest version running.
// NapCat goes on while the program changes: the one that ends leaves it, the next
// takes it over.
type dev struct {
	a       *app
	home    home.Dir
	program gobuild.Program
	sources *gobuild.Sources
	watch   *gobuild.Watch
	cwd     string
	args    []string // of the program
	exe     string   // where it is built to

	child *devChild // nil: none runs
	panic string    // of the run before; "" once told
}

// devChild is the program as it runs.
type devChild struct {
	cmd   *exec.Cmd
	began time.Time
	ended chan error // gets one
}

// run goes on until ctx ends or the program was stopped by somebody.
func (d *dev) run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(d.exe), 0o700); err != nil {
		return err
	}
	for {
		if err := d.turn(ctx); err != nil && ctx.Err() == nil {
			return errors.Join(err, d.stop(ctx))
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				if err := d.stop(ctx); err != nil {
					return err
				}
				if context.Cause(ctx) == errInterrupted {
					return quiet(exitInterrupted)
				}
				return nil
			case err := <-d.ended():
				if err == nil {
					return nil // by `ncatd stop`
				}
				d.tellEnd(err)
				d.child = nil
			case <-d.watch.Changed():
				waiting = false
			}
		}
	}
}

// ended delivers the end of the program; nothing, if none runs.
func (d *dev) ended() <-chan error {
	if d.child == nil {
		return nil
	}
	return d.child.ended
}

// turn builds the program as it is now and, if that succeeds, lets it take over.
func (d *dev) turn(ctx context.Context) error {
	began := time.Now()
	next := d.exe + ".new"
	said, ok, err := d.program.Build(ctx, next, d.cwd)
	if err != nil {
		return err
	}
	for line := range strings.Lines(said) {
		d.a.out.stderr("%s", strings.TrimRight(line, "\n"))
	}
	built := time.Since(began)
	switch {
	case !ok && d.child != nil:
		d.a.out.say("%s", d.a.t("dev.broken"))
	case !ok:
		d.a.out.say("%s", d.a.t("dev.broken_first"))
	default:
		if err := d.swap(ctx, next, built); err != nil {
			return err
		}
	}
	// What it is made of may have changed; while it is looked at, the new one runs.
	src, err := gobuild.Look(ctx, d.program)
	var le *gobuild.ListError
	if err != nil && !errors.As(err, &le) {
		return err
	} else if err == nil {
		d.sources = src
	}
	return d.watch.Follow(d.sources, began)
}

// swap puts a new build in the place of the one that runs.
func (d *dev) swap(ctx context.Context, next string, built time.Duration) error {
	began := time.Now()
	if d.panic != "" {
		d.a.out.say("%s", d.a.t("dev.panic_before", d.panic))
		d.panic = ""
	}
	cl := client.New(d.home.Socket())
	defer cl.Close()
	if d.child != nil {
		was, err := d.again(ctx, cl, next)
		if err != nil {
			return err
		}
		if was != nil {
			wctx, cancel := context.WithTimeout(ctx, devSwapLimit)
			defer cancel()
			if why := d.a.awaitAgain(wctx, cl, was, began, ""); why != "" {
				if ctx.Err() == nil {
					d.a.out.say("%s", d.a.t("dev.not_back", why))
				}
				return nil
			}
			d.a.out.say("%s", d.a.t("dev.swapped", seconds(time.Since(began)), seconds(built)))
			return nil
		}
	}
	if err := os.Rename(next, d.exe); err != nil {
		return err
	}
	d.a.out.say("%s", d.a.t("dev.built", seconds(built)))
	return d.start()
}

// again makes the program that runs begin anew as the one at next. It returns how
// its daemon was, nil if that program is to be started instead: its predecessor has
// ended then.
func (d *dev) again(ctx context.Context, cl *client.Client, next string) (*runningDaemon, error) {
	was := &runningDaemon{}
	if id, err := proc.Identify(d.child.cmd.Process.Pid); err == nil {
		was.id = id
	}
	st, err := cl.Status(ctx)
	if err == nil && st.PID == d.child.cmd.Process.Pid {
		for _, acc := range st.Accounts {
			if isOnline(st, acc.Name) {
				was.online = append(was.online, acc.Name)
			}
		}
		if canExec {
			if err := os.Rename(next, d.exe); err != nil {
				return nil, err
			}
			if err = cl.Again(ctx); err == nil {
				d.child.began = time.Now()
				return was, nil
			}
			if err := os.Rename(d.exe, next); err != nil {
				return nil, err
			}
		} else if err = cl.Stop(ctx, true); err == nil {
			if d.awaitEnd(stopLimit) {
				return nil, nil
			}
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	// It does not answer. What is killed leaves NapCat, too.
	_ = d.child.cmd.Process.Kill() // it may have ended
	d.awaitEnd(stopLimit)
	return nil, nil
}

// start runs the program.
func (d *dev) start() error {
	cmd := exec.Command(d.exe, d.args...)
	cmd.Env = d.a.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = d.a.Stdin, d.a.Stdout, d.a.Stderr
	c := &devChild{cmd: cmd, began: time.Now(), ended: make(chan error, 1)}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { c.ended <- cmd.Wait() }() // ends with the program
	d.child = c
	return nil
}

// tellEnd says that the program ended by itself, and of what.
func (d *dev) tellEnd(err error) {
	d.panic = ""
	path := d.home.Join("logs", "crash.txt")
	if info, e := os.Stat(path); e == nil && info.Size() > 0 && info.ModTime().After(d.child.began) {
		if b, e := os.ReadFile(path); e == nil {
			what, where := d.sources.Blame(string(b), d.cwd)
			d.panic = strings.TrimSuffix(what+" ("+where+")", " ()")
		}
	}
	if d.panic != "" {
		d.a.out.say("%s", d.a.t("dev.panicked", d.panic))
		return
	}
	d.a.out.say("%s", d.a.t("dev.ended", err))
}

// stop ends the program in order, and NapCat with it.
func (d *dev) stop(ctx context.Context) error {
	if d.child == nil {
		return nil
	}
	_ = d.child.cmd.Process.Signal(os.Interrupt) // it may have ended; elsewhere than on Unix there is none
	if !canExec {
		cl := client.New(d.home.Socket())
		defer cl.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = cl.Stop(ctx, false) // else it is killed
	}
	if d.awaitEnd(stopLimit) {
		return nil
	}
	return d.child.cmd.Process.Kill()
}

// awaitEnd waits until the program has ended.
func (d *dev) awaitEnd(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-d.child.ended:
		_ = err // it was asked to end
		d.child = nil
		return true
	case <-timer.C:
		return false
	}
}

func seconds(t time.Duration) string { return strconv.FormatFloat(t.Seconds(), 'f', 2, 64) }
