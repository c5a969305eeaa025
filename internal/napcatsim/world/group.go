package world

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// Role is a member's standing in a group, in OneBot's words.
type Role string

// The roles.
const (
	Owner Role = "owner"
	Admin Role = "admin"
	Plain Role = "member"
)

func (r Role) rank() int { return map[Role]int{Owner: 3, Admin: 2, Plain: 1}[r] }

// Group is a group of people.
type Group struct {
	ID         int64             `json:"id"`
	Name       string            `json:"name"`
	Remark     string            `json:"remark,omitempty"`
	MaxMembers int               `json:"max_members"`
	Created    int64             `json:"created"`
	WholeBan   bool              `json:"whole_ban,omitempty"`
	Members    map[int64]*Member `json:"members"`
	Essences   []Essence         `json:"essences,omitempty"`
	Boards     []Board           `json:"boards,omitempty"`
	Signed     []Signed          `json:"signed,omitempty"`
	Options    map[string]int64  `json:"options,omitempty"` // join rules and the like, as last set
}

// Member is a person in a group.
type Member struct {
	UIN       int64  `json:"uin"`
	Card      string `json:"card,omitempty"`
	Title     string `json:"title,omitempty"`
	Role      Role   `json:"role"`
	Level     int    `json:"level"`
	Joined    int64  `json:"joined"`
	LastSent  int64  `json:"last_sent"`
	ShutUntil int64  `json:"shut_until,omitempty"` // unix seconds
	Robot     bool   `json:"robot,omitempty"`

	told string // the card that the bot's account knew when the member last spoke
}

// Essence is a message that a group keeps.
type Essence struct {
	MessageID int32 `json:"message_id"`
	Operator  int64 `json:"operator"`
	Time      int64 `json:"time"`
}

// Board is an announcement of a group.
type Board struct {
	ID     string `json:"id"`
	Sender int64  `json:"sender"`
	Time   int64  `json:"time"`
	Text   string `json:"text"`
	Image  string `json:"image,omitempty"`
}

// Signed is somebody's sign-in of the day.
type Signed struct {
	UIN  int64 `json:"uin"`
	Time int64 `json:"time"`
}

// outranks reports whether a's role is above b's.
func (g *Group) outranks(a, b int64) bool {
	x, y := g.Members[a], g.Members[b]
	return x != nil && (y == nil || x.Role.rank() > y.Role.rank())
}

// ownerLocked returns the owner, or if that is except, another member.
func (g *Group) ownerLocked(except int64) int64 {
	best := int64(0)
	for id, m := range g.Members {
		if id == except {
			continue
		}
		b := g.Members[best]
		if b == nil || m.Role.rank() > b.Role.rank() || m.Role == b.Role && id < best {
			best = id
		}
	}
	return best
}

// Sorted returns the members by role, then number.
func (g *Group) Sorted() []Member {
	ms := make([]Member, 0, len(g.Members))
	for _, m := range g.Members {
		ms = append(ms, *m)
	}
	sort.Slice(ms, func(i, j int) bool {
		a, b := ms[i], ms[j]
		return cmp.Or(b.Role.rank()-a.Role.rank(), cmp.Compare(a.UIN, b.UIN)) < 0
	})
	return ms
}

func (g *Group) clone() Group {
	c := *g
	c.Members = make(map[int64]*Member, len(g.Members))
	for id, m := range g.Members {
		mm := *m
		c.Members[id] = &mm
	}
	c.Essences = slices.Clone(g.Essences)
	c.Boards = slices.Clone(g.Boards)
	c.Signed = slices.Clone(g.Signed)
	c.Options = maps.Clone(g.Options)
	return c
}

