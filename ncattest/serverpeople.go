package ncattest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/cqcode"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// founder owns the groups of a Server in which nobody was made owner.
const founder = 10000

// Group returns a group, whose members can act. It is made when it is first
// named, with the bot as an administrator.
func (s *Server) Group(id onebot.GroupID) *Group {
	s.ensureGroup(id)
	return &Group{ID: id, st: s}
}

// Friend returns somebody who writes to the account in private.
func (s *Server) Friend(user onebot.UserID) *Person {
	return &Person{ID: user, st: s, chat: ncat.Private(user)}
}

func (s *Server) ensureGroup(id onebot.GroupID) {
	if _, ok := s.world.Group(int64(id)); !ok {
		s.ensureUser(founder, "founder", false)
		s.world.AddGroup(int64(id), "group "+id.String(), map[int64]world.Role{founder: world.Owner, int64(s.o.Self): world.Admin})
	}
}

func (s *Server) ensureUser(id onebot.UserID, name string, friend bool) {
	if id == s.o.Self {
		return
	}
	u, ok := s.world.User(int64(id))
	if !ok {
		u = world.User{UIN: int64(id), Nickname: "user " + id.String()}
	}
	if ok && (name == "" || u.Nickname == name) && (!friend || u.Friend) {
		return
	}
	if name != "" {
		u.Nickname = name
	}
	u.Friend = u.Friend || friend
	s.world.AddUser(u)
}

// present implements stage.
func (s *Server) present(p *Person) {
	s.ensureUser(p.ID, p.Name, !p.chat.IsGroup())
	if !p.chat.IsGroup() {
		return
	}
	g, role := int64(p.chat.Group), world.Plain
	if p.Role != "" {
		role = world.Role(p.Role)
	}
	err := s.world.UpdateGroup(g, func(g *world.Group) {
		m := g.Members[int64(p.ID)]
		if m == nil {
			m = &world.Member{UIN: int64(p.ID), Joined: time.Now().Unix()}
			g.Members[int64(p.ID)] = m
			m.Role = role
		}
		if p.Role == "" || m.Role == role {
			return
		}
		m.Role = role
		if f := g.Members[founder]; role == world.Owner && f != nil && p.ID != founder {
			f.Role = world.Plain // a group has one owner
		}
	})
	if err != nil {
		s.T.Fatalf("%s: %v", p, err)
	}
}

func (s *Server) tb() testing.TB { return s.T }

func (s *Server) say(p *Person, content onebot.Message) onebot.MessageID {
	s.T.Helper()
	s.WaitConnected()
	v, err := jsval.Parse(string(content.AppendJSON(nil)))
	if err != nil {
		s.T.Fatalf("%s: %v", p, err)
	}
	segs, err := s.net.Host().Receive(int64(p.ID), cqcode.Segments(v.([]any)))
	if err != nil {
		s.T.Fatalf("%s: %v", p, err)
	}
	m, err := s.world.Say(world.Say{User: int64(p.ID), Group: int64(p.chat.Group), Segments: segs})
	if err != nil {
		s.T.Fatalf("%s cannot say that: %v", p, err)
	}
	s.did(p.String() + " said " + quote(content.CQ()))
	return onebot.MessageID(m.ID)
}

func (s *Server) did(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = what
}

// Event lets an event happen, for everybody who is connected. Messages are what
// people say. Who joins or leaves a group, takes a message back, reacts to one or
// asks for something does so in the Server's QQ; other events only tell of it.
func (s *Server) Event(e onebot.Event) {
	s.T.Helper()
	s.happen(e, fmt.Sprintf("a %T", e))
}

