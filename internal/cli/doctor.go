package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/control/client"
	"github.com/ncatd/ncatd/internal/home"
	"github.com/ncatd/ncatd/internal/napcat/install"
	"github.com/ncatd/ncatd/internal/napcat/install/doctor"
	"github.com/ncatd/ncatd/internal/proc"
)

// doctorLine is one finding as `doctor --json` prints it.
type doctorLine struct {
	Code     doctor.Code     `json:"code"`
	Severity doctor.Severity `json:"severity"`
	Message  string          `json:"message"`
	Meaning  string          `json:"meaning,omitempty"`
	Fix      string          `json:"fix,omitempty"`
}

// doctorReport is the whole of `doctor --json`.
type doctorReport struct {
	OK       bool         `json:"ok"` // nothing of severity error
	Findings []doctorLine `json:"findings"`
	// Command brings all missing packages at once.
	Command string   `json:"command,omitempty"`
	Missing []string `json:"missing_libraries"`
}

func newDoctor(a *app) *cobra.Command {
	var json, offline bool
	var qqDir string
	c := a.command("doctor", "doctor", noArgs, func(c *cobra.Command, _ []string) error {
		h, err := a.daemonHome()
		if err != nil {
			return err
		}
		o, err := a.doctorOptions(c.Context(), h, qqDir, offline)
		if err != nil {
			return err
		}
		r, err := doctor.Examine(c.Context(), o)
		if err != nil {
			return err
		}
		var lines []doctorLine
		for _, f := range r.Findings {
			lines = append(lines, a.doctorLineOf(f))
		}
		lines = append(lines, a.doctorAccounts(c.Context(), h)...)
		if json {
			err = a.doctorJSON(r, lines)
		} else {
			a.doctorText(r, lines)
		}
		if err == nil && r.Failed() {
			err = quiet(exitFailure)
		}
		return err
	})
	f := c.Flags()
	f.BoolVar(&json, "json", false, a.t("flag.json"))
	f.BoolVar(&offline, "offline", false, a.t("flag.offline"))
	f.StringVar(&qqDir, "qq-dir", "", a.t("flag.qq_dir"))
	return c
}

// doctorOptions collects what there is to look at.
func (a *app) doctorOptions(ctx context.Context, h home.Dir, qqDir string, offline bool) (doctor.Options, error) {
	cfg, err := a.loadConfig(a.configPath(h), nil)
	if err != nil {
		return doctor.Options{}, err
	}
	store, err := install.Open(string(h))
	if err != nil {
		return doctor.Options{}, err
	}
	o := doctor.Options{
		Home: string(h), Display: cfg.Display, Getenv: a.getenv, UID: os.Getuid(), Arch: install.Arch(),
		Unreadable: doctor.Unreadable{Files: a.damagedFiles(h)},
	}
	zones := []string{a.getenv("TZ")}
	for _, acc := range cfg.Accounts {
		zones = append(zones, acc.Env["TZ"])
	}
	slices.Sort(zones)
	o.BadZones = slices.DeleteFunc(slices.Compact(zones), config.ZoneKnown)
	// Where the daemon runs, the ports are taken by what belongs there.
	if pid, err := h.Holder(); err == nil && pid == 0 {
		o.Ports = configPorts(cfg)
		o.Holder = func(port int) string {
			if l, ok := proc.ListensOn(port); ok {
				return l.String()
			}
			return ""
		}
	}
	if source := cfg.NapCat.Catalogue; source != "" && !(offline && strings.Contains(source, "://")) {
		o.Catalogue, err = install.LoadCatalogue(ctx, source, nil)
	} else {
		o.Catalogue, err = store.Catalogue()
	}
	if bad := (*install.CatalogueError)(nil); errors.As(err, &bad) {
		// It keeps installs from going on, not the examination.
		o.CatalogueSource, o.CatalogueProblem = bad.Source, bad.Err
		o.Catalogue, err = install.BuiltInCatalogue()
	}
	if err != nil {
		return o, err
	}
	if !offline {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		o.Publisher = []string{"https://github.com/", "https://qqdl.gtimg.cn/"}
		o.Optional = []string{"https://api.github.com/"}
		o.Mirrors = append(o.Mirrors, o.Catalogue.Mirrors...)
		for _, m := range cfg.NapCat.Mirrors {
			if m != install.MirrorAuto && m != install.MirrorDirect {
				o.Mirrors = append(o.Mirrors, m)
			}
		}
	}
	if qqDir != "" {
		o.QQExe, o.QQDir, err = install.FindQQ(qqDir)
		return o, err
	}
	if p, err := store.Current(); err == nil {
		o.QQExe, o.QQDir = p.QQExe, filepath.Dir(p.QQExe)
		o.NapCatVersion, o.QQVersion = p.NapCat.Version, p.QQ.Version
		o.PatchProblem = install.CheckPatch(p.QQ.Dir)
	}
	return o, nil
}

