package world

import (
	"cmp"
	"sort"
)

// Snapshot is the world's state in a form that people and scripts can read.
type Snapshot struct {
	Self     User       `json:"self"`
	Online   bool       `json:"online"`
	Link     string     `json:"link"` // up, dead, no_ack
	Friends  []User     `json:"friends"`
	Others   []User     `json:"others"`
	Groups   []Group    `json:"groups"`
	Requests []Request  `json:"requests"`
	Files    []File     `json:"files"`
	Chats    []ChatInfo `json:"chats"`
	Sent     int        `json:"sent"` // how many messages the bot sent
}

// ChatInfo is the size of one chat's history.
type ChatInfo struct {
	Type     ChatType `json:"type"`
	Peer     int64    `json:"peer"`
	Messages int      `json:"messages"`
	Last     string   `json:"last,omitempty"` // text of the newest message
}

// Snapshot returns the world's state.
func (w *World) Snapshot() Snapshot {
	groups, friends := w.Groups(), w.Friends()
	reqs := w.Requests(FriendRequest, JoinRequest, InviteRequest, DoubtRequest)
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Snapshot{
		Self: *w.self, Online: w.online, Link: [...]string{"up", "dead", "no_ack"}[w.dead],
		Friends: friends, Groups: groups, Requests: reqs, Sent: w.sentN,
	}
	for _, id := range w.order {
		if u := w.users[id]; !u.Friend && u != w.self {
			s.Others = append(s.Others, *u)
		}
	}
	for _, f := range w.files {
		s.Files = append(s.Files, *f)
	}
	for c, l := range w.allLogs() {
		i := ChatInfo{Type: c.Type, Peer: c.Peer, Messages: len(l.msgs)}
		if n := len(l.msgs); n > 0 {
			i.Last = l.msgs[n-1].PlainText()
		}
		s.Chats = append(s.Chats, i)
	}
	sort.Slice(s.Files, func(i, j int) bool { return s.Files[i].ID < s.Files[j].ID })
	sort.Slice(s.Chats, func(i, j int) bool {
		a, b := s.Chats[i], s.Chats[j]
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Peer, b.Peer)) < 0
	})
	return s
}
