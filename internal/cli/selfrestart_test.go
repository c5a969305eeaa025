package cli

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestUnitOf(t *testing.T) {
	for groups, want := range map[string][]string{
		"0::/system.slice/ncatd.service\n":                                              {"ncatd.service"},
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/ncatd.service\n":    {"ncatd.service", "--user"},
		"12:pids:/system.slice/x.service\n1:name=systemd:/system.slice/ncatd.service\n": {"ncatd.service"},
		"0::/user.slice/user-1000.slice/session-3.scope\n":                              nil,
		"0::/\n": nil, "": nil,
	} {
		if got := unitOf(groups); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", groups, got, want)
		}
	}
}

// What did not end by itself says how it ended.
func TestRunProgram(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no sh")
	}
	for script, want := range map[string]string{"echo no; exit 3": "no", "kill -SEGV $$": "signal: segmentation fault", "echo so; kill -9 $$": "so"} {
		out, code := new(app).runProgram(t.Context(), "sh", []string{"-c", script})
		if !strings.Contains(out, want) || (code == 3) != strings.Contains(script, "exit") || code == 0 {
			t.Errorf("%s: %q, %d", script, out, code)
		}
	}
}

func TestVersionIn(t *testing.T) {
	for out, want := range map[string]string{"{\"version\": \"1.2.3\", \"go\": \"x\"}\n": "1.2.3", "": "", "yes\nyes\n": "", "{}": ""} {
		if got := versionIn(out); got != want {
			t.Errorf("%q: %q", out, got)
		}
	}
}
