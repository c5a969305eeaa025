package ncattest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// memory is what a Caller knows of the world: what was said, who was seen where,
// and files. The zero memory is ready and belongs to the account Self.
type memory struct {
	mu       sync.Mutex // guards the fields below
	account  onebot.UserID
	messages map[onebot.MessageID]json.RawMessage
	chats    map[ncat.Chat][]onebot.MessageID
	members  map[onebot.GroupID]map[onebot.UserID]onebot.Sender
	friends  map[onebot.UserID]onebot.Sender
	standing map[onebot.GroupID]standing
	files    map[string][]byte // by what a segment or an upload calls them
	uploads  map[string]*upload
}

// standing is what keeps the account from speaking in a group.
type standing struct {
	muted time.Time // until then
	out   bool      // it is no member any more
}

// heardInLocked notes what an event says of the account's own standing.
func (m *memory) heardInLocked(e onebot.Event) {
	group := ncat.ChatOf(e).Group
	if group == 0 {
		return
	}
	if m.standing == nil {
		m.standing = map[onebot.GroupID]standing{}
	}
	s := m.standing[group]
	s.out = false // what happens there is told to members only
	switch e := e.(type) {
	case *onebot.GroupBan:
		if e.UserID == m.self() {
			s.muted = time.Now().Add(time.Duration(e.Duration) * time.Second)
		}
	case *onebot.GroupDecrease:
		s.out = e.UserID == m.self()
	}
	m.standing[group] = s
}

// unheard says what QQ says to a send that it does not take (contract L.1).
func (m *memory) unheard(to ncat.Chat) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.standing[to.Group]
	code, text := 0, ""
	switch {
	case !to.IsGroup():
		return nil
	case s.out:
		code, text = 110, "你不在该群中"
	case time.Now().Before(s.muted):
		code, text = 120, "你已被禁言"
	default:
		return nil
	}
	return refused(fmt.Sprintf("EventChecker Failed: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate EventRet:\n{\n    \"result\": %d,\n    \"errMsg\": %q\n}", code, text))
}

// recalledLocked takes the content out of a message, which is all that is left of
// one that was recalled (contract K.4).
func (m *memory) recalledLocked(id onebot.MessageID) {
	frame, ok := m.messages[id]
	if !ok {
		return
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(frame, &o); err != nil {
		panic(fmt.Sprintf("ncattest: %v", err)) // it was written by this package
	}
	o["message"], o["raw_message"] = json.RawMessage("[]"), json.RawMessage(`""`)
	b, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("ncattest: %v", err)) // as above
	}
	m.messages[id] = b
}

// upload is a stream upload that goes on.
type upload struct {
	name   string
	chunks map[int][]byte
	total  int
}

func (m *memory) self() onebot.UserID {
	if m.account != 0 {
		return m.account
	}
	return Self
}

// saw remembers an event that came to the account.
func (m *memory) saw(e onebot.Event, frame []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heardInLocked(e)
	switch e := e.(type) {
	case *onebot.GroupRecall:
		m.recalledLocked(e.MessageID)
	case *onebot.FriendRecall:
		m.recalledLocked(e.MessageID)
	case onebot.MessageEvent:
		msg, chat := e.Msg(), ncat.ChatOf(e)
		m.keepLocked(chat, msg.MessageID, frame)
		if chat.IsGroup() {
			m.memberLocked(chat.Group, msg.Sender)
		} else {
			if m.friends == nil {
				m.friends = map[onebot.UserID]onebot.Sender{}
			}
			m.friends[msg.UserID] = msg.Sender
		}
	case *onebot.GroupIncrease:
		m.memberLocked(e.GroupID, onebot.Sender{UserID: e.UserID, Nickname: "user " + e.UserID.String(), Role: onebot.RoleMember})
	case *onebot.GroupDecrease:
		delete(m.members[e.GroupID], e.UserID)
	}
}

func (m *memory) memberLocked(g onebot.GroupID, s onebot.Sender) {
	if m.members == nil {
		m.members = map[onebot.GroupID]map[onebot.UserID]onebot.Sender{}
	}
	if m.members[g] == nil {
		m.members[g] = map[onebot.UserID]onebot.Sender{}
	}
	m.members[g][s.UserID] = s
}

func (m *memory) keepLocked(chat ncat.Chat, id onebot.MessageID, frame []byte) {
	if m.messages == nil {
		m.messages, m.chats = map[onebot.MessageID]json.RawMessage{}, map[ncat.Chat][]onebot.MessageID{}
	}
	m.messages[id] = frame
	if chat.User != 0 {
		chat.Group = 0
	}
	m.chats[chat] = append(m.chats[chat], id)
}

