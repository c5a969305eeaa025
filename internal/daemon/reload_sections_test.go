package daemon

import (
	"log/slog"
	"reflect"
	"testing"

	"github.com/ncatd/ncatd/internal/config"
)

// TestReloadTellsOfEachSection: whatever section of the config was changed, a reload says
// what became of it.
func TestReloadTellsOfEachSection(t *testing.T) {
	changes := map[string]string{
		"accounts":   "[{name: main, onebot: {port: 3001}}]",
		"napcat":     "{keep: 7}",
		"display":    "none",
		"supervisor": "{restart_at: '0 4 * * *'}",
		"bot":        "{prefixes: ['?']}",
		"alerts":     "{language: zh}",
		"apps":       "[{name: x, transports: [sse]}]",
		"scripts":    "{limits: {queue: 7}}",
		"log":        "{level: debug}",
		"control":    "{listen: '127.0.0.1:18698'}",
		"bus":        "{url: 'nats://127.0.0.1:4222', host: beijing2}",
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		if name := f.Tag.Get("yaml"); name != "" && changes[name] == "" {
			t.Errorf("section %s is not tried", name)
		}
	}
	for name, value := range changes {
		t.Run(name, func(t *testing.T) {
			d, end := asStarted(t, t.TempDir(), config.Default(), slog.DiscardHandler)
			defer end()
			d.o.LoadConfig = func() (*config.Config, error) {
				return config.Parse("ncatd.yaml", []byte(name+": "+value+"\n"))
			}
			r, err := d.Reload(t.Context())
			if err != nil || len(r.Applied)+len(r.Restart) == 0 {
				t.Errorf("nothing is said of it: %+v, %v", r, err)
			}
		})
	}
}
