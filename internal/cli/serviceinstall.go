package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/home"
)

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
		old, err := os.ReadFile(s.unit)
		if err == nil && !strings.Contains(string(old), unitMark) && !force {
			return fail(exitFailure, errString(a.t("err.service_other", s.unit)), a.t("hint.force"))
		}
		if err := a.checkBeforeInstall(s); err != nil {
			return err
		}
		// What an earlier install made is still there to be removed one day.
		s.madeUser = marked(string(old), userMark) == s.runAs && s.runAs != ""
		if s.exe == marked(string(old), exeMark) {
			s.copied = s.exe
		}
		copied, err := s.placeProgram()
		if err != nil {
			return err
		}
		if copied {
			a.out.say("%s", a.t("service.wrote", s.copied))
		}
		if !s.user {
			if err := s.makeUser(c.Context(), a); err != nil {
				return err
			}
			if err := s.makeHome(a); err != nil {
				return err
			}
		}
		if err := a.enable(c.Context(), s); err != nil {
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

// enable writes the unit and has it started at boot.
func (a *app) enable(ctx context.Context, s *service) error {
	if err := os.MkdirAll(filepath.Dir(s.unit), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(s.unit, []byte(s.text()), 0o644); err != nil {
		return err
	}
	a.out.say("%s", a.t("service.wrote", s.unit))
	a.out.say("%s", a.t("service.home", s.home))
	if err := a.systemctl(ctx, s, "daemon-reload"); err != nil {
		return err
	}
	return a.systemctl(ctx, s, "enable", unitName)
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

// placeProgram copies this program to where the service's user can execute it,
// if it lies in somebody's home or in a temporary folder.
func (s *service) placeProgram() (copied bool, err error) {
	if s.user || !underHome(s.exe) && !strings.HasPrefix(s.exe, os.TempDir()+"/") {
		return false, nil
	}
	in, err := os.Open(s.exe)
	if err != nil {
		return false, err
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		return false, err
	}
	if err := atomicfile.Write(systemExe, b, 0o755); err != nil {
		return false, err
	}
	s.exe, s.copied = systemExe, systemExe
	return true, nil
}

// makeUser makes the system user of the service if there is none.
func (s *service) makeUser(ctx context.Context, a *app) error {
	if _, err := user.Lookup(s.runAs); err == nil {
		return nil
	}
	s.madeUser = true
	return a.command1(ctx, "useradd", "--system", "--user-group", "--home-dir", s.home, "--no-create-home", "--shell", "/usr/sbin/nologin", s.runAs)
}

// makeHome makes a home that is elsewhere than systemd makes it, if there is
// none: a unit whose ReadWritePaths lead nowhere does not start. One that an
// uninstall left to root goes to the service's user again, as systemd itself
// does with its own.
func (s *service) makeHome(a *app) error {
	if s.home == systemHome {
		return nil
	}
	uid, gid, err := ids(s.runAs)
	if err != nil {
		return err
	}
	g, err := home.Dir(s.home).Guard()
	if err != nil {
		return err
	}
	if bad := g.Through; bad != "" || !g.Exists && g.UID != 0 && g.UID != uid {
		if bad == "" {
			bad = filepath.Dir(g.Path)
		}
		return fail(exitUsage, errString(a.t("err.service_way", s.home, bad)), a.t("hint.service_way"))
	}
	return makeTree(g.Path, uid, gid)
}

// ids returns the numbers of a user.
func ids(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, fmt.Errorf("uid of %s: %w", name, err)
	}
	if gid, err = strconv.Atoi(u.Gid); err != nil {
		return 0, 0, fmt.Errorf("gid of %s: %w", name, err)
	}
	return uid, gid, nil
}
