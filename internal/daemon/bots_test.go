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

func TestSection(t *testing.T) {
	v := struct {
		Word string `json:"word"`
		N    int    `json:"n"`
	}{N: 3}
	if err := section(map[string]any{"word": "x"}, &v); err != nil || v.Word != "x" || v.N != 3 {
		t.Errorf("section: %+v, %v", v, err)
	}
	if err := section(nil, &v); err != nil || v.Word != "x" {
		t.Errorf("no section: %+v, %v", v, err)
	}
	if err := section(map[string]any{"wrd": "x"}, &v); err == nil {
		t.Error("an unknown key is taken")
	}
}
