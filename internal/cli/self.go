package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
	"github.com/ncatd/ncatd/internal/selfupgrade"
	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// selfWait is how long a new version may take until all is as it was.
const selfWait = 90 * time.Second

func newSelf(a *app) *cobra.Command {
	return a.group("self", "self", newSelfUpgrade(a), newSelfTry(a), newSelfRollback(a))
}

// selfOptions are what self upgrade is asked for.
type selfOptions struct {
	check, json              bool
	version, channel, source string
	wait                     time.Duration
}

// selfState is what `self upgrade --check --json` prints.
type selfState struct {
	Installed string `json:"installed"`
	Newest    string `json:"newest"`
	Channel   string `json:"channel"`
	Date      string `json:"date"`
	Newer     bool   `json:"newer"`
	Via       string `json:"via"`
}

func newSelfUpgrade(a *app) *cobra.Command {
	o := selfOptions{channel: selfupgrade.Stable, wait: selfWait}
	c := a.command("self_upgrade", "upgrade", noArgs, func(c *cobra.Command, _ []string) error {
		if o.channel != selfupgrade.Stable && o.channel != selfupgrade.Beta {
			return usagef(a, "err.channel", o.channel)
		}
		o.version = strings.TrimPrefix(o.version, "v")
		if o.version != "" && !signed.ValidVersion(o.version) {
			return usagef(a, "err.self_version", o.version)
		}
		return a.selfUpgrade(c.Context(), o)
	})
	f := c.Flags()
	f.BoolVar(&o.check, "check", false, a.t("flag.self_check"))
	f.BoolVar(&o.json, "json", false, a.t("flag.json"))
	f.StringVar(&o.version, "version", "", a.t("flag.self_version"))
	f.StringVar(&o.channel, "channel", o.channel, a.t("flag.channel"))
	f.StringVar(&o.source, "source", "", a.t("flag.self_source"))
	f.DurationVar(&o.wait, "wait", o.wait, a.t("flag.self_wait"))
	return c
}

func newSelfRollback(a *app) *cobra.Command {
	wait := selfWait
	c := a.command("self_rollback", "rollback", noArgs, func(c *cobra.Command, _ []string) error {
		return a.selfRollback(c.Context(), wait)
	})
	c.Flags().DurationVar(&wait, "wait", wait, a.t("flag.self_wait"))
	return c
}

// selfRollback brings the program before back, in the same way as a new one: it may be
// too old for the config.
func (a *app) selfRollback(ctx context.Context, wait time.Duration) error {
	exe, err := a.ownExe(ctx)
	if err != nil {
		return err
	}
	release, err := a.selfLock(exe)
	if err != nil {
		return err
	}
	defer release()
	staged, err := selfupgrade.Stage(selfupgrade.Previous(exe), exe)
	if errors.Is(err, fs.ErrNotExist) {
		return failf(a, exitFailure, "err.self_no_previous")
	}
	if err != nil {
		return a.stageable(err)
	}
	version, err := a.tryOut(ctx, staged, "")
	if err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	return a.replace(ctx, exe, staged, version, wait)
}

// selfLock keeps other commands from replacing the program at exe until release is called.
func (a *app) selfLock(exe string) (release func(), err error) {
	release, err = selfupgrade.Lock(exe)
	switch {
	case errors.Is(err, selfupgrade.ErrBusy):
		return nil, failf(a, exitFailure, "err.self_busy")
	case errors.Is(err, selfupgrade.ErrTrial):
		return nil, failf(a, exitFailure, "err.self_trial")
	}
	return release, err
}

// replace puts the staged program, which is of the version, in the place of exe. A daemon
// tries it first.
func (a *app) replace(ctx context.Context, exe, staged, version string, wait time.Duration) error {
	d := a.daemonOf(ctx, exe)
	if canExec && d != nil {
		return a.judged(ctx, exe, staged, version, wait)
	}
	if err := selfupgrade.Swap(staged, exe); err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	a.out.say("%s", a.t("self.swapped", exe, version))
	if d == nil {
		a.out.say("%s", a.t("self.no_daemon"))
	} else {
		a.out.say("%s", a.t("self.restart_it"))
	}
	return nil
}

