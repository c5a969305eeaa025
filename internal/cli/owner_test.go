//go:build unix

package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/home"
)

// TestRootHandsOver walks all commands: root's are carried out by the home's
// owner, but for those that are listed.
func TestRootHandsOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	_, all := tree(text.English)
	for _, c := range all {
		if c != c.Root() && (c.PersistentPreRun != nil || c.PersistentPreRunE != nil) {
			t.Errorf("%s goes around the guard", c.CommandPath())
		}
	}
	for i := range all {
		a, all := tree(text.English)
		c := all[i]
		became := ""
		a.Env = []string{"NCATD_HOME=" + dir, "NCATD_LANG=en", "SECRET=x", "LD_PRELOAD=/tmp/x.so"}
		a.priv.euid = func() int { return 0 }
		a.priv.guard = func(d home.Dir) (home.Guard, error) {
			return home.Guard{Path: string(d), Exists: true, UID: 65534, GID: 65534}, nil
		}
		a.priv.become = func(u account, env []string) error {
			became = u.name
			if !slices.Contains(env, "NCATD_HOME="+dir) && !strings.HasPrefix(commandName(c), "sim ") {
				t.Errorf("%s: the home got lost: %v", c.CommandPath(), env)
			}
			if slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, "SECRET") || strings.HasPrefix(s, "LD_") }) {
				t.Errorf("%s: root's environment went along: %v", c.CommandPath(), env)
			}
			return errors.New("not here")
		}
		err := a.root.PersistentPreRunE(c, nil)
		name := commandName(c)
		seen[name] = true
		free := slices.Contains(noHome, name) || slices.Contains(socketOnly, name) || slices.Contains(firstAsRoot, name)
		if free != (err == nil) || free != (became == "") {
			t.Errorf("%q: free %v, handed over to %q, %v", name, free, became, err)
		}
	}
	for _, name := range slices.Concat(noHome, socketOnly, firstAsRoot) {
		if !seen[name] && !strings.HasPrefix(name, "__") && name != "help" {
			t.Errorf("%q is excepted but does not exist", name)
		}
	}
}

// TestLooseHomeIsRefused holds that a home others can write to is not used, and
// that the error says what mends it.
func TestLooseHomeIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { // whatever the umask
		t.Fatal(err)
	}
	for _, args := range [][]string{{"start"}, {"config", "set", "log.level", "debug"}, {"login"}, {"doctor"}} {
		code, _, errs := run(t, nil, append(args, "--home", dir)...)
		if code != exitUsage || !strings.Contains(errs, "chmod go-w "+dir) {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("something was made there: %v, %v", left, err)
	}
}

