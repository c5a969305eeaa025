package cli

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/ncatd/ncatd/internal/cli/text"
)

// TestFlagColumns: what the flags do begins in one column, however wide the
// letters before it are.
func TestFlagColumns(t *testing.T) {
	for _, lang := range []text.Lang{text.English, text.Chinese} {
		a, all := tree(lang)
		for _, c := range all {
			column := 0
			for _, line := range strings.Split(strings.TrimSuffix(a.flagUsages(c.Flags()), "\n"), "\n") {
				left := strings.TrimLeft(line, " ")
				i := strings.Index(left, "   ")
				if line == "" {
					continue
				}
				if i < 0 {
					t.Errorf("%s: %q", c.CommandPath(), line)
					continue
				}
				right := strings.TrimLeft(left[i:], " ")
				at := runewidth.StringWidth(strings.TrimSuffix(line, right))
				if column == 0 {
					column = at
				}
				if at != column {
					t.Errorf("%s: column %d, not %d: %q", c.CommandPath(), at, column, line)
				}
			}
		}
	}
}

// TestPlainErrorsHaveRemedies: what the system or the simulator says comes in
// the user's language and with a way out.
func TestPlainErrorsHaveRemedies(t *testing.T) {
	dir := t.TempDir()
	code, _, errs := run(t, []string{"NCATD_LANG=zh"}, "--home", dir, "sim", "state")
	if code != exitFailure || !hasHan(errs) || !strings.Contains(errs, "hint: ") {
		t.Errorf("sim: exit %d: %s", code, errs)
	}
	a, _ := tree(text.Chinese)
	for _, e := range []error{fs.ErrPermission, syscall.EROFS} {
		msg, hint := a.explain(fmt.Errorf("make the home: %w", &fs.PathError{Op: "mkdir", Path: "/x", Err: e}))
		if !hasHan(msg) || !strings.Contains(msg, "/x") || !strings.Contains(hint, "--home") {
			t.Errorf("%v: %s, %s", e, msg, hint)
		}
	}
}

func TestMistypedCommand(t *testing.T) {
	for typed, want := range map[string]string{"staus": "ncatd status", "strat": "ncatd start", "stpo": "ncatd stop", "upgrad": "ncatd upgrade"} {
		code, _, errs := run(t, []string{"NCATD_LANG=en"}, typed)
		if code != exitUsage || !strings.Contains(errs, "did you mean: "+want+"\n") {
			t.Errorf("%s: exit %d: %s", typed, code, errs)
		}
	}
}

// TestNamedConfigMustBeThere: the defaults stand for a file that nobody named.
func TestNamedConfigMustBeThere(t *testing.T) {
	dir := t.TempDir()
	env := []string{"NCATD_LANG=en", "NCATD_HOME=" + dir}
	if code, _, errs := run(t, env, "config", "check"); code != exitOK {
		t.Errorf("no file: exit %d: %s", code, errs)
	}
	missing := filepath.Join(dir, "mistyped.yaml")
	if code, _, errs := run(t, env, "--config", missing, "config", "check"); code != exitUsage || !strings.Contains(errs, missing) {
		t.Errorf("--config: exit %d: %s", code, errs)
	}
	if code, _, errs := run(t, append(env, "NCATD_CONFIG="+missing), "config", "show"); code != exitUsage || !strings.Contains(errs, missing) {
		t.Errorf("NCATD_CONFIG: exit %d: %s", code, errs)
	}
	if code, _, errs := run(t, env, "--config", missing, "init"); code != exitOK {
		t.Errorf("init makes it: exit %d: %s", code, errs)
	}
}

// TestWrongArguments: whatever number of arguments a command gets, what is wrong with
// them is said in the user's language, with the name of the first that is missing.
func TestWrongArguments(t *testing.T) {
	_, all := tree(text.Chinese)
	for _, c := range all {
		if c.Hidden || c.Args == nil || c.Name() == "help" {
			continue
		}
		var args []string
		for n := range 8 {
			err := c.Args(c, args)
			if err != nil && !hasHan(err.Error()) {
				t.Errorf("%s with %d: %v", c.CommandPath(), n, err)
			}
			if err != nil && len(args) == 0 && !strings.Contains(err.Error(), strings.TrimRight(strings.Fields(c.Use + " ?")[1], ".")) && c.Name() != "say" {
				t.Errorf("%s: %v", c.Use, err)
			}
			args = append(args, "argument")
		}
	}
	for line, want := range map[string]string{
		"sim say":                          "TEXT",
		"sim drop nope":                    "nope",
		"sim act nope":                     "nope",
		"sim mute":                         "--group",
		"sim fault x":                      "键=值",
		"sim drop a b":                     `"b"`,
		"alert silence main":               "DURATION",
		"alert silence main 9000h":         "366",
		"config check --config /nowhere/x": "没有这个文件",
	} {
		code, _, errs := run(t, []string{"NCATD_LANG=zh"}, strings.Fields(line)...)
		if code == 0 || !hasHan(errs) || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d: %s", line, code, errs)
		}
	}
}
