package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
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
	// exeMark names a program that service install copied, to be removed again.
	exeMark = "# program copied to "
)

// service is one systemd service, of the system or of a user.
type service struct {
	user  bool
	runAs string // of a system service
	home  string
	exe   string
	unit  string   // path of the unit file
	args  []string // further arguments of start
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
func (s *service) text(copied string) string {
	start := []string{s.exe, "start", "--yes"}
	start = append(start, s.args...)
	for i, w := range start {
		start[i] = unitQuote(w)
	}
	var b strings.Builder
	b.WriteString(unitMark + "\n")
	if copied != "" {
		b.WriteString(exeMark + copied + "\n")
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
		a.out.raw([]byte(s.text("")))
		return nil
	})
	c.Flags().BoolVar(&userUnit, "user", false, a.t("flag.user_svc"))
	c.Flags().StringVar(&runAs, "run-as", "ncatd", a.t("flag.run_as"))
	return c
}

func newServiceInstall(a *app) *cobra.Command {
	var userUnit, noStart, force bool
	var runAs string
	c := a.command("service_install", "install [-- START FLAGS]", nil, func(c *cobra.Command, args []string) error {
		s, err := a.newServiceOf(userUnit, runAs, args)
		if err != nil {
			return err
		}
		if err := a.mayManage(s); err != nil {
			return err
		}
		if old, err := os.ReadFile(s.unit); err == nil && !strings.Contains(string(old), unitMark) && !force {
			return fail(exitFailure, errString(a.t("err.service_other", s.unit)), a.t("hint.force"))
		}
		if err := a.checkBeforeInstall(s); err != nil {
			return err
		}
		copied, err := s.placeProgram()
		if err != nil {
			return err
		}
		if copied != "" {
			a.out.say("%s", a.t("service.wrote", copied))
		}
		if !s.user {
			if err := s.makeUser(c.Context(), a); err != nil {
				return err
			}
			if err := s.makeHome(); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Dir(s.unit), 0o755); err != nil {
			return err
		}
		if err := replaceFile(s.unit, []byte(s.text(copied)), 0o644); err != nil {
			return err
		}
		a.out.say("%s", a.t("service.wrote", s.unit))
		a.out.say("%s", a.t("service.home", s.home))
		if err := a.systemctl(c.Context(), s, "daemon-reload"); err != nil {
			return err
		}
		if err := a.systemctl(c.Context(), s, "enable", unitName); err != nil {
			return err
		}
		if noStart {
			a.out.say("%s", a.t("service.start_with", s.systemctlText("start "+unitName)))
			return nil
		}
		if err := a.systemctl(c.Context(), s, "restart", unitName); err != nil {
			return fail(exitFailure, err, a.t("hint.journal", s.userFlagText(), "ncatd"))
		}
		a.out.say("%s", a.t("service.started"))
		if s.user {
			if u, err := user.Current(); err == nil {
				a.out.hint(a.t("hint.linger", u.Username))
			}
		}
		return nil
	})
	f := c.Flags()
	f.BoolVar(&userUnit, "user", false, a.t("flag.user_svc"))
	f.StringVar(&runAs, "run-as", "ncatd", a.t("flag.run_as"))
	f.BoolVar(&noStart, "no-start", false, a.t("flag.no_start"))
	f.BoolVar(&force, "force", false, a.t("flag.force"))
	return c
}

// checkBeforeInstall refuses to install a service whose config cannot start.
func (a *app) checkBeforeInstall(s *service) error {
	path := filepath.Join(s.home, "ncatd.yaml")
	if a.configFlag != "" {
		path = a.configFlag
	}
	_, err := a.loadConfig(path, nil)
	return err
}