// said remembers a message of the account itself.
func (m *memory) said(s Sent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var e onebot.MessageEvent
	if s.Chat.IsGroup() {
		e = GroupMessage(s.Chat.Group, m.self(), s.Message)
	} else {
		p := PrivateMessage(m.self(), s.Message)
		p.TargetID = s.Chat.User
		e = p
	}
	msg := e.Msg()
	msg.SelfID, msg.PostType, msg.MessageID = m.self(), onebot.PostMessageSent, s.ID
	m.keepLocked(s.Chat, s.ID, Frame(e))
}

// put keeps a file under a name.
func (m *memory) put(name string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.putLocked(name, content)
}

func (m *memory) putLocked(name string, content []byte) {
	if m.files == nil {
		m.files = map[string][]byte{}
	}
	m.files[name] = content
}

func (m *memory) file(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[name]
	return b, ok
}

// memoryParams are the parameters of all actions that memory answers.
type memoryParams struct {
	GroupID   onebot.GroupID   `json:"group_id"`
	UserID    onebot.UserID    `json:"user_id"`
	MessageID onebot.MessageID `json:"message_id"`
	Count     onebot.GroupID   `json:"count"` // an id because those decode leniently
	File      string           `json:"file"`
	FileID    string           `json:"file_id"`
	ChunkSize int              `json:"chunk_size"`

	StreamID   string  `json:"stream_id"`
	Filename   string  `json:"filename"`
	ChunkIndex *int    `json:"chunk_index"`
	ChunkData  *string `json:"chunk_data"`
	Total      int     `json:"total_chunks"`
	IsComplete bool    `json:"is_complete"`
	Reset      bool    `json:"reset"`
}

func refused(message string) error {
	return &onebot.Error{RetCode: onebot.RetFailed, Message: message, Wording: message}
}

