//go:build linux

package daemon

import (
	"slices"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/alert"
	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/config"
)

// TestAlertWords: the config takes the kinds that there are, and everything that
// is told has words and, if it is a trouble of a channel, what helps.
func TestAlertWords(t *testing.T) {
	var kinds []string
	for _, k := range alert.Kinds() {
		kinds = append(kinds, string(k))
	}
	if !slices.Equal(kinds, config.AlertKinds()) {
		t.Errorf("the config takes %v, there are %v", config.AlertKinds(), kinds)
	}
	for _, k := range append(kinds, string(alert.KindTest)) {
		if !text.Has("alert.kind." + k) {
			t.Errorf("no words for %s", k)
		}
	}
	for _, p := range []alert.Problem{alert.ProblemToken, alert.ProblemAddress, alert.ProblemRefused, alert.ProblemBusy, alert.ProblemServer,
		alert.ProblemTimeout, alert.ProblemCertificate, alert.ProblemUnreachable, alert.ProblemAnswer, alert.ProblemConfig} {
		f := (&alert.Error{Problem: p}).Fault()
		if !text.Has("fault."+string(f.Code)) || text.FaultHint(text.Chinese, f) == "" {
			t.Errorf("no words, or nothing that helps, for %s", p)
		}
	}
}

// TestAlertRules: without rules all is told through all channels, and being
// offline only when it does not mend itself.
func TestAlertRules(t *testing.T) {
	c := config.Alerts{Channels: []config.AlertChannel{{Name: "a"}, {Name: "b"}}}
	rules := alertRules(c)
	if len(rules) != 2 || rules[0].HoldOff != offlineHoldOff || !slices.Equal(rules[0].Kinds, []alert.Kind{alert.KindOffline}) ||
		rules[1].HoldOff != 10*time.Second || len(rules[1].Kinds) != 0 || !slices.Equal(rules[1].Channels, []string{"a", "b"}) {
		t.Errorf("rules %+v", rules)
	}
	c.Rules = []config.AlertRule{{Kinds: []string{"kicked"}, Channels: []string{"a"}, Quiet: config.AlertQuiet{From: "23:00", To: "07:30", Zone: "Asia/Shanghai"}}}
	rules = alertRules(c)
	if len(rules) != 1 || rules[0].Quiet.From != 23*time.Hour || rules[0].Quiet.To != 7*time.Hour+30*time.Minute || rules[0].Quiet.Zone.String() != "Asia/Shanghai" {
		t.Errorf("rules %+v", rules)
	}
}
