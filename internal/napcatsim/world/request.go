package world

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// RequestKind says what somebody asks for.
type RequestKind string

// The kinds of request.
const (
	FriendRequest RequestKind = "friend"
	JoinRequest   RequestKind = "add"    // somebody wants into a group where the bot is an administrator
	InviteRequest RequestKind = "invite" // the bot is asked into a group
	DoubtRequest  RequestKind = "doubt"  // a friend request that QQ filtered; told to nobody
)

// Request is something that the bot may grant or refuse.
type Request struct {
	Kind     RequestKind `json:"kind"`
	Flag     string      `json:"flag"`
	User     int64       `json:"user"` // the applicant or inviter
	Group    int64       `json:"group,omitempty"`
	Comment  string      `json:"comment"`
	Time     int64       `json:"time"`
	Answered bool        `json:"answered"`
	Approved bool        `json:"approved"`
	Actor    int64       `json:"actor,omitempty"` // who answered
	Reason   string      `json:"reason,omitempty"`
}

// Ask puts a request to the bot and emits its event. A user or, for an
// invitation, a group that the world does not know is made. The flag is QQ's
// unless r has one that no other request has.
func (w *World) Ask(r Request) (Request, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.userLocked(r.User) == nil {
		w.addUserLocked(User{UIN: r.User, Nickname: fmt.Sprintf("用户%d", r.User%10000)})
	}
	if r.Kind == JoinRequest || r.Kind == InviteRequest {
		g := w.groups[r.Group]
		switch {
		case g == nil && r.Kind == InviteRequest:
			w.addGroupLocked(r.Group, fmt.Sprintf("群%d", r.Group%10000), w.now().Unix(), map[int64]Role{r.User: Owner})
		case g == nil:
			return Request{}, fmt.Errorf("group %d: %w", r.Group, ErrNoGroup)
		}
	}
	w.reqN++
	r.Time = w.now().Unix()
	if r.Flag == "" || w.requestLocked(r.Flag) != nil {
		r.Flag = w.newFlagLocked(r)
	}
	w.changes++
	for _, v := range w.views { // a group's administrators are all asked
		leads := func() bool {
			m := w.groups[r.Group].Members[v.self.UIN]
			return m != nil && m.Role != Plain
		}
		if v == w || r.Kind == JoinRequest && leads() {
			v.askedLocked(&r)
		}
	}
	return r, nil
}

func (w *World) askedLocked(r *Request) {
	w.reqs = append(w.reqs, r)
	if !w.reachableLocked() {
		return
	}
	switch r.Kind {
	case FriendRequest:
		w.emitLocked(Event{PostType: "request", Body: jsval.Obj("request_type", "friend",
			"user_id", r.User, "comment", r.Comment, "flag", r.Flag)})
	case JoinRequest, InviteRequest:
		w.emitLocked(Event{PostType: "request", Body: jsval.Obj("request_type", "group", "group_id", r.Group,
			"user_id", r.User, "comment", r.Comment, "flag", r.Flag, "sub_type", string(r.Kind))})
	}
}

// newFlagLocked names a request as QQ does: a friend's by its time, of which two in
// one second must differ here.
func (w *World) newFlagLocked(r Request) string {
	switch r.Kind {
	case FriendRequest:
		n := r.Time
		for w.requestLocked(strconv.FormatInt(n, 10)) != nil {
			n++
		}
		return strconv.FormatInt(n, 10)
	case DoubtRequest:
		return UID(r.User)
	}
	return strconv.FormatInt(w.reqN, 10)
}

func (w *World) requestLocked(flag string) *Request {
	for _, r := range w.reqs {
		if r.Flag == flag {
			return r
		}
	}
	return nil
}

// Requests returns all requests of the given kinds, newest first.
func (w *World) Requests(kinds ...RequestKind) []Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Request
	for _, r := range slices.Backward(w.reqs) {
		if slices.Contains(kinds, r.Kind) {
			out = append(out, *r)
		}
	}
	return out
}

