package world

import (
	"errors"
	"fmt"
	"slices"
)

// Deed is something that somebody does besides writing. What the fields mean is
// up to Deed; those it does not name are ignored.
type Deed struct {
	Deed     string `json:"deed"` // a key of Deeds
	Group    int64  `json:"group,omitempty"`
	User     int64  `json:"user,omitempty"`     // whom it is about
	Operator int64  `json:"operator,omitempty"` // who does it; 0: whoever may
	Message  int64  `json:"message,omitempty"`  // a message_id
	Text     string `json:"text,omitempty"`
	Seconds  int64  `json:"seconds,omitempty"`
	Off      bool   `json:"off,omitempty"` // the opposite
}

// Deeds are the deeds of a Deed, each with what it does and needs.
var Deeds = map[string]string{
	"poke":     "User pokes the bot, in Group or in private",
	"join":     "User joins Group, let in by Operator",
	"leave":    "User leaves Group; with Operator he is kicked out",
	"ban":      "Operator mutes User in Group for Seconds (0: no longer); without User everybody, with Off nobody",
	"admin":    "User becomes administrator of Group; with Off no longer",
	"card":     "User's card in Group becomes Text",
	"title":    "the owner gives User the title Text in Group",
	"rename":   "Operator renames Group to Text",
	"recall":   "Operator takes Message back (default: its sender)",
	"react":    "User answers Message with emoji Text; with Off he takes it back",
	"essence":  "Operator makes Message essential",
	"upload":   "User uploads a file called Text into Group",
	"request":  "User asks to be a friend, saying Text; with Group to join it",
	"invite":   "User invites the bot into Group",
	"typing":   "User types in private",
	"like":     "User likes the bot's profile",
	"disband":  "the owner ends Group",
	"befriend": "User is a friend now; with Off no longer",
	"forget":   "NapCat forgets every message_id, as it does when it restarts",
	"appear":   "User, called Text, becomes known to QQ",
}

// ErrNothing says that a deed would change nothing and nobody would notice it.
var ErrNothing = errors.New("nothing would happen")

// Act lets somebody do something. Where nothing would come of it the error wraps
// [ErrNothing]; a deed that is done is told to the bot as QQ tells it.
func (w *World) Act(d Deed) error {
	if err := w.idle(d); err != nil {
		return fmt.Errorf("%s: %w", d.Deed, err)
	}
	switch d.Deed {
	case "poke":
		return w.Poke(d.Group, d.User, w.Self().UIN)
	case "upload":
		_, err := w.Upload(d.Group, d.User, File{Name: d.Text, Size: 1 << 10, Kind: "file"})
		return err
	case "request":
		kind := FriendRequest
		if d.Group != 0 {
			kind = JoinRequest
		}
		_, err := w.Ask(Request{Kind: kind, User: d.User, Group: d.Group, Comment: d.Text})
		return err
	case "invite":
		_, err := w.Ask(Request{Kind: InviteRequest, User: d.User, Group: d.Group, Comment: d.Text})
		return err
	case "typing":
		w.Typing(d.User, 1, "对方正在输入...")
	case "like":
		return w.LikeProfile(d.User, 1)
	case "befriend":
		if d.Off {
			w.Unfriend(d.User)
		} else {
			w.Befriend(d.User)
		}
	case "forget":
		w.ForgetIDs()
	case "appear":
		w.AddUser(User{UIN: d.User, Nickname: d.Text})
	case "recall", "react", "essence":
		return w.actOnMessage(d)
	default:
		return w.actInGroup(d)
	}
	return nil
}

