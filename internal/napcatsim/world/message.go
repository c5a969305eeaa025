package world

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// ChatType is QQ's number for a kind of chat.
type ChatType int

// The kinds of chat.
const (
	Private   ChatType = 1
	InGroup   ChatType = 2
	Temporary ChatType = 100 // with a stranger, through a common group
)

// Chat names a conversation of the bot.
type Chat struct {
	Type ChatType
	Peer int64 // the other person or the group
}

// Segment is one part of a message in the form in which it is received
// (contract H.1). It must not be changed once it is in a message.
type Segment struct {
	Type string
	Data *jsval.Object
}

// Text returns a segment of plain text.
func Text(s string) Segment { return Segment{Type: "text", Data: jsval.Obj("text", s)} }

// At returns a segment that mentions a user; 0 mentions everyone.
func At(uin int64) Segment {
	if uin == 0 {
		return Segment{Type: "at", Data: jsval.Obj("qq", "all")}
	}
	return Segment{Type: "at", Data: jsval.Obj("qq", strconv.FormatInt(uin, 10))}
}

// Message is a message as the bot's account holds it. A Message that a method
// returned is a copy; its segments and nodes are shared and must not be changed.
type Message struct {
	ID     int32  // NapCat's id
	MsgID  string // QQ's 19-digit id
	Seq    int64  // QQ's per-chat sequence
	Random uint32
	Chat   Chat
	Via    int64 // source group of a temporary chat
	Time   int64 // unix seconds

	Sender    int64
	Nickname  string
	Card      string
	Role      Role   // groups only; "": the member is not known
	GroupName string // groups only

	Segments []Segment
	Nodes    []*Message // of a merged forward, in order
	ResID    string     // of a merged forward
	Self     bool       // sent by the bot's account
	Recalled bool
	Likes    []Like
}

// Like is how often a message was answered with an emoji.
type Like struct {
	EmojiID string
	Users   []int64
}

// PlainText returns the message's text segments joined.
func (m *Message) PlainText() string {
	var b strings.Builder
	for _, s := range m.Segments {
		if s.Type == "text" {
			b.WriteString(s.Data.String("text"))
		}
	}
	return b.String()
}

// chatLog is what was said in one chat, oldest first.
type chatLog struct {
	seq  int64
	msgs []*Message
}

// Say is something that a person says.
type Say struct {
	User  int64 // the speaker; 0 in a group: its owner
	Group int64 // 0: to the bot in private
	// To is whom the account itself writes to from another device, if User is
	// the account.
	To   int64
	Text string
	// Segments, in received form, are said instead of Text if there are any.
	Segments []Segment
	// Nodes makes the message a merged forward of these messages.
	Nodes []*Message
	Time  time.Time // zero: now
	// ID and Seq are the message's; 0: as NapCat and QQ make them.
	ID  int32
	Seq int64
	// Quiet leaves the event away, for one who tells of it in another way: nothing
	// keeps such a speaker from speaking.
	Quiet bool
}

// Say lets a person say something to the bot or in a group. In private a
// stranger who shares a group with the bot speaks through a temporary session.
// The event is not emitted while the account is offline or its link dead; the
// message is in the history all the same.
func (w *World) Say(s Say) (Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.User == 0 && s.Group != 0 {
		g := w.groups[s.Group]
		if g == nil {
			return Message{}, fmt.Errorf("group %d: %w", s.Group, ErrNoGroup)
		}
		s.User = g.ownerLocked(w.self.UIN)
	}
	u := w.userLocked(s.User)
	if u == nil {
		return Message{}, fmt.Errorf("user %d: %w", s.User, ErrNoUser)
	}
	m := &Message{ID: s.ID, Seq: s.Seq, Sender: s.User, Segments: s.Segments, Nodes: s.Nodes, Self: s.User == w.self.UIN}
	if len(m.Segments) == 0 && len(s.Nodes) == 0 {
		m.Segments = []Segment{Text(s.Text)}
	}
	if s.Group != 0 {
		g := w.groups[s.Group]
		if g == nil {
			return Message{}, fmt.Errorf("group %d: %w", s.Group, ErrNoGroup)
		}
		if err := w.maySpeakLocked(g, s.User); err != nil && !s.Quiet {
			return Message{}, err
		}
		m.Chat = Chat{InGroup, s.Group}
	} else if m.Self && s.To != 0 {
		if w.userLocked(s.To) == nil {
			return Message{}, fmt.Errorf("user %d: %w", s.To, ErrNoUser)
		}
		m.Chat = Chat{Private, s.To}
	} else {
		m.Chat = Chat{Private, s.User}
		if !u.Friend && !m.Self {
			g := w.commonGroupLocked(s.User)
			if g == 0 {
				return Message{}, fmt.Errorf("user %d is neither a friend nor in a common group: %w", s.User, ErrForbidden)
			}
			m.Chat.Type, m.Via = Temporary, g
		}
	}
	if !s.Time.IsZero() {
		m.Time = s.Time.Unix()
	}
	if s.Quiet {
		w.completeLocked(m)
		w.appendLocked(m)
		w.registerLocked(m)
		return w.asSeen(m), nil
	}
	w.deliverLocked(m)
	return w.asSeen(m), nil
}

