package onebot

import (
	"strconv"

	"github.com/ncatd/ncatd/internal/alias"
	"github.com/ncatd/ncatd/internal/jsonscan"
)

// Quote returns a quotation of m, also where its id is no number, as some
// implementations besides NapCat have it.
func Quote(m MessageEvent) Segment {
	b := m.Msg()
	if b.MessageID != 0 && !alias.Is(int64(b.MessageID)) {
		return Reply(b.MessageID)
	}
	ms, _ := jsonscan.Members(b.raw, nil)
	id := lastValue(ms, "message_id")
	if id[0] != '"' {
		return Reply(b.MessageID)
	}
	return decodeSegment(`{"type":"reply","data":{"id":`+id+`}}`, 1)
}

// NodeFrom returns a made node with the content, the author and the time of m,
// for a merged forward. Unlike [NodeOf] it does not need NapCat to remember the
// message, but its author shows only with NapCat's packet layer.
func NodeFrom(m MessageEvent) Segment {
	b := m.Msg()
	return nodeFrom(b.UserID, b.Sender, b.Time, b.Message)
}

// Node returns a made node with the content, the author and the time of m, for a
// merged forward.
func (m *ChatMessage) Node() Segment { return nodeFrom(m.UserID, m.Sender, m.Time, m.Message) }

func nodeFrom(id UserID, by Sender, at int64, content Message) Segment {
	name := by.Card
	if name == "" {
		name = by.Nickname
	}
	n := &NodeSegment{UserID: id, Nickname: name, Content: content}
	if at > 0 {
		n.Time = strconv.FormatInt(at, 10)
	}
	return n
}
