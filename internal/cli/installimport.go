package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcat/importer"
)

// importOptions are the flags of import.
type importOptions struct {
	dryRun, json, yes, stop, noStart bool
	wait                             time.Duration
}

// importLine is what `import --json` prints.
type importLine struct {
	importer.Plan
	Running  []int `json:"running,omitempty"`     // pids of the old one
	Taken    []int `json:"ports_taken,omitempty"` // its ports that somebody listens at
	Imported bool  `json:"imported"`
}

func newImport(a *app) *cobra.Command {
	var o importOptions
	c := a.command("import", "import [PATH]", atMost(1), func(c *cobra.Command, args []string) error {
		path := ""
		if len(args) == 1 {
			path = args[0]
		}
		return a.importFrom(c.Context(), path, o)
	})
	f := c.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, a.t("flag.import_dry"))
	f.BoolVar(&o.json, "json", false, a.t("flag.json"))
	f.BoolVarP(&o.yes, "yes", "y", false, a.t("flag.yes_all"))
	f.BoolVar(&o.stop, "stop", false, a.t("flag.import_stop"))
	f.BoolVar(&o.noStart, "no-start", false, a.t("flag.import_no_start"))
	f.DurationVar(&o.wait, "wait", defaultWait, a.t("flag.wait"))
	return c
}

func (a *app) importFrom(ctx context.Context, path string, o importOptions) error {
	h, err := a.home()
	if err != nil {
		return err
	}
	if staged := a.getenv(importEnv); staged != "" && a.owner == nil {
		return a.takeStaged(ctx, h, staged, o)
	}
	plan, err := importer.Find(path, a.userHomes()...)
	if errors.Is(err, importer.ErrNothing) {
		where := a.t("import.usual")
		if path != "" {
			where = printable(path)
		}
		return fail(exitFailure, errString(a.t("err.import_nothing", where)), a.t("hint.import"))
	}
	if err != nil {
		return err
	}
	line := importLine{Plan: *plan, Running: plan.Running(string(h)), Taken: plan.PortsTaken()}
	if !o.json {
		a.showImport(plan)
		if len(line.Taken) > 0 {
			a.out.print("%s", a.t("import.ports", words(line.Taken)))
		}
	}
	if o.dryRun {
		if o.json {
			return a.out.json(line, false)
		}
		return nil
	}
	if err := a.readyToImport(ctx, h, &line, o); err != nil {
		return err
	}
	if a.owner != nil {
		return a.importFor(ctx, h, line)
	}
	undo, err := plan.Apply(ctx, string(h))
	var denied *fs.PathError
	if errors.As(err, &denied) && denied.Op == importer.OpCopy && errors.Is(err, fs.ErrPermission) {
		return fail(exitFailure, errString(a.t("import.miss_unreadable", printable(denied.Path))), a.t("hint.import_root", shellQuote(string(h))))
	}
	if err != nil {
		return err
	}
	return a.imported(ctx, h, line, undo, o)
}

// userHomes are the homes of the users whose installation it may be: with sudo of
// who called it, then the own.
func (a *app) userHomes() []string {
	own := []string{a.getenv("HOME")}
	if name := a.getenv("SUDO_USER"); name != "" && a.priv.euid() == 0 {
		if u, err := user.Lookup(name); err == nil && u.HomeDir != own[0] {
			return append([]string{u.HomeDir}, own...)
		}
	}
	return own
}

// readyToImport sees to it that all may be copied: the home is free, the user
// agrees, and the old one does not run. Nothing of the old one is ended before
// the rest is sure.
func (a *app) readyToImport(ctx context.Context, h home.Dir, line *importLine, o importOptions) error {
	plan := &line.Plan
	if len(plan.Accounts) == 0 {
		return fail(exitFailure, errString(a.t("err.import_no_account", plan.Path)), a.t("hint.import"))
	}
	if pid, err := h.Holder(); err == nil && pid != 0 {
		return fail(exitFailure, errString(a.t("err.import_daemon", string(h), pid)), a.t("hint.import_daemon"))
	}
	switch err := importer.Free(string(h)); {
	case errors.Is(err, importer.ErrOccupied):
		return fail(exitFailure, errString(a.t("err.import_occupied", string(h))), a.t("hint.import_home"))
	case err != nil:
		return err
	}
	if _, err := config.Parse("ncatd.yaml", plan.Config()); err != nil {
		return fmt.Errorf("%s: %w", plan.Path, err) // before anything is copied
	}
	if !o.yes && isTerminal(a.Stdin) && a.out.errTTY {
		if yes, err := a.ask(ctx, "import.confirm", string(h)); err != nil || !yes {
			return errors.Join(err, quiet(exitFailure))
		}
	}
	if err := a.stopOld(ctx, plan, line.Running, o); err != nil {
		return err
	}
	if taken := plan.PortsTaken(); len(taken) > 0 && !o.noStart {
		return fail(exitFailure, errString(a.t("err.import_ports", words(taken))), a.t("hint.import_ports"))
	}
	return nil
}