// asSeen returns a copy of m as this account sees it.
func (w *World) asSeen(m *Message) Message {
	c := *m
	c.Self = c.Sender == w.self.UIN
	return c
}

func (w *World) commonGroupLocked(uin int64) int64 {
	for _, id := range w.gorder {
		g := w.groups[id]
		if g.Members[uin] != nil && g.Members[w.self.UIN] != nil {
			return id
		}
	}
	return 0
}

func (w *World) maySpeakLocked(g *Group, uin int64) error {
	m := g.Members[uin]
	if m == nil {
		return fmt.Errorf("user %d in group %d: %w", uin, g.ID, ErrNoMember)
	}
	if m.ShutUntil > w.now().Unix() || g.WholeBan && m.Role == Plain {
		return fmt.Errorf("user %d in group %d: %w", uin, g.ID, ErrMuted)
	}
	return nil
}

// deliverLocked completes m, puts it into its chat and emits it.
func (w *World) deliverLocked(m *Message) {
	w.completeLocked(m)
	w.appendLocked(m)
	if m.Chat.Type != InGroup {
		w.hearLocked(m)
		w.passOnLocked(m)
		return
	}
	if p := w.groups[m.Chat.Peer].Members[m.Sender]; p != nil {
		p.LastSent = m.Time
	}
	told := w.witnessesLocked(m.Chat.Peer)
	if m.Sender == w.self.UIN || slices.ContainsFunc(told, (*World).reachableLocked) {
		w.tellCardLocked(m)
	}
	for _, v := range told {
		v.hearLocked(m)
	}
}

// hearLocked lets the account hear a message, unless nothing reaches it.
func (w *World) hearLocked(m *Message) {
	e := w.asSeen(m)
	if !e.Self && !w.reachableLocked() {
		return
	}
	w.registerLocked(m)
	w.emitLocked(Event{Time: m.Time, PostType: "message", Message: &e})
}

// passOnLocked brings what the account wrote in private to another account of
// this QQ, if that is whom it is for.
func (w *World) passOnLocked(m *Message) {
	for _, v := range w.views {
		if v == w || v.self.UIN != m.Chat.Peer || m.Sender != w.self.UIN {
			continue
		}
		v.userLocked(m.Sender).Friend = true
		c := *m
		c.ID, c.Seq, c.Chat, c.MsgID, c.Self = 0, 0, Chat{Private, m.Sender}, "", false
		v.completeLocked(&c)
		v.appendLocked(&c)
		v.hearLocked(&c)
	}
}

