package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/configs"
)

func TestAppsAreAddedAndRemovedInPlace(t *testing.T) {
	for name, src := range map[string]string{
		"no file": "", "example": string(configs.ExampleConfig), "no key": "log:\n  level: debug # kept",
		"empty": "apps: [] # mine\nlog: {level: debug}\n", "null": "apps:\nlog: {level: debug}\n",
		"one":        "# top\napps:\n  - name: old\n    listen: {port: 6000}\n# below\nlog: {level: debug}\n",
		"no indent":  "apps:\n- name: old\n  run: {command: [sh]}\n",
		"no newline": "apps:\n  - name: old",
	} {
		path := filepath.Join(t.TempDir(), "ncatd.yaml")
		if src != "" {
			if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := AddApp(path, "name: new\nlisten: {port: 6701}\nallow: [read]\n"); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, _ := os.ReadFile(path)
		c, err := Parse(path, b)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, b)
		}
		if a := c.Apps[len(c.Apps)-1]; a.Name != "new" || a.Listen.Port != 6701 || len(a.Allow) != 1 {
			t.Errorf("%s: %+v", name, a)
		}
		for _, kept := range []string{"# kept", "# mine", "# top", "# below", "level: debug"} {
			if strings.Contains(src, kept) && !strings.Contains(string(b), kept) {
				t.Errorf("%s: %s is gone\n%s", name, kept, b)
			}
		}
		if err := RemoveApp(path, "new"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b, _ = os.ReadFile(path)
		if _, err = Parse(path, b); err != nil || strings.Contains(string(b), "6701") {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
	}
	path := filepath.Join(t.TempDir(), "flow.yaml")
	if err := os.WriteFile(path, []byte("apps: [{name: old}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := AddApp(path, "name: new\n"); err == nil {
		t.Error("a list on one line was edited")
	}
	if err := RemoveApp(path, "nobody"); err == nil {
		t.Error("an app was removed that is not there")
	}
}
