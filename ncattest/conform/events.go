package conform

import (
	"fmt"
)

// occurs expects the event that is told of a deed to be of a shape. In the deed 1
// stands for the group, 2 for the member, 3 for the friend and 4 for the account;
// order are the event's keys as they come, "" if that is not said.
func occurs(d Deed, kind, shape, order string) func(*visit) error {
	return func(v *visit) error {
		d := d
		for _, n := range []*int64{&d.Group, &d.User, &d.By} {
			switch *n {
			case theGroup:
				*n = v.group
			case theMember:
				if v.member == 0 {
					return &leftOut{"the group has no plain member besides the account"}
				}
				*n = v.member
			case theFriend:
				*n = v.friend
			case theAccount:
				*n = v.self
			}
		}
		text, err := v.fill(d.Text)
		if err != nil {
			return err
		}
		d.Text = text
		if d.Message == aMessage {
			id, err := v.message()
			if err != nil {
				return err
			}
			d.Message = id
		}
		b, err := v.tells(d, kind)
		if err != nil {
			return err
		}
		shape, err := v.fill(shape)
		if err != nil {
			return err
		}
		if err := matches(b, shape); err != nil {
			return fmt.Errorf("%w, in %s", err, cut(string(b)))
		}
		if order == "" {
			return nil
		}
		return inOrder(b, order)
	}
}

// Numbers that stand for those of the host.
const (
	theGroup = iota + 1
	theMember
	theFriend
	theAccount
	aMessage
)

const (
	base     = `time:int, self_id:$self, post_type:"notice", notice_type:`
	asking   = `time:int, self_id:$self, post_type:"request", request_type:`
	msgOrder = "self_id user_id time message_id message_seq real_id real_seq message_type sender raw_message font sub_type message message_format post_type "
)