// actInGroup is Act for what happens to a group and its members.
func (w *World) actInGroup(d Deed) error {
	switch d.Deed {
	case "join":
		if _, ok := w.User(d.User); !ok && d.Text != "" {
			w.AddUser(User{UIN: d.User, Nickname: d.Text})
		}
		return w.Join(d.Group, d.User, d.Operator, false)
	case "leave":
		return w.Leave(d.Group, d.User, d.Operator)
	case "ban":
		if d.User == 0 {
			return w.BanAll(d.Group, w.Boss(d.Group, d.Operator), !d.Off)
		}
		return w.Ban(d.Group, d.User, w.Boss(d.Group, d.Operator), d.Seconds)
	case "admin":
		return w.SetAdmin(d.Group, d.User, w.Boss(d.Group, d.Operator), !d.Off)
	case "card":
		return w.SetCard(d.Group, d.User, d.User, d.Text)
	case "title":
		return w.SetTitle(d.Group, d.User, w.Boss(d.Group, 0), d.Text)
	case "rename":
		return w.Rename(d.Group, w.Boss(d.Group, d.Operator), d.Text)
	case "disband":
		return w.Disband(d.Group)
	}
	return errors.New("unknown deed " + d.Deed)
}

// actOnMessage is Act for what happens to a message.
func (w *World) actOnMessage(d Deed) error {
	if d.Deed == "react" {
		return w.React(int32(d.Message), d.User, d.Text, !d.Off)
	}
	m, ok := w.Lookup(int32(d.Message))
	if !ok {
		return ErrNoMessage
	}
	if d.Deed == "essence" {
		return w.SetEssence(m.ID, w.Boss(m.Chat.Peer, d.Operator), true)
	}
	if d.Operator == 0 {
		d.Operator = m.Sender
	}
	return w.Recall(m.ID, d.Operator)
}

// Boss returns who may do anything in a group: operator or, if that is 0, the
// owner; 0 if there is no such group.
func (w *World) Boss(group, operator int64) int64 {
	if operator != 0 {
		return operator
	}
	g, ok := w.Group(group)
	if !ok {
		return 0
	}
	for _, m := range g.Sorted() {
		if m.Role == Owner {
			return m.UIN
		}
	}
	return 0
}

// idle says why a deed would come to nothing, nil if it would not.
func (w *World) idle(d Deed) error {
	g, _ := w.Group(d.Group)
	member, in := g.Members[d.User]
	user, known := w.User(d.User)
	nothing := func(why string) error { return fmt.Errorf("%w: %s", ErrNothing, why) }
	switch d.Deed {
	case "upload", "title", "card", "rename", "react":
		if d.Text == "" && d.Deed != "title" && d.Deed != "card" {
			return nothing("there is no text")
		}
		if d.Deed == "rename" && g.Name == d.Text {
			return nothing("the group is called that")
		}
		if in && (d.Deed == "card" && member.Card == d.Text || d.Deed == "title" && member.Title == d.Text) {
			return nothing("he has it already")
		}
		if m, ok := w.Lookup(int32(d.Message)); d.Deed == "react" && ok && m.likedBy(d.User, d.Text) != d.Off {
			return nothing("the emoji is as it should be")
		}
	case "join":
		if in {
			return nothing("he is a member")
		}
	case "admin":
		if in && (member.Role == Admin) != d.Off {
			return nothing("the role is as it should be")
		}
	case "befriend":
		if user.Friend != d.Off {
			return nothing("it is so already")
		}
	case "typing", "like", "request", "invite":
		if (d.Deed == "typing" || d.Deed == "like") && !known {
			return fmt.Errorf("user %d: %w", d.User, ErrNoUser)
		}
		if d.Deed == "request" && (d.Group == 0 && user.Friend || d.Group != 0 && in) {
			return nothing("he has what he would ask for")
		}
		if d.Deed == "request" && d.Group != 0 && g.ID == 0 {
			return fmt.Errorf("group %d: %w", d.Group, ErrNoGroup)
		}
		if d.User == 0 || d.Deed == "invite" && d.Group == 0 {
			return nothing("nobody is named")
		}
	case "appear":
		if d.User == 0 || d.Text == "" || user.Nickname == d.Text {
			return nothing("nobody new is named")
		}
	}
	return nil
}

// likedBy reports whether the user answered the message with the emoji.
func (m *Message) likedBy(user int64, emoji string) bool {
	return slices.ContainsFunc(m.Likes, func(l Like) bool { return l.EmojiID == emoji && slices.Contains(l.Users, user) })
}
