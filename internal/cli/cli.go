// Package cli is ncatd's command line: the commands, what they print, and the
// exit codes. [Run] is its entry. It reaches a running daemon only through the
// control API; what runs a daemon is handed in with [Deps]. What people read
// comes from package text.
//
// Rules of output: the result of a command goes to stdout; all else goes to
// stderr as "ncatd: …", followed by "hint: …" when a remedy is known. Colour
// and cursor movement only on a terminal, never with NO_COLOR or TERM=dumb.
// Without a terminal nothing waits for input.
package cli

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/home"
)

// Deps is what a program gives to its command line.
type Deps struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Env    []string // in the form of os.Environ
	// Version is the version of ncatd, such as "0.1.0".
	Version string
	// Commit is what it was built from; empty: what the compiler noted.
	Commit string
	// Plugins returns what can be set of the plugins that are linked in; nil: none are.
	Plugins func() map[string]any
	// StartDaemon runs the daemon until ctx ends or its Stop is asked for, and
	// returns nil after an orderly stop.
	StartDaemon func(ctx context.Context, o DaemonOptions) error
	// Store copies what the bot keeps.
	Store Store
}

// DaemonOptions is what the daemon needs to run. The caller holds the lock of
// Home for as long as the daemon runs.
type DaemonOptions struct {
	Home home.Dir
	// Scripts is the folder of the bot's scripts; "" for that of Home.
	Scripts string
	// ConfigPath is the file that Config came from; it need not exist.
	ConfigPath string
	Config     *config.Config
	// LoadConfig resolves the config again, with the same environment and
	// flags, for a reload.
	LoadConfig func() (*config.Config, error)
	Secrets    *config.Secrets
	Version    string
	Log        *slog.Logger
	// LogLevel lets a reload change the level of Log.
	LogLevel *slog.LevelVar
	// LogLost tries whether a log file that failed works again, and returns how
	// many lines were lost as long as it does not.
	LogLost func() int
	// Only, if not empty, is the one account to run; the others stay stopped.
	Only string
	// Ready is called once, when the control API listens and the accounts are
	// being driven. It may be nil.
	Ready func()
	// Again is called when this process shall begin anew after StartDaemon has
	// returned.
	Again func()
	// Left returns a version of this program that was left for the one before, nil
	// if none was.
	Left func() *api.LeftVersion
	// Reload and Dump deliver SIGHUP and SIGUSR1. They may be nil.
	Reload, Dump <-chan struct{}
}

// commands lists the factories of all commands in the order of the help. A
// command lives in the file of its name.
var commands = []func(*app) *cobra.Command{
	newInit,
	newStart, newDev, newStop, newRestart, newReload, newStatus, newLogs,
	newLogin, newLogout, newConsole,
	newCall, newSend, newEvents,
	newInstall, newUpgrade, newRollback, newVersions, newUninstall, newImport, newDoctor,
	newConfig, newApp, newPlugin, newAlert, newFleet, newAccount, newBackup, newRestore, newService, newSelf,
	newSim, newVersion,
}

// app is one run of the command line.
type app struct {
	Deps
	lang text.Lang
	out  *output
	root *cobra.Command
	// running is the command that this run carries out, once it is known.
	running *cobra.Command
	args    []string // of the command line
	priv    privileges
	owner   *account // of the home, where root carries out a command of firstAsRoot
	// foundHome is the home that was looked for, once it was.
	foundHome home.Dir

	host       string // of the fleet, whose daemon is meant; "": this one's
	homeFlag   string
	configFlag string
	langFlag   string
	sets       []string
}

// Run carries out one command line (without the program's name) and returns
// the exit code. It does not exit and leaves no goroutine behind. The end of ctx
// ends it as an interrupt does.
func Run(ctx context.Context, args []string, d Deps) int {
	a := &app{Deps: d, args: args, priv: ownPrivileges()}
	return a.run(ctx)
}

func (a *app) run(ctx context.Context) int {
	args := a.args
	wish := langOf(args)
	lang, known := text.Detect(wish, a.getenv)
	a.lang = lang
	a.out = newOutput(a.Stdout, a.Stderr, lang, a.getenv)
	ctx, interrupted, stop := a.signals(ctx)
	defer stop()
	root := a.newRoot()
	a.root = root
	root.SetArgs(args)
	err := func() error {
		if !known {
			return usagef(a, "err.bad_lang")
		}
		return root.ExecuteContext(ctx)
	}()
	if interrupted() && err != nil {
		return exitInterrupted
	}
	return a.report(err)
}

