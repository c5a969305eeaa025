package onebot

import "strconv"

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
