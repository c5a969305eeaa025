// Package world is a little QQ that lives in memory: one account (the bot's),
// its friends and groups, their members, messages, files and requests, and what
// happens among them. [World] is its central type.
//
// Two sides act on a World. The outside (tests, the simulator's commands) plays
// the people: [World.Say], [World.Poke], [World.Join] and the like. The bot's
// side (the actions of the simulated host) acts through [World.Send],
// [World.Ban] and so on, which take the operator's number. Either way a change
// causes the notices that NapCat would report (contract G), handed to
// subscribers as [Event] values.
//
// The package knows nothing of OneBot's transports or actions; it does know the
// words and the key order of OneBot's notices, because these are what its
// changes are called.
package world

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// SelfUIN is the account that a [New] world belongs to unless told otherwise.
const SelfUIN = 3889001001

// Limits of what is remembered.
const (
	// idLimit is how many message ids NapCat can look up (contract E.9).
	idLimit = 5000
	// historyLimit bounds the messages kept of one chat, so that a load test
	// does not grow without end.
	historyLimit = 20000
	// sentLimit bounds the log of what the bot sent.
	sentLimit = 20000
)

// Errors of the outside's acts.
var (
	ErrNoUser    = errors.New("no such user")
	ErrNoGroup   = errors.New("no such group")
	ErrNoMember  = errors.New("not a member of the group")
	ErrNoMessage = errors.New("no such message")
	ErrNoRequest = errors.New("no such request")
	ErrNoFile    = errors.New("no such file")
	// ErrForbidden says that the operator's role does not allow the act.
	ErrForbidden = errors.New("not allowed")
	// ErrMuted says that the sender may not speak in the group now.
	ErrMuted = errors.New("muted")
	// ErrUnreachable says that QQ cannot be reached: the account is offline or
	// the link is dead.
	ErrUnreachable = errors.New("unreachable")
)

// Refusal is QQ's answer to a send that it does not take.
type Refusal struct {
	Code int
	Text string
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("%s (%d)", r.Text, r.Code) }

// Options configures a [World]. The zero value is fine.
type Options struct {
	UIN      int64            // the bot's account; 0: [SelfUIN]
	Nickname string           // "": "ncatd 模拟号"
	Now      func() time.Time // nil: time.Now
	Empty    bool             // no friends and groups but the account itself
	NextSeq  func() int64     // the sequence of the next message, which must grow; nil: 1001 and on in each chat
}

// World is the little QQ. All methods are safe for concurrent use.
type World struct {
	now func() time.Time

	*shared
	directory
	sending
	changes uint64             // counts what Save would write anew
	chats   map[Chat]*chatLog  // but for those of groups
	ids     map[int32]*Message // what get_msg can find
	idq     []int32            // ids, oldest first
	nextSeq func() int64       // nil: one more than the last
	reqs    []*Request
	faces   []string // favourite emoji, by URL
	likes   []Vote
	online  bool
	status  Status
	subs    map[int]func(Event)
	nextSub int
}

// shared is what the accounts of one QQ have in common, and guards all of them.
type shared struct {
	mu      sync.Mutex
	views   []*World // one of each account
	groups  map[int64]*Group
	gorder  []int64
	rooms   map[Chat]*chatLog // what was said in groups
	byMsgID map[string]*Message
	files   map[string]*File
	counters
}

// directory is who the account is and whom it has heard of.
type directory struct {
	self  *User
	users map[int64]*User
	order []int64 // users in the order they came
}

// sending is what the account sent, and what becomes of more.
type sending struct {
	dead    DeadLink
	refusal *Refusal // of sends; nil: none
	refuseN int      // sends that it meets; 0: all
	sent    []Sent
	sentN   int           // number of the newest entry of sent
	sentC   chan struct{} // closed when sent grows
}

// counters number what is made.
type counters struct {
	msgN  uint32
	fileN int
	reqN  int64
}

// Status is the account's presence as set_online_status sets it.
type Status struct {
	Status, ExtStatus, Battery int64
}

// User is a QQ account.
type User struct {
	UIN      int64  `json:"uin"`
	UID      string `json:"uid"`
	Nickname string `json:"nickname"`
	Remark   string `json:"remark,omitempty"`
	Sex      string `json:"sex"` // male, female, unknown
	Age      int    `json:"age"`
	Level    int    `json:"level"`
	QID      string `json:"qid,omitempty"`
	LongNick string `json:"long_nick,omitempty"`
	RegTime  int64  `json:"reg_time"`
	Friend   bool   `json:"friend"`
	Likes    int    `json:"likes,omitempty"` // how often the bot liked this user
}