// answer answers what needs an answer, and everything else with nothing.
func (m *memory) answer(action string, params json.RawMessage, packet func(json.RawMessage) error) (any, error) {
	var p memoryParams
	_ = json.Unmarshal(params, &p) // what does not fit is left zero
	if strings.HasPrefix(action, "download_file_") {
		return m.download(p, packet)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch action {
	case "get_login_info":
		return map[string]any{"user_id": m.self(), "nickname": "bot"}, nil
	case "get_status":
		return map[string]any{"online": true, "good": true, "stat": map[string]any{}}, nil
	case "get_version_info":
		return map[string]any{"app_name": "NapCat.Onebot", "protocol_version": "v11", "app_version": "4.18.19"}, nil
	case "can_send_image", "can_send_record":
		return map[string]any{"yes": true}, nil
	case "get_msg":
		if b, ok := m.messages[p.MessageID]; ok {
			return b, nil
		}
		return nil, refused("消息不存在")
	case "delete_msg":
		m.recalledLocked(p.MessageID)
	case "get_group_msg_history":
		return m.historyLocked(ncat.Group(p.GroupID), int(p.Count)), nil
	case "get_friend_msg_history":
		return m.historyLocked(ncat.Private(p.UserID), int(p.Count)), nil
	case "get_group_member_info":
		return m.member(p.GroupID, p.UserID), nil
	case "get_group_member_list":
		out := []any{}
		for _, id := range slices.Sorted(maps.Keys(m.members[p.GroupID])) {
			out = append(out, m.member(p.GroupID, id))
		}
		return out, nil
	case "get_group_info":
		return m.group(p.GroupID), nil
	case "get_group_list":
		out := []any{}
		for _, id := range slices.Sorted(maps.Keys(m.members)) {
			out = append(out, m.group(id))
		}
		return out, nil
	case "get_friend_list":
		out := []any{}
		for _, id := range slices.Sorted(maps.Keys(m.friends)) {
			out = append(out, map[string]any{"user_id": id, "nickname": m.friends[id].Nickname, "remark": ""})
		}
		return out, nil
	case "get_stranger_info":
		return map[string]any{"user_id": p.UserID, "nickname": "user " + p.UserID.String(), "sex": "unknown", "age": 0}, nil
	case "upload_file_stream":
		return m.uploadLocked(p)
	}
	return nil, nil
}

func (m *memory) historyLocked(chat ncat.Chat, count int) any {
	ids := m.chats[chat]
	if count <= 0 {
		count = 20
	}
	out := []json.RawMessage{}
	for _, id := range ids[max(0, len(ids)-count):] {
		out = append(out, m.messages[id])
	}
	return map[string]any{"messages": out}
}

func (m *memory) member(g onebot.GroupID, u onebot.UserID) any {
	s, ok := m.members[g][u]
	if !ok {
		s = onebot.Sender{Nickname: "user " + u.String(), Role: onebot.RoleMember}
	}
	return map[string]any{"group_id": g, "user_id": u, "nickname": s.Nickname, "card": s.Card, "role": s.Role, "title": s.Title}
}

func (m *memory) group(g onebot.GroupID) any {
	return map[string]any{"group_id": g, "group_name": "group " + g.String(), "group_remark": "", "group_all_shut": 0,
		"member_count": len(m.members[g]), "max_member_count": 200}
}

// uploadLocked is one step of a stream upload (contract E.3).
func (m *memory) uploadLocked(p memoryParams) (any, error) {
	u := m.uploads[p.StreamID]
	if p.Reset {
		delete(m.uploads, p.StreamID)
		return nil, refused("Stream reset completed")
	}
	if u == nil {
		u = &upload{name: p.Filename, total: p.Total, chunks: map[int][]byte{}}
		if m.uploads == nil {
			m.uploads = map[string]*upload{}
		}
		m.uploads[p.StreamID] = u
	}
	state := func(typ, status string) map[string]any {
		return map[string]any{"type": typ, "stream_id": p.StreamID, "status": status, "received_chunks": len(u.chunks), "total_chunks": u.total}
	}
	switch {
	case p.IsComplete:
		var content []byte
		for i := range u.total {
			content = append(content, u.chunks[i]...)
		}
		delete(m.uploads, p.StreamID)
		path := "/napcat/temp/" + u.name
		m.putLocked(path, content)
		sum := sha256.Sum256(content)
		out := state("response", "file_complete")
		out["file_path"], out["file_size"], out["sha256"] = path, len(content), hex.EncodeToString(sum[:])
		return out, nil
	case p.ChunkData != nil && p.ChunkIndex != nil:
		b, err := base64.StdEncoding.DecodeString(*p.ChunkData)
		if err != nil {
			return nil, refused("Chunk data is no base64")
		}
		u.chunks[*p.ChunkIndex] = b
		return state("stream", "chunk_received"), nil
	}
	return state("stream", "file_created"), nil
}

// download sends a file in packets (contract E.3).
func (m *memory) download(p memoryParams, packet func(json.RawMessage) error) (any, error) {
	name := p.FileID
	if name == "" {
		name = p.File
	}
	content, ok := m.file(name)
	if !ok {
		return nil, refused("file not found: " + name)
	}
	if packet == nil {
		packet = func(json.RawMessage) error { return nil }
	}
	send := func(data map[string]any) error {
		data["type"] = "stream"
		b, err := json.Marshal(data)
		if err != nil {
			return err
		}
		return packet(b)
	}
	size := p.ChunkSize
	if size <= 0 {
		size = 64 << 10
	}
	if err := send(map[string]any{"data_type": "file_info", "file_name": name, "file_size": len(content), "chunk_size": size}); err != nil {
		return nil, err
	}
	n := 0
	for part := range slices.Chunk(content, size) {
		data := base64.StdEncoding.EncodeToString(part)
		if err := send(map[string]any{"data_type": "file_chunk", "index": n, "data": data, "size": len(part), "base64_size": len(data)}); err != nil {
			return nil, err
		}
		n++
	}
	return map[string]any{"type": "response", "data_type": "file_complete", "total_chunks": n, "total_bytes": len(content), "message": "Download completed"}, nil
}

// received returns content as the account receives it: media that travel inside
// the message become files that can be downloaded.
func (m *memory) received(content onebot.Message) onebot.Message {
	out := slices.Clone(content)
	for i, s := range out {
		switch s := s.(type) {
		case *onebot.ImageSegment:
			if b, name, ok := inline(s.File); ok {
				m.put(name, b)
				out[i] = &onebot.ImageSegment{File: name, Summary: s.Summary, SubType: s.SubType, FileSize: int64(len(b))}
			}
		case *onebot.RecordSegment:
			if b, name, ok := inline(s.File); ok {
				m.put(name, b)
				out[i] = &onebot.RecordSegment{File: name, FileSize: int64(len(b))}
			}
		case *onebot.VideoSegment:
			if b, name, ok := inline(s.File); ok {
				m.put(name, b)
				out[i] = &onebot.VideoSegment{File: name, FileSize: int64(len(b))}
			}
		case *onebot.FileSegment:
			if b, id, ok := inline(s.File); ok {
				m.put(id, b)
				out[i] = &onebot.FileSegment{File: s.Name, FileID: id, FileSize: int64(len(b))}
			}
		}
	}
	return out
}

// inline returns the content of a base64:// source and the name NapCat would give
// it.
func inline(src string) (content []byte, name string, ok bool) {
	b64, ok := strings.CutPrefix(src, "base64://")
	if !ok {
		return nil, "", false
	}
	b, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return nil, "", false
	}
	sum := md5.Sum(b)
	return b, strings.ToUpper(hex.EncodeToString(sum[:])), true
}

// Content returns the content of a picture, voice message, video or file that
// the bot sent inside a message or uploaded before; false if it is elsewhere,
// for instance at an address.
func (c *Caller) Content(s onebot.Segment) ([]byte, bool) {
	var src string
	switch s := s.(type) {
	case *onebot.ImageSegment:
		src = s.File
	case *onebot.RecordSegment:
		src = s.File
	case *onebot.VideoSegment:
		src = s.File
	case *onebot.FileSegment:
		src = s.File
	}
	if b, _, ok := inline(src); ok {
		return b, true
	}
	return c.memory.file(src)
}
