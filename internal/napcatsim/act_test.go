package napcatsim

import (
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// TestDeeds does every deed and looks for the event that it causes.
func TestDeeds(t *testing.T) {
	t.Parallel()
	const (
		alice, bob, carol, dave int64 = 3001000001, 3001000002, 3001000003, 3002000001
		group                   int64 = 700000001
	)
	wants := map[string]struct {
		r    ActRequest
		want string // part of the event, "" for none
	}{
		"poke":     {ActRequest{User: alice}, `"sub_type":"poke"`},
		"join":     {ActRequest{User: 3009000001, Group: group, Text: "新人"}, `"notice_type":"group_increase"`},
		"leave":    {ActRequest{User: dave, Group: group, Operator: alice}, `"sub_type":"kick"`},
		"ban":      {ActRequest{User: dave, Group: group, Seconds: 60}, `"duration":60`},
		"admin":    {ActRequest{User: carol, Group: group}, `"notice_type":"group_admin"`},
		"card":     {ActRequest{User: dave, Group: group, Text: "牌"}, ""}, // told when he speaks
		"title":    {ActRequest{User: dave, Group: group, Text: "衔"}, `"sub_type":"title"`},
		"rename":   {ActRequest{Group: group, Text: "新名"}, `"name_new":"新名"`},
		"recall":   {ActRequest{}, `"notice_type":"group_recall"`},
		"react":    {ActRequest{User: alice, Text: "66"}, `"notice_type":"group_msg_emoji_like"`},
		"essence":  {ActRequest{}, `"notice_type":"essence"`},
		"upload":   {ActRequest{User: bob, Group: group, Text: "a.txt"}, `"notice_type":"group_upload"`},
		"request":  {ActRequest{User: 3009000002, Text: "hi"}, `"request_type":"friend"`},
		"invite":   {ActRequest{User: alice, Group: 700000009}, `"sub_type":"invite"`},
		"typing":   {ActRequest{User: alice}, `"sub_type":"input_status"`},
		"like":     {ActRequest{User: alice}, `"sub_type":"profile_like"`},
		"disband":  {ActRequest{Group: 700000002}, `"sub_type":"disband"`},
		"befriend": {ActRequest{User: dave}, `"notice_type":"friend_add"`},
		"forget":   {ActRequest{}, ""},
		"appear":   {ActRequest{User: 3009000003, Text: "路人"}, ""},
	}
	for deed := range Deeds {
		t.Run(deed, func(t *testing.T) {
			tt, ok := wants[deed]
			if !ok {
				t.Fatal("no case for this deed")
			}
			wd := world.New(world.Options{})
			m, err := wd.Say(world.Say{User: bob, Group: group, Text: "x"})
			if err != nil {
				t.Fatal(err)
			}
			var events strings.Builder
			wd.Subscribe(func(e world.Event) {
				if e.Body != nil {
					events.WriteString(jsval.Stringify(e.Body))
				}
			})
			tt.r.Deed, tt.r.Message = deed, int64(m.ID)
			if err := wd.Act(tt.r); err != nil {
				t.Fatal(err)
			}
			if got := events.String(); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("events %s", got)
			}
		})
	}
	if err := world.New(world.Options{}).Act(ActRequest{Deed: "fly"}); err == nil {
		t.Error("an unknown deed was done")
	}
}

// TestIdleDeeds wants a deed of which nothing would come to fail.
func TestIdleDeeds(t *testing.T) {
	t.Parallel()
	const (
		alice, dave int64 = 3001000001, 3002000001
		group       int64 = 700000001
	)
	wd := world.New(world.Options{})
	for _, d := range []ActRequest{
		{Deed: "join", User: dave, Group: group}, {Deed: "admin", User: dave, Group: group, Off: true},
		{Deed: "befriend", User: alice}, {Deed: "befriend", User: dave, Off: true}, {Deed: "appear", User: alice, Text: "Alice"},
		{Deed: "appear", User: 5}, {Deed: "rename", Group: group}, {Deed: "rename", Group: group, Text: "ncatd 测试群"},
		{Deed: "card", Group: group, User: dave, Text: "戴夫"}, {Deed: "title", Group: group, User: dave}, {Deed: "upload", Group: group, User: dave},
		{Deed: "typing", User: 4}, {Deed: "typing"}, {Deed: "request"}, {Deed: "request", User: alice}, {Deed: "request", User: dave, Group: group},
		{Deed: "request", User: dave, Group: 1}, {Deed: "invite", User: alice}, {Deed: "react", User: alice, Message: 1}, {Deed: "recall", Message: 1},
		{Deed: "ban", Group: 1, User: alice}, {Deed: "poke"}, {Deed: "like", User: 4}, {Deed: "disband", Group: 1}, {Deed: "leave", Group: group, User: 4},
	} {
		if err := wd.Act(d); err == nil {
			t.Errorf("%+v was done", d)
		}
	}
}