func (s *Server) happen(e onebot.Event, what string) {
	s.T.Helper()
	s.WaitConnected()
	s.did(what)
	self, owner := int64(s.o.Self), int64(founder)
	var err error
	switch e := e.(type) {
	case onebot.MessageEvent:
		s.T.Fatalf("%s: a message is what a person says", what)
	case *onebot.GroupIncrease:
		s.ensureGroup(e.GroupID)
		s.ensureUser(e.UserID, "", false)
		if _, in := s.member(e.GroupID, e.UserID); !in {
			err = s.world.Join(int64(e.GroupID), int64(e.UserID), 0, false)
		}
	case *onebot.GroupDecrease:
		s.ensureGroup(e.GroupID)
		s.present(s.Group(e.GroupID).From(e.UserID))
		op := int64(e.OperatorID)
		if e.UserID == s.o.Self && op == 0 {
			op = owner
		}
		if op != 0 && op != owner && op != self {
			s.present(s.Group(e.GroupID).Admin(e.OperatorID))
		}
		err = s.world.Leave(int64(e.GroupID), int64(e.UserID), op)
	case *onebot.FriendRequest:
		_, err = s.world.Ask(world.Request{Kind: world.FriendRequest, User: int64(e.UserID), Comment: e.Comment})
	case *onebot.GroupRequest:
		kind := world.JoinRequest
		if e.Invite() {
			kind = world.InviteRequest
		} else {
			s.ensureGroup(e.GroupID)
		}
		_, err = s.world.Ask(world.Request{Kind: kind, Group: int64(e.GroupID), User: int64(e.UserID), Comment: e.Comment})
	case *onebot.GroupRecall:
		err = s.world.Recall(int32(e.MessageID), int64(e.OperatorID))
	case *onebot.FriendRecall:
		err = s.world.Recall(int32(e.MessageID), int64(e.UserID))
	case *onebot.GroupMsgEmojiLike:
		for _, l := range e.Likes {
			err = errors.Join(err, s.world.React(int32(e.MessageID), int64(e.UserID), l.EmojiID, e.IsAdd))
		}
	default:
		err = s.emit(e)
	}
	if err != nil {
		s.T.Fatalf("%s: %v", what, err)
	}
}

func (s *Server) member(g onebot.GroupID, u onebot.UserID) (*world.Member, bool) {
	group, ok := s.world.Group(int64(g))
	if !ok {
		return nil, false
	}
	m, ok := group.Members[int64(u)]
	return m, ok
}

// emit hands an event to the connections as it is.
func (s *Server) emit(e onebot.Event) error {
	if b := e.Base(); b.SelfID == Self || b.SelfID == 0 {
		b.SelfID = s.o.Self
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	v, err := jsval.Parse(string(b))
	if err != nil {
		return err
	}
	body := v.(*jsval.Object)
	for _, k := range []string{"time", "self_id", "post_type"} {
		body.Delete(k)
	}
	s.net.Emit(world.Event{Time: e.Base().Time, PostType: e.Base().PostType, Body: body})
	return nil
}

func (s *Server) report() report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return report{last: s.last, others: s.others()}
}

// await waits until the bot has sent n messages, or 10 s.
func (s *Server) await(n int) []Sent {
	s.waitFor(patience, func() bool { return len(s.sent) >= n })
	return s.Sent()
}

// Want is [Harness.Want], but waits until the bot has sent as many messages, for
// at most 10 s. Without messages it takes what there is; see [Server.WantNothing].
func (s *Server) Want(messages ...string) {
	s.T.Helper()
	wantTexts(s.T, s.await(len(messages)), messages, s.report())
}

// WantLike is Want for messages of which only a part is given.
func (s *Server) WantLike(parts ...string) {
	s.T.Helper()
	wantLike(s.T, s.await(len(parts)), parts, s.report())
}

// WantNothing fails the test if the bot sends a message within d.
func (s *Server) WantNothing(d time.Duration) {
	s.T.Helper()
	s.waitFor(d, func() bool { return len(s.sent) > 0 })
	wantTexts(s.T, s.Sent(), nil, s.report())
}

// One waits for a message of the bot, as Want does, and returns it.
func (s *Server) One() Sent {
	s.T.Helper()
	return wantOne(s.T, s.await(1), s.report())
}

// WantCall is [Harness.WantCall], but waits for the call, for at most 10 s.
func (s *Server) WantCall(action string, params ...any) Call {
	s.T.Helper()
	want := pairs(params)
	s.waitFor(patience, func() bool { return s.findLocked(action, want) != nil })
	c, ok := s.claim(action, want)
	if !ok {
		s.noCall(s.T, action, want, s.report())
	}
	return c
}

// WantNoCall fails the test if the bot made a call of one of the actions that no
// WantCall has asked for.
func (s *Server) WantNoCall(actions ...string) {
	s.T.Helper()
	wantNoCall(s.T, s.unclaimed(actions...), s.report())
}

// String names the Server's addresses.
func (s *Server) String() string { return strings.Join([]string{s.URL(), s.HTTP()}, " ") }
