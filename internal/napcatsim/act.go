package napcatsim

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// ActRequest is something that somebody does besides writing. What the fields
// mean is up to Deed; those it does not name are ignored.
type ActRequest struct {
	Deed     string `json:"deed"` // a key of Deeds
	Group    int64  `json:"group,omitempty"`
	User     int64  `json:"user,omitempty"`     // whom it is about
	Operator int64  `json:"operator,omitempty"` // who does it; 0: whoever may
	Message  int64  `json:"message,omitempty"`  // a message_id
	Text     string `json:"text,omitempty"`
	Seconds  int64  `json:"seconds,omitempty"`
	Off      bool   `json:"off,omitempty"` // the opposite
}

// Deeds are the deeds of an ActRequest, each with what it does and needs.
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

// Act lets somebody do something.
func (c *Control) Act(ctx context.Context, r ActRequest) error { return c.Do(ctx, "act", r, nil) }

func (w *worker) cmdAct(_ context.Context, in *json.Decoder) (any, error) {
	var r ActRequest
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	wd := w.theWorld()
	if wd == nil {
		return nil, errNotLoggedIn
	}
	return nil, act(wd, r)
}

// boss is who may do anything in a group: its owner.
func boss(wd *world.World, group, operator int64) int64 {
	if operator != 0 {
		return operator
	}
	g, ok := wd.Group(group)
	if !ok {
		return 0
	}
	for _, m := range g.Sorted() {
		if m.Role == world.Owner {
			return m.UIN
		}
	}
	return 0
}

func act(wd *world.World, r ActRequest) error {
	switch r.Deed {
	case "poke":
		return wd.Poke(r.Group, r.User, wd.Self().UIN)
	case "join":
		if _, ok := wd.User(r.User); !ok {
			wd.AddUser(world.User{UIN: r.User, Nickname: r.Text})
		}
		return wd.Join(r.Group, r.User, r.Operator, false)
	case "leave":
		return wd.Leave(r.Group, r.User, r.Operator)
	case "ban":
		if r.User == 0 {
			return wd.BanAll(r.Group, boss(wd, r.Group, r.Operator), !r.Off)
		}
		return wd.Ban(r.Group, r.User, boss(wd, r.Group, r.Operator), r.Seconds)
	case "admin":
		return wd.SetAdmin(r.Group, r.User, boss(wd, r.Group, r.Operator), !r.Off)
	case "card":
		return wd.SetCard(r.Group, r.User, r.User, r.Text)
	case "title":
		return wd.SetTitle(r.Group, r.User, boss(wd, r.Group, 0), r.Text)
	case "rename":
		return wd.Rename(r.Group, boss(wd, r.Group, r.Operator), r.Text)
	case "recall", "react", "essence":
		return actOnMessage(wd, r)
	case "upload":
		_, err := wd.Upload(r.Group, r.User, world.File{Name: r.Text, Size: 1 << 10, Kind: "file"})
		return err
	case "request":
		kind := world.FriendRequest
		if r.Group != 0 {
			kind = world.JoinRequest
		}
		_, err := wd.Ask(world.Request{Kind: kind, User: r.User, Group: r.Group, Comment: r.Text})
		return err
	case "invite":
		_, err := wd.Ask(world.Request{Kind: world.InviteRequest, User: r.User, Group: r.Group, Comment: r.Text})
		return err
	case "typing":
		wd.Typing(r.User, 1, "对方正在输入...")
	case "like":
		return wd.LikeProfile(r.User, 1)
	case "disband":
		return wd.Disband(r.Group)
	case "befriend":
		if r.Off {
			wd.Unfriend(r.User)
		} else {
			wd.Befriend(r.User)
		}
	case "forget":
		wd.ForgetIDs()
	case "appear":
		wd.AddUser(world.User{UIN: r.User, Nickname: r.Text})
	default:
		return errors.New("unknown deed " + r.Deed)
	}
	return nil
}

// actOnMessage is act for what happens to a message.
func actOnMessage(wd *world.World, r ActRequest) error {
	if r.Deed == "react" {
		return wd.React(int32(r.Message), r.User, r.Text, !r.Off)
	}
	m, ok := wd.Lookup(int32(r.Message))
	if !ok {
		return world.ErrNoMessage
	}
	if r.Deed == "essence" {
		return wd.SetEssence(m.ID, boss(wd, m.Chat.Peer, r.Operator), true)
	}
	if r.Operator == 0 {
		r.Operator = m.Sender
	}
	return wd.Recall(m.ID, r.Operator)
}
