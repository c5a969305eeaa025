package ncattest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// stage is where people act: a Harness or a Server.
type stage interface {
	tb() testing.TB
	place() *site
	// before is called before something is done there, after when it was done,
	// with what it was in words.
	before()
	after(what string)
}

// happen lets an event happen on a stage.
func happen(st stage, e onebot.Event, what string) {
	st.tb().Helper()
	st.before()
	if err := st.place().happen(e); err != nil {
		st.tb().Fatalf("%s: %v", what, err)
	}
	st.after(what)
}

func group(st stage, id onebot.GroupID) *Group {
	st.place().ensureGroup(id)
	return &Group{ID: id, st: st}
}

func friend(st stage, user onebot.UserID) *Person {
	p := &Person{ID: user, st: st, chat: ncat.Private(user)}
	st.place().present(p)
	return p
}

// Group is a group of a [Harness] or a [Server].
type Group struct {
	ID onebot.GroupID
	st stage
}

// From returns a member of the group.
func (g *Group) From(user onebot.UserID) *Person {
	p := &Person{ID: user, st: g.st, chat: ncat.Group(g.ID)}
	g.st.place().present(p)
	return p
}

// Admin returns a member of the group who is one of its administrators.
func (g *Group) Admin(user onebot.UserID) *Person { return g.From(user).As(onebot.RoleAdmin) }

// Owner returns the member who owns the group.
func (g *Group) Owner(user onebot.UserID) *Person { return g.From(user).As(onebot.RoleOwner) }

// Person is somebody who writes in a group or in private, and does other things
// there. What a Person does has had all its effects on the bot when the method
// returns, if the Person is in a [Harness].
type Person struct {
	ID   onebot.UserID
	Name string      // nickname; one is made up if empty
	Role onebot.Role // in a group; the one he had, or member, if empty

	st   stage
	chat ncat.Chat
}

// Named gives the person a nickname and returns it.
func (p *Person) Named(name string) *Person { p.Name = name; return p }

// As gives the person a role in the group and returns it.
func (p *Person) As(role onebot.Role) *Person {
	p.Role = role
	p.st.place().present(p)
	return p
}

// Says lets the person write a message, any mix of strings, [onebot.Segment] and
// [onebot.Message], and returns the message's id. Media with content, such as
// *onebot.ImageSegment{File: onebot.Base64(b)}, can be downloaded by the bot.
func (p *Person) Says(content ...any) onebot.MessageID {
	t, m := p.st.tb(), Content(content...)
	t.Helper()
	p.st.before()
	id, err := p.st.place().say(p, m)
	if err != nil {
		t.Fatalf("%s cannot say %s: %v", p, quote(m.CQ()), err)
	}
	p.st.after(p.String() + " said " + quote(m.CQ()))
	return id
}

// Mentions is Says with the bot mentioned first.
func (p *Person) Mentions(bot onebot.UserID, content ...any) onebot.MessageID {
	p.st.tb().Helper()
	return p.Says(slices.Insert(content, 0, any(onebot.At(bot)), any(" "))...)
}

// Quotes is Says with another message quoted.
func (p *Person) Quotes(id onebot.MessageID, content ...any) onebot.MessageID {
	p.st.tb().Helper()
	return p.Says(slices.Insert(content, 0, any(onebot.Reply(id)))...)
}

// Recalls lets the person take a message of his back.
func (p *Person) Recalls(id onebot.MessageID) {
	p.st.tb().Helper()
	if p.chat.IsGroup() {
		p.does(GroupRecall(p.chat.Group, p.ID, p.ID, id), "recalled message "+id.String())
		return
	}
	p.does(FriendRecall(p.ID, id), "recalled message "+id.String())
}

// Pokes lets the person poke somebody, usually the bot.
func (p *Person) Pokes(target onebot.UserID) {
	p.st.tb().Helper()
	if p.chat.IsGroup() {
		p.does(GroupPoke(p.chat.Group, p.ID, target), "poked user "+target.String())
		return
	}
	p.does(FriendPoke(p.ID), "poked the bot")
}

// Reacts lets the person put an emoji, by its number, under a message of the
// group.
func (p *Person) Reacts(id onebot.MessageID, emoji string) {
	p.st.tb().Helper()
	p.does(Reaction(p.chat.Group, p.ID, id, emoji, true), "put emoji "+emoji+" under message "+id.String())
}

// Joins lets the person come into the group.
func (p *Person) Joins() {
	p.st.tb().Helper()
	p.does(Joined(p.chat.Group, p.ID), "joined")
}

// Leaves lets the person leave the group.
func (p *Person) Leaves() {
	p.st.tb().Helper()
	p.does(Left(p.chat.Group, p.ID), "left")
}

// Asks lets the person ask to get into the group or, outside of one, to become a
// friend of the bot.
func (p *Person) Asks(comment string) {
	p.st.tb().Helper()
	if p.chat.IsGroup() {
		p.does(WantsIn(p.chat.Group, p.ID, comment), "asked to get in")
		return
	}
	p.does(WantsFriend(p.ID, comment), "asked to become a friend")
}

func (p *Person) does(e onebot.Event, what string) {
	p.st.tb().Helper()
	happen(p.st, e, p.String()+" "+what)
}

// String names the person and the chat.
func (p *Person) String() string {
	s := "user " + p.ID.String()
	if p.Name != "" {
		s = fmt.Sprintf("%s (%s)", p.Name, p.ID)
	}
	if p.chat.IsGroup() {
		return s + " in group " + p.chat.Group.String()
	}
	return s
}
