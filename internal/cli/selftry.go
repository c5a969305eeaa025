package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/selfupgrade"
)

// judged has a staged version tried by a process that lives on if this one is
// killed, or its terminal goes: [app.try].
func (a *app) judged(ctx context.Context, exe, staged, version string, limit time.Duration) error {
	cmd := exec.CommandContext(ctx, exe, a.sameHome([]string{"self", "try", "--lang", string(a.lang), "--wait", limit.String(), staged, version})...)
	cmd.Env = a.Env
	cmd.Stdout, cmd.Stderr = a.Stdout, a.Stderr
	cmd.SysProcAttr = detachedProcess()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it goes back, and ends
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return quiet(exit.ExitCode())
	case errors.As(err, &exit):
		return fail(exitFailure, errString(a.t("err.self_left", version, a.t("self.why_cut"))), a.t("hint.self_logs"))
	}
	return err
}

// newSelfTry is for [app.judged] alone.
func newSelfTry(a *app) *cobra.Command {
	limit := selfWait
	c := &cobra.Command{Use: "try PROGRAM VERSION", Hidden: true, Args: cobra.ExactArgs(2), RunE: func(c *cobra.Command, args []string) error {
		signal.Ignore(syscall.SIGPIPE) // who listens may be gone
		exe, err := selfupgrade.Program()
		if err != nil {
			return err
		}
		if filepath.Dir(args[0]) != filepath.Dir(exe) {
			return usagef(a, "err.self_tried_where", args[0])
		}
		return a.try(c.Context(), exe, args[0], args[1], limit)
	}}
	c.Flags().DurationVar(&limit, "wait", limit, a.t("flag.self_wait"))
	return c
}

// try lets the daemon run a staged version. If all is as it was within the limit,
// that takes its place at exe; if not, the one that is there goes on.
func (a *app) try(ctx context.Context, exe, staged, version string, limit time.Duration) error {
	d := a.daemonOf(ctx, exe)
	if d == nil {
		return errors.Join(failf(a, exitFailure, "self.no_daemon"), os.Remove(staged))
	}
	release, err := selfupgrade.Try(staged, exe, version)
	if errors.Is(err, selfupgrade.ErrTrial) {
		err = failf(a, exitFailure, "err.self_trial")
	}
	if err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	defer func() { _ = release() }() // the process ends
	a.out.say("%s", a.t("self.trying", version))
	cl := client.New(d.socket)
	defer cl.Close()
	began := time.Now()
	wctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	why := ""
	if err := cl.Again(wctx); err != nil {
		why = err.Error()
	} else {
		why = a.awaitAgain(wctx, cl, d, began, version)
	}
	if why == "" {
		err := selfupgrade.Swap(staged, exe)
		if err == nil {
			a.out.say("%s", a.t("self.swapped", exe, version))
			a.out.say("%s", a.t("self.done", time.Since(began).Round(10*time.Millisecond).String()))
			return nil
		}
		why = err.Error() // and the next start would be one of the program before anyway
	}
	// Whatever ends this command now, the old program comes back.
	bctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	a.out.say("%s", a.t("self.leaving", version, why))
	if err := selfupgrade.Leave(staged, exe, selfupgrade.Note{Version: version, Reason: why, Time: time.Now()}); err != nil {
		return err
	}
	if err := a.startAgain(bctx, cl, d, exe, version); err != nil {
		return err
	}
	return fail(exitFailure, errString(a.t("err.self_left", version, why)), a.t("hint.self_logs"))
}
