package importer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamedFile: the file that was named is read, whatever it is called and whatever
// lies beside it.
func TestNamedFile(t *testing.T) {
	compose := func(uin string) string {
		return "services:\n  napcat:\n    build: .\n    environment: [ACCOUNT=" + uin + "]\n    ports: ['13001:3001']\n    volumes: ['${DATA}/config:/app/napcat/config']\n"
	}
	root := build(t, map[string]string{
		"compose.yaml":    compose("10002"),
		"我的.yml":          compose("10003"),
		"config.yaml":     "bt_uin: 10004\n",
		"prod.yaml":       "services:\n  web:\n    image: nginx\n",
		"broken.yml":      "services:\n\tnapcat:\n",
		".env":            "A=1 # one\nDATA=\"./data\" # of NapCat\n",
		"data/config/a":   "",
		"other/some.yaml": "services: {}\n",
	})
	for name, want := range map[string]int64{"": 10002, "compose.yaml": 10002, "我的.yml": 10003, "config.yaml": 10004} {
		p, err := Find(filepath.Join(root, name), root)
		if err != nil || len(p.Accounts) != 1 || p.Accounts[0].UIN != want {
			t.Errorf("%q: %+v, %v; want account %d", name, p, err, want)
		} else if want != 10004 && p.ConfigDir != filepath.Join(root, "data", "config") {
			t.Errorf("%q: config folder %s", name, p.ConfigDir)
		}
	}
	for _, name := range []string{"prod.yaml", "other/some.yaml"} {
		if p, err := Find(filepath.Join(root, name), root); !errors.Is(err, ErrNothing) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if p, err := Find(filepath.Join(root, "broken.yml"), root); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a broken file: %+v, %v", p, err)
	}
	if err := os.WriteFile(filepath.Join(root, "compose.yaml"), []byte("services:\n\tnapcat:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := Find(root, root); err == nil || !strings.Contains(err.Error(), "compose.yaml: yaml: line 2") {
		t.Errorf("a folder with a broken file: %+v, %v", p, err)
	}
}

// TestHomeBefore: a home that was started and in which nobody ever logged in takes an
// import, one with an account or a config does not.
func TestHomeBefore(t *testing.T) {
	root := build(t, merge(napcatAt("NapCat.Shell"), qqAt(".config/QQ")))
	p, err := Find(filepath.Join(root, "NapCat.Shell"), root)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files map[string]string
		free  bool
	}{
		"new":            {nil, true},
		"started":        {map[string]string{"accounts/main/state.json": "{}", "accounts/main/napcat/config/webui.json": "{}", "logs/ncatd.log": ""}, true},
		"stopped before": {map[string]string{"accounts/main/output": ""}, true},
		"logged in":      {map[string]string{"accounts/main/napcat/config/napcat_10001.json": "{}"}, false},
		"a config":       {map[string]string{"ncatd.yaml": ""}, false},
		"a file":         {map[string]string{"accounts/x": ""}, false},
	} {
		home := build(t, c.files)
		undo, err := p.Apply(t.Context(), home)
		if (err == nil) != c.free || err != nil && !errors.Is(err, ErrOccupied) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(home, "accounts", "main", "home", ".config", "QQ", "nt_qq")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := undo(); err != nil || Free(home) != nil {
			t.Errorf("%s: after undo: %v, %v", name, err, Free(home))
		}
	}
}

// TestTake: what was copied for another user goes on into its home, once.
func TestTake(t *testing.T) {
	root := build(t, merge(napcatAt("NapCat.Shell"), qqAt(".config/QQ")))
	p, err := Find(filepath.Join(root, "NapCat.Shell"), root)
	if err != nil {
		t.Fatal(err)
	}
	temp, home := filepath.Join(t.TempDir(), "home"), t.TempDir()
	if _, err := p.Apply(t.Context(), temp); err != nil {
		t.Fatal(err)
	}
	want := digest(t, filepath.Join(temp, "accounts", "main", "napcat"))
	if _, err := Take(t.Context(), temp, home); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(home, "accounts"), filepath.Join(temp, "accounts")); err != nil {
		t.Fatal(err) // digest knows the paths
	}
	if got := digest(t, filepath.Join(temp, "accounts", "main", "napcat")); got != want {
		t.Error("what was taken is not what was copied")
	}
	if _, err := os.Stat(filepath.Join(home, "ncatd.yaml")); err != nil {
		t.Error(err)
	}
}

// TestSettingsOfElsewhere: root copies for another user, so that a link in NapCat's
// folder must not bring what only root can read.
func TestSettingsOfElsewhere(t *testing.T) {
	root := build(t, merge(napcatAt("NapCat.Shell"), map[string]string{"secret": "{}"}))
	config := filepath.Join(root, "NapCat.Shell", "config", "napcat.json")
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "secret"), config); err != nil {
		t.Skip(err)
	}
	_, _, home := take(t, filepath.Join(root, "NapCat.Shell"), root)
	if _, err := os.Lstat(filepath.Join(home, "accounts", "main", "napcat", "config", "napcat.json")); err == nil {
		t.Error("what a link leads to was copied")
	}
}
