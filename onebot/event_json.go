package onebot

// Every event reads and writes itself: leniently, and without losing a field
// that this package does not know.

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (m *PrivateMessage) UnmarshalJSON(b []byte) error { return decodeObject(b, m) }

// MarshalJSON implements [encoding/json.Marshaler].
func (m *PrivateMessage) MarshalJSON() ([]byte, error) { return encodeObject(nil, m), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (m *GroupMessage) UnmarshalJSON(b []byte) error { return decodeObject(b, m) }

// MarshalJSON implements [encoding/json.Marshaler].
func (m *GroupMessage) MarshalJSON() ([]byte, error) { return encodeObject(nil, m), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *Lifecycle) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *Lifecycle) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *Heartbeat) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *Heartbeat) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *FriendRequest) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *FriendRequest) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupRequest) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupRequest) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *FriendAdd) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *FriendAdd) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *FriendRecall) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *FriendRecall) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupRecall) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupRecall) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupIncrease) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupIncrease) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupDecrease) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupDecrease) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupAdmin) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupAdmin) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupBan) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupBan) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupUpload) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupUpload) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupCard) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupCard) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *Essence) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *Essence) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupMsgEmojiLike) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupMsgEmojiLike) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *Poke) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *Poke) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *InputStatus) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *InputStatus) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupTitle) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupTitle) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GroupName) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GroupName) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *ProfileLike) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *ProfileLike) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *GrayTip) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *GrayTip) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *BotOffline) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *BotOffline) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *OnlineFileSend) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *OnlineFileSend) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *OnlineFileReceive) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *OnlineFileReceive) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *LuckyKing) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *LuckyKing) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *Honor) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *Honor) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *OfflineFile) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *OfflineFile) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *ClientStatus) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *ClientStatus) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (e *UnknownEvent) UnmarshalJSON(b []byte) error { return decodeObject(b, e) }

// MarshalJSON implements [encoding/json.Marshaler].
func (e *UnknownEvent) MarshalJSON() ([]byte, error) { return encodeObject(nil, e), nil }