// Answer grants or refuses the open request with the given flag, and lets what
// follows from a granted one happen: a new friend, a new member. Answering twice
// does nothing.
func (w *World) Answer(flag string, approve bool, text string, kinds ...RequestKind) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.requestLocked(flag)
	if r == nil || !slices.Contains(kinds, r.Kind) {
		return fmt.Errorf("request %q: %w", flag, ErrNoRequest)
	}
	if r.Answered {
		return nil
	}
	w.changes++
	r.Answered, r.Approved, r.Actor = true, approve, w.self.UIN
	if !approve {
		r.Reason = text
		return nil
	}
	switch r.Kind {
	case FriendRequest, DoubtRequest:
		w.befriendLocked(r.User, text)
	case JoinRequest:
		return w.joinLocked(r.Group, r.User, w.self.UIN, false)
	case InviteRequest:
		return w.joinLocked(r.Group, w.self.UIN, r.User, true)
	}
	return nil
}

// Befriend makes a user a friend of the bot and emits the notice.
func (w *World) Befriend(user int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.befriendLocked(user, "")
}

func (w *World) befriendLocked(user int64, remark string) {
	u := w.userLocked(user)
	if u == nil {
		u = w.addUserLocked(User{UIN: user, Nickname: fmt.Sprintf("用户%d", user%10000)})
	}
	if remark != "" {
		u.Remark = remark
	}
	if u.Friend {
		return
	}
	u.Friend = true
	w.noticeLocked("notice_type", "friend_add", "user_id", user)
}

// Unfriend ends a friendship; QQ tells nobody. It reports whether there was one.
func (w *World) Unfriend(user int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.users[user]
	if u == nil || !u.Friend {
		return false
	}
	u.Friend = false
	w.changes++
	return true
}

// Typing emits the notice that a friend is typing. event is QQ's code: 1
// typing, 2 stopped.
func (w *World) Typing(user, event int64, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noticeLocked("notice_type", "notify", "sub_type", "input_status", "status_text", text,
		"event_type", event, "user_id", user, "group_id", 0)
}

// Vote is somebody's likes of the bot's profile.
type Vote struct {
	User  int64 `json:"user"`
	Count int64 `json:"count"`
	Time  int64 `json:"time"`
}

// LikeProfile lets somebody like the bot's profile some times.
func (w *World) LikeProfile(user, times int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.userLocked(user)
	if u == nil {
		return fmt.Errorf("user %d: %w", user, ErrNoUser)
	}
	w.likes = append(w.likes, Vote{User: user, Count: times, Time: w.now().Unix()})
	w.noticeLocked("notice_type", "notify", "sub_type", "profile_like", "operator_id", user,
		"operator_nick", u.Nickname, "times", times)
	return nil
}

// ProfileLikes returns who liked the bot's profile, newest first.
func (w *World) ProfileLikes() []Vote {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.likes)
	slices.Reverse(out)
	return out
}

// OnlineFile emits what becomes of an online file: kind online_file_send with
// sub receive or refuse, or online_file_receive with sub cancel.
func (w *World) OnlineFile(kind, sub string, peer int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noticeLocked("notice_type", kind, "sub_type", sub, "peer_id", peer)
}

// grayLocked puts a gray line into a chat, where it is a message without content
// (contract L.6).
func (w *World) grayLocked(c Chat, user int64) *Message {
	m := &Message{Chat: c, Sender: user, Self: user == w.self.UIN}
	w.deliverLocked(m)
	return m
}

// GrayTip emits a gray line of the chat that NapCat does not know but that names
// a real sender, as a message without content and as a notice.
func (w *World) GrayTip(group, user int64, busi, content string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, _, err := w.memberLocked(group, user); err != nil {
		return err
	}
	m := w.grayLocked(Chat{InGroup, group}, user)
	w.noticeLocked("group_id", group, "user_id", user, "notice_type", "notify", "sub_type", "gray_tip",
		"message_id", m.ID, "busi_id", busi, "content", content,
		"raw_info", jsval.Obj("msgSeq", strconv.FormatInt(m.Seq, 10), "msgTime", strconv.FormatInt(m.Time, 10),
			"msgId", m.MsgID, "json", content))
	return nil
}

// Faces returns the URLs of the bot's favourite emoji.
func (w *World) Faces() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.faces)
}

// SetFaces replaces the bot's favourite emoji.
func (w *World) SetFaces(urls []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faces = slices.Clone(urls)
	w.changes++
}