var events = []Expectation{
	{Place: "G.2", Title: "a message in a group", people: true, try: occurs(Deed{Deed: "say", Group: theGroup, User: theMember, Text: "hi"}, "group",
		`{user_id:$member, message_type:"group", sub_type:"normal", group_id:$group, group_name:str, raw_message:"hi", message:[{type:"text", data:{text:"hi"}}], sender:{user_id:$member, nickname:str, card:str, role:"member"}}`, msgOrder+"group_id group_name")},
	{Place: "G.2", Title: "what a message in a group has", people: true, try: occurs(Deed{Deed: "say", Group: theGroup, User: theMember, Text: "hi"}, "group", `Msg`, "")},
	{Place: "G.2", Title: "a message of a friend", people: true, try: occurs(Deed{Deed: "say", User: theFriend, Text: "hi"}, "private",
		`{user_id:$friend, message_type:"private", sub_type:"friend", target_id:$friend, sender:{!user_id:$friend, nickname:str, card:str}}`, msgOrder+"target_id")},
	{Place: "G.2", Title: "what a message of a friend has", people: true, try: occurs(Deed{Deed: "say", User: theFriend, Text: "hi"}, "private", `Msg`, "")},
	{Place: "H.1", Title: "a mention is received", people: true, try: occurs(Deed{Deed: "say", Group: theGroup, User: theMember, Text: "[CQ:at,qq=$self]"}, "group", `{message:[{type:"at", data:{qq:"$self"}}]}`, "")},
	{Place: "H.3", Title: "what is escaped in raw_message", people: true, try: occurs(Deed{Deed: "say", Group: theGroup, User: theMember, Text: "a&#91;b&#93;&amp;"}, "group", `{raw_message:"a&#91;b&#93;&amp;", message:[{data:{text:"a[b]&"}}]}`, "")},
	{Place: "G.3", Title: "a poke in a group", people: true, try: occurs(Deed{Deed: "poke", Group: theGroup, User: theMember}, "notify poke",
		`{`+base+`"notify", sub_type:"poke", target_id:$self, user_id:$member, group_id:$group, raw_info:any}`, "time self_id post_type notice_type sub_type target_id user_id group_id raw_info")},
	{Place: "G.3", Title: "a poke of a friend", people: true, try: occurs(Deed{Deed: "poke", User: theFriend}, "notify poke",
		`{`+base+`"notify", sub_type:"poke", target_id:$self, user_id:$friend, raw_info:any, sender_id:$friend}`, "")},
	{Place: "G.3", Title: "a recall in a group", people: true, try: occurs(Deed{Deed: "recall", Message: aMessage}, "group_recall",
		`{`+base+`"group_recall", group_id:$group, user_id:$self, operator_id:int, message_id:int}`, "")},
	{Place: "G.3", Title: "a member joins", people: true, try: occurs(Deed{Deed: "join", Group: theGroup, User: nobody + 100}, "group_increase approve",
		`{`+base+`"group_increase", sub_type:"approve", group_id:$group, user_id:int, operator_id:int}`, "")},
	{Place: "G.3", Title: "a member leaves", people: true, try: both(
		occurs(Deed{Deed: "join", Group: theGroup, User: nobody + 101}, "group_increase", `{user_id:int}`, ""),
		occurs(Deed{Deed: "leave", Group: theGroup, User: nobody + 101}, "group_decrease leave", `{`+base+`"group_decrease", sub_type:"leave", group_id:$group, user_id:int, operator_id:0}`, ""))},
	{Place: "G.3", Title: "a member is muted", people: true, try: both(
		occurs(Deed{Deed: "ban", Group: theGroup, User: theMember, Seconds: 60}, "group_ban ban", `{`+base+`"group_ban", sub_type:"ban", group_id:$group, user_id:$member, operator_id:int, duration:60}`, ""),
		occurs(Deed{Deed: "ban", Group: theGroup, User: theMember, Seconds: 0}, "group_ban lift_ban", `{`+base+`"group_ban", sub_type:"lift_ban", group_id:$group, user_id:$member, operator_id:int, duration:0}`, ""))},
	{Place: "K.4", Title: "all are muted", people: true, try: both(
		occurs(Deed{Deed: "ban", Group: theGroup, Seconds: 60}, "group_ban ban", `{`+base+`"group_ban", group_id:$group, user_id:0, operator_id:int, duration:-1}`, ""),
		occurs(Deed{Deed: "ban", Group: theGroup, Off: true}, "group_ban lift_ban", `{group_id:$group, user_id:0, duration:0}`, ""))},
	{Place: "G.3", Title: "an administrator comes and goes", people: true, try: both(
		occurs(Deed{Deed: "admin", Group: theGroup, User: theMember}, "group_admin set", `{`+base+`"group_admin", sub_type:"set", group_id:$group, user_id:$member}`, ""),
		occurs(Deed{Deed: "admin", Group: theGroup, User: theMember, Off: true}, "group_admin unset", `{sub_type:"unset", user_id:$member}`, ""))},
	{Place: "G.3", Title: "a card shows when its owner speaks", people: true, try: cardShows},
	{Place: "G.3", Title: "a title", people: true, try: occurs(Deed{Deed: "title", Group: theGroup, User: theMember, Text: "T"}, "notify title",
		`{`+base+`"notify", sub_type:"title", group_id:$group, user_id:$member, title:"T"}`, "")},
	{Place: "G.3", Title: "a group's name", people: true, try: occurs(Deed{Deed: "rename", Group: theGroup, Text: "conform"}, "notify group_name",
		`{`+base+`"notify", sub_type:"group_name", group_id:$group, user_id:int, name_new:"conform"}`, "")},
	{Place: "G.3", Title: "an emoji", people: true, try: occurs(Deed{Deed: "react", Message: aMessage, User: theMember, Text: "76"}, "group_msg_emoji_like",
		`{`+base+`"group_msg_emoji_like", group_id:$group, user_id:$member, message_id:int, likes:[{!emoji_id:"76", count:1}], is_add:true}`, "")},
	{Place: "G.3", Title: "an essence", people: true, try: occurs(Deed{Deed: "essence", Message: aMessage}, "essence add",
		`{`+base+`"essence", sub_type:"add", group_id:$group, user_id:$self, message_id:int, sender_id:$self, operator_id:int}`, "")},
	{Place: "G.3", Title: "a file", people: true, try: occurs(Deed{Deed: "upload", Group: theGroup, User: theMember, Text: "a.txt"}, "group_upload",
		`{`+base+`"group_upload", group_id:$group, user_id:$member, file:{id:str, name:"a.txt", size:int, busid:int}}`, "")},
	{Place: "G.3", Title: "a file is a message, too", people: true, try: occurs(Deed{Deed: "upload", Group: theGroup, User: theMember, Text: "b.txt"}, "group",
		`{message:[{type:"file", data:{file:"b.txt", file_id:str, file_size:digits}}]}`, "")},
	{Place: "G.3", Title: "a friend types", people: true, try: occurs(Deed{Deed: "typing", User: theFriend}, "notify input_status",
		`{`+base+`"notify", sub_type:"input_status", status_text:str, event_type:int, user_id:$friend, group_id:0}`, "time self_id post_type notice_type sub_type status_text event_type user_id group_id")},
	{Place: "G.3", Title: "a like", people: true, try: occurs(Deed{Deed: "like", User: theFriend}, "notify profile_like",
		`{`+base+`"notify", sub_type:"profile_like", operator_id:$friend, operator_nick:str, times:int}`, "")},
	{Place: "G.3", Title: "a friend is new", people: true, try: occurs(Deed{Deed: "befriend", User: theMember}, "friend_add", `{`+base+`"friend_add", user_id:$member}`, "")},
	{Place: "G.4", Title: "somebody asks to be a friend", people: true, try: occurs(Deed{Deed: "request", User: nobody + 102, Text: "please"}, "friend",
		`{`+asking+`"friend", user_id:int, comment:"please", flag:str}`, "time self_id post_type request_type user_id comment flag")},
	{Place: "G.4", Title: "somebody asks to get in", people: true, try: occurs(Deed{Deed: "request", Group: theGroup, User: nobody + 103, Text: "please"}, "group add",
		`{`+asking+`"group", group_id:$group, user_id:int, comment:"please", flag:str, sub_type:"add"}`, "time self_id post_type request_type group_id user_id comment flag sub_type")},
	{Place: "G.4", Title: "the account is invited", people: true, try: occurs(Deed{Deed: "invite", Group: nowhere, User: theFriend}, "group invite",
		`{`+asking+`"group", group_id:int, user_id:$friend, comment:str, flag:str, sub_type:"invite"}`, "")},
	{Place: "L.1", Title: "a muted account's send is refused", people: true, try: mutedSend},
}

func cardShows(v *visit) error {
	if v.member == 0 {
		return &leftOut{"the group has no plain member besides the account"}
	}
	if _, err := v.connect(); err != nil {
		return err
	}
	if err := v.h.Act(v.ctx, Deed{Deed: "card", Group: v.group, User: v.member, Text: "New card"}); err != nil {
		return err
	}
	return both(
		occurs(Deed{Deed: "say", Group: theGroup, User: theMember, Text: "x"}, "group_card", `{`+base+`"group_card", group_id:$group, user_id:$member, card_new:"New card", card_old:str}`, ""),
	)(v)
}

func mutedSend(v *visit) error {
	if err := occurs(Deed{Deed: "ban", Group: theGroup, User: theAccount, Seconds: 60}, "group_ban ban", `{user_id:$self}`, "")(v); err != nil {
		return err
	}
	err := refuses("send_group_msg", `{"group_id":$group,"message":`+hello+`}`, 1200, "EventChecker Failed: NTEvent serviceAndMethod:…")(v)
	if lift := v.h.Act(v.ctx, Deed{Deed: "ban", Group: v.group, User: v.self}); err == nil {
		err = lift
	}
	return err
}