func newServiceUninstall(a *app) *cobra.Command {
	var userUnit bool
	c := a.command("service_uninstall", "uninstall", noArgs, func(c *cobra.Command, _ []string) error {
		s, err := a.newServiceOf(userUnit, "", nil)
		if err != nil {
			return err
		}
		old, err := os.ReadFile(s.unit)
		if errors.Is(err, os.ErrNotExist) {
			return failf(a, exitFailure, "err.service_missing")
		}
		if err != nil {
			return err
		}
		if !strings.Contains(string(old), unitMark) {
			return failf(a, exitFailure, "err.service_other", s.unit)
		}
		if err := a.mayManage(s); err != nil {
			return err
		}
		if err := a.systemctl(c.Context(), s, "disable", "--now", unitName); err != nil {
			return err
		}
		remove := []string{s.unit}
		for _, line := range strings.Split(string(old), "\n") {
			if exe, ok := strings.CutPrefix(line, exeMark); ok {
				remove = append(remove, exe)
			}
		}
		for _, p := range remove {
			if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			a.out.say("%s", a.t("service.removed", p))
		}
		if err := a.systemctl(c.Context(), s, "daemon-reload"); err != nil {
			return err
		}
		_ = a.systemctl(c.Context(), s, "reset-failed", unitName) // it mostly did not fail
		a.out.say("%s", a.t("service.home_stays", s.homeOf(string(old))))
		return nil
	})
	c.Flags().BoolVar(&userUnit, "user", false, a.t("flag.user_svc"))
	return c
}

// homeOf reads the home from a unit file.
func (s *service) homeOf(unit string) string {
	for _, line := range strings.Split(unit, "\n") {
		if v, ok := strings.CutPrefix(line, "Environment="); ok {
			if h, ok := strings.CutPrefix(strings.Trim(v, `"`), "NCATD_HOME="); ok {
				return h
			}
		}
	}
	return s.home
}

func newServiceStatus(a *app) *cobra.Command {
	var userUnit bool
	c := a.command("service_status", "status", noArgs, func(c *cobra.Command, _ []string) error {
		s, err := a.newServiceOf(userUnit, "", nil)
		if err != nil {
			return err
		}
		if _, err := os.Stat(s.unit); err != nil {
			return failf(a, exitFailure, "err.service_missing")
		}
		if _, err := exec.LookPath("systemctl"); err != nil {
			return failf(a, exitFailure, "err.no_systemd")
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
	return c
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

// placeProgram copies this program to where the service's user can execute it,
// if it lies in somebody's home or in a temporary folder.
func (s *service) placeProgram() (copied string, err error) {
	if s.user || !underHome(s.exe) && !strings.HasPrefix(s.exe, os.TempDir()+"/") {
		return "", nil
	}
	in, err := os.Open(s.exe)
	if err != nil {
		return "", err
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		return "", err
	}
	if err := replaceFile(systemExe, b, 0o755); err != nil {
		return "", err
	}
	s.exe = systemExe
	return systemExe, nil
}

// makeUser makes the system user of the service if there is none.
func (s *service) makeUser(ctx context.Context, a *app) error {
	if _, err := user.Lookup(s.runAs); err == nil {
		return nil
	}
	return a.command1(ctx, "useradd", "--system", "--user-group", "--home-dir", s.home, "--no-create-home", "--shell", "/usr/sbin/nologin", s.runAs)
}

// makeHome makes a home that is elsewhere than systemd makes it, if there is
// none: a unit whose ReadWritePaths lead nowhere does not start.
func (s *service) makeHome() error {
	if s.home == systemHome {
		return nil
	}
	u, err := user.Lookup(s.runAs)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return fmt.Errorf("uid of %s: %w", s.runAs, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return fmt.Errorf("gid of %s: %w", s.runAs, err)
	}
	if err := os.MkdirAll(filepath.Dir(s.home), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(s.home, 0o700); errors.Is(err, os.ErrExist) {
		return nil // its owner is somebody's choice
	} else if err != nil {
		return err
	}
	return os.Chown(s.home, uid, gid)
}

// replaceFile writes a file of the system atomically.
func replaceFile(path string, b []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
