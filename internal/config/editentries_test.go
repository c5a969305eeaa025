package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entryForms are texts with a list of apps, whose app gone stands between two §.
var entryForms = []struct{ name, text string }{
	{"a line each", "apps:\n§  - name: gone\n§  - name: b\n"},
	{"the last", "apps:\n  - name: b\n§  - name: gone\n    listen: {port: 6000}\n§# end\nlog: {}\n"},
	{"at the margin", "apps:\n- name: b\n§- name: gone\n  allow:\n  - read\n§- name: c\n"},
	{"a literal at its end", "apps:\n§  - name: gone\n    run:\n      command: [sh]\n      env:\n        A: |\n          one\n          two\n§  - name: b\n"},
	{"a folded one at its end", "apps:\n§  - name: gone\n    run:\n      command: [sh]\n      env:\n        A: >-\n          one\n          two\n\n          three\n§  - name: b\n    allow: [read]\n"},
	{"a literal with blank lines", "apps:\n§  - name: gone\n    run:\n      command: [sh]\n      env:\n        A: |+\n          one\n§\n  - name: b\n"},
	{"braces over lines", "apps:\n§  - {name: gone,\n     listen: {port: 6000\n     }\n    }\n§  - name: b\n"},
	{"brackets over lines", "apps:\n§  - name: gone\n    allow: [\n      read, # all\n      send,\n    ]\n§  - name: b\n"},
	{"quotes over lines", "apps:\n§  - name: gone\n    run:\n      command: \"sh -c\n        true\"\n§  - name: b\n"},
	{"a plain text over lines", "apps:\n§  - name: gone\n    run:\n      command: sh -c\n        true\n§  - name: b\n"},
	{"a key without a value at its end", "apps:\n§  - name: gone\n    run:\n§  - name: b\n"},
	{"its name not first", "apps:\n§  - listen: {port: 6000}\n    name: gone # so\n§  - {name: b}\n"},
	{"a quoted name", "apps:\n§  - name: 'gone'\n§  - name: b\n"},
	{"the dash on a line of its own", "apps:\n§  -\n    name: gone\n§  -\n    name: b\n"},
	{"a quoted key", "\"apps\":\n§  - name: gone\n§  - name: b\n"},
	{"a comment with its name", "# apps: gone\napps: # - name: gone\n  # - name: gone\n§  - name: gone\n§  - name: b # after gone\n"},
}

// TestAnAppGoesAlone removes an app and holds that all else stays to the byte.
func TestAnAppGoesAlone(t *testing.T) {
	for _, f := range entryForms {
		for dress, wear := range map[string]func(string) string{
			"as it is": func(s string) string { return s },
			"crlf":     func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
			"a mark":   func(s string) string { return "\ufeff" + s },
		} {
			parts := strings.Split(wear(f.text), "§")
			out, err := removeApp([]byte(strings.Join(parts, "")), "gone")
			if err != nil || string(out) != parts[0]+parts[2] {
				t.Errorf("%s, %s: %v\n got %q\nwant %q", f.name, dress, err, out, parts[0]+parts[2])
			}
		}
	}
}

// TestAnEntryComesAlone adds an app to the same texts: nothing of theirs changes,
// and taking it out again gives back what there was.
func TestAnEntryComesAlone(t *testing.T) {
	for _, f := range entryForms {
		for dress, wear := range map[string]func(string) string{
			"as it is":       func(s string) string { return s },
			"crlf":           func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
			"no end of line": func(s string) string { return strings.TrimSuffix(s, "\n") },
		} {
			src := wear(strings.ReplaceAll(f.text, "§", ""))
			out, err := addEntry([]byte(src), "apps", "name: new\nallow:\n    - read\n")
			if err != nil {
				t.Errorf("%s, %s: %v", f.name, dress, err)
				continue
			}
			c, err := Parse("f", out)
			if err != nil || len(c.Apps) == 0 || c.Apps[len(c.Apps)-1].Name != "new" {
				t.Errorf("%s, %s: %v\n%s", f.name, dress, err, out)
				continue
			}
			if strings.Contains(src, "\r\n") && strings.Count(string(out), "\n") != strings.Count(string(out), "\r\n") {
				t.Errorf("%s, %s: line ends are mixed: %q", f.name, dress, out)
			}
			if back, err := removeApp(out, "new"); err != nil || strings.TrimSuffix(string(back), "\n") != strings.TrimSuffix(src, "\n") {
				t.Errorf("%s, %s: taken out again, %v\n got %q\nwant %q", f.name, dress, err, back, src)
			}
		}
	}
}

