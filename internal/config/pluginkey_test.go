package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

type pointsConfig struct {
	Every time.Duration `json:"every"`
	Keep  int64         `json:"keep" unit:"size"`
	Group int64         `json:"group"`
	Names []string      `json:"names"`
	Deep  struct {
		On    bool
		Ratio float64 `json:"ratio"`
	} `json:"deep"`
}

func points() Plugins {
	c := &pointsConfig{Every: 90 * time.Second, Keep: 1 << 20, Names: []string{"a"}}
	c.Deep.Ratio = 0.5
	return Plugins{"points": c, "my.quiz": nil}
}

// TestPluginKeys sets keys of a plugin as a person writes them, and gets them back.
func TestPluginKeys(t *testing.T) {
	p := points()
	path := filepath.Join(t.TempDir(), "ncatd.yaml")
	if err := os.WriteFile(path, []byte("# mine\nbot:\n  prefixes: [\"!\"] # kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ key, value, want string }{
		{"points.every", "90m", "1h30m"}, {"points.keep", "1.5GiB", "1536MiB"}, {"points.group", "9007199254740993", "9007199254740993"},
		{"points.names", "甲, b", "[甲 b]"}, {"points.names", "[x, 'y: z']", "[x y: z]"}, {"points.deep.on", "true", "true"}, {"points.deep.ratio", "0.25", "0.25"},
		{"my.quiz.words.0", "hi: there", "map[hi:there]"}, {"my.quiz.n", "3", "3"}, {"other", "{a: 1}", "map[a:1]"},
		{"my.quiz.groups", "{700000001: {1: a}, true: b}", "map[700000001:map[1:a] true:b]"},
	} {
		got, err := p.SetFile(path, "bot.plugin_config."+tt.key, tt.value)
		if err != nil || fmt.Sprint(got) != tt.want {
			t.Errorf("%s=%s: %v, %v", tt.key, tt.value, got, err)
		}
	}
	src, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(src), "# mine") || !strings.Contains(string(src), "# kept") {
		t.Errorf("%v:\n%s", err, src)
	}
	c, err := Parse(path, src)
	if err != nil || len(p.Check(path, c)) != 0 {
		t.Fatalf("%v:\n%s", err, src)
	}
	into := pointsConfig{}
	if err := DecodeSection(c.Bot.PluginConfig["points"], &into); err != nil || into.Every != 90*time.Minute || into.Group != 9007199254740993 || !into.Deep.On {
		t.Errorf("%+v, %v", into, err)
	}
	for _, tt := range []struct{ key, value, code string }{
		{"points.every", "soon", "plugin_value"}, {"points.every", "5", "plugin_value"}, {"points.keep", "big", "plugin_value"},
		{"points.group", "12a", "plugin_value"}, {"points.deep.on", "maybe", "plugin_value"}, {"points.evry", "1s", "plugin_key"},
		{"points.deep.x", "1", "plugin_key"}, {"points.every.x", "1", "unknown_key"}, {"points", "5", "plugin_whole"},
	} {
		_, err := p.SetFile(path, "bot.plugin_config."+tt.key, tt.value)
		var ce *Error
		if !errors.As(err, &ce) || ce.Problems[0].Code != tt.code {
			t.Errorf("%s=%s: %v", tt.key, tt.value, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != string(src) {
			t.Fatalf("%s=%s changed the file: %v", tt.key, tt.value, err)
		}
	}
}

// TestPluginDefaults: what is not set is the plugin's default, and what it does not
// take is told.
func TestPluginDefaults(t *testing.T) {
	p := points()
	c := Default()
	for key, want := range map[string]string{"points.every": "1m30s", "points.keep": "1MiB", "points.names": "[a]", "points.deep": "map[on:false ratio:0.5]"} {
		if v, err := p.Get(c, "bot.plugin_config."+key); err != nil || fmt.Sprint(v) != want {
			t.Errorf("%s: %v, %v", key, v, err)
		}
	}
	if _, err := p.Get(c, "bot.plugin_config.nobody.x"); err == nil {
		t.Error("a plugin that there is not has a key")
	}
	var keys []string
	for _, k := range p.Keys() {
		keys = append(keys, strings.TrimPrefix(k.Key, "bot.plugin_config.points."))
	}
	if !slices.Equal(keys, []string{"deep.on", "deep.ratio", "every", "group", "keep", "names"}) {
		t.Errorf("keys: %v", keys)
	}
	c.Bot.PluginConfig = map[string]any{"points": map[string]any{"evry": 1}, "other": map[string]any{"x": 1}}
	if ps := p.Check("f", c); len(ps) != 1 || ps[0].Code != "plugin_value" || !strings.Contains(fmt.Sprint(ps[0].Args), "every") {
		t.Errorf("check: %v", ps)
	}
}

// TestTimeZoneIsOne refuses what names no time zone.
func TestTimeZoneIsOne(t *testing.T) {
	for zone, ok := range map[string]bool{"Asia/Shanghai": true, "UTC": true, "''": true, "Asia/Shangai": false, "/etc": false, "CST-8": false} {
		_, err := Parse("f", []byte("bot: {time_zone: "+zone+"}\n"))
		var ce *Error
		if (err == nil) != ok || err != nil && (!errors.As(err, &ce) || ce.Problems[0].Code != "bad_zone") {
			t.Errorf("%s: %v", zone, err)
		}
	}
}

// The keys of maps in a plugin's section are texts, however they look: JSON, as which
// plugins get their sections, knows no others.
func TestNumbersAsKeys(t *testing.T) {
	c, err := Parse("ncatd.yaml", []byte("bot:\n  plugin_config:\n    x: {groups: {700000001: hello, 0700: {1.50: a}}, list: [{3: y}], 5: z}\n"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(c.Bot.PluginConfig["x"])
	if want := `{"5":"z","groups":{"0700":{"1.50":"a"},"700000001":"hello"},"list":[{"3":"y"}]}`; string(b) != want || err != nil {
		t.Errorf("%s, %v", b, err)
	}
	var into struct{ Groups map[int64]any }
	if err := DecodeSection(map[string]any{"groups": map[string]any{"700000001": "hello"}}, &into); err != nil || into.Groups[700000001] != "hello" {
		t.Errorf("%v, %v", into, err)
	}
}
