package daemon

import (
	"testing"

	"github.com/ncatd/ncatd/internal/config"
)

func TestChosen(t *testing.T) {
	for _, c := range []struct {
		enable, disable []string
		want            bool
	}{
		{[]string{"*"}, nil, true},
		{[]string{"*"}, []string{"p"}, false},
		{[]string{"p"}, []string{"*"}, true},
		{[]string{"p"}, []string{"p"}, false},
		{[]string{"other"}, nil, false},
		{nil, nil, false},
	} {
		if got := chosen(config.PluginSwitch{Enable: c.enable, Disable: c.disable}, "p"); got != c.want {
			t.Errorf("enable %q, disable %q: %v", c.enable, c.disable, got)
		}
	}
}
