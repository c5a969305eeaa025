package cli

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/internal/napcatsim/simcmd"
	"github.com/ncatd/ncatd/internal/script"
)

// The exit codes. People script against them.
const (
	exitOK             = 0
	exitFailure        = 1
	exitUsage          = 2
	exitNotRunning     = 3
	exitLoginRequired  = 4
	exitNapCatFailed   = 5
	exitAlreadyRunning = 6
	exitDegraded       = 7 // status --strict: online, but not all of it works
	exitInterrupted    = 130
)

var (
	errInterrupted = errors.New("interrupted")
	errTerminated  = errors.New("terminated")
)

// exitError is an error that knows its exit code and perhaps a remedy. Err may
// be nil if everything was said already.
type exitError struct {
	code int
	err  error
	hint string // in the user's language
}

// Error implements error.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the error under e.
func (e *exitError) Unwrap() error { return e.err }

// fail returns err with an exit code and a hint; hint may be empty.
func fail(code int, err error, hint string) error { return &exitError{code, err, hint} }

// failf returns an error worded by the catalogue.
func failf(a *app, code int, textCode string, args ...any) error {
	return &exitError{code: code, err: errors.New(a.t(textCode, args...))}
}

// usagef returns an error of usage worded by the catalogue.
func usagef(a *app, textCode string, args ...any) error {
	return failf(a, exitUsage, textCode, args...)
}

// quiet ends with a code after everything was said.
func quiet(code int) error { return &exitError{code: code} }

// exitCode maps an error to an exit code, in one place.
func exitCode(err error) int {
	var ee *exitError
	var ce *config.Error
	var ae *api.Error
	_, locked := home.Locked(err)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &ee):
		return ee.code
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &ce), isFlagError(err):
		return exitUsage
	case errors.Is(err, client.ErrNotRunning):
		return exitNotRunning
	case locked:
		return exitAlreadyRunning
	case errors.As(err, &ae):
		switch ae.Code {
		case "bad_request", "no_account", "no_plugin", "no_channel", "bad_config":
			return exitUsage
		case "login_required":
			return exitLoginRequired
		case "napcat_failed":
			return exitNapCatFailed
		}
	}
	return exitFailure
}

func isFlagError(err error) bool {
	var fe *flagError
	return errors.As(err, &fe)
}

// report says what went wrong, if anything, and returns the exit code.
func (a *app) report(err error) int {
	code := exitCode(err)
	var ce *config.Error
	if errors.As(err, &ce) {
		a.configProblems(ce)
		return code
	}
	msg, hint := a.explain(err)
	if msg != "" {
		a.out.errorf("%s", msg)
	}
	if hint != "" {
		a.out.hint(hint)
	}
	return code
}

// explain words an error and its remedy in the user's language.
func (a *app) explain(err error) (msg, hint string) {
	var ee *exitError
	var ae *api.Error
	var fe *flagError
	pid, locked := home.Locked(err)
	switch {
	case err == nil:
		return "", ""
	case errors.As(err, &ee):
		if ee.err == nil {
			return "", ee.hint
		}
		msg, hint = a.explain(ee.err)
		if ee.hint != "" {
			hint = ee.hint
		}
		return msg, hint
	case errors.As(err, &fe):
		return fe.text, a.t("hint.help", fe.path)
	case errors.Is(err, client.ErrNotRunning):
		return a.t("err.not_running"), a.t("hint.not_running")
	case locked && pid > 0:
		return a.t("err.already_running", pid), a.t("hint.already_running")
	case locked:
		return a.t("err.already_running_unknown"), a.t("hint.already_running")
	case errors.Is(err, errInterrupted), errors.Is(err, errTerminated):
		return "", ""
	case errors.Is(err, context.DeadlineExceeded):
		return a.t("err.timeout"), ""
	case errors.As(err, &ae):
		return a.explainAPI(ae)
	}
	if errors.Is(err, home.ErrNoHome) {
		return a.t("err.no_home"), a.t("hint.no_home")
	}
	if errors.Is(err, napcatsim.ErrNotRunning) {
		return a.t("err.no_sim"), a.t("hint.no_sim")
	}
	var sim *napcatsim.RefusedError
	if errors.As(err, &sim) {
		return a.t("err.sim_refused", sim.Reason), a.t("hint.sim_refused")
	}
	var silent *simcmd.NoAnswerError
	if errors.As(err, &silent) {
		return a.t("err.sim_no_answer", silent.Wait), a.t("hint.sim_no_answer")
	}
	if msg, hint, ok := a.explainInstall(err); ok {
		return msg, hint
	}
	if f, ok := script.Told(err); ok {
		return printable(text.Fault(a.lang, f)), text.FaultHint(a.lang, f)
	}
	if msg, hint, ok := a.explainStore(err); ok {
		return msg, hint
	}
	if msg, hint, ok := a.explainPath(err); ok {
		return msg, hint
	}
	var oe *net.OpError
	if errors.As(err, &oe) && oe.Addr != nil && errors.Is(oe.Err, fs.ErrPermission) {
		return a.t("err.no_permission", oe.Addr), a.t("hint.no_permission")
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return err.Error(), a.t("hint.port_taken")
	}
	return err.Error(), ""
}