// ownExe returns the path of this program, if it may replace itself.
func (a *app) ownExe(ctx context.Context) (string, error) {
	exe, err := selfupgrade.Program()
	if err != nil {
		return "", err
	}
	if owner := selfupgrade.OwnerOf(ctx, exe, a.Version); owner != selfupgrade.Self {
		return "", fail(exitFailure, errString(a.t("self.owner."+string(owner), exe)), a.t("hint.self_owner."+string(owner)))
	}
	return exe, nil
}

func (a *app) selfUpgrade(ctx context.Context, o selfOptions) error {
	p, err := publisher(o.source)
	if err != nil {
		return err
	}
	exe := ""
	if !o.check {
		if exe, err = a.ownExe(ctx); err != nil {
			return err
		}
		release, err := a.selfLock(exe)
		if err != nil {
			return err
		}
		defer release()
	}
	r, err := p.Find(ctx, selfupgrade.Wish{Version: o.version, Channel: o.channel, Than: a.Version})
	if err != nil {
		return a.noRelease(err)
	}
	newer := signed.Older(a.Version, r.Version)
	if o.check && o.json {
		return a.out.json(selfState{Installed: a.Version, Newest: r.Version, Channel: r.Channel, Date: r.Date, Newer: newer, Via: r.Via}, false)
	}
	switch {
	case r.Version == strings.TrimPrefix(a.Version, "v"):
		a.out.say("%s", a.t("self.have", r.Version))
		return nil
	case o.check && newer:
		a.out.print("%s", a.t("self.newer", r.Version, r.Date, a.Version))
		return nil
	case o.check:
		a.out.print("%s", a.t("self.other", r.Version, r.Date, a.Version))
		return nil
	}
	staged, err := a.stage(ctx, p, r, exe)
	if err != nil {
		return err
	}
	return a.replace(ctx, exe, staged, r.Version, o.wait)
}

// publisher is where releases are looked for: source, or the publisher's own
// place and its mirrors.
func publisher(source string) (*selfupgrade.Publisher, error) {
	roots, err := signed.Roots()
	if err != nil {
		return nil, err
	}
	p := &selfupgrade.Publisher{Base: source, Roots: roots, Log: slog.New(slog.DiscardHandler)}
	if source == "" {
		cat, err := install.BuiltInCatalogue()
		if err != nil {
			return nil, err
		}
		p.Base, p.Mirrors = selfupgrade.Base, cat.Mirrors
	}
	return p, nil
}

// noRelease says why no place had a release to use.
func (a *app) noRelease(err error) error {
	older := (*selfupgrade.OlderError)(nil)
	hint := "hint.self_places"
	if errors.As(err, &older) {
		hint = "hint.self_older"
	} else if errors.Is(err, signed.ErrSignature) {
		hint = "hint.self_signature"
	}
	return fail(exitFailure, errString(strings.Join(append([]string{a.t("err.self_no_release")}, a.placeLines(err)...), "\n  ")), a.t(hint))
}

// placeLines says what is wrong with the places that were asked for a release, those
// with the same trouble on one line.
func (a *app) placeLines(err error) []string {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	var faults []api.Fault
	for _, err := range all {
		via, why := "", err
		if pe := (*selfupgrade.PlaceError)(nil); errors.As(err, &pe) {
			via, why = pe.Via, pe.Err
		}
		p := fetch.Judge(fetch.Place{Via: via}, why)
		f := api.Fault{Code: api.Code("source_" + string(p.Cause)), Args: []string{via, ""}}
		if p.Cause == fetch.CauseOther || p.Cause == fetch.CauseTLS {
			f.Args[1] = " (" + strings.Join(strings.Fields(why.Error()), " ") + ")"
		}
		i := slices.IndexFunc(faults, func(g api.Fault) bool { return g.Code == f.Code && g.Args[1] == f.Args[1] })
		if i < 0 {
			faults = append(faults, f)
		} else {
			faults[i].Args[0] += ", " + via
		}
	}
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = printable(text.Fault(a.lang, f))
	}
	return lines
}