// UID returns the internal id that QQ gives the account uin in this world.
func UID(uin int64) string {
	sum := md5.Sum([]byte("uid:" + strconv.FormatInt(uin, 10)))
	return "u_" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// New returns a world with the account of o and, unless o.Empty, with the
// people and groups that the documentation of the simulator names: the friends
// Alice (3001000001), Bob and Carol, the strangers Dave and Erin, the group
// 700000001 in which the bot is an administrator, and 700000002 in which it is
// a plain member.
func New(o Options) *World {
	w := view(o, &shared{
		groups: make(map[int64]*Group), rooms: make(map[Chat]*chatLog),
		byMsgID: make(map[string]*Message), files: make(map[string]*File),
	})
	w.reqN = w.now().UnixMicro()
	if !o.Empty {
		w.populate()
	}
	return w
}

// Account returns the same QQ as another account sees it. Groups are the same
// ones, with what is said and done there: whoever is a member hears it, each
// other included. Friends, private chats, presence and message ids are each
// account's own; o.Empty has no meaning.
func (w *World) Account(o Options) *World {
	w.mu.Lock()
	defer w.mu.Unlock()
	return view(o, w.shared)
}

func view(o Options, s *shared) *World {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.UIN == 0 {
		o.UIN = SelfUIN
	}
	if o.Nickname == "" {
		o.Nickname = "ncatd 模拟号"
	}
	w := &World{
		now:    o.Now,
		shared: s,
		chats:  make(map[Chat]*chatLog),
		ids:    make(map[int32]*Message),
		subs:   make(map[int]func(Event)),
		online: true,
		status: Status{Status: 10},
	}
	w.nextSeq = o.NextSeq
	w.users, w.sentC = make(map[int64]*User), make(chan struct{})
	w.self = w.addUserLocked(User{UIN: o.UIN, Nickname: o.Nickname, Sex: "unknown", Age: 18, Level: 32})
	s.views = append(s.views, w)
	return w
}

func (w *World) populate() {
	for _, u := range []User{
		{UIN: 3001000001, Nickname: "Alice", Remark: "爱丽丝", Sex: "female", Age: 21, Level: 48, QID: "alice_sim", Friend: true},
		{UIN: 3001000002, Nickname: "Bob", Sex: "male", Age: 24, Level: 30, Friend: true},
		{UIN: 3001000003, Nickname: "Carol", Remark: "卡萝", Sex: "female", Age: 30, Level: 61, Friend: true},
		{UIN: 3002000001, Nickname: "Dave", Sex: "male", Age: 19, Level: 12},
		{UIN: 3002000002, Nickname: "Erin", Sex: "unknown", Level: 5},
	} {
		w.addUserLocked(u)
	}
	now := w.now().Unix()
	w.addGroupLocked(700000001, "ncatd 测试群", now, map[int64]Role{
		3001000001: Owner, w.self.UIN: Admin, 3001000002: Admin, 3001000003: Plain, 3002000001: Plain,
	})
	w.addGroupLocked(700000002, "闲聊群", now, map[int64]Role{
		3002000001: Owner, 3001000001: Admin, w.self.UIN: Plain, 3001000002: Plain, 3002000002: Plain,
	})
	m := w.groups[700000001].Members
	m[3002000001].Card = "戴夫"
	m[3002000001].told = "戴夫"
	m[3001000003].Title = "元老"
	w.faces = []string{
		"https://p.qpic.cn/qq_expression/3889001001/sim_face_1/0",
		"https://p.qpic.cn/qq_expression/3889001001/sim_face_2/0",
	}
}

func (w *World) addUserLocked(u User) *User {
	if u.UID == "" {
		u.UID = UID(u.UIN)
	}
	if u.Sex == "" {
		u.Sex = "unknown"
	}
	if u.RegTime == 0 {
		u.RegTime = 1420041600 + u.UIN%100000
	}
	w.changes++
	p := &u
	if _, ok := w.users[u.UIN]; !ok {
		w.order = append(w.order, u.UIN)
	}
	w.users[u.UIN] = p
	return p
}

// userLocked returns the account uin, nil if nobody has heard of it: whom one
// account of this QQ knows the others can look up.
func (w *World) userLocked(uin int64) *User {
	if u := w.users[uin]; u != nil {
		return u
	}
	for _, v := range w.views {
		if u := v.users[uin]; u != nil {
			stranger := *u
			stranger.Friend, stranger.Remark, stranger.Likes = false, "", 0
			return w.addUserLocked(stranger)
		}
	}
	return nil
}

// AddUser puts a person into the world, or replaces what is known of one. A
// user with Friend set is a friend of the bot at once, without a notice.
func (w *World) AddUser(u User) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addUserLocked(u)
}

// Self returns the bot's account.
func (w *World) Self() User {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.self
}

// User returns the account uin.
func (w *World) User(uin int64) (User, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u := w.userLocked(uin); u != nil {
		return *u, true
	}
	return User{}, false
}