// explainPath explains what is wrong with a file.
func (a *app) explainPath(err error) (msg, hint string, ok bool) {
	var pe *fs.PathError
	path := errors.As(err, &pe)
	if path && errors.Is(pe.Err, syscall.EROFS) {
		return a.t("err.read_only", pe.Path), a.t("hint.read_only"), true
	}
	if d, ok := atomicfile.Damaged(err); ok && a.inHome(d.Path) {
		return a.t("err.damaged", d.Path, printable(d.Err.Error())), a.t("hint.damaged", shellQuote(d.Path), shellQuote(d.Path+".damaged")), true
	}
	if path && errors.Is(pe.Err, fs.ErrPermission) {
		return a.t("err.no_permission", pe.Path), a.t("hint.no_permission"), true
	}
	if path && errors.Is(pe.Err, fs.ErrNotExist) {
		setting, found := strings.CutSuffix(err.Error(), pe.Error()) // that names the file, if one does
		if !found {
			setting = ""
		}
		return printable(setting) + a.t("err.not_there", pe.Path), "", true
	}
	return "", "", false
}

// inHome reports whether a path is one of the home's.
func (a *app) inHome(path string) bool {
	h := a.foundHome
	if h == "" {
		var err error
		if h, err = home.Find(a.homeFlag, a.getenv, ".ncatd"); err != nil {
			return false
		}
	}
	return strings.HasPrefix(path, string(h)+string(filepath.Separator))
}

// explainAPI words a request that the daemon refused.
func (a *app) explainAPI(e *api.Error) (msg, hint string) {
	msg, hint = printable(e.Message), printable(e.Hint)
	if text.Has("fault." + string(e.Fault.Code)) {
		hint = text.FaultHint(a.lang, e.Fault)
		if code := "hint.api." + e.Code; hint == "" && text.Has(code) {
			hint = a.t(code)
		}
		return printable(text.Fault(a.lang, e.Fault)), printable(hint)
	}
	if e.Code == "napcat_failed" {
		msg = a.said(e.Message)
	}
	if text.Has("api." + e.Code) {
		msg = a.t("api."+e.Code, msg)
	}
	if code := "hint.api." + e.Code; text.Has(code) {
		hint = a.t(code)
	}
	return msg, hint
}

// configProblems prints every problem with its place and the offending line.
func (a *app) configProblems(e *config.Error) {
	for _, p := range e.Problems {
		a.out.errorf("%s: %s", p.Place, a.problem(p))
		if strings.TrimSpace(p.Text) != "" {
			a.out.stderr("  %4d | %s", p.Line, strings.ReplaceAll(p.Text, "\t", " "))
			if p.Column > 0 {
				a.out.stderr("       | %s^", strings.Repeat(" ", columnWidth(p.Text, p.Column)))
			}
		}
	}
	if len(e.Problems) > 1 {
		a.out.errorf("%s", a.t("err.config_count", len(e.Problems)))
	}
	a.out.hint(a.t("hint.config"))
}

// problem words one problem of a config.
func (a *app) problem(p config.Problem) string { return printable(text.Problem(a.lang, p)) }

// flagError is a command line that does not parse.
type flagError struct {
	text string
	path string // of the command
}

// Error implements error.
func (e *flagError) Error() string { return e.text }

// flagProblem words an error of pflag.
func (a *app) flagProblem(c *cobra.Command, err error) error {
	var notExist *pflag.NotExistError
	var needs *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	msg := err.Error()
	switch {
	case errors.As(err, &notExist):
		name := "--" + notExist.GetSpecifiedName()
		if len(notExist.GetSpecifiedShortnames()) > 0 {
			name = "-" + notExist.GetSpecifiedName()
		}
		msg = a.t("err.unknown_flag", name)
	case errors.As(err, &needs):
		msg = a.t("err.flag_needs_value", "--"+needs.GetFlag().Name)
	case errors.As(err, &invalid):
		msg = a.t("err.flag_value", invalid.GetValue(), "--"+invalid.GetFlag().Name)
	}
	return &flagError{text: msg, path: c.CommandPath()}
}

// unknownCommand says that there is no such sub-command and which may be meant.
func unknownCommand(a *app, c *cobra.Command, name string) error {
	hint := a.t("hint.help", c.CommandPath())
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(name); len(near) > 0 { // in the order of the alphabet
		meant := nearestName(name, near)
		if meant == "" {
			meant = near[0]
		}
		hint = a.t("hint.did_you_mean", c.CommandPath()+" "+meant)
	}
	return &exitError{code: exitUsage, err: errors.New(a.t("err.unknown_command", name)), hint: hint}
}

// noArgs refuses arguments.
func noArgs(a *app, c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &flagError{text: a.t("err.too_many_args", args[0]), path: c.CommandPath()}
	}
	return nil
}

// atMost takes up to n arguments.
func atMost(n int) func(*app, *cobra.Command, []string) error {
	return func(a *app, c *cobra.Command, args []string) error {
		if len(args) > n {
			return &flagError{text: a.t("err.too_many_args", args[n]), path: c.CommandPath()}
		}
		return nil
	}
}

// between takes from lo to hi arguments; names says what is missing.
func between(lo, hi int, names ...string) func(*app, *cobra.Command, []string) error {
	return func(a *app, c *cobra.Command, args []string) error {
		if len(args) < lo {
			return &flagError{text: a.t("err.missing_arg", names[len(args)]), path: c.CommandPath()}
		}
		if hi >= 0 && len(args) > hi {
			return &flagError{text: a.t("err.too_many_args", args[hi]), path: c.CommandPath()}
		}
		return nil
	}
}