func (w *World) addGroupLocked(id int64, name string, now int64, members map[int64]Role) *Group {
	g := &Group{ID: id, Name: name, MaxMembers: 200, Created: now - 86400*365, Members: make(map[int64]*Member), Options: make(map[string]int64)}
	for uin, role := range members {
		g.Members[uin] = &Member{UIN: uin, Role: role, Level: 1 + int(uin%20), Joined: now - 86400*30 - uin%86400}
	}
	w.changes++
	w.groups[id] = g
	w.gorder = append(w.gorder, id)
	return g
}

// AddGroup puts a group into the world. Users that are not known yet are made.
func (w *World) AddGroup(id int64, name string, members map[int64]Role) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for uin := range members {
		if w.userLocked(uin) == nil {
			w.addUserLocked(User{UIN: uin, Nickname: fmt.Sprintf("用户%d", uin%10000)})
		}
	}
	w.addGroupLocked(id, name, w.now().Unix(), members)
}

// Group returns a copy of the group id.
func (w *World) Group(id int64) (Group, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if g := w.groups[id]; g != nil {
		return g.clone(), true
	}
	return Group{}, false
}

// Groups returns copies of the groups that the bot is in, in the order they came.
func (w *World) Groups() []Group {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Group
	for _, id := range w.gorder {
		if g := w.groups[id]; g.Members[w.self.UIN] != nil {
			out = append(out, g.clone())
		}
	}
	return out
}

// UpdateGroup changes a group by f without any notice. f must not call back.
func (w *World) UpdateGroup(id int64, f func(*Group)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.groups[id]
	if g == nil {
		return fmt.Errorf("group %d: %w", id, ErrNoGroup)
	}
	f(g)
	w.changes++
	return nil
}

// memberLocked returns the group and the member, or an error.
func (w *World) memberLocked(group, user int64) (*Group, *Member, error) {
	g := w.groups[group]
	if g == nil {
		return nil, nil, fmt.Errorf("group %d: %w", group, ErrNoGroup)
	}
	m := g.Members[user]
	if m == nil {
		return nil, nil, fmt.Errorf("user %d in group %d: %w", user, group, ErrNoMember)
	}
	return g, m, nil
}

// Join makes a user a member. With invite set, operator brought him in; else
// operator let him in, 0 if nobody had to. The bot itself may join too.
func (w *World) Join(group, user, operator int64, invite bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.joinLocked(group, user, operator, invite)
}

func (w *World) joinLocked(group, user, operator int64, invite bool) error {
	g := w.groups[group]
	if g == nil {
		return fmt.Errorf("group %d: %w", group, ErrNoGroup)
	}
	if w.userLocked(user) == nil {
		w.addUserLocked(User{UIN: user, Nickname: fmt.Sprintf("用户%d", user%10000)})
	}
	if g.Members[user] == nil {
		g.Members[user] = &Member{UIN: user, Role: Plain, Level: 1, Joined: w.now().Unix()}
	}
	sub := "approve"
	if invite && user != w.self.UIN {
		sub = "invite"
	}
	w.noticeLocked("group_id", group, "user_id", user, "notice_type", "group_increase",
		"operator_id", operator, "sub_type", sub)
	return nil
}

// Leave takes a member out of a group: by himself if operator is 0, else kicked
// by operator, whose role must be the higher one. The bot may be the member.
func (w *World) Leave(group, user, operator int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g, _, err := w.memberLocked(group, user)
	if err != nil {
		return err
	}
	if operator != 0 && operator != user && !g.outranks(operator, user) {
		return fmt.Errorf("kick %d from group %d: %w", user, group, ErrForbidden)
	}
	w.changes++
	told := w.witnessesLocked(group)
	delete(g.Members, user)
	for _, v := range told {
		switch {
		case operator == 0 || operator == user:
			v.decreaseLocked(group, user, 0, "leave")
		case user == v.self.UIN:
			v.decreaseLocked(group, user, operator, "kick_me")
		default:
			v.decreaseLocked(group, user, operator, "kick")
		}
	}
	return nil
}