// configPorts are the addresses that the config fixes.
func configPorts(cfg *config.Config) []doctor.Port {
	var ports []doctor.Port
	add := func(e config.Endpoint, what string) {
		if e.Port > 0 {
			ports = append(ports, doctor.Port{Addr: net.JoinHostPort(e.Host, strconv.Itoa(e.Port)), For: what, Replaced: e.PortBusy == "replace"})
		} else {
			ports = append(ports, doctor.Port{Addr: net.JoinHostPort(e.Host, "0"), For: what})
		}
	}
	for _, acc := range cfg.Accounts {
		add(acc.WebUI, acc.Name+" webui")
		add(acc.OneBot.Endpoint, acc.Name+" onebot")
	}
	if cfg.Control.Listen != "" {
		ports = append(ports, doctor.Port{Addr: cfg.Control.Listen, For: "control"})
	}
	return ports
}

// doctorLineOf puts a finding into words.
func (a *app) doctorLineOf(f doctor.Finding) doctorLine {
	key := "doctor." + string(f.Code)
	l := doctorLine{Code: f.Code, Severity: f.Severity, Fix: f.Fix}
	words := key + ".bad"
	if code := key + "." + string(f.Severity); text.Has(code) {
		words = code
	}
	args := f.Args
	if f.Code == doctor.CodePair && f.EN != "" {
		args = []any{f.Args[0], f.Args[1], a.note(f.EN, f.ZH)}
	}
	l.Message = a.t(words, args...)
	if f.Severity == doctor.OK {
		return l
	}
	if code := key + ".meaning"; text.Has(code) && words == key+".bad" {
		l.Meaning = a.t(code)
	}
	if code := key + ".fix"; l.Fix == "" && text.Has(code) && words == key+".bad" {
		l.Fix = a.t(code)
	}
	return l
}

// doctorAccounts are the findings about the accounts of a daemon that runs.
func (a *app) doctorAccounts(ctx context.Context, h home.Dir) []doctorLine {
	cl := client.New(h.Socket())
	defer cl.Close()
	st, err := cl.Status(ctx)
	if err != nil {
		return nil // what is installed can be examined without it
	}
	var lines []doctorLine
	for _, acc := range st.Accounts {
		for _, d := range acc.Degraded {
			lines = append(lines, doctorLine{Code: doctor.Code(d.Code), Severity: doctor.Warning,
				Message: a.t("start.degraded", acc.Name, a.degradedText(d)), Fix: text.FaultHint(a.lang, api.Fault{Code: d.Code})})
		}
		if acc.Packet == api.PacketMissing {
			lines = append(lines, doctorLine{Code: doctor.Code(api.CodeNoPacket), Severity: doctor.Warning,
				Message: a.t("status.no_packet", acc.Name), Fix: a.t("hint.no_packet")})
		}
		if acc.State == api.StateFailed || acc.State == api.StateBackoff {
			lines = append(lines, doctorLine{Code: "account", Severity: doctor.Warning,
				Message: a.t("start.state_detail", acc.Name, a.t("state."+string(acc.State)), a.detail(acc)), Fix: text.FaultHint(a.lang, acc.Fault)})
		}
	}
	return lines
}

func (a *app) doctorJSON(r doctor.Report, lines []doctorLine) error {
	out := doctorReport{OK: !r.Failed(), Findings: append([]doctorLine{}, lines...), Command: r.Command, Missing: r.Missing}
	if out.Missing == nil {
		out.Missing = []string{}
	}
	return a.out.json(out, false)
}

// doctorColours are those of the marks that stand before a finding.
var doctorColours = map[doctor.Severity]string{doctor.OK: "32", doctor.Info: "36", doctor.Warning: "33", doctor.Error: "31"}

func (a *app) doctorText(r doctor.Report, lines []doctorLine) {
	errors, warnings := 0, 0
	wide := 0
	for s := range doctorColours {
		wide = max(wide, runewidth.StringWidth(a.t("doctor.mark."+string(s))))
	}
	indent := strings.Repeat(" ", wide+2)
	for _, l := range lines {
		mark := runewidth.FillRight(a.t("doctor.mark."+string(l.Severity)), wide)
		a.out.print("%s  %s", a.out.paint(doctorColours[l.Severity], mark), printable(l.Message))
		if l.Meaning != "" {
			a.out.print("%s%s", indent, l.Meaning)
		}
		if l.Fix != "" && l.Fix != r.Command {
			a.out.print("%s-> %s", indent, l.Fix)
		}
		switch l.Severity {
		case doctor.Error:
			errors++
		case doctor.Warning:
			warnings++
		}
	}
	if r.Command != "" {
		a.out.print("\n%s\n  %s", a.t("doctor.command"), r.Command)
	}
	switch {
	case errors > 0:
		a.out.print("\n%s", a.t("doctor.errors", errors, warnings))
	case warnings > 0:
		a.out.print("\n%s", a.t("doctor.warnings", warnings))
	default:
		a.out.print("\n%s", a.t("doctor.all_right"))
	}
}
