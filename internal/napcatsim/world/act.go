package world

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrBadAct says that an act or its arguments are not understood.
var ErrBadAct = errors.New("bad act")

// Act is something that the outside world can do, by name: what the commands of
// the simulator offer.
type Act struct {
	Name string
	Keys []string // arguments; those that end in "?" may be left out
	Text string   // what it does, one line of English
	run  func(w *World, a args) (any, error)
}

// args are the arguments of an act. A key that is missing reads as zero, a value
// of the wrong kind is noted in bad.
type args struct {
	m   map[string]string
	bad *[]string
}

func (a args) str(key string) string { return a.m[key] }

func (a args) num(key string) int64 {
	s, ok := a.m[key]
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		*a.bad = append(*a.bad, key+" is no number")
	}
	return n
}

// on reads a switch that is on unless told otherwise.
func (a args) on(key string) bool {
	s, ok := a.m[key]
	if !ok {
		return true
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		*a.bad = append(*a.bad, key+" is neither true nor false")
	}
	return b
}

// by is who acts in a group: the argument, or else the group's owner.
func (a args) by(w *World, group int64) int64 {
	if n := a.num("by"); n != 0 {
		return n
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if g := w.groups[group]; g != nil {
		return g.ownerLocked(w.self.UIN)
	}
	return 0
}

// Acts lists what the outside world can do besides [World.Say].
var Acts = []Act{
	{"poke", []string{"from", "to?", "group?"}, "somebody pokes the bot or another member", func(w *World, a args) (any, error) {
		to := a.num("to")
		if to == 0 {
			to = w.Self().UIN
		}
		return nil, w.Poke(a.num("group"), a.num("from"), to)
	}},
	{"recall", []string{"message_id", "by?"}, "a message is taken back by its sender or an administrator", func(w *World, a args) (any, error) {
		id := int32(a.num("message_id"))
		by := a.num("by")
		if m, ok := w.Lookup(id); ok && by == 0 {
			by = m.Sender
		}
		return nil, w.Recall(id, by)
	}},
	{"react", []string{"message_id", "user", "emoji", "add?"}, "somebody answers a group message with an emoji", func(w *World, a args) (any, error) {
		return nil, w.React(int32(a.num("message_id")), a.num("user"), a.str("emoji"), a.on("add"))
	}},
	{"join", []string{"group", "user", "by?", "invite?"}, "somebody becomes a member", func(w *World, a args) (any, error) {
		return nil, w.Join(a.num("group"), a.num("user"), a.num("by"), a.str("invite") != "" && a.on("invite"))
	}},
	{"leave", []string{"group", "user", "by?"}, "a member leaves, or is kicked by somebody", func(w *World, a args) (any, error) {
		return nil, w.Leave(a.num("group"), a.num("user"), a.num("by"))
	}},
	{"disband", []string{"group"}, "the owner ends a group", func(w *World, a args) (any, error) {
		return nil, w.Disband(a.num("group"))
	}},
	{"admin", []string{"group", "user", "on?"}, "the owner makes a member an administrator, or unmakes him", func(w *World, a args) (any, error) {
		return nil, w.SetAdmin(a.num("group"), a.num("user"), a.by(w, a.num("group")), a.on("on"))
	}},
	{"ban", []string{"group", "user", "seconds", "by?"}, "a member is silenced; 0 seconds ends it", func(w *World, a args) (any, error) {
		return nil, w.Ban(a.num("group"), a.num("user"), a.by(w, a.num("group")), a.num("seconds"))
	}},
	{"ban-all", []string{"group", "on?", "by?"}, "all plain members are silenced, or not any more", func(w *World, a args) (any, error) {
		return nil, w.BanAll(a.num("group"), a.by(w, a.num("group")), a.on("on"))
	}},
	{"card", []string{"group", "user", "card"}, "a member changes the name he has in a group", func(w *World, a args) (any, error) {
		return nil, w.SetCard(a.num("group"), a.num("user"), a.num("user"), a.str("card"))
	}},
	{"title", []string{"group", "user", "title"}, "the owner gives a member a title", func(w *World, a args) (any, error) {
		return nil, w.SetTitle(a.num("group"), a.num("user"), a.by(w, a.num("group")), a.str("title"))
	}},
	{"rename", []string{"group", "name", "by?"}, "a group gets a new name", func(w *World, a args) (any, error) {
		return nil, w.Rename(a.num("group"), a.by(w, a.num("group")), a.str("name"))
	}},
	{"essence", []string{"message_id", "by?"}, "a message becomes an essence of its group", func(w *World, a args) (any, error) {
		id := int32(a.num("message_id"))
		m, _ := w.Lookup(id)
		return nil, w.SetEssence(id, a.by(w, m.Chat.Peer), true)
	}},
	{"upload", []string{"group", "user", "name", "size?", "path?"}, "a member puts a file into a group's space", func(w *World, a args) (any, error) {
		return w.Upload(a.num("group"), a.num("user"), File{Name: a.str("name"), Size: a.num("size"), Path: a.str("path")})
	}},
	{"friend-request", []string{"user", "comment?"}, "somebody wants to be a friend", func(w *World, a args) (any, error) {
		return w.Ask(Request{Kind: FriendRequest, User: a.num("user"), Comment: a.str("comment")})
	}},
	{"join-request", []string{"group", "user", "comment?"}, "somebody wants into a group", func(w *World, a args) (any, error) {
		return w.Ask(Request{Kind: JoinRequest, User: a.num("user"), Group: a.num("group"), Comment: a.str("comment")})
	}},
	{"invite", []string{"group", "user"}, "somebody asks the bot into a group", func(w *World, a args) (any, error) {
		return w.Ask(Request{Kind: InviteRequest, User: a.num("user"), Group: a.num("group")})
	}},
	{"doubt-request", []string{"user", "comment?"}, "a friend request that QQ filters", func(w *World, a args) (any, error) {
		return w.Ask(Request{Kind: DoubtRequest, User: a.num("user"), Comment: a.str("comment")})
	}},
	{"befriend", []string{"user"}, "somebody becomes a friend", func(w *World, a args) (any, error) {
		w.Befriend(a.num("user"))
		return nil, nil
	}},
	{"typing", []string{"user"}, "a friend is typing", func(w *World, a args) (any, error) {
		w.Typing(a.num("user"), 1, "对方正在输入...")
		return nil, nil
	}},
	{"like", []string{"user", "times?"}, "somebody likes the bot's profile", func(w *World, a args) (any, error) {
		return nil, w.LikeProfile(a.num("user"), max(1, a.num("times")))
	}},
	{"gray-tip", []string{"group", "user", "content"}, "a gray line that NapCat does not know", func(w *World, a args) (any, error) {
		return nil, w.GrayTip(a.num("group"), a.num("user"), "1", a.str("content"))
	}},
	{"online-file", []string{"user", "what"}, "what becomes of an online file: receive, refuse or cancel", func(w *World, a args) (any, error) {
		kind := "online_file_send"
		if a.str("what") == "cancel" {
			kind = "online_file_receive"
		}
		w.OnlineFile(kind, a.str("what"), a.num("user"))
		return nil, nil
	}},
	{"add-user", []string{"user", "nickname", "friend?"}, "a person comes into the world", func(w *World, a args) (any, error) {
		w.AddUser(User{UIN: a.num("user"), Nickname: a.str("nickname"), Friend: a.str("friend") != "" && a.on("friend")})
		return nil, nil
	}},
	{"add-group", []string{"group", "name", "owner", "role?"}, "a group comes into the world, with the bot in it", func(w *World, a args) (any, error) {
		role := Role(a.str("role"))
		if role.rank() == 0 {
			role = Plain
		}
		w.AddGroup(a.num("group"), a.str("name"), map[int64]Role{a.num("owner"): Owner, w.Self().UIN: role})
		return nil, nil
	}},
}

// Act lets the outside world do the act called name. The result is nil or
// something that encodes to JSON. An error that wraps [ErrBadAct] says what is
// wrong with the name or the arguments; nothing was done then.
func (w *World) Act(name string, with map[string]string) (any, error) {
	i := slices.IndexFunc(Acts, func(a Act) bool { return a.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: there is no act %q", ErrBadAct, name)
	}
	act := Acts[i]
	var bad []string
	for k := range with {
		if !slices.Contains(act.Keys, k) && !slices.Contains(act.Keys, k+"?") {
			bad = append(bad, "unknown argument "+k)
		}
	}
	for _, k := range act.Keys {
		if _, ok := with[k]; !ok && !strings.HasSuffix(k, "?") {
			bad = append(bad, k+" is missing")
		}
	}
	for _, k := range []string{"from", "to", "group", "user", "owner", "by", "message_id", "seconds", "size", "times"} {
		args{m: with, bad: &bad}.num(k)
	}
	for _, k := range []string{"on", "add", "invite", "friend"} {
		args{m: with, bad: &bad}.on(k)
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		return nil, fmt.Errorf("%w: %s: %s", ErrBadAct, name, strings.Join(bad, ", "))
	}
	return act.run(w, args{m: with, bad: &bad})
}