// Disband ends a group by its owner.
func (w *World) Disband(group int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.groups[group]
	if g == nil {
		return fmt.Errorf("group %d: %w", group, ErrNoGroup)
	}
	owner := g.ownerLocked(0)
	told := w.witnessesLocked(group)
	w.changes++
	delete(w.groups, group)
	w.gorder = slices.DeleteFunc(w.gorder, func(id int64) bool { return id == group })
	for _, v := range told {
		v.decreaseLocked(group, v.self.UIN, owner, "disband")
	}
	return nil
}

// decreaseLocked tells this account that somebody is no member any more, which
// may be the account itself.
func (w *World) decreaseLocked(group, user, operator int64, sub string) {
	w.changes++
	if w.reachableLocked() {
		w.emitLocked(Event{PostType: "notice", Body: jsval.Obj("group_id", group, "user_id", user, "notice_type", "group_decrease",
			"sub_type", sub, "operator_id", operator)})
	}
}

// SetAdmin makes a member an administrator or takes that away; only the owner
// can.
func (w *World) SetAdmin(group, user, operator int64, on bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g, m, err := w.memberLocked(group, user)
	if err != nil {
		return err
	}
	if o := g.Members[operator]; o == nil || o.Role != Owner || m.Role == Owner {
		return fmt.Errorf("set role of %d in group %d: %w", user, group, ErrForbidden)
	}
	role, sub := Plain, "unset"
	if on {
		role, sub = Admin, "set"
	}
	if m.Role == role {
		return nil
	}
	m.Role = role
	w.noticeLocked("group_id", group, "user_id", user, "notice_type", "group_admin", "sub_type", sub)
	return nil
}

// Ban silences a member for some seconds; 0 lets him speak again.
func (w *World) Ban(group, user, operator, seconds int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g, m, err := w.memberLocked(group, user)
	if err != nil {
		return err
	}
	if !g.outranks(operator, user) || g.Members[operator].Role == Plain {
		return fmt.Errorf("ban %d in group %d: %w", user, group, ErrForbidden)
	}
	sub := "ban"
	if seconds <= 0 {
		seconds, sub, m.ShutUntil = 0, "lift_ban", 0
	} else {
		m.ShutUntil = w.now().Unix() + seconds
	}
	w.noticeLocked("group_id", group, "user_id", user, "notice_type", "group_ban",
		"operator_id", operator, "duration", seconds, "sub_type", sub)
	return nil
}

// BanAll silences all plain members, or lets them speak again.
func (w *World) BanAll(group, operator int64, on bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g, o, err := w.memberLocked(group, operator)
	if err != nil {
		return err
	}
	if o.Role == Plain {
		return fmt.Errorf("ban all in group %d: %w", group, ErrForbidden)
	}
	g.WholeBan = on
	duration, sub := -1, "ban"
	if !on {
		duration, sub = 0, "lift_ban"
	}
	w.noticeLocked("group_id", group, "user_id", 0, "notice_type", "group_ban",
		"operator_id", operator, "duration", duration, "sub_type", sub)
	return nil
}

// SetCard changes the name that a member has in a group. The notice comes when
// that member next speaks.
func (w *World) SetCard(group, user, operator int64, card string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g, m, err := w.memberLocked(group, user)
	if err != nil {
		return err
	}
	if operator != user && (!g.outranks(operator, user) || g.Members[operator].Role == Plain) {
		return fmt.Errorf("set card of %d in group %d: %w", user, group, ErrForbidden)
	}
	m.Card = card
	w.changes++
	return nil
}

// tellCardLocked emits the change of card that shows when its owner speaks.
func (w *World) tellCardLocked(msg *Message) {
	g := w.groups[msg.Chat.Peer]
	m := g.Members[msg.Sender]
	if m == nil || m.told == m.Card {
		return
	}
	old := m.told
	m.told = m.Card
	w.noticeLocked("group_id", g.ID, "user_id", m.UIN, "notice_type", "group_card",
		"card_new", m.Card, "card_old", old)
}

