package cli

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/logfile"
	"github.com/ncatd/ncatd/internal/script"
	"github.com/ncatd/ncatd/internal/script/kit"
	"github.com/ncatd/ncatd/internal/script/trial"
)

// pluginsDir returns the folder of the scripts of this command line's home.
func (a *app) pluginsDir() (string, error) {
	h, err := a.home()
	if err != nil {
		return "", err
	}
	return a.scriptsOf(h)
}

func newPluginNew(a *app) *cobra.Command {
	return a.command("plugin_new", "new NAME", between(1, 1, "NAME"), func(_ *cobra.Command, args []string) error {
		dir, err := a.pluginsDir()
		if err != nil {
			return err
		}
		files, err := kit.New(dir, args[0])
		if err != nil && !errors.Is(err, kit.ErrExists) {
			if _, name := script.Told(err); name {
				return fail(exitUsage, err, "")
			}
		}
		if err != nil {
			return err
		}
		for _, f := range files {
			a.out.print("%s", printable(f))
		}
		a.out.say("%s", a.t("plugin.made", filepath.Join(dir, args[0], "main.ts")))
		return nil
	})
}

// scriptPath returns where the plugin lies that an argument names: a path, or the
// name of one in the home's folder.
func (a *app) scriptPath(arg string) (dir, path string, err error) {
	if dir, err = a.pluginsDir(); err != nil {
		return "", "", err
	}
	candidates := []string{filepath.Join(dir, arg), filepath.Join(dir, arg+".ts"), filepath.Join(dir, arg+".js"), filepath.Join(dir, arg+".mts"), filepath.Join(dir, arg+".mjs")}
	if strings.ContainsAny(arg, `/\`) || arg == "." || arg == ".." || slices.Contains([]string{".ts", ".js", ".mts", ".mjs"}, filepath.Ext(arg)) {
		candidates = append([]string{arg}, candidates...)
	}
	if more, err := script.Find(dir, arg); err == nil { // a folder may have another name than its id
		candidates = append(candidates, more...)
	}
	for _, p := range candidates {
		abs, err := filepath.Abs(p)
		if err != nil {
			return "", "", err
		}
		if _, err := script.Read(abs); !errors.Is(err, script.ErrNoPlugin) {
			return dir, abs, nil
		}
	}
	return "", "", fail(exitUsage, errString(a.t("err.no_script", arg, dir)), a.t("hint.plugin_new"))
}

func newPluginCheck(a *app) *cobra.Command {
	var asJSON, rehearse bool
	c := a.command("plugin_check", "check PLUGIN", between(1, 1, "PLUGIN"), func(c *cobra.Command, args []string) error {
		if rehearse {
			return kit.Rehearsal(args[0])
		}
		dir, path, err := a.scriptPath(args[0])
		if err != nil {
			return err
		}
		r, err := kit.Check(c.Context(), dir, path)
		if errors.Is(err, script.ErrNoPlugin) {
			return usagef(a, "err.no_script", args[0], dir)
		} else if err != nil {
			return err
		}
		if asJSON {
			if err := a.checkedJSON(r); err != nil {
				return err
			}
		} else {
			for _, p := range r.Problems {
				a.out.print("%s", printable(text.Fault(a.lang, p.Fault())))
			}
			for _, l := range r.Types {
				a.out.print("%s", printable(l))
			}
		}
		switch {
		case len(r.Problems)+len(r.Types) > 0:
			return quiet(exitFailure)
		case r.TSC == "":
			a.out.say("%s", a.t("plugin.checked_bundle", args[0]))
			a.out.hint(a.t("hint.tsc"))
		default:
			a.out.say("%s", a.t("plugin.checked", args[0]))
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.Flags().BoolVar(&rehearse, "rehearse", false, a.t("flag.plugin_rehearse"))
	_ = c.Flags().MarkHidden("rehearse") // it is there: it was added above
	return c
}

// scriptProblemJSON is one problem in `plugin check --json`.
type scriptProblemJSON struct {
	File   string   `json:"file,omitempty"`
	Line   int      `json:"line,omitempty"`
	Column int      `json:"column,omitempty"`
	Code   api.Code `json:"code"`
	Text   string   `json:"text"`
	Hint   string   `json:"hint,omitempty"`
}

func (a *app) checkedJSON(r kit.Report) error {
	out := struct {
		Problems []scriptProblemJSON `json:"problems"`
		Types    []string            `json:"types"`
		Checker  string              `json:"checker"`
	}{a.problemsJSON(r.Problems), append([]string{}, r.Types...), r.TSC}
	return a.out.json(out, false)
}

func (a *app) problemsJSON(list []script.Problem) []scriptProblemJSON {
	out := []scriptProblemJSON{}
	for _, p := range list {
		hint := text.Fault(a.lang, p.Hint)
		for _, pair := range []string{"()", "（）"} { // in which hints stand in a sentence
			open, end := string([]rune(pair)[0]), string([]rune(pair)[1])
			hint = strings.TrimSuffix(strings.TrimPrefix(hint, open), end)
		}
		out = append(out, scriptProblemJSON{p.File, p.Line, p.Column, p.What.Code, text.Fault(a.lang, p.What), hint})
	}
	return out
}

func newPluginTest(a *app) *cobra.Command {
	var asJSON bool
	var only string
	c := a.command("plugin_test", "test PLUGIN", between(1, 1, "PLUGIN"), func(c *cobra.Command, args []string) error {
		_, path, err := a.scriptPath(args[0])
		if err != nil {
			return err
		}
		results, err := trial.Run(c.Context(), path, only, func(err error) string {
			if f, ok := script.Told(err); ok {
				return text.Fault(a.lang, f)
			}
			return err.Error()
		}, func(r trial.Result) error { // at once: the next one may not end
			if asJSON {
				return a.out.json(r, true)
			}
			a.printTest(r)
			return nil
		})
		if errors.Is(err, trial.ErrNoTests) {
			return fail(exitFailure, errString(a.t("err.no_tests", args[0])), a.t("hint.no_tests"))
		}
		if errors.Is(err, trial.ErrNoMatch) {
			return errString(a.t("err.no_test_named", args[0], only))
		}
		if err != nil {
			return err
		}
		failed := 0
		for _, r := range results {
			if !r.OK {
				failed++
			}
		}
		if !asJSON {
			a.out.say("%s", a.t("plugin.tested", len(results), failed))
		}
		if failed > 0 {
			return quiet(exitFailure)
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.Flags().StringVar(&only, "only", "", a.t("flag.only_tests"))
	return c
}

func (a *app) printTest(r trial.Result) {
	if r.OK {
		a.out.print("%s", a.out.paint("32", "ok   "+printable(r.File+": "+r.Name)))
		return
	}
	a.out.print("%s", a.out.paint("31", "FAIL "+printable(r.File+": "+r.Name)))
	for _, lines := range [][]string{r.Failed, r.Log} {
		for _, told := range lines {
			for line := range strings.Lines(told) {
				a.out.print("     %s", printable(strings.TrimRight(line, "\n")))
			}
		}
	}
}

func newPluginInfo(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("plugin_info", "info PLUGIN", between(1, 1, "PLUGIN"), func(c *cobra.Command, args []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		p, err := cl.Plugin(c.Context(), args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return a.out.json(p, false)
		}
		a.printPlugin(p)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

func (a *app) printPlugin(p api.PluginInfo) {
	rows := [][]string{{a.t("plugin.head.id"), p.ID}, {a.t("plugin.head.version"), p.Version}, {a.t("plugin.head.state"), a.t("plugin." + p.State)}}
	add := func(code, text string) {
		if text != "" {
			rows = append(rows, []string{a.t(code), text})
		}
	}
	add("plugin.head.description", p.Description)
	add("plugin.head.path", p.Path)
	add("plugin.head.needs", strings.Join(p.Needs, ", "))
	add("plugin.head.wants", a.rights(p.Wants))
	add("plugin.head.granted", a.rights(p.Granted))
	add("plugin.head.error", a.pluginError(p.Plugin))
	a.out.table(rows, nil)
}

// rights words what a script may do, or wants to.
func (a *app) rights(r api.PluginRights) string {
	var all []string
	if len(r.Fetch) > 0 {
		all = append(all, a.t("plugin.right_fetch", strings.Join(r.Fetch, ", ")))
	}
	if r.Files {
		all = append(all, a.t("plugin.right_files"))
	}
	return strings.Join(all, "; ")
}

func newPluginReload(a *app) *cobra.Command {
	return a.command("plugin_reload", "reload PLUGIN...", between(1, -1, "PLUGIN"), func(c *cobra.Command, args []string) error {
		cl, _, err := a.connect()
		if err != nil {
			return err
		}
		defer cl.Close()
		for _, id := range args {
			if err := cl.ReloadPlugin(c.Context(), id); err != nil {
				return err
			}
			a.out.say("%s", a.t("plugin.reloaded", id))
		}
		return nil
	})
}

func newPluginLog(a *app) *cobra.Command {
	q := logfile.Query{}
	lines := 0
	c := a.command("plugin_log", "log PLUGIN", between(1, 1, "PLUGIN"), func(c *cobra.Command, args []string) error {
		h, err := a.daemonHome()
		if err != nil {
			return err
		}
		var kept []api.LogRecord
		mine := "plugin=" + args[0]
		follow := q.Follow
		q.Follow = false
		read := func(q logfile.Query, each func(api.LogRecord)) error {
			err := logfile.NewReader(string(h)).Read(c.Context(), q, func(r api.LogRecord) error {
				if slices.Contains(strings.Fields(r.Attrs), mine) {
					each(r)
				}
				return nil
			})
			if errors.Is(err, context.Canceled) {
				return context.Cause(c.Context())
			}
			return err
		}
		if err := read(q, func(r api.LogRecord) { kept = append(kept, r) }); err != nil {
			return err
		}
		if lines > 0 && len(kept) > lines {
			kept = kept[len(kept)-lines:]
		}
		if len(kept) == 0 {
			a.out.say("%s", a.t("plugin.no_log", args[0]))
			a.out.hint(a.t("hint.fault.no_plugin"))
		}
		for _, r := range kept {
			a.printLog(r)
		}
		if !follow {
			return nil
		}
		q.Follow, q.Since = true, time.Now()
		return read(q, a.printLog)
	})
	c.Flags().BoolVarP(&q.Follow, "follow", "f", false, a.t("flag.follow"))
	c.Flags().IntVarP(&lines, "lines", "n", 50, a.t("flag.lines"))
	return c
}

func newPluginInstall(a *app) *cobra.Command {
	var how scriptInstall
	c := a.command("plugin_install", "install FILE|URL|DIR", between(1, 1, "FILE|URL|DIR"), func(c *cobra.Command, args []string) error {
		dir, err := a.pluginsDir()
		if err != nil {
			return err
		}
		p, err := kit.Open(c.Context(), dir, args[0])
		if err != nil {
			if f, ok := script.Told(err); ok {
				return fail(exitFailure, err, text.FaultHint(a.lang, f))
			}
			return fail(exitFailure, err, a.t("hint.plugin_install"))
		}
		err = a.installPlugin(c.Context(), p, how)
		return errors.Join(err, p.Close())
	})
	c.Flags().BoolVar(&how.yes, "yes", false, a.t("flag.plugin_yes"))
	c.Flags().StringVar(&how.want, "sha256", "", a.t("flag.plugin_sha256"))
	c.Flags().BoolVar(&how.json, "json", false, a.t("flag.json"))
	return c
}

// scriptInstall is how a script is to be installed.
type scriptInstall struct {
	yes, json bool
	want      string // its digest; "" for any
}

// scriptInstalledJSON is what `plugin install --json` prints: of what was installed, or why
// it was not.
type scriptInstalledJSON struct {
	ID       string              `json:"id"`
	Version  string              `json:"version"`
	SHA256   string              `json:"sha256"`
	Before   *scriptBefore       `json:"before,omitempty"`
	Fetch    []string            `json:"fetch"`
	Files    bool                `json:"files"`
	Path     string              `json:"path,omitempty"` // "" if it was not installed
	Problems []scriptProblemJSON `json:"problems"`
}

type scriptBefore struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

func (a *app) installPlugin(ctx context.Context, p *kit.Package, how scriptInstall) error {
	out := scriptInstalledJSON{ID: p.Manifest.ID, Version: p.Manifest.Version, SHA256: p.SHA256,
		Fetch: append([]string{}, p.Manifest.Permissions.Fetch...), Files: p.Manifest.Permissions.Files, Problems: a.problemsJSON(p.Problems)}
	var err error
	if out.Path, err = a.installAs(ctx, p, how, &out); how.json {
		err = errors.Join(a.out.json(out, false), err)
	}
	return err
}

// showPackage prints what is to be installed.
func (a *app) showPackage(p *kit.Package, before *scriptBefore) {
	m := p.Manifest
	rows := [][]string{{a.t("plugin.head.id"), m.ID}, {a.t("plugin.head.version"), m.Version}, {"SHA-256", p.SHA256}}
	if before != nil {
		rows = append(rows, []string{a.t("plugin.head.before"), before.Version + " " + before.SHA256})
	}
	rights := a.rights(api.PluginRights{Fetch: m.Permissions.Fetch, Files: m.Permissions.Files})
	if rights == "" {
		rights = a.t("plugin.right_none")
	}
	a.out.table(append(rows, []string{a.t("plugin.head.wants"), rights}), nil)
}

// installAs installs p and returns where it lies.
func (a *app) installAs(ctx context.Context, p *kit.Package, how scriptInstall, out *scriptInstalledJSON) (string, error) {
	m := p.Manifest
	before, known, err := p.Before()
	if err != nil {
		return "", err
	}
	if known && before.SHA256 != p.SHA256 {
		out.Before = &scriptBefore{before.Version, before.SHA256}
	}
	if !how.json {
		a.showPackage(p, out.Before)
	}
	if how.want != "" && !strings.EqualFold(how.want, p.SHA256) {
		return "", fail(exitFailure, errString(a.t("err.plugin_digest", how.want, p.SHA256)), a.t("hint.plugin_digest"))
	}
	if len(p.Problems) > 0 {
		for _, q := range p.Problems {
			if !how.json {
				a.out.print("%s", printable(text.Fault(a.lang, q.Fault())))
			}
		}
		return "", fail(exitFailure, errString(a.t("err.plugin_broken", m.ID)), "")
	}
	if !how.yes {
		if how.json || !isTerminal(a.Stdin) {
			return "", fail(exitUsage, errString(a.t("err.plugin_consent")), a.t("hint.plugin_consent"))
		}
		if ok, err := a.ask(ctx, "ask.plugin_install", m.ID); err != nil || !ok {
			return "", errors.Join(err, fail(exitFailure, errString(a.t("err.plugin_not_installed", m.ID)), ""))
		}
	}
	path, err := p.Install(time.Now())
	if err != nil {
		return "", err
	}
	a.out.say("%s", a.t("plugin.installed", m.ID, path))
	return path, nil
}