// TestTheFirstEntry adds an app where there is no list yet, or an empty one.
func TestTheFirstEntry(t *testing.T) {
	for src, want := range map[string]string{
		"":                                       "\napps:\n  - name: a\n",
		"# mine\n":                               "# mine\n\napps:\n  - name: a\n",
		"log: {}":                                "log: {}\n\napps:\n  - name: a\n",
		"log: {}\r\n":                            "log: {}\r\n\r\napps:\r\n  - name: a\r\n",
		"apps:\nlog: {}\n":                       "apps:\n  - name: a\nlog: {}\n",
		"apps: # mine\nlog: {}\n":                "apps: # mine\n  - name: a\nlog: {}\n",
		"apps: [] # mine\nlog: {}\n":             "apps: # mine\n  - name: a\nlog: {}\n",
		"apps: [ ]\nlog: {}\n":                   "apps:\n  - name: a\nlog: {}\n",
		"apps: ~ # mine\n":                       "apps: # mine\n  - name: a\n",
		"apps: null\n":                           "apps:\n  - name: a\n",
		"apps:   \nlog: {}\n":                    "apps:\n  - name: a\nlog: {}\n",
		"\"apps\": []\n":                         "\"apps\":\n  - name: a\n",
		"'apps' : []\n":                          "'apps' :\n  - name: a\n",
		"apps: []\r\nlog: {}\r\n":                "apps:\r\n  - name: a\r\nlog: {}\r\n",
		"# apps: []\nbot: {}\napps: []":          "# apps: []\nbot: {}\napps:\n  - name: a\n",
		"bot: {prefixes: ['apps:']}\napps: []\n": "bot: {prefixes: ['apps:']}\napps:\n  - name: a\n",
	} {
		if got, err := addEntry([]byte(src), "apps", "name: a\n"); err != nil || string(got) != want {
			t.Errorf("%q: %v\n got %q\nwant %q", src, err, got, want)
		}
	}
}

// TestEntriesThatAreNotEdited: what is no list of lines is refused as such, not as
// a file with an error in it, and stays.
func TestEntriesThatAreNotEdited(t *testing.T) {
	for name, src := range map[string]string{
		"a list on one line": "apps: [{name: gone}]\n",
		"a file in braces":   "{log: {}}\n",
		"braces and apps":    "{apps: [{name: gone}]}\n",
		"an alias":           "log: {}\napps: &a\n  - name: gone\naccounts: *a\n",
		"an end mark":        "log: {}\n...\n",
	} {
		path := filepath.Join(t.TempDir(), "ncatd.yaml")
		if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		for what, edit := range map[string]func() error{
			"add":    func() error { return AddApp(path, "name: new\n") },
			"remove": func() error { return RemoveApp(path, "gone") },
		} {
			err := edit()
			var ce *Error
			if err == nil || errors.As(err, &ce) && ce.Problems[0].Code == "syntax" {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if b, rerr := os.ReadFile(path); rerr != nil || string(b) != src {
				t.Errorf("%s, %s: %q, %v", name, what, b, rerr)
			}
		}
	}
	// An app that is wrong, or there already, is not added.
	path := filepath.Join(t.TempDir(), "ncatd.yaml")
	for section, code := range map[string]string{"name: 'a b'\n": "bad_app_name", "name: b\n": "duplicate_app", "allow: [read]\n": "app_no_name", "name: c\nallwo: [read]\n": "unknown_nearest"} {
		src := "apps:\n  - name: b\n"
		if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		err := AddApp(path, section)
		var ce *Error
		if !errors.As(err, &ce) || ce.Problems[0].Code != code {
			t.Errorf("%q: %v", section, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != src {
			t.Errorf("%q: %q, %v", section, b, err)
		}
	}
}

// TestTheLastAppGoes: a list from which the last app goes is empty, not without a
// value that the next key would be taken for.
func TestTheLastAppGoes(t *testing.T) {
	for src, want := range map[string]string{
		"apps:\n  - name: gone\nlog: {}\n":      "apps: []\nlog: {}\n",
		"apps: # mine\n  - name: gone\n":        "apps: [] # mine\n",
		"apps:\r\n- name: gone\r\nlog: {}\r\n":  "apps: []\r\nlog: {}\r\n",
		"apps:\n  # about it\n  - name: gone\n": "apps: []\n  # about it\n",
		"\"apps\":\n  - name: gone\n":           "\"apps\": []\n",
		"bot: {}\napps:\n  - name: gone":        "bot: {}\napps: []\n",
	} {
		if got, err := removeApp([]byte(src), "gone"); err != nil || string(got) != want {
			t.Errorf("%q: %v\n got %q\nwant %q", src, err, got, want)
		}
	}
}
