package kit

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/script"
)

// Report is what a check found.
type Report struct {
	Problems []script.Problem // mistakes; with none the plugin can run
	Types    []string         // what the type checker says, a line each
	TSC      string           // the type checker that ran; "" if there is none
}

// Check bundles the plugin at path and, if there is a TypeScript compiler in the
// plugin's or the plugins' node_modules or on the PATH, lets it check the types.
func Check(ctx context.Context, dir, path string) (Report, error) {
	var r Report
	var err error
	if r.Problems, err = script.Check(path, Rehearse(ctx)); err != nil {
		return r, err
	}
	if r.TSC = tsc(dir, path); r.TSC == "" {
		return r, nil
	}
	if _, err := Types(dir); err != nil {
		return r, err
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return r, err
	}
	project := filepath.Join(dir, "tsconfig.json")
	if !filepath.IsLocal(rel) {
		if project, err = projectFor(dir, path); err != nil {
			return r, err
		}
		defer os.Remove(project) // it was only for this
	}
	args := []string{"--noEmit", "--pretty", "false", "--project", project}
	c := exec.CommandContext(ctx, r.TSC, args...)
	c.Dir = dir
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return r, err
	}
	mine := false
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\r\n")
		if !strings.HasPrefix(line, " ") { // else it goes on
			file, _, _ := strings.Cut(line, "(")
			file = filepath.FromSlash(file)
			mine = file == rel || strings.HasPrefix(file, rel+string(filepath.Separator))
		}
		if mine && line != "" {
			r.Types = append(r.Types, line)
		}
	}
	return r, nil
}

// projectFor writes a tsconfig for a plugin that does not lie in dir, the folder of all
// plugins, which has the one that it builds on.
func projectFor(dir, path string) (string, error) {
	own := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		own[0] = filepath.Join(path, "**", "*")
	}
	b, err := json.Marshal(map[string]any{"extends": "./tsconfig.json", "include": append(own, ".types/*.d.ts")})
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, ".check-*.json")
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	return f.Name(), errors.Join(err, f.Close())
}

// rehearsalTime is how long a rehearsal may take.
const rehearsalTime = 10 * time.Second

// Rehearse returns the rehearsal of plugins by this program, which ends with ctx.
func Rehearse(ctx context.Context) script.Rehearsal {
	return func(path string) error {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		if _, err := os.Stat("/proc/self/exe"); err == nil {
			exe = "/proc/self/exe" // which is this program even after an upgrade
		}
		ctx, cancel := context.WithTimeout(ctx, rehearsalTime)
		defer cancel()
		err = exec.CommandContext(ctx, exe, "plugin", "check", "--rehearse", path).Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return script.ErrTooDeep
		}
		return err
	}
}

// Rehearsal is what such a process does. It ends the process if the plugin at path is
// nested too deeply.
func Rehearsal(path string) error {
	debug.SetMaxStack(script.RehearsalStack)
	_, err := script.Check(path, nil)
	return err
}

// tsc returns the type checker to run.
func tsc(dir, path string) string {
	for _, d := range []string{path, dir} {
		at := filepath.Join(d, "node_modules", ".bin", "tsc")
		if info, err := os.Stat(at); err == nil && !info.IsDir() {
			return at
		}
	}
	at, err := exec.LookPath("tsc")
	if err != nil {
		return ""
	}
	return at
}
