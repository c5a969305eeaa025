package ncattest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/cqcode"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// founder owns the groups in which nobody was made owner.
const founder = 10000

// site is an account's place in a little QQ: what a Server and a Caller have in
// common. Whoever is named there is there.
type site struct {
	rec   *Recorder
	self  onebot.UserID
	world *world.World
	host  *action.Host
	// tell hands an event over that nothing in the world causes.
	tell func(e onebot.Event) error
	// strict keeps users that a call names from existing because of that.
	strict bool

	mu     sync.Mutex              // guards joined
	joined map[onebot.GroupID]bool // groups that the account was put into
}

func newSite(rec *Recorder, w *world.World, o action.Options) *site {
	o.World = w
	q := &site{rec: rec, self: onebot.UserID(w.Self().UIN), world: w, host: action.New(o), joined: map[onebot.GroupID]bool{}}
	w.Subscribe(q.hear)
	return q
}

// admit makes the users exist that a call names: the bot may write first.
func (q *site) admit(params json.RawMessage) {
	var p struct {
		GroupID onebot.GroupID `json:"group_id"`
		UserID  onebot.UserID  `json:"user_id"`
	}
	if q.strict || json.Unmarshal(params, &p) != nil {
		return
	}
	if p.GroupID != 0 {
		q.ensureGroup(p.GroupID)
	}
	if p.UserID != 0 {
		q.ensureUser(p.UserID, "", p.GroupID == 0)
	}
}

// ensureGroup makes a group with the account as an administrator. It puts the
// account into each group once: one that was removed stays out.
func (q *site) ensureGroup(id onebot.GroupID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.joined[id] {
		return
	}
	q.joined[id] = true
	if _, ok := q.world.Group(int64(id)); !ok {
		q.ensureUser(founder, "founder", false)
		q.world.AddGroup(int64(id), "group "+id.String(), map[int64]world.Role{founder: world.Owner})
	}
	q.enter(id, q.self, world.Admin)
}

// enter makes a user a member without a word, if he is none yet.
func (q *site) enter(group onebot.GroupID, user onebot.UserID, role world.Role) {
	_ = q.world.UpdateGroup(int64(group), func(g *world.Group) { // it is there
		if g.Members[int64(user)] == nil {
			g.Members[int64(user)] = &world.Member{UIN: int64(user), Role: role, Level: 1, Joined: time.Now().Unix()}
		}
	})
}

// exit takes a member out without a word.
func (q *site) exit(group onebot.GroupID, user onebot.UserID) {
	_ = q.world.UpdateGroup(int64(group), func(g *world.Group) { delete(g.Members, int64(user)) }) // it is there
}

func (q *site) ensureUser(id onebot.UserID, name string, friend bool) {
	if id == q.self {
		return
	}
	u, ok := q.world.User(int64(id))
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
	q.world.AddUser(u)
}

// present makes sure that a person is where he acts, with his name and role.
func (q *site) present(p *Person) {
	q.ensureUser(p.ID, p.Name, !p.chat.IsGroup())
	if !p.chat.IsGroup() {
		return
	}
	q.ensureGroup(p.chat.Group)
	q.enter(p.chat.Group, p.ID, world.Plain)
	if p.Role != "" {
		q.setRole(p.chat.Group, p.ID, world.Role(p.Role))
	}
}

func (q *site) setRole(group onebot.GroupID, user onebot.UserID, role world.Role) {
	_ = q.world.UpdateGroup(int64(group), func(g *world.Group) { // it is there
		m := g.Members[int64(user)]
		if m == nil || m.Role == role {
			return
		}
		m.Role = role
		if f := g.Members[founder]; role == world.Owner && f != nil && user != founder {
			f.Role = world.Plain // a group has one owner
		}
	})
}

// say lets a person say something and returns the message's id.
func (q *site) say(p *Person, content onebot.Message) (onebot.MessageID, error) {
	q.present(p)
	segs, err := q.received(p.ID, content)
	if err != nil {
		return 0, err
	}
	m, err := q.world.Say(world.Say{User: int64(p.ID), Group: int64(p.chat.Group), Segments: segs})
	return onebot.MessageID(m.ID), err
}

// received returns content as it is received: media that it holds become files.
func (q *site) received(sender onebot.UserID, content onebot.Message) ([]world.Segment, error) {
	v, err := jsval.Parse(string(content.AppendJSON(nil)))
	if err != nil {
		return nil, err
	}
	return q.host.Receive(int64(sender), cqcode.Segments(v.([]any)))
}

