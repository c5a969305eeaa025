package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/gobuild"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/logfile"
	"github.com/ncatd/ncatd/internal/napcatsim"
)

func newDev(a *app) *cobra.Command {
	o := startOptions{scanAfter: napcatsim.Duration(2 * time.Second)}
	c := a.command("dev", "dev [PACKAGE|FOLDER]", atMost(1), func(c *cobra.Command, args []string) error {
		h, err := a.startHome(o.sim)
		if err != nil {
			return err
		}
		lock, err := h.Acquire() // a daemon that runs already is told before anything is built
		if err != nil {
			return err
		}
		if err := errors.Join(h.Make(), lock.Release()); err != nil {
			return err
		}
		scripts, p, err := a.devTarget(args)
		if err != nil {
			return err
		}
		if scripts != "" {
			return a.devScripts(c.Context(), h, scripts, o)
		}
		return a.devProgram(c.Context(), h, p, o)
	})
	f := c.Flags()
	f.BoolVar(&o.sim, "sim", false, a.t("flag.sim"))
	f.Var(&o.scanAfter, "scan-after", a.t("flag.scan_after"))
	f.BoolVarP(&o.yes, "yes", "y", false, a.t("flag.yes"))
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return c
}

// devTarget returns what an argument means: a folder of scripts, or a program. Without
// one it is the program in the current folder, or else the home's scripts.
func (a *app) devTarget(args []string) (scripts string, p gobuild.Program, err error) {
	p = gobuild.Program{Dir: ".", Pattern: ".", Env: a.Env}
	arg := "."
	if len(args) > 0 {
		arg = args[0]
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		p.Dir, err = filepath.Abs(arg)
	case err == nil: // one file, or a name that a package has too
		err = usagef(a, "err.dev_file", arg)
	case filepath.IsAbs(arg) || strings.HasPrefix(arg, "."):
		return "", p, fail(exitUsage, errString(a.t("err.dev_nothing", arg)), a.t("hint.dev"))
	default: // an import path
		p.Pattern = arg
		p.Dir, err = os.Getwd()
		return "", p, err
	}
	if err != nil {
		return "", p, err
	}
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		return "", p, err
	}
	isGo := slices.ContainsFunc(entries, func(e os.DirEntry) bool { return filepath.Ext(e.Name()) == ".go" })
	switch {
	case isGo:
		return "", p, nil
	case len(args) == 0:
		scripts, err = a.pluginsDir()
		return scripts, p, err
	}
	return p.Dir, p, nil
}

// devScripts runs a daemon here with the scripts of a folder, which it loads anew
// whenever they are saved.
func (a *app) devScripts(ctx context.Context, h home.Dir, dir string, o startOptions) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	a.out.say("%s", a.t("dev.scripts", dir))
	end := a.showTroubles(ctx, h)
	defer end()
	o.scripts = dir
	return a.startHere(ctx, h, o)
}

// showTroubles repeats what is logged as a trouble from now on where that is not
// on stderr already, which is on a terminal.
func (a *app) showTroubles(ctx context.Context, h home.Dir) (end func()) {
	if !a.out.errTTY {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		q := logfile.Query{Level: "warn", Since: time.Now(), Follow: true}
		_ = logfile.NewReader(string(h)).Read(ctx, q, func(r api.LogRecord) error { // it ends with ctx
			if r.Source != "napcat" {
				r.Attrs, _, _ = strings.Cut(r.Attrs, " stack=")
				a.printLog(r)
			}
			return nil
		})
	}()
	return func() { cancel(); <-done }
}

// devProgram builds a program and runs it, and does both again with every change.
func (a *app) devProgram(ctx context.Context, h home.Dir, p gobuild.Program, o startOptions) error {
	src, err := gobuild.Look(ctx, p)
	var le *gobuild.ListError
	switch {
	case errors.Is(err, gobuild.ErrNoGo):
		return fail(exitFailure, errString(a.t("err.dev_no_go")), a.t("hint.dev_no_go"))
	case errors.As(err, &le):
		return fail(exitUsage, le, a.t("hint.dev"))
	case err != nil:
		return err
	case src.Name != "main":
		return fail(exitUsage, errString(a.t("err.dev_no_main", p.Pattern, src.Name)), a.t("hint.dev"))
	case !src.Imports("github.com/ncatd/ncatd"):
		return fail(exitUsage, errString(a.t("err.dev_no_ncatd", p.Pattern)), a.t("hint.dev"))
	}
	w, err := gobuild.NewWatch()
	if err != nil {
		return err
	}
	cwd, err := os.Getwd()
	if err != nil {
		return err
	}
	end := a.showTroubles(ctx, h)
	defer end()
	d := &dev{a: a, home: h, program: p, sources: src, watch: w, cwd: cwd, args: a.devArgs(o), exe: h.Join("run", "dev", "bot")}
	wctx, stop := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() { watched <- w.Run(wctx) }()
	err = d.run(ctx)
	stop()
	return errors.Join(err, <-watched, w.Close())
}

// devArgs is the command line of the program that is being written.
func (a *app) devArgs(o startOptions) []string {
	args := []string{"start", "--lang", string(a.lang), "--scan-after", o.scanAfter.String()}
	if o.sim {
		args = append(args, "--sim")
	}
	if o.yes {
		args = append(args, "--yes")
	}
	if a.homeFlag != "" {
		args = append(args, "--home", a.homeFlag)
	}
	if a.configFlag != "" {
		args = append(args, "--config", a.configFlag)
	}
	for _, s := range a.sets {
		args = append(args, "--set", s)
	}
	return args
}
