package cli

import (
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/internal/home"
)

// unitFolders is where units of the system lie.
var unitFolders = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"}

// home returns the home of this command line: the one that --home or NCATD_HOME
// names, else that of a running service, else the default one, or if that does
// not exist the one of a service that does not run.
func (a *app) home() (home.Dir, error) {
	if a.homeFlag != "" || a.getenv("NCATD_HOME") != "" {
		return home.Find(a.homeFlag, a.getenv, ".ncatd")
	}
	return a.realHome()
}

// unnamed returns a home that is found without being named.
func (a *app) unnamed(folder string) (home.Dir, error) {
	return home.Find("", func(k string) string {
		if k == "NCATD_HOME" {
			return ""
		}
		return a.getenv(k)
	}, folder)
}

// scriptsOf returns the folder of the scripts that run in h. A simulation in the home
// that it has of itself plays those of the real one.
func (a *app) scriptsOf(h home.Dir) (string, error) {
	if sim, err := a.unnamed(simHome); err != nil || h != sim { // without HOME there is none
		return h.Join("plugins"), nil
	}
	own, err := a.realHome()
	return own.Join("plugins"), err
}

// realHome returns the home of what is no simulation, where none is named.
func (a *app) realHome() (home.Dir, error) {
	def, err := a.unnamed(".ncatd")
	if err != nil {
		return def, err
	}
	if a.foundHome != "" {
		return a.foundHome, nil
	}
	took, others := chooseHome(def, a.serviceHomes())
	a.foundHome = took
	if len(others) > 0 && !strings.HasPrefix(strings.Join(a.args, " "), "__complete") {
		a.out.say("%s", a.t("home.took", took, strings.Join(others, ", ")))
		a.out.hint(a.t("hint.home_other", others[0]))
	}
	return took, nil
}

// chooseHome returns the home to take where none is named, and those that exist
// besides.
func chooseHome(def home.Dir, services []home.Dir) (took home.Dir, others []string) {
	all := append(slices.Clone(services), def)
	all = slices.DeleteFunc(all, func(d home.Dir) bool {
		_, err := os.Stat(string(d))
		return err != nil
	})
	all = slices.Compact(all)
	took = def
	if len(all) > 0 && !slices.Contains(all, def) {
		took = all[0]
	}
	for _, d := range services {
		if pid, err := d.Holder(); err == nil && pid != 0 {
			took = d
			break
		}
	}
	for _, d := range all {
		if d != took {
			others = append(others, string(d))
		}
	}
	return took, others
}

// serviceHomes returns the homes of the installed services that this user may
// use: of the system, of its own, and as root of who called sudo.
func (a *app) serviceHomes() []home.Dir {
	var out []home.Dir
	add := func(h string) {
		if h == "" || !filepath.IsAbs(h) || slices.Contains(out, home.Dir(h)) {
			return
		}
		if _, err := os.ReadDir(h); err != nil && !os.IsNotExist(err) {
			return // another's
		}
		out = append(out, home.Dir(h))
	}
	for _, dir := range a.priv.units {
		add(unitHome(dir, ""))
	}
	config, own := a.getenv("XDG_CONFIG_HOME"), a.getenv("HOME")
	if config == "" && own != "" {
		config = filepath.Join(own, ".config")
	}
	if config != "" {
		add(unitHome(filepath.Join(config, "systemd", "user"), own))
	}
	for _, h := range a.userHomes() {
		if h != own {
			add(unitHome(filepath.Join(h, ".config", "systemd", "user"), h))
		}
	}
	return out
}

// unitHome returns the home of the service whose unit lies in dir, with the
// drop-ins beside it; "" if there is none. fallback is the home directory of
// the user it runs as, if the unit does not name that.
func unitHome(dir, fallback string) string {
	files := []string{filepath.Join(dir, unitName)}
	drops, _ := filepath.Glob(filepath.Join(dir, unitName+".d", "*.conf")) // the pattern is good
	found := ""
	for i, f := range append(files, drops...) {
		b, err := readSmall(f)
		if err != nil {
			if i == 0 {
				return ""
			}
			continue
		}
		h, runAs := homeInUnit(string(b))
		if h != "" {
			found = h
		}
		if u, err := user.Lookup(runAs); runAs != "" && err == nil {
			fallback = u.HomeDir
		}
	}
	if found == "" && fallback != "" {
		found = filepath.Join(fallback, ".ncatd")
	}
	return found
}

// homeInUnit reads the home and the user that a unit file names. Of several lines
// the last counts, and the command's own --home most.
func homeInUnit(unit string) (dir, runAs string) {
	for line := range strings.Lines(unit) {
		key, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case !ok || strings.HasPrefix(key, "#"):
		case key == "User":
			runAs = v
		case key == "Environment":
			for _, w := range unitWords(v) {
				if h, ok := strings.CutPrefix(w, "NCATD_HOME="); ok {
					dir = h
				}
			}
		case key == "ExecStart":
			words := unitWords(v)
			for i, w := range words {
				if h, ok := strings.CutPrefix(w, "--home="); ok {
					return h, runAs
				}
				if w == "--home" && i+1 < len(words) {
					return words[i+1], runAs
				}
			}
		}
	}
	return dir, runAs
}

// unitWords splits a value of a unit file into its words, as unitQuote wrote
// them.
func unitWords(s string) []string {
	var words []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		end := strings.IndexByte(s, ' ')
		if s[0] == '"' {
			end = 1
			for end < len(s) && s[end] != '"' {
				if s[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(s))
		}
		if end < 0 {
			end = len(s)
		}
		words = append(words, unitUnquote(s[:end]))
		s = s[end:]
	}
	return words
}
