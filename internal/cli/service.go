package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/configs"
)

const (
	unitName   = "ncatd.service"
	systemUnit = "/etc/systemd/system/" + unitName
	systemHome = "/var/lib/ncatd"
	systemExe  = "/usr/local/bin/ncatd"
	// unitMark is in every unit that service install wrote; no other is touched.
	unitMark = "# written by ncatd service install"
	// exeMark names a program that service install copied, to be removed again,
	// and userMark a user that it made.
	exeMark  = "# program copied to "
	userMark = "# user made: "
)

// service is one systemd service, of the system or of a user.
type service struct {
	user  bool
	runAs string // of a system service
	home  string
	exe   string
	unit  string   // path of the unit file
	args  []string // further arguments of start

	copied   string // where install copied the program to, if it did
	madeUser bool   // install made runAs
}

func newService(a *app) *cobra.Command {
	return a.group("service", "service", newServiceInstall(a), newServiceUninstall(a), newServiceStatus(a), newServiceUnit(a))
}

// newServiceOf fills in what the flags leave open.
func (a *app) newServiceOf(userUnit bool, runAs string, args []string) (*service, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &service{user: userUnit, runAs: runAs, exe: exe, args: args}
	if !userUnit {
		s.home, s.unit = systemHome, systemUnit
		if a.homeFlag != "" {
			if s.home, err = filepath.Abs(a.homeFlag); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
	h, err := a.home()
	if err != nil {
		return nil, err
	}
	s.home = string(h)
	dir := a.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		dir = filepath.Join(a.getenv("HOME"), ".config")
	}
	s.unit = filepath.Join(dir, "systemd", "user", unitName)
	return s, nil
}

// userUnitDrops are the lines that a user's service manager cannot carry out.
var userUnitDrops = regexp.MustCompile(`^(User|Group|StateDirectory|StateDirectoryMode|CapabilityBoundingSet|AmbientCapabilities|Protect\w+|Private\w+|KeyringMode|RestrictNamespaces|ReadWritePaths|OOMPolicy|LimitNOFILE)=`)

// text is the unit file: the one in configs with the paths of this service.
func (s *service) text() string {
	start := []string{s.exe, "start", "--yes"}
	start = append(start, s.args...)
	for i, w := range start {
		start[i] = unitQuote(w)
	}
	var b strings.Builder
	b.WriteString(unitMark + "\n")
	if s.copied != "" {
		b.WriteString(exeMark + s.copied + "\n")
	}
	if s.madeUser {
		b.WriteString(userMark + s.runAs + "\n")
	}
	inHead := true
	for _, line := range strings.Split(strings.TrimRight(configs.SystemUnit, "\n"), "\n") {
		if inHead && strings.HasPrefix(line, "#") {
			continue // speaks of the file in the repository
		}
		inHead = false
		key, _, _ := strings.Cut(line, "=")
		switch {
		case s.user && userUnitDrops.MatchString(line):
			continue
		case key == "ExecStart":
			line = "ExecStart=" + strings.Join(start, " ")
		case key == "ExecReload":
			line = "ExecReload=" + unitQuote(s.exe) + " reload"
		case strings.HasPrefix(line, "Environment=NCATD_HOME="):
			line = "Environment=" + unitQuote("NCATD_HOME="+s.home)
		case key == "User" || key == "Group":
			line = key + "=" + s.runAs
		case key == "StateDirectory" && s.home != systemHome:
			line = "ReadWritePaths=" + unitQuote(s.home)
		case key == "StateDirectoryMode" && s.home != systemHome:
			continue
		case key == "ProtectHome" && underHome(s.home):
			line = "# ProtectHome is off: the home of ncatd lies there"
		case key == "WantedBy" && s.user:
			line = "WantedBy=default.target"
		case s.user && (key == "Wants" || key == "After"):
			continue // a user's manager has no network-online.target
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func underHome(p string) bool {
	for _, d := range []string{"/home", "/root", "/run/user"} {
		if p == d || strings.HasPrefix(p, d+"/") {
			return true
		}
	}
	return false
}

// unitQuote makes s one word of a unit file.
func unitQuote(s string) string {
	s = strings.NewReplacer("%", "%%", "$", "$$").Replace(s)
	if s != "" && !strings.ContainsAny(s, " \t\"'\\;") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func newServiceUnit(a *app) *cobra.Command {
	var userUnit bool
	var runAs string
	c := a.command("service_unit", "unit [-- START FLAGS]", nil, func(_ *cobra.Command, args []string) error {
		s, err := a.newServiceOf(userUnit, runAs, args)
		if err != nil {
			return err
		}
		a.out.raw([]byte(s.text()))
		return nil
	})
	c.Flags().BoolVar(&userUnit, "user", false, a.t("flag.user_svc"))
	c.Flags().StringVar(&runAs, "run-as", "ncatd", a.t("flag.run_as"))
	return c
}

// serviceState is what `service status --json` prints.
type serviceState struct {
	Unit      string `json:"unit"`
	Installed bool   `json:"installed"`
	Enabled   string `json:"enabled"` // systemd's words: enabled, disabled …
	Active    string `json:"active"`  // active, reloading, inactive, failed …
	Sub       string `json:"sub"`     // running, dead …
	Result    string `json:"result"`  // success, exit-code, watchdog …
	PID       int    `json:"pid"`     // 0: it does not run
	Restarts  int    `json:"restarts"`
	Status    string `json:"status"` // the line that ncatd tells systemd
}

func newServiceStatus(a *app) *cobra.Command {
	var userUnit, asJSON bool
	c := a.command("service_status", "status", noArgs, func(c *cobra.Command, _ []string) error {
		s, err := a.newServiceOf(userUnit, "", nil)
		if err != nil {
			return err
		}
		_, err = os.Stat(s.unit)
		if err != nil && asJSON {
			if err := a.out.json(serviceState{Unit: s.unit}, false); err != nil {
				return err
			}
		}
		if err != nil {
			return failf(a, exitFailure, "err.service_missing")
		}
		if _, err := exec.LookPath("systemctl"); err != nil {
			return failf(a, exitFailure, "err.no_systemd")
		}
		if asJSON {
			return a.serviceJSON(c.Context(), s)
		}
		cmd := exec.CommandContext(c.Context(), "systemctl", s.words("--no-pager", "status", unitName)...)
		cmd.Stdout, cmd.Stderr = a.Stdout, a.Stderr
		err = cmd.Run()
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			return quiet(ee.ExitCode()) // 3: not running, as ours
		}
		return err
	})
	c.Flags().BoolVar(&userUnit, "user", false, a.t("flag.user_svc"))
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

// serviceJSON prints what systemd says of a service. Like systemctl it ends
// with 3 if the service does not run.
func (a *app) serviceJSON(ctx context.Context, s *service) error {
	out, err := exec.CommandContext(ctx, "systemctl", s.words("show", unitName,
		"--property=UnitFileState,ActiveState,SubState,Result,MainPID,NRestarts,StatusText")...).Output()
	if err != nil {
		return fmt.Errorf("ask systemd: %w", err)
	}
	st := serviceState{Unit: s.unit, Installed: true}
	for line := range strings.Lines(string(out)) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		n, _ := strconv.Atoi(v) // 0 for what is no number
		switch k {
		case "UnitFileState":
			st.Enabled = v
		case "ActiveState":
			st.Active = v
		case "SubState":
			st.Sub = v
		case "Result":
			st.Result = v
		case "MainPID":
			st.PID = n
		case "NRestarts":
			st.Restarts = n
		case "StatusText":
			st.Status = v
		}
	}
	if err := a.out.json(st, false); err != nil {
		return err
	}
	if st.PID == 0 {
		return quiet(exitNotRunning)
	}
	return nil
}

// mayManage tells early what would fail halfway.
func (a *app) mayManage(s *service) error {
	if _, err := exec.LookPath("systemctl"); err != nil {
		return failf(a, exitFailure, "err.no_systemd")
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return failf(a, exitFailure, "err.no_systemd")
	}
	if !s.user && os.Geteuid() != 0 {
		return fail(exitFailure, errString(a.t("err.need_root")), a.t("hint.sudo"))
	}
	return nil
}

func (s *service) words(args ...string) []string {
	if s.user {
		return append([]string{"--user"}, args...)
	}
	return args
}

func (s *service) systemctlText(rest string) string {
	if s.user {
		return "systemctl --user " + rest
	}
	return "systemctl " + rest
}

func (s *service) userFlagText() string {
	if s.user {
		return "--user "
	}
	return ""
}

func (a *app) systemctl(ctx context.Context, s *service, args ...string) error {
	return a.command1(ctx, "systemctl", s.words(args...)...)
}

// command1 runs a program of the system and turns what it says into an error.
func (a *app) command1(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(string(out))
	if text == "" {
		text = err.Error()
	}
	return errString(a.t("err.command_failed", name+" "+strings.Join(args, " "), text))
}