// completeLocked fills in what QQ adds to a message: ids, time, names.
func (w *World) completeLocked(m *Message) {
	if m.Time == 0 {
		m.Time = w.now().Unix()
	}
	if m.MsgID == "" {
		m.MsgID = w.newMsgIDLocked()
	}
	m.Random = rand.Uint32()
	peer := strconv.FormatInt(m.Chat.Peer, 10)
	if m.Chat.Type != InGroup {
		peer = UID(m.Chat.Peer)
	}
	if m.ID == 0 {
		m.ID = MessageID(m.MsgID, m.Chat.Type, peer)
	}
	if u := w.userLocked(m.Sender); u != nil && m.Nickname == "" {
		m.Nickname = u.Nickname
	}
	if g := w.groups[m.Chat.Peer]; g != nil && m.Chat.Type == InGroup {
		m.GroupName = g.Name
		if p := g.Members[m.Sender]; p != nil {
			m.Card, m.Role = p.Card, p.Role
		}
	}
	if len(m.Nodes) > 0 {
		m.Segments = []Segment{{Type: "forward", Data: jsval.Obj("id", m.MsgID)}}
		if m.ResID == "" {
			m.ResID = resID()
		}
	}
}

// resID returns a fresh resource id of a merged forward.
func resID() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 64)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

// logs are what was said in chats such as c.
func (w *World) logs(c Chat) map[Chat]*chatLog {
	if c.Type == InGroup {
		return w.rooms
	}
	return w.chats
}

// allLogs are the chats that the account has, in no order.
func (w *World) allLogs() iter.Seq2[Chat, *chatLog] {
	return func(yield func(Chat, *chatLog) bool) {
		for _, logs := range []map[Chat]*chatLog{w.chats, w.rooms} {
			for c, l := range logs {
				if !yield(c, l) {
					return
				}
			}
		}
	}
}

func (w *World) appendLocked(m *Message) {
	c := w.logs(m.Chat)[m.Chat]
	if c == nil {
		c = &chatLog{seq: 1000}
		w.logs(m.Chat)[m.Chat] = c
	}
	w.changes++
	if m.Seq == 0 && w.nextSeq != nil {
		m.Seq = w.nextSeq()
	}
	c.seq = max(c.seq+1, m.Seq)
	if m.Seq == 0 {
		m.Seq = c.seq
	}
	c.msgs = append(c.msgs, m)
	w.byMsgID[m.MsgID] = m
	if len(c.msgs) > historyLimit+historyLimit/4 {
		drop := c.msgs[:len(c.msgs)-historyLimit]
		for _, d := range drop {
			delete(w.byMsgID, d.MsgID)
		}
		c.msgs = slices.Clone(c.msgs[len(drop):])
	}
}

// registerLocked makes m known to NapCat by its int id; the map holds the last
// 5000 messages only.
func (w *World) registerLocked(m *Message) {
	if _, ok := w.ids[m.ID]; ok {
		return
	}
	w.ids[m.ID] = m
	w.idq = append(w.idq, m.ID)
	if len(w.idq) > idLimit {
		delete(w.ids, w.idq[0])
		w.idq = w.idq[1:]
	}
}

// ForgetIDs empties the map from message ids to messages, as a restart of
// NapCat's worker does. The histories stay.
func (w *World) ForgetIDs() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.ids)
	w.idq = nil
}

// Lookup returns the message that NapCat knows by id.
func (w *World) Lookup(id int32) (Message, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := w.ids[id]; m != nil {
		return w.asSeen(m), true
	}
	return Message{}, false
}

// LookupMsgID returns the message that has QQ's 19-digit id, and makes it known
// by its int id.
func (w *World) LookupMsgID(id string) (Message, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := w.byMsgID[id]; m != nil {
		w.registerLocked(m)
		return w.asSeen(m), true
	}
	return Message{}, false
}

// LookupForward returns the merged forward with the given resource id.
func (w *World) LookupForward(res string) (Message, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.byMsgID {
		if found := findForward(m, res); found != nil {
			return w.asSeen(found), true
		}
	}
	return Message{}, false
}

func findForward(m *Message, res string) *Message {
	if len(m.Nodes) == 0 {
		return nil
	}
	if m.ResID == res || m.MsgID == res {
		return m
	}
	for _, n := range m.Nodes {
		if f := findForward(n, res); f != nil {
			return f
		}
	}
	return nil
}

// BySeq returns the message of a chat with QQ's sequence seq.
func (w *World) BySeq(c Chat, seq int64) (Message, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.logs(c)[c]; l != nil {
		for _, m := range l.msgs {
			if m.Seq == seq {
				return w.asSeen(m), true
			}
		}
	}
	return Message{}, false
}

