package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/selfupgrade"
)

// ConfigFile implements [control.Backend].
func (d *Daemon) ConfigFile() (api.ConfigFile, error) {
	src, sum, err := config.ReadFile(d.o.ConfigPath)
	return api.ConfigFile{Path: d.o.ConfigPath, Text: string(src), Sum: sum}, err
}

// CheckConfig implements [control.Backend].
func (d *Daemon) CheckConfig(r api.ConfigRequest) (api.ConfigCheck, error) {
	lang := text.English
	if r.Lang == string(text.Chinese) {
		lang = text.Chinese
	}
	cfg, err := config.Parse(d.o.ConfigPath, []byte(r.Text))
	var bad *config.Error
	if err != nil && !errors.As(err, &bad) {
		return api.ConfigCheck{}, err
	}
	out := api.ConfigCheck{OK: err == nil}
	if bad != nil {
		for _, p := range bad.Problems {
			out.Problems = append(out.Problems, api.ConfigProblem{Line: p.Line, Column: p.Column, Key: p.Key, Code: p.Code, Message: text.Problem(lang, p)})
		}
		return out, nil
	}
	for _, w := range config.Warnings(d.o.ConfigPath, cfg) {
		out.Warnings = append(out.Warnings, api.ConfigProblem{Key: w.Key, Code: w.Code, Message: text.T(lang, "warn."+w.Code, w.Args...)})
	}
	return out, nil
}

// SaveConfig implements [control.Backend].
func (d *Daemon) SaveConfig(r api.ConfigRequest) (api.ConfigFile, error) {
	check, err := d.CheckConfig(r)
	if err != nil {
		return api.ConfigFile{}, err
	}
	if !check.OK {
		return api.ConfigFile{}, &api.Error{Code: control.CodeBadConfig, Message: fmt.Sprintf("line %d: %s", check.Problems[0].Line, check.Problems[0].Message)}
	}
	sum, err := config.Replace(d.o.ConfigPath, []byte(r.Text), r.Sum)
	if errors.Is(err, config.ErrChanged) {
		return api.ConfigFile{}, control.Refuse(control.CodeConflict, api.Because(api.CodeConfigChanged))
	}
	return api.ConfigFile{Path: d.o.ConfigPath, Text: r.Text, Sum: sum}, err
}

const (
	// commandStop is how long a command may take to end when no client waits for it.
	commandStop = 10 * time.Second
	// maxSaid bounds what is kept of what a command says besides its result.
	maxSaid = 16 << 10
)

// Command implements [control.Backend]. The command is a process of its own, as
// if a person had typed it: what it decides, it decides there.
func (d *Daemon) Command(ctx context.Context, args []string, line func(json.RawMessage)) error {
	self, err := selfupgrade.Program()
	if err != nil {
		return fmt.Errorf("find ncatd itself: %w", err)
	}
	args = append([]string{"--home", string(d.o.Home)}, args...)
	if _, err := os.Stat(d.o.ConfigPath); err == nil {
		args = append([]string{"--config", d.o.ConfigPath}, args...)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(d.o.Environ[:len(d.o.Environ):len(d.o.Environ)], "NO_COLOR=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = commandStop
	said := &tail{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run ncatd: %w", err)
	}
	for dec := json.NewDecoder(out); ; {
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			break // its end, or nothing that a program should read
		}
		var one bytes.Buffer
		if json.Compact(&one, raw) == nil {
			line(one.Bytes())
		}
	}
	_, _ = io.Copy(io.Discard, out)
	var exit *exec.ExitError
	err = cmd.Wait()
	message, hint := said.error()
	if errors.As(err, &exit) && message == "" {
		return nil // the result says it
	}
	if err != nil && message != "" {
		return &api.Error{Code: control.CodeConflict, Message: message, Hint: hint}
	}
	return err
}

// tail keeps the end of what a command says.
type tail struct{ b []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-maxSaid):]
	return len(p), nil
}

// error returns the last error that the command told and its hint.
func (t *tail) error() (message, hint string) {
	for l := range strings.Lines(string(t.b)) {
		l = strings.TrimSpace(l)
		if m, ok := strings.CutPrefix(l, "ncatd: "); ok {
			message, hint = m, ""
		} else if h, ok := strings.CutPrefix(l, "hint: "); ok {
			hint = h
		}
	}
	return message, hint
}