// hear records what the bot sent. It is called within a change of the world.
func (q *site) hear(e world.Event) {
	m := e.Message
	if m == nil || !m.Self || len(m.Segments)+len(m.Nodes) == 0 { // a grey line is none
		return
	}
	sent := Sent{ID: onebot.MessageID(m.ID), Chat: ncat.Chat{User: onebot.UserID(m.Chat.Peer), Group: onebot.GroupID(m.Via)}, Message: message(cqcode.Array(m.Segments))}
	if m.Chat.Type == world.InGroup {
		sent.Chat = ncat.Group(onebot.GroupID(m.Chat.Peer))
	}
	if len(m.Nodes) > 0 {
		sent.Message = nil
		for _, n := range m.Nodes {
			sent.Message = append(sent.Message, onebot.Node(onebot.UserID(n.Sender), n.Nickname, message(cqcode.Array(n.Segments))...))
		}
	}
	q.rec.recordSent(sent)
}

func message(segs []any) onebot.Message {
	var m onebot.Message
	if err := json.Unmarshal([]byte(jsval.Stringify(segs)), &m); err != nil {
		panic(fmt.Sprintf("ncattest: %v", err)) // it was written just now
	}
	for i, seg := range m {
		if f, ok := seg.(*onebot.FaceSegment); ok { // without QQ's own element, which nobody wants to read
			m[i] = &onebot.FaceSegment{ID: f.ID, ResultID: f.ResultID, ChainCount: f.ChainCount}
		}
	}
	return m
}

// happen lets an event happen: in the world, where it has the event's effect and
// causes it, or, where the world has no such thing, by telling of it.
func (q *site) happen(e onebot.Event) error {
	if g := ncat.ChatOf(e).Group; g != 0 {
		q.ensureGroup(g)
	}
	if b := e.Base(); b.SelfID == Self || b.SelfID == 0 {
		b.SelfID = q.self
	}
	switch e := e.(type) {
	case onebot.MessageEvent:
		return q.letter(e)
	case *onebot.GroupIncrease:
		q.ensureUser(e.UserID, "", false)
		q.exit(e.GroupID, e.UserID)
		return q.world.Join(int64(e.GroupID), int64(e.UserID), int64(e.OperatorID), e.SubType == "invite")
	case *onebot.GroupDecrease:
		return q.leave(e)
	case *onebot.FriendRequest:
		q.ensureUser(e.UserID, "", false)
		q.world.Unfriend(int64(e.UserID))
		_, err := q.world.Ask(world.Request{Kind: world.FriendRequest, User: int64(e.UserID), Comment: e.Comment, Flag: e.Flag})
		return err
	case *onebot.GroupRequest:
		q.ensureUser(e.UserID, "", false)
		r := world.Request{Kind: world.JoinRequest, Group: int64(e.GroupID), User: int64(e.UserID), Comment: e.Comment, Flag: e.Flag}
		if e.Invite() {
			r.Kind = world.InviteRequest
			q.exit(e.GroupID, q.self)
		} else {
			q.exit(e.GroupID, e.UserID)
		}
		_, err := q.world.Ask(r)
		return err
	}
	if done, err := q.changeMessage(e); done && !errors.Is(err, world.ErrNoMessage) {
		return err
	}
	q.heed(e)
	return q.tell(e)
}

// leave takes somebody out of a group; whoever did it could.
func (q *site) leave(e *onebot.GroupDecrease) error {
	if e.UserID != q.self {
		q.ensureUser(e.UserID, "", false)
		q.enter(e.GroupID, e.UserID, world.Plain)
	}
	op := e.OperatorID
	if op == 0 && e.UserID == q.self {
		op = founder
	}
	q.outrank(e.GroupID, op, e.UserID)
	return q.world.Leave(int64(e.GroupID), int64(e.UserID), int64(op))
}

// outrank gives op the role that it takes to do something to user; 0 is nobody.
func (q *site) outrank(group onebot.GroupID, op, user onebot.UserID) {
	if op == 0 || op == user {
		return
	}
	q.ensureUser(op, "", false)
	q.enter(group, op, world.Admin)
	g, _ := q.world.Group(int64(group))
	if m := g.Members[int64(user)]; m != nil && m.Role != world.Plain {
		q.setRole(group, op, world.Owner)
	} else if g.Members[int64(op)].Role == world.Plain {
		q.setRole(group, op, world.Admin)
	}
}