// History returns up to count messages of a chat, oldest first, and makes them
// known by id. from is QQ's id of the message to start at, inclusive; "" starts
// at the newest. Normally the messages up to from are returned; with later set,
// those from from on. Messages of the temporary session with the same person
// belong to a private chat.
func (w *World) History(c Chat, from string, count int, later bool) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	var msgs []*Message
	if l := w.logs(c)[c]; l != nil {
		msgs = l.msgs
	} else if c.Type == Private {
		if l := w.chats[Chat{Temporary, c.Peer}]; l != nil {
			msgs = l.msgs
		}
	}
	lo, hi := max(0, len(msgs)-count), len(msgs)
	if from != "" {
		i := slices.IndexFunc(msgs, func(m *Message) bool { return m.MsgID == from })
		if i < 0 {
			return nil
		}
		if later {
			lo, hi = i, min(len(msgs), i+count)
		} else {
			lo, hi = max(0, i+1-count), i+1
		}
	}
	var out []Message
	for _, m := range msgs[lo:hi] {
		w.registerLocked(m)
		out = append(out, w.asSeen(m))
	}
	return out
}

// Recent returns the newest message of every chat, newest first.
func (w *World) Recent(count int) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Message
	for _, l := range w.allLogs() {
		if n := len(l.msgs); n > 0 {
			out = append(out, w.asSeen(l.msgs[n-1]))
		}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.Time != b.Time {
			return a.Time > b.Time
		}
		return a.MsgID > b.MsgID
	})
	return out[:min(count, len(out))]
}

// Recall takes a message back. operator is who does it: the sender, or in a
// group somebody of a higher role.
func (w *World) Recall(id int32, operator int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.ids[id]
	if m == nil || m.Recalled {
		return fmt.Errorf("message %d: %w", id, ErrNoMessage)
	}
	if m.Chat.Type == InGroup {
		g := w.groups[m.Chat.Peer]
		if operator != m.Sender && !g.outranks(operator, m.Sender) {
			return fmt.Errorf("recall message %d: %w", id, ErrForbidden)
		}
	} else if operator != m.Sender {
		return fmt.Errorf("recall message %d: %w", id, ErrForbidden)
	}
	m.Recalled = true
	m.Segments, m.Nodes = nil, nil
	if m.Chat.Type == InGroup {
		w.noticeLocked("group_id", m.Chat.Peer, "user_id", m.Sender, "notice_type", "group_recall",
			"operator_id", operator, "message_id", m.ID)
	} else {
		w.noticeLocked("notice_type", "friend_recall", "user_id", m.Sender, "message_id", m.ID)
	}
	return nil
}

// React answers a group message with an emoji, or takes the answer back. The
// notice is emitted for other people's answers and for the bot's own.
func (w *World) React(id int32, user int64, emoji string, add bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.ids[id]
	if m == nil {
		return fmt.Errorf("message %d: %w", id, ErrNoMessage)
	}
	i := slices.IndexFunc(m.Likes, func(l Like) bool { return l.EmojiID == emoji })
	likes := slices.Clone(m.Likes) // copies of m share the old slice
	if i < 0 {
		likes = append(likes, Like{EmojiID: emoji})
		i = len(likes) - 1
	}
	users := slices.DeleteFunc(slices.Clone(likes[i].Users), func(u int64) bool { return u == user })
	if add {
		users = append(users, user)
	}
	likes[i].Users = users
	m.Likes = slices.DeleteFunc(likes, func(l Like) bool { return len(l.Users) == 0 })
	if m.Chat.Type == InGroup {
		w.noticeLocked("group_id", m.Chat.Peer, "user_id", user, "notice_type", "group_msg_emoji_like",
			"message_id", m.ID, "likes", []any{jsval.Obj("emoji_id", emoji, "count", 1)}, "is_add", add)
	}
	return nil
}

// Complete gives a message that is to go into a merged forward its ids and
// names, and the nodes as its own content if there are any.
func (w *World) Complete(m *Message, nodes []*Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.Nodes = nodes
	w.completeLocked(m)
}
