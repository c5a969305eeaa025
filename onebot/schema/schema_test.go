package schema

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
)

func TestEveryActionIsInOneGroup(t *testing.T) {
	groups := groupOf()
	if names := slices.Sorted(maps.Keys(groups)); !slices.Equal(names, Names()) || len(names) != 175 {
		for _, n := range Names() {
			if groups[n] == "" {
				t.Errorf("%s is in no group", n)
			}
			delete(groups, n)
		}
		t.Errorf("grouped, but no actions: %v", groups)
	}
	for _, n := range Names() {
		if a, _ := Lookup(n); !slices.Contains(Groups(), a.Group) {
			t.Errorf("%s: %q", n, a.Group)
		}
	}
}

// A parameter with a default is never required, whatever NapCat's list says
// (contract L.8).
func TestDefaultsAreNotRequired(t *testing.T) {
	var doc struct {
		Actions map[string]struct {
			Params struct {
				Required   []string
				Properties map[string]struct{ Default json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal(actionsJSON(), &doc); err != nil {
		t.Fatal(err)
	}
	actions := 0
	for name, in := range doc.Actions {
		a, _ := Lookup(name)
		some := false
		for _, r := range in.Params.Required {
			has := in.Params.Properties[r].Default != nil
			some = some || has
			if p, ok := a.Param(r); !ok || p.Required == has || has != (p.Default != nil) {
				t.Errorf("%s %s: %+v", name, r, p)
			}
		}
		if some {
			actions++
		}
	}
	if actions != 28 {
		t.Errorf("%d actions have such parameters, want 28", actions)
	}
	history, _ := Lookup("get_group_msg_history")
	if got := history.Missing(nil); !slices.Equal(got, []string{"group_id"}) {
		t.Errorf("the history needs %v", got)
	}
}

func TestCheckOfValues(t *testing.T) {
	for _, tc := range []struct {
		action, param, value string
		want                 Problem
	}{
		{"get_group_msg_history", "group_id", `700000001`, ""},
		{"get_group_msg_history", "group_id", `"700000001"`, ""},
		{"get_group_msg_history", "group_id", `null`, ProblemNull},
		{"get_group_msg_history", "group_id", `["7"]`, ProblemType},
		{"get_group_msg_history", "count", `20`, ""},
		{"get_group_msg_history", "count", `"20"`, ""},
		{"get_group_msg_history", "count", `"many"`, ProblemType},
		{"get_group_msg_history", "count", `""`, ProblemType},
		{"get_group_msg_history", "reverse_order", `1`, ""},
		{"get_group_msg_history", "reverse_order", `"yes"`, ProblemType},
		{"get_group_msg_history", "reverse_order", `7`, ProblemType},
		{"set_group_ban", "duration", `"soon"`, ProblemType},
		{"set_group_ban", "duration", `60`, ""},
		{"set_group_admin", "enable", `true`, ""},
		{"set_group_admin", "enable", `"1"`, ProblemType},
		{"set_group_admin", "enable", `"on"`, ProblemType},
		{"get_msg", "message_id", `1234567890123456789`, ProblemDigit},
		{"get_msg", "message_id", `"1234567890123456789"`, ""},
		{"get_msg", "message_id", `"abc-1"`, ""},
		{"set_group_add_request", "reason", `null`, ""},
		{"get_group_honor_info", "type", `"talkative"`, ""},
		{"get_group_honor_info", "type", `"Talkative"`, ProblemEnum},
		{"get_group_honor_info", "type", `7`, ProblemEnum},
		{"set_group_member_invite_policy", "policy", `""`, ProblemEnum},
		{"translate_en2zh", "words", `"one"`, ""},
		{"translate_en2zh", "words", `["one"]`, ""},
		{"send_group_msg", "message", `[{"type":"text"}]`, ""},
		{".handle_quick_operation", "context", `"x"`, ProblemType},
		{".handle_quick_operation", "context", `{}`, ""},
	} {
		a, _ := Lookup(tc.action)
		p, ok := a.Param(tc.param)
		if !ok {
			t.Fatalf("%s has no %s", tc.action, tc.param)
		}
		err := p.Check(json.RawMessage(tc.value))
		var bad *ValueError
		errors.As(err, &bad)
		if tc.want == "" && err != nil || tc.want != "" && (bad == nil || bad.Problem != tc.want || bad.Param != tc.param) {
			t.Errorf("%s %s=%s: %v, want %q", tc.action, tc.param, tc.value, err, tc.want)
		}
	}
	// What NapCat fills in is what it takes.
	for _, n := range Names() {
		a, _ := Lookup(n)
		for _, p := range a.Params {
			if p.Default != nil && string(p.Default) != `""` {
				if err := p.Check(p.Default); err != nil {
					t.Errorf("%s: default %s: %v", n, p.Default, err)
				}
			}
		}
	}
}