// SetTitle gives a member a title; only the owner can.
func (w *World) SetTitle(group, user, operator int64, title string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g, m, err := w.memberLocked(group, user)
	if err != nil {
		return err
	}
	if o := g.Members[operator]; o == nil || o.Role != Owner {
		return fmt.Errorf("set title of %d in group %d: %w", user, group, ErrForbidden)
	}
	m.Title = title
	w.noticeLocked("group_id", group, "user_id", user, "notice_type", "notify", "sub_type", "title", "title", title)
	return nil
}

// Rename gives a group a new name.
func (w *World) Rename(group, operator int64, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g, o, err := w.memberLocked(group, operator)
	if err != nil {
		return err
	}
	if o.Role == Plain {
		return fmt.Errorf("rename group %d: %w", group, ErrForbidden)
	}
	g.Name = name
	w.noticeLocked("group_id", group, "user_id", operator, "notice_type", "notify",
		"sub_type", "group_name", "name_new", name)
	return nil
}

// SetEssence keeps a message as an essence of its group, or drops it. Only the
// adding is told.
func (w *World) SetEssence(id int32, operator int64, add bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.ids[id]
	if m == nil || m.Chat.Type != InGroup {
		return fmt.Errorf("message %d: %w", id, ErrNoMessage)
	}
	g, o, err := w.memberLocked(m.Chat.Peer, operator)
	if err != nil {
		return err
	}
	if o.Role == Plain {
		return fmt.Errorf("essence in group %d: %w", g.ID, ErrForbidden)
	}
	g.Essences = slices.DeleteFunc(g.Essences, func(e Essence) bool { return e.MessageID == id })
	w.changes++
	if !add {
		return nil
	}
	g.Essences = append(g.Essences, Essence{MessageID: id, Operator: operator, Time: w.now().Unix()})
	w.noticeLocked("group_id", g.ID, "user_id", m.Sender, "notice_type", "essence",
		"message_id", id, "sender_id", m.Sender, "operator_id", operator, "sub_type", "add")
	return nil
}

// Poke lets one person poke another: in a group, or with group 0 in the private
// chat between the bot and a friend. It is a gray line too.
func (w *World) Poke(group, from, to int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if group != 0 {
		for _, u := range []int64{from, to} {
			if _, _, err := w.memberLocked(group, u); err != nil {
				return err
			}
		}
		w.grayLocked(Chat{InGroup, group}, from)
		w.noticeLocked("notice_type", "notify", "sub_type", "poke", "target_id", to, "user_id", from,
			"group_id", group, "raw_info", pokeInfo(from, to))
		return nil
	}
	peer := from
	if from == w.self.UIN {
		peer = to
	}
	if w.userLocked(peer) == nil {
		return fmt.Errorf("user %d: %w", peer, ErrNoUser)
	}
	w.grayLocked(Chat{Private, peer}, from)
	w.noticeLocked("notice_type", "notify", "sub_type", "poke", "target_id", to, "user_id", peer,
		"raw_info", pokeInfo(from, to), "sender_id", from)
	return nil
}

// pokeInfo is the list of pieces from which QQ draws "A poked B".
func pokeInfo(from, to int64) []any {
	return []any{
		jsval.Obj("col", "1", "nm", "", "type", "qq", "uid", UID(from)),
		jsval.Obj("jp", "https://zb.vip.qq.com/v2/pages/nudgeMall?_wv=2&actionId=0", "src", "http://tianquan.gtimg.cn/nudgeaction/item/0/expression.jpg", "type", "img"),
		jsval.Obj("txt", "戳了戳", "type", "nor"),
		jsval.Obj("col", "1", "nm", "", "tp", "0", "type", "qq", "uid", UID(to)),
		jsval.Obj("txt", "", "type", "nor"),
	}
}
