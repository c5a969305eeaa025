package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestAddAccount(t *testing.T) {
	moved := DefaultAccount("bot7")
	moved.UIN = 3889001007
	moved.WebUI.Token, moved.OneBot.Heartbeat, moved.OneBot.Token = "a: \"b", sec(7), "x"
	moved.Env = map[string]string{"LANG": "zh_CN.UTF-8"}
	moved.Networks = map[string]any{"httpServers": []any{map[string]any{"name": "a", "port": 1}}}
	section, err := AccountSection(moved)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(section, "port_busy") || !strings.HasPrefix(section, "name: bot7\n") {
		t.Errorf("the section is more than what differs:\n%s", section)
	}
	for text, names := range map[string]int{
		"":                                   1,
		"log: {level: debug}":                1,
		"accounts:\n  - name: main # mine\n": 2,
		"# top\naccounts:\n- name: a\n- {name: b, uin: 3889001002}\nlog:\n  level: debug\n": 3,
		"accounts:\n": 1,
	} {
		path := filepath.Join(t.TempDir(), "ncatd.yaml")
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		had, err := NamesAccounts(path)
		if err != nil || had != (names > 1) {
			t.Errorf("%q: names accounts %v, %v", text, had, err)
		}
		if err := AddAccount(path, section); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(path, b)
		if err != nil {
			t.Fatalf("%q: %v\n%s", text, err, b)
		}
		if len(c.Accounts) != names || !reflect.DeepEqual(c.Accounts[names-1], moved) {
			t.Errorf("%q: %+v\n%s", text, c.Accounts, b)
		}
		for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			if !strings.Contains(string(b), strings.TrimSuffix(line, "\n")) {
				t.Errorf("%q was changed to\n%s", text, b)
			}
		}
		if AddAccount(path, section) == nil {
			t.Error("the same account was added twice")
		}
	}
}