// TestHomeOfTheService holds that a running service is found without --home, and
// that a second home is named.
func TestHomeOfTheService(t *testing.T) {
	base := t.TempDir()
	own, svc, units := filepath.Join(base, ".ncatd"), filepath.Join(base, "srv home"), filepath.Join(base, "units")
	for _, d := range []string{svc, units} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	unit := (&service{home: svc, exe: "/usr/local/bin/ncatd", runAs: "ncatd"}).text()
	if err := os.WriteFile(filepath.Join(units, unitName), []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	find := func(env ...string) (string, string) {
		var errs bytes.Buffer
		a, _ := tree(text.English)
		a.Env = append([]string{"HOME=" + base}, env...)
		a.out = newOutput(&bytes.Buffer{}, &errs, text.English, a.getenv)
		a.priv.units = []string{units}
		h, err := a.home()
		if err != nil {
			t.Fatal(err)
		}
		return string(h), errs.String()
	}
	if h, said := find(); h != svc || said != "" {
		t.Errorf("the only home there is: %s, %q", h, said)
	}
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	if h, said := find(); h != own || !strings.Contains(said, svc) {
		t.Errorf("the service does not run: %s, %q", h, said)
	}
	l, err := home.Dir(svc).Acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	if h, said := find(); h != svc || !strings.Contains(said, own) {
		t.Errorf("the service runs: %s, %q", h, said)
	}
	if h, said := find("NCATD_HOME=/elsewhere"); h != "/elsewhere" || said != "" {
		t.Errorf("NCATD_HOME comes first: %s, %q", h, said)
	}
}

func TestHomeInUnit(t *testing.T) {
	for _, c := range []struct{ unit, home, user string }{
		{"Environment=NCATD_HOME=/a\nUser=cat\n", "/a", "cat"},
		{"Environment=X=1 \"NCATD_HOME=/a b\" Y=2\n", "/a b", ""},
		{"Environment=NCATD_HOME=/a\nExecStart=/bin/ncatd start --home /b --yes\n", "/b", ""},
		{"ExecStart=/bin/ncatd start --home=/b\n", "/b", ""},
		{"ExecStart=/bin/ncatd start\n#Environment=NCATD_HOME=/x\n", "", ""},
		{"Environment=\"NCATD_HOME=/a\\", `/a\`, ""},
	} {
		if h, u := homeInUnit(c.unit); h != c.home || u != c.user {
			t.Errorf("%q: %q, %q", c.unit, h, u)
		}
	}
}

// TestGiveTree holds what a tree loses when it becomes root's, as far as any user
// can try it.
func TestGiveTree(t *testing.T) {
	dir := t.TempDir()
	for link, to := range map[string]string{"abs": "/etc/passwd", "up": "../x", "in": "sub/file", "sub/side": "../top", "sub/out": "../../y"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(link)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := giveAway(dir, -2, 0, 0); err != nil { // nobody's files: only the links go
		t.Fatal(err)
	}
	for link, stays := range map[string]bool{"abs": false, "up": false, "in": true, "sub/side": true, "sub/out": false} {
		if _, err := os.Lstat(filepath.Join(dir, link)); (err == nil) != stays {
			t.Errorf("%s: %v", link, err)
		}
	}
}

// TestMakeTreeFollowsNoLink holds that a planted link ends the way.
func TestMakeTreeFollowsNoLink(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if err := os.Symlink(other, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := makeTree(filepath.Join(dir, "link", "home"), os.Getuid(), os.Getgid()); err == nil {
		t.Error("the link was followed")
	}
	if left, err := os.ReadDir(other); err != nil || len(left) > 0 {
		t.Errorf("something was made behind it: %v, %v", left, err)
	}
	good := filepath.Join(dir, "a", "b", "home")
	if err := makeTree(good, os.Getuid(), os.Getgid()); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(good); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", fi, err)
	}
}

// TestRootImportsForTheOwner: root copies what it alone can read, and the home's
// owner takes it from there; nothing is left in between.
func TestRootImportsForTheOwner(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has services")
	}
	old, dir := t.TempDir(), filepath.Join(t.TempDir(), "home")
	for name, data := range map[string]string{"napcat.mjs": "", "config/onebot11_10001.json": `{"network":{}}`} {
		p := filepath.Join(old, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := tree(text.English)
	a.Env = []string{"NCATD_HOME=" + dir, "NCATD_LANG=en", "SECRET=x"}
	a.args = []string{"import", "--yes", "--no-start", old}
	a.priv.euid = func() int { return 0 }
	a.priv.guard = func(d home.Dir) (home.Guard, error) {
		return home.Guard{Path: string(d), Exists: true, UID: 65534, GID: 65534}, nil
	}
	staged := ""
	a.priv.become = func(_ account, env []string) error {
		for _, kv := range env {
			if v, ok := strings.CutPrefix(kv, importEnv+"="); ok {
				staged = v
			}
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("root wrote into the home")
		}
		if code, out, errs := run(t, slices.DeleteFunc(env, func(s string) bool { return strings.HasPrefix(s, "HOME=") }), a.args...); code != exitOK {
			t.Errorf("as the owner: exit code %d\n%s%s", code, out, errs)
		}
		return errors.New("not here")
	}
	a.root.SetArgs(a.args)
	if err := a.root.ExecuteContext(t.Context()); err == nil || staged == "" {
		t.Fatalf("it went on as root: %v, %q", err, staged)
	}
	if _, err := os.Stat(staged); err == nil {
		t.Error("the copy on the way is left:", staged)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "ncatd.yaml")); err != nil || !strings.Contains(string(b), "uin: 10001") {
		t.Errorf("%s, %v", b, err)
	}
}