// langOf finds --lang before the commands exist, since their help is made of
// texts.
func langOf(args []string) string {
	for i, s := range args {
		if s == "--" {
			break
		}
		if v, ok := strings.CutPrefix(s, "--lang="); ok {
			return v
		}
		if s == "--lang" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

func (a *app) getenv(key string) string {
	for i := len(a.Env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(a.Env[i], "="); ok && k == key {
			return v
		}
	}
	return ""
}

// signals returns a context that ends with the first SIGINT or SIGTERM.
// interrupted reports whether that was a SIGINT.
func (a *app) signals(parent context.Context) (ctx context.Context, interrupted func() bool, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case s := <-ch:
			if s == os.Interrupt {
				cancel(errInterrupted)
			} else {
				cancel(errTerminated)
			}
		case <-done:
		}
	}()
	return ctx, func() bool { return context.Cause(ctx) == errInterrupted }, func() {
		signal.Stop(ch)
		close(done)
		<-ended
		cancel(nil)
	}
}

func (a *app) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "ncatd",
		Short:         a.t("cmd.ncatd.short"),
		Long:          a.t("cmd.ncatd.long"),
		Example:       indent(a.t("cmd.ncatd.example")),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(a, c, args[0])
			}
			return c.Help()
		},
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	f := root.PersistentFlags()
	f.StringVar(&a.homeFlag, "home", "", a.t("flag.home"))
	f.StringVar(&a.configFlag, "config", "", a.t("flag.config"))
	f.StringVar(&a.langFlag, "lang", "", a.t("flag.lang"))
	f.StringArrayVar(&a.sets, "set", nil, a.t("flag.set"))
	root.PersistentPreRunE = func(c *cobra.Command, args []string) error {
		a.running = c
		if c.Name() != "backup" && c.Name() != "restore" { // names of files have any bytes
			if err := a.utf8(append(args, a.sets...)...); err != nil {
				return err
			}
		}
		if _, err := a.settings(); err != nil { // also for a command that needs none of them
			return err
		}
		return a.guardHome(c)
	}
	root.CompletionOptions.DisableDefaultCmd = true
	for _, factory := range commands {
		root.AddCommand(factory(a))
	}
	root.AddCommand(newCompletion(a))
	a.localize(root)
	return root
}

// utf8 refuses texts of another encoding (of a terminal that is set to GBK, or
// a file from there), which would go out as replacement characters.
func (a *app) utf8(texts ...string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return fail(exitUsage, errString(a.t("err.not_utf8", clip(s, 40))), a.t("hint.not_utf8"))
		}
	}
	return nil
}

// t is the text of a code in the user's language. Texts and errors among args
// are kept to one printable line: they may come from outside.
func (a *app) t(code string, args ...any) string {
	args = slices.Clone(args)
	for i, x := range args {
		switch x := x.(type) {
		case string:
			args[i] = printable(x)
		case error:
			args[i] = printable(x.Error())
		}
	}
	return text.T(a.lang, code, args...)
}

// command returns a command with its texts from the catalogue: cmd.KEY.short,
// .long (optional) and .example. use is the usage line after the parent's name.
func (a *app) command(key, use string, args func(*app, *cobra.Command, []string) error, run func(c *cobra.Command, args []string) error) *cobra.Command {
	c := &cobra.Command{
		Use:     use,
		Short:   a.t("cmd." + key + ".short"),
		Example: indent(a.t("cmd." + key + ".example")),
		RunE:    run,
	}
	if code := "cmd." + key + ".long"; text.Has(code) {
		c.Long = a.t(code)
	}
	if args != nil {
		c.Args = func(c *cobra.Command, s []string) error { return args(a, c, s) }
	}
	return c
}

// group returns a command that only holds others.
func (a *app) group(key, use string, subs ...*cobra.Command) *cobra.Command {
	c := a.command(key, use, nil, func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(a, c, args[0])
		}
		return c.Help()
	})
	c.Args = cobra.ArbitraryArgs
	c.AddCommand(subs...)
	return c
}

func indent(s string) string {
	if s == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(s, "\n", "\n  ")
}

// configPath returns the config file of this command line.
func (a *app) configPath(h home.Dir) string {
	switch {
	case a.configFlag != "":
		return a.configFlag
	case a.getenv("NCATD_CONFIG") != "":
		return a.getenv("NCATD_CONFIG")
	}
	return h.Config()
}

// settings returns what --set asks for, by key.
func (a *app) settings() (map[string]string, error) {
	out := map[string]string{}
	for _, s := range a.sets {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, usagef(a, "err.set_form", s)
		}
		out[k] = v
	}
	return out, nil
}

// loadConfig resolves the config of this command line. extra are settings that
// a command makes by itself; --set comes before them.
func (a *app) loadConfig(path string, extra map[string]string) (*config.Config, error) {
	set, err := a.settings()
	if err != nil {
		return nil, err
	}
	flags := maps.Clone(extra)
	if flags == nil {
		flags = map[string]string{}
	}
	maps.Copy(flags, set)
	if a.configFlag != "" || a.getenv("NCATD_CONFIG") != "" {
		if err := config.Named(path); err != nil {
			return nil, err
		}
	}
	return config.Load(path, a.Env, flags)
}