// changeMessage lets something happen to a message; done is false for all else.
func (q *site) changeMessage(e onebot.Event) (done bool, err error) {
	switch e := e.(type) {
	case *onebot.GroupRecall:
		q.outrank(e.GroupID, e.OperatorID, e.UserID)
		return true, q.world.Recall(int32(e.MessageID), int64(e.OperatorID))
	case *onebot.FriendRecall:
		return true, q.world.Recall(int32(e.MessageID), int64(e.UserID))
	case *onebot.GroupMsgEmojiLike:
		for _, l := range e.Likes {
			err = errors.Join(err, q.world.React(int32(e.MessageID), int64(e.UserID), l.EmojiID, e.IsAdd))
		}
		return true, err
	}
	return false, nil
}

// heed changes what an event tells of without another word.
func (q *site) heed(e onebot.Event) {
	group := int64(ncat.ChatOf(e).Group)
	member := func(id onebot.UserID, f func(*world.Member)) {
		q.ensureUser(id, "", false)
		q.enter(onebot.GroupID(group), id, world.Plain)
		_ = q.world.UpdateGroup(group, func(g *world.Group) { f(g.Members[int64(id)]) }) // it is there
	}
	switch e := e.(type) {
	case *onebot.GroupBan:
		if e.UserID == 0 {
			_ = q.world.UpdateGroup(group, func(g *world.Group) { g.WholeBan = e.SubType == "ban" })
			return
		}
		member(e.UserID, func(m *world.Member) { m.ShutUntil = time.Now().Unix() + e.Duration })
	case *onebot.GroupAdmin:
		role := world.Plain
		if e.SubType == "set" {
			role = world.Admin
		}
		member(e.UserID, func(m *world.Member) { m.Role = role })
	case *onebot.GroupCard:
		member(e.UserID, func(m *world.Member) { m.Card = e.CardNew })
	case *onebot.GroupTitle:
		member(e.UserID, func(m *world.Member) { m.Title = e.Title })
	case *onebot.GroupName:
		_ = q.world.UpdateGroup(group, func(g *world.Group) { g.Name = e.NameNew })
	case *onebot.FriendAdd:
		q.ensureUser(e.UserID, "", true)
	case *onebot.GroupUpload:
		q.world.AddFile(world.File{ID: e.File.ID, Name: e.File.Name, Size: e.File.Size, Kind: "file", Group: group, Owner: int64(e.UserID), Listed: true})
	}
}

// letter lets the account hear a message that the test made itself.
func (q *site) letter(e onebot.MessageEvent) error {
	m, chat := e.Msg(), ncat.ChatOf(e)
	said := world.Say{User: int64(m.UserID), Group: int64(chat.Group), ID: int32(m.MessageID), Time: time.Unix(m.Time, 0), Quiet: true}
	if m.UserID == q.self {
		said.To = int64(chat.User)
	}
	switch {
	case chat.IsGroup():
		q.present(&Person{ID: m.UserID, Name: m.Sender.Nickname, Role: m.Sender.Role, chat: chat})
	case chat.Group != 0: // through a common group
		q.present(&Person{ID: m.UserID, Name: m.Sender.Nickname, chat: ncat.Group(chat.Group)})
		said.Group = 0
	default:
		q.ensureUser(chat.User, "", true)
		q.ensureUser(m.UserID, m.Sender.Nickname, true)
	}
	var err error
	if said.Segments, err = q.received(m.UserID, m.Message); err != nil {
		return err
	}
	said.Seq, _ = strconv.ParseInt(m.RealSeq, 10, 64) // without one QQ gives it one
	if _, err := q.world.Say(said); err != nil {
		return err
	}
	return q.tell(e)
}

// content returns the bytes of a medium that was sent or received.
func (q *site) content(s onebot.Segment) ([]byte, bool) {
	var names []string
	switch s := s.(type) {
	case *onebot.ImageSegment:
		names = []string{s.File, s.Path}
	case *onebot.RecordSegment:
		names = []string{s.File, s.Path}
	case *onebot.VideoSegment:
		names = []string{s.File, s.Path}
	case *onebot.FileSegment:
		names = []string{s.FileID, s.File, s.Path}
	}
	for _, name := range slices.DeleteFunc(names, func(n string) bool { return n == "" }) {
		if b64, ok := strings.CutPrefix(name, "base64://"); ok {
			b, err := base64.StdEncoding.DecodeString(b64)
			return b, err == nil
		}
		f, ok := q.world.File(name)
		if !ok {
			f, ok = q.world.FindFile(name)
		}
		if ok {
			name = f.Path
		}
		if b, err := os.ReadFile(name); err == nil && strings.ContainsAny(name, `/\`) {
			return b, true
		}
	}
	return nil, false
}
