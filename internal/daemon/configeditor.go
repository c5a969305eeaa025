package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/ncat"
)

// configEditor lets admins change in the chat what is configured of plugins; it is an
// [ncat.ConfigEditor] over the config file.
type configEditor struct{ d *Daemon }

func (e configEditor) linked() config.Plugins { return botlink.Of(e.d.bots.bot).PluginDefaults() }

func pluginKey(plugin, key string) string {
	return strings.TrimSuffix("bot.plugin_config."+plugin+"."+key, ".")
}

// worded returns a fault of the config in the language of the chat.
func worded(err error) error {
	if ce, ok := errors.AsType[*config.Error](err); ok && len(ce.Problems) > 0 {
		return fmt.Errorf("%s", text.Problem(text.Chinese, ce.Problems[0]))
	}
	return err
}

// PluginValue implements [ncat.ConfigEditor].
func (e configEditor) PluginValue(_ context.Context, plugin, key string) (string, error) {
	v, err := e.linked().Get(e.d.config(), pluginKey(plugin, key))
	if err != nil {
		return "", worded(err)
	}
	return strings.Join(valueLines(v), "\n"), nil
}

// valueLines writes a value for a chat.
func valueLines(v any) []string {
	if m, ok := v.(map[string]any); ok {
		var out []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			out = append(out, k+": "+strings.Join(valueLines(m[k]), ", "))
		}
		return out
	}
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Slice {
		var all []string
		for i := range rv.Len() {
			all = append(all, fmt.Sprint(rv.Index(i).Interface()))
		}
		return []string{strings.Join(all, ", ")}
	}
	return []string{fmt.Sprint(v)}
}

// SetPluginValue implements [ncat.ConfigEditor].
func (e configEditor) SetPluginValue(ctx context.Context, plugin, key, value string) (string, error) {
	if _, err := e.linked().SetFile(e.d.o.ConfigPath, pluginKey(plugin, key), value); err != nil {
		return "", worded(err)
	}
	if _, err := e.d.Reload(ctx); err != nil {
		return "", err
	}
	for _, p := range e.d.bots.plugins() {
		if p.ID == plugin && p.Error != "" {
			return "", fmt.Errorf("%s", p.Error)
		}
	}
	return e.PluginValue(ctx, plugin, key)
}

var _ ncat.ConfigEditor = configEditor{}