// stage fetches the program of a release into the folder of exe and tries it out.
func (a *app) stage(ctx context.Context, p *selfupgrade.Publisher, r selfupgrade.Release, exe string) (staged string, err error) {
	if err := a.stageable(selfupgrade.Stageable(exe)); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "ncatd-upgrade-*")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a.out.say("%s", a.t("self.fetching", r.Version, r.Via))
	program, err := p.Program(ctx, r, dir, func(e fetch.Event) {
		if e.Kind == fetch.Chosen {
			a.out.say("%s", a.t("self.download", bytesText(uint64(max(e.Total, 0))), e.Place.Via))
		}
	})
	if err != nil {
		return "", a.stageable(err)
	}
	if staged, err = selfupgrade.Stage(program, exe); err != nil {
		return "", a.stageable(err)
	}
	if _, err := a.tryOut(ctx, staged, r.Version); err != nil {
		return "", errors.Join(err, os.Remove(staged))
	}
	return staged, nil
}

// stageable says what helps where a program cannot be fetched, or brought into its
// folder.
func (a *app) stageable(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fail(exitFailure, err, a.t("hint.self_sudo"))
	}
	msg, _, known := a.explainInstall(err)
	switch {
	case install.IsDiskFull(err):
		return fail(exitFailure, errString(msg), a.t("hint.self_disk"))
	case known:
		return fail(exitFailure, errString(msg), a.t("hint.self_places"))
	}
	return err
}

// tryOut asks a program that is not in use yet what it is, and what it thinks of
// the config and the machine. What this program's own doctor finds is no reason
// against it. It returns the program's version, which has to be the one that is wanted.
func (a *app) tryOut(ctx context.Context, program, wanted string) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, t := range []struct {
		args []string
		fine func(out string, code int) bool
	}{
		{[]string{"version", "--json"}, func(out string, code int) bool {
			version = versionIn(out)
			return code == exitOK && version != "" && (version == wanted || wanted == "")
		}},
		{[]string{"config", "check"}, func(_ string, code int) bool { return code == exitOK }},
		{[]string{"doctor", "--offline", "--json"}, func(_ string, code int) bool { return code == exitOK || code == exitFailure }},
	} {
		args := t.args
		if t.args[0] != "version" {
			args = a.sameHome(args)
		}
		out, code := a.runProgram(ctx, program, args)
		if t.fine(out, code) {
			continue
		}
		what, said := strings.Join(t.args, " "), clip(strings.Join(strings.Fields(out), " "), 300)
		if code < 0 {
			return "", fail(exitFailure, errString(a.t("err.self_tried_cut", what, said)), a.t("hint.self_tried"))
		}
		return "", fail(exitFailure, errString(a.t("err.self_tried", what, code, said)), a.t("hint.self_tried"))
	}
	return version, nil
}

// versionIn returns the version that `version --json` printed, "" for none.
func versionIn(out string) string {
	var v struct{ Version string }
	if json.Unmarshal([]byte(out), &v) != nil {
		return ""
	}
	return v.Version
}

// sameHome adds what this command line says of the home and the config.
func (a *app) sameHome(args []string) []string {
	if a.homeFlag != "" {
		args = append(args, "--home", a.homeFlag)
	}
	if a.configFlag != "" {
		args = append(args, "--config", a.configFlag)
	}
	return args
}

// leftVersion returns the version of this program that was left, if one was. That
// may be so although nobody wrote a note: then who judged it died.
func (a *app) leftVersion() *api.LeftVersion {
	exe, err := selfupgrade.Program()
	if err != nil {
		return nil
	}
	if n, ok := selfupgrade.ReadNote(exe); ok {
		return &api.LeftVersion{Version: n.Version, Reason: n.Reason, Time: n.Time}
	}
	if t, ok := selfupgrade.ReadTrial(exe); ok && t.Version != a.Version && !t.On(exe) {
		return &api.LeftVersion{Version: t.Version, Reason: a.t("self.why_cut"), Time: t.Time}
	}
	return nil
}