// UpdateUser changes the account uin by f, which must not call back.
func (w *World) UpdateUser(uin int64, f func(*User)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.userLocked(uin)
	if u == nil {
		return fmt.Errorf("user %d: %w", uin, ErrNoUser)
	}
	f(u)
	w.changes++
	return nil
}

// Friends returns the bot's friends in the order they came.
func (w *World) Friends() []User {
	w.mu.Lock()
	defer w.mu.Unlock()
	var fs []User
	for _, id := range w.order {
		if u := w.users[id]; u.Friend {
			fs = append(fs, *u)
		}
	}
	return fs
}

// Online reports whether the account is online.
func (w *World) Online() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.online
}

// SetOnline takes the account off and on line without any event, as a status
// flap does (contract D.4). While it is off, messages do not arrive and sends
// time out.
func (w *World) SetOnline(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.online = on
}

// Presence returns the presence that the account shows.
func (w *World) Presence() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// SetPresence sets the presence that the account shows.
func (w *World) SetPresence(s Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = s
}

// KickOffline ends the account's session as QQ does when it is logged in
// elsewhere: it goes offline and the bot_offline notice is emitted.
func (w *World) KickOffline(title, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.online = false
	w.noticeLocked("notice_type", "bot_offline", "user_id", w.self.UIN, "tag", title, "message", text)
}

// DeadLink says what becomes of the bot's sends when QQ does not confirm them.
type DeadLink int

// The states of the link to QQ.
const (
	LinkUp    DeadLink = iota // all is well
	LinkDead                  // sends are lost, nothing arrives
	LinkNoAck                 // sends arrive, but their confirmation is lost; nothing arrives
)

// SetDeadLink makes the link to QQ fail silently, or mends it: the account stays
// "online", sends time out, messages do not arrive.
func (w *World) SetDeadLink(d DeadLink) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = d
}

// Link returns the state of the link to QQ.
func (w *World) Link() DeadLink {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// Event is something that the account sees happen.
type Event struct {
	Time     int64  // unix seconds
	PostType string // notice, request, message
	// Body holds the keys after time, self_id and post_type; nil for messages.
	Body *jsval.Object
	// Message is the message that came in or, if it is the bot's own, went out.
	Message *Message
}

// Subscribe calls f for every event, one at a time and in order, until cancel
// is called. f runs inside the change that caused the event: it must return
// soon and must not call methods of w. f must not change the event.
func (w *World) Subscribe(f func(Event)) (cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nextSub
	w.nextSub++
	w.subs[n] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subs, n)
	}
}

func (w *World) emitLocked(e Event) {
	if e.Time == 0 {
		e.Time = w.now().Unix()
	}
	keys := make([]int, 0, 4)
	for k := range w.subs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		w.subs[k](e)
	}
}

// reachableLocked reports whether what happens in QQ reaches the account.
func (w *World) reachableLocked() bool { return w.online && w.dead == LinkUp }

// noticeLocked emits a notice unless the account cannot be reached. A going
// offline is always told, it comes from the host itself. What names a group is
// told to all who are in it.
func (w *World) noticeLocked(kv ...any) {
	body := jsval.Obj(kv...)
	told := []*World{w}
	if group := jsval.Int(body.Get("group_id")); group != 0 {
		told = w.witnessesLocked(group)
	}
	for _, v := range told {
		v.changes++
		if kv[1] == "bot_offline" || v.reachableLocked() {
			v.emitLocked(Event{PostType: "notice", Body: body})
		}
	}
}

// witnessesLocked returns the accounts that are members of a group.
func (w *World) witnessesLocked(group int64) []*World {
	g := w.groups[group]
	if g == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(w.views), func(v *World) bool { return g.Members[v.self.UIN] == nil })
}

// newMsgIDLocked returns a fresh 19-digit id of QQ's shape: the time in its
// upper half, a part that is unique in this world in its lower.
func (w *World) newMsgIDLocked() string {
	w.msgN++
	id := uint64(w.now().Unix())<<32 | uint64(w.msgN&0xFFFFFF)<<8 | uint64(rand.N[uint32](256))
	return strconv.FormatUint(id, 10)
}

// MessageID returns NapCat's id of a message (contract E.9): the first four
// bytes of an MD5 with the top bit cleared. chatType is 1 for private, 2 for
// group and 100 for temporary chats; peerUID is the group's number or the
// peer's internal id.
func MessageID(msgID string, chatType ChatType, peerUID string) int32 {
	sum := md5.Sum([]byte(msgID + "|" + strconv.Itoa(int(chatType)) + "|" + peerUID))
	return int32(binary.BigEndian.Uint32(sum[:4]) & 0x7FFFFFFF)
}