// imported starts what was copied, if that is wanted.
func (a *app) imported(ctx context.Context, h home.Dir, line importLine, undo func() error, o importOptions) error {
	a.out.say("%s", a.t("import.copied", string(h)))
	if !o.noStart {
		if err := a.startImported(ctx, h, &line.Plan, undo, o); err != nil {
			return err
		}
	}
	if o.json {
		line.Imported = true
		return a.out.json(line, false)
	}
	return nil
}

// showImport prints what would be taken, and what not.
func (a *app) showImport(p *importer.Plan) {
	a.out.print("%s", a.t("import.found", a.t("import.layout_"+string(p.Layout)), printable(p.Path)))
	for _, acc := range p.Accounts {
		how := "import.scan"
		switch {
		case acc.Ticket && len(p.Accounts) > 1:
			how = "import.ticket_maybe" // whose tickets they are cannot be seen
		case acc.Ticket:
			how = "import.ticket"
		}
		a.out.print("%s", a.t("import.account", acc.UIN, a.t(how)))
		for _, ad := range acc.Adapters {
			token := "import.no_token"
			if ad.Token {
				token = "import.token"
			}
			a.out.print("%s", a.t("import.adapter", ad.Kind, printable(ad.Name), printable(ad.Where), a.t(token)))
		}
	}
	if p.WebUIPort > 0 {
		a.out.print("%s", a.t("import.webui", p.WebUIPort))
	}
	if p.PluginsDir != "" {
		a.out.print("%s", a.t("import.plugins", printable(p.PluginsDir)))
	}
	if p.NapCatVersion != "" || p.QQVersion != "" {
		a.out.print("%s", a.t("import.versions", orDash(p.NapCatVersion), orDash(p.QQVersion)))
	}
	for _, m := range p.Missing {
		a.out.print("%s", a.t("import.missing", a.t("import.miss_"+m.Code, printable(m.What))))
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}

// words are numbers on a line.
func words(numbers []int) string {
	all := make([]string, len(numbers))
	for i, n := range numbers {
		all[i] = fmt.Sprint(n)
	}
	return strings.Join(all, " ")
}

// oldStops is how long an old QQ may take to end.
const oldStops = 15 * time.Second

// stopOld ends the old installation's processes if that was asked for, or says
// how to: two copies of one account would end each other's session.
func (a *app) stopOld(ctx context.Context, p *importer.Plan, pids []int, o importOptions) error {
	if len(pids) == 0 {
		return nil
	}
	those := words(pids)
	how := "kill " + those
	if p.Container != "" {
		how = "docker stop " + p.Container
	}
	stop := o.stop
	if !stop && !o.yes && isTerminal(a.Stdin) && a.out.errTTY && p.Container == "" {
		var err error
		if stop, err = a.ask(ctx, "import.ask_stop", those); err != nil {
			return err
		}
	}
	if !stop || p.Container != "" {
		return fail(exitFailure, errString(a.t("err.import_running", those)), a.t("hint.import_stop", how))
	}
	for _, pid := range pids {
		if proc, err := os.FindProcess(pid); err == nil {
			_ = proc.Signal(syscall.SIGTERM) // one that is gone is what is wanted
		}
	}
	ctx, cancel := context.WithTimeout(ctx, oldStops)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for len(p.Running("")) > 0 {
		select {
		case <-ctx.Done():
			return fail(exitFailure, errString(a.t("err.import_running", those)), a.t("hint.import_stop", how))
		case <-tick.C:
		}
	}
	return nil
}

// startImported starts the daemon and, when an account with a ticket does not
// come online by it, takes everything back.
func (a *app) startImported(ctx context.Context, h home.Dir, p *importer.Plan, undo func() error, o importOptions) error {
	err := a.startDetached(ctx, h, startOptions{yes: true, wait: o.wait})
	if err == nil {
		err = a.importedOnline(ctx, h, p)
	}
	if err == nil {
		return nil
	}
	// Whatever ended ctx, what was begun is taken back.
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	cl := client.New(h.Socket())
	defer cl.Close()
	if e := cl.Stop(back, false); e == nil {
		err = errors.Join(err, waitGone(back, h, stopLimit))
	}
	if e := undo(); e != nil {
		return errors.Join(err, e)
	}
	a.out.say("%s", a.t("import.undone"))
	return err
}

// importedOnline reports whether the accounts came online by their tickets. A folder
// of NapCat keeps what it has of each account that was ever tried: where one is
// online, those that are not are only told.
func (a *app) importedOnline(ctx context.Context, h home.Dir, p *importer.Plan) error {
	cl := client.New(h.Socket())
	defer cl.Close()
	st, err := cl.Status(ctx)
	if err != nil {
		return err
	}
	var off []importer.Account
	online := 0
	for _, acc := range p.Accounts {
		for _, now := range st.Accounts {
			switch {
			case now.Name != acc.Name || !acc.Ticket:
			case now.State == api.StateOnline:
				online++
			default:
				off = append(off, acc)
			}
		}
	}
	if len(off) > 0 && online == 0 {
		return fail(exitFailure, errString(a.t("err.import_offline", off[0].UIN)), a.t("hint.import_offline"))
	}
	for _, acc := range off {
		a.out.say("%s", a.t("err.import_offline", acc.UIN))
		a.out.hint(a.t("hint.import_some", acc.Name))
	}
	return nil
}
