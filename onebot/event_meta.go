package onebot

import "time"

// Lifecycle is sent when a connection to the endpoint was accepted (contract
// G.1). NapCat knows only SubType connect.
type Lifecycle struct {
	EventBase
	MetaEventType string `json:"meta_event_type"`
	SubType       string `json:"sub_type"`
}

// Heartbeat is sent every Interval milliseconds on a WebSocket (contract G.1).
// The first may come sooner.
type Heartbeat struct {
	EventBase
	MetaEventType string          `json:"meta_event_type"`
	Status        HeartbeatStatus `json:"status"`
	Interval      int64           `json:"interval"`
}

// Every returns the time between two heartbeats.
func (e *Heartbeat) Every() time.Duration { return time.Duration(e.Interval) * time.Millisecond }

// HeartbeatStatus tells whether the account is online. Good is always true in
// NapCat.
type HeartbeatStatus struct {
	Online bool `json:"online"`
	Good   bool `json:"good"`
}

// FriendRequest is sent when somebody asks to become a friend (contract G.4).
// Answer with [Client.SetFriendAddRequest].
type FriendRequest struct {
	EventBase
	RequestType string `json:"request_type"`
	UserID      UserID `json:"user_id"`
	Comment     string `json:"comment"`
	Flag        string `json:"flag"` // names the request when it is answered
}

// GroupRequest is sent when somebody asks to join a group of the account's, or
// invites the account into one (contract G.4). Answer with
// [Client.SetGroupAddRequest].
type GroupRequest struct {
	EventBase
	RequestType string  `json:"request_type"`
	GroupID     GroupID `json:"group_id"`
	UserID      UserID  `json:"user_id"` // who asks, or who invites
	Comment     string  `json:"comment"`
	Flag        string  `json:"flag"`     // names the request when it is answered
	SubType     string  `json:"sub_type"` // add or invite
}

// Invite reports whether the account was invited, not somebody asking to join.
func (e *GroupRequest) Invite() bool { return e.SubType == "invite" }
