package cli

import (
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ncatd/ncatd/internal/home"
)

// What root does in a home that belongs to somebody else: that user may have put
// a link in the place of each file and a program in the place of qq, and what
// root makes there stands in the way of the service. So every command is carried
// out as the home's owner, but for those that this file names.

// socketOnly are the commands that reach the daemon over its socket and touch no
// file of the home. Root keeps its own files at hand there (a picture to send).
var socketOnly = []string{
	"account", "account move",
	"status", "restart", "reload", "call", "send", "events",
	"app list", "app show",
	"plugin list", "plugin info", "plugin enable", "plugin disable", "plugin reload",
	"self upgrade", "self try", "self rollback", // the program is root's, and so is its folder
	"alert list", "alert log", "alert test", "alert silence",
	"console", "console sessions", "console revoke", "console password",
}

// noHome are the commands that work outside of any home: those of a service care
// for its home themselves, and the simulated QQ is a child of a daemon.
var noHome = []string{
	"", "help", "version", "completion", "__complete", "__completeNoDesc",
	"service", "service install", "service uninstall", "service status", "service unit",
	"sim", "sim pack", "sim qq", "config", "app", "plugin", "alert", "self",
}

// firstAsRoot are the commands that read what only root can before they go on as
// the home's owner.
var firstAsRoot = []string{"import"}

// privileges is how a command line finds out about its rights and gives them up.
type privileges struct {
	euid  func() int
	guard func(home.Dir) (home.Guard, error)
	// become replaces this process by one of another user that runs the same
	// command line; it returns only if that fails.
	become func(u account, env []string) error
	// units are the folders of the system's units.
	units []string
}

// account is a user of the system.
type account struct {
	uid, gid int
	groups   []int
	name     string
	home     string
}

// accountOf returns the user with a number. One without a name has the group of
// what it owns.
func accountOf(uid, gid int, dir string) account {
	who := account{uid: uid, gid: gid, name: strconv.Itoa(uid), home: dir}
	u, err := user.LookupId(who.name)
	if err != nil {
		return who
	}
	who.name, who.home = u.Username, u.HomeDir
	if n, err := strconv.Atoi(u.Gid); err == nil {
		who.gid = n
	}
	ids, err := u.GroupIds()
	if err != nil {
		return who // without further groups
	}
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			who.groups = append(who.groups, n)
		}
	}
	return who
}

// keptEnv are the variables that a command as another user keeps: how to speak
// to the person, and how to reach the network. NCATD_ ones stay too.
var keptEnv = []string{
	"TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "TZ",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
}

// ownerEnv returns the environment of a command that is carried out as who in h.
func ownerEnv(env []string, who account, h home.Dir) []string {
	out := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + who.home, "USER=" + who.name, "LOGNAME=" + who.name, "SHELL=/bin/sh",
	}
	for _, kv := range env {
		k, _, _ := strings.Cut(kv, "=")
		if slices.Contains(keptEnv, k) || strings.HasPrefix(k, "LC_") || strings.HasPrefix(k, "NCATD_") && k != "NCATD_HOME" {
			out = append(out, kv)
		}
	}
	return append(out, "NCATD_HOME="+string(h))
}

// commandName is the path of a command below the program's name.
func commandName(c *cobra.Command) string {
	_, rest, _ := strings.Cut(c.CommandPath(), " ")
	return rest
}

// guardHome comes before each command: it refuses a home that others can change,
// and hands the command over to the home's owner where root was asked to carry it
// out.
func (a *app) guardHome(c *cobra.Command) error {
	name := commandName(c)
	if slices.Contains(noHome, name) {
		return nil
	}
	h, err := a.homeOf(c)
	if err != nil {
		return nil // the command itself says so
	}
	g, err := a.priv.guard(h)
	if err != nil {
		return nil // likewise
	}
	root := a.priv.euid() == 0
	if g.Loose != "" && (g.Exists && g.Loose == g.Path || root) {
		return fail(exitUsage, errString(a.t("err.home_loose", g.Loose)), a.t("hint.home_loose", shellQuote(g.Loose)))
	}
	if !root || slices.Contains(socketOnly, name) {
		return nil
	}
	if g.Through != "" {
		owner := accountOf(g.ThroughUID, 0, "").name
		if g.UID != 0 {
			return fail(exitUsage, errString(a.t("err.home_through", g.Path, g.Through, owner)), a.t("hint.home_through"))
		}
		return fail(exitUsage, errString(a.t("err.home_through", g.Path, g.Through, owner)), a.t("hint.home_chown", owner, shellQuote(g.Path)))
	}
	if g.UID == 0 {
		return nil
	}
	who := accountOf(g.UID, g.GID, g.Path)
	if slices.Contains(firstAsRoot, name) {
		a.owner = &who
		return nil
	}
	err = a.priv.become(who, ownerEnv(a.Env, who, h))
	words := []string{"ncatd"}
	for _, w := range a.args {
		words = append(words, shellQuote(w))
	}
	return fail(exitFailure, errString(a.t("err.home_owner", g.Path, who.name, err)),
		a.t("hint.home_owner", who.name, shellQuote(string(h)), strings.Join(words, " ")))
}

// homeOf returns the home that a command will take.
func (a *app) homeOf(c *cobra.Command) (home.Dir, error) {
	if f := c.Flag("home"); f != nil && f.Value.String() != "" {
		return home.Find(f.Value.String(), a.getenv, "")
	}
	sim := strings.HasPrefix(commandName(c), "sim ")
	if f := c.Flag("sim"); f != nil && f.Value.String() == "true" {
		sim = true
	}
	switch {
	case sim:
		return home.Find("", a.getenv, simHome)
	case slices.Contains([]string{"start", "init", "dev"}, commandName(c)):
		return a.home()
	}
	return a.daemonHome()
}

// maxSmall bounds a file of the system that is read whole.
const maxSmall = 1 << 20

// readSmall reads a regular file of at most maxSmall bytes.
func readSmall(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxSmall {
		return nil, &os.PathError{Op: "read", Path: filepath.Clean(path), Err: os.ErrInvalid}
	}
	return os.ReadFile(path)
}
