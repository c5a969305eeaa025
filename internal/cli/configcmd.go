package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/ncatd/ncatd/configs"
	"github.com/ncatd/ncatd/internal/config"
)

func newConfig(a *app) *cobra.Command {
	return a.group("config", "config", newConfigCheck(a), newConfigShow(a), newConfigGet(a), newConfigSet(a), newConfigPath(a))
}

// configFile is the config file of this command line.
func (a *app) configFile() (string, error) {
	h, err := a.daemonHome()
	if err != nil {
		return "", err
	}
	return a.configPath(h), nil
}

// configProblemJSON is one problem in `config check --json`.
type configProblemJSON struct {
	Place   string `json:"place"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Key     string `json:"key,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Text    string `json:"text,omitempty"`
}

func newConfigCheck(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("config_check", "check [FILE]", atMost(1), func(c *cobra.Command, args []string) error {
		path, err := a.configFile()
		if err != nil {
			return err
		}
		if len(args) == 1 {
			path = args[0]
			if _, err := os.Stat(path); err != nil {
				return fail(exitUsage, err, "")
			}
		}
		cfg, err := a.loadConfig(path, nil)
		var ce *config.Error
		if err != nil && !errors.As(err, &ce) {
			return err
		}
		var warnings []config.Warning
		if err == nil {
			warnings = config.Warnings(path, cfg)
			if problems := a.linked().Check(path, cfg); len(problems) > 0 {
				ce = &config.Error{Problems: problems}
			}
		}
		if asJSON {
			return a.checkJSON(path, ce, warnings)
		}
		if ce != nil {
			return ce
		}
		for _, w := range warnings {
			a.out.say("%s", a.t("config.warn", a.t("warn."+w.Code, w.Args...)))
		}
		if len(warnings) > 0 {
			a.out.hint(a.t("hint.config_warnings"))
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			a.out.print("%s", a.t("config.absent", path))
		} else {
			a.out.print("%s", a.t("config.ok", path))
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

func (a *app) checkJSON(path string, ce *config.Error, warnings []config.Warning) error {
	out := struct {
		File     string              `json:"file"`
		OK       bool                `json:"ok"`
		Problems []configProblemJSON `json:"problems"`
		Warnings []configProblemJSON `json:"warnings"`
	}{File: path, OK: ce == nil, Problems: []configProblemJSON{}, Warnings: []configProblemJSON{}}
	if ce != nil {
		for _, p := range ce.Problems {
			out.Problems = append(out.Problems, configProblemJSON{
				Place: p.Place.String(), File: p.File, Line: p.Line, Column: p.Column,
				Key: p.Key, Code: p.Code, Message: a.problem(p), Text: p.Text,
			})
		}
	}
	for _, w := range warnings {
		out.Warnings = append(out.Warnings, configProblemJSON{Place: w.Key, Key: w.Key, Code: w.Code, Message: a.t("warn."+w.Code, w.Args...)})
	}
	if err := a.out.json(out, false); err != nil {
		return err
	}
	if ce != nil {
		return quiet(exitUsage)
	}
	return nil
}

func newConfigShow(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("config_show", "show", noArgs, func(*cobra.Command, []string) error {
		path, err := a.configFile()
		if err != nil {
			return err
		}
		cfg, err := a.loadConfig(path, nil)
		if err != nil {
			return err
		}
		if asJSON {
			return a.out.json(config.Tree(cfg), false)
		}
		b, err := toYAML(cfg)
		if err != nil {
			return err
		}
		a.out.raw(b)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

func toYAML(v any) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the config: %w", err)
	}
	return b.Bytes(), nil
}

func newConfigGet(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("config_get", "get KEY", between(1, 1, "KEY"), func(_ *cobra.Command, args []string) error {
		path, err := a.configFile()
		if err != nil {
			return err
		}
		cfg, err := a.loadConfig(path, nil)
		if err != nil {
			return err
		}
		v, err := a.configValue(cfg, args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return a.out.json(config.Tree(v), false)
		}
		return a.printValue(v)
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	c.ValidArgsFunction = a.completeKeys
	return c
}

// linked returns what can be set of the plugins of this program.
func (a *app) linked() config.Plugins {
	if a.Plugins == nil {
		return nil
	}
	return a.Plugins()
}

// configValue returns the value of a key, of a plugin's too.
func (a *app) configValue(cfg *config.Config, key string) (any, error) {
	if config.IsPluginKey(key) {
		return a.linked().Get(cfg, key)
	}
	return config.Get(cfg, key)
}

// printValue prints a scalar bare, a list one item a line, all else as YAML.
func (a *app) printValue(v any) error {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Slice:
		if rv.Type().Elem().Kind() != reflect.Struct {
			for i := range rv.Len() {
				a.out.print("%v", rv.Index(i).Interface())
			}
			return nil
		}
		fallthrough
	case reflect.Struct, reflect.Map:
		b, err := toYAML(v)
		if err != nil {
			return err
		}
		a.out.raw(b)
		return nil
	}
	a.out.print("%v", config.Tree(v))
	return nil
}

func newConfigSet(a *app) *cobra.Command {
	c := a.command("config_set", "set KEY VALUE", between(2, 2, "KEY", "VALUE"), func(c *cobra.Command, args []string) error {
		path, err := a.configFile()
		if err != nil {
			return err
		}
		set := config.SetFile
		if config.IsPluginKey(args[0]) {
			set = a.linked().SetFile
		}
		v, err := set(path, args[0], args[1])
		var ce *config.Error
		switch {
		case errors.As(err, &ce):
			return err
		case errors.Is(err, config.ErrEdit):
			return fail(exitFailure, errString(a.t("err.set_unsafe", args[0], err)), a.t("hint.edit", path))
		case err != nil:
			return err
		}
		b, err := yaml.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode the value: %w", err)
		}
		a.out.say("%s", a.t("config.set", args[0], strings.TrimSpace(string(b))))
		if h, err := a.daemonHome(); err == nil {
			if pid, err := h.Holder(); err == nil && pid != 0 {
				a.out.hint(a.t("hint.restart_to_apply"))
			}
		}
		return nil
	})
	c.ValidArgsFunction = a.completeKeys
	return c
}

func newConfigPath(a *app) *cobra.Command {
	var asJSON bool
	c := a.command("config_path", "path", noArgs, func(*cobra.Command, []string) error {
		path, err := a.configFile()
		if err != nil {
			return err
		}
		if asJSON {
			_, err := os.Stat(path)
			return a.out.json(struct {
				Path   string `json:"path"`
				Exists bool   `json:"exists"`
			}{path, err == nil}, false)
		}
		a.out.print("%s", path)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, a.t("flag.json"))
	return c
}

func (a *app) completeKeys(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var keys []string
	names := a.accountNames(c.Context())
	if len(names) == 0 {
		names = []string{"main"}
	}
	for i, name := range names {
		for _, k := range config.Keys(name) {
			if i == 0 || strings.HasPrefix(k, "accounts.") {
				keys = append(keys, k)
			}
		}
	}
	for _, k := range a.linked().Keys() {
		text := fmt.Sprint(k.Default)
		if text == "" {
			text = `""`
		}
		keys = append(keys, k.Key+"\t"+printable(text))
	}
	return keys, cobra.ShellCompDirectiveNoFileComp
}

func newInit(a *app) *cobra.Command {
	var uin string
	var force bool
	c := a.command("init", "init", noArgs, func(*cobra.Command, []string) error {
		h, err := a.home()
		if err != nil {
			return err
		}
		path := a.configPath(h)
		if _, err := os.Stat(path); err == nil && !force {
			return fail(exitUsage, errString(a.t("err.exists", path)), a.t("hint.force"))
		}
		src := configs.ExampleConfig
		if uin != "" {
			if src, err = config.Set(path, src, "accounts.main.uin", uin); err != nil {
				return err
			}
		}
		if err := config.WriteFile(path, src); err != nil {
			return err
		}
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		a.out.say("%s", a.t("init.wrote", path))
		a.out.say("%s", a.t("init.next"))
		return nil
	})
	c.Flags().StringVar(&uin, "uin", "", a.t("flag.uin"))
	c.Flags().BoolVar(&force, "force", false, a.t("flag.force"))
	return c
}
