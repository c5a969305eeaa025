package world

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Sent is something that the bot sent, numbered from 1 in the order of sending.
type Sent struct {
	N       int
	Message Message
}

// Send sends a message of the bot into chat c; via is the source group of a
// temporary session. It emits the event of the bot's own message. The error
// wraps [ErrMuted], [ErrNoMember] or a [*Refusal] where QQ refuses, and
// [ErrUnreachable] if no confirmation would come, in which case the message may
// have arrived all the same ([LinkNoAck]).
func (w *World) Send(c Chat, via int64, segs []Segment, nodes []*Message) (Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Type == InGroup {
		g := w.groups[c.Peer]
		if g == nil {
			return Message{}, fmt.Errorf("group %d: %w", c.Peer, ErrNoGroup)
		}
		if err := w.maySpeakLocked(g, w.self.UIN); err != nil {
			return Message{}, err
		}
	}
	if !w.online || w.dead == LinkDead {
		return Message{}, ErrUnreachable
	}
	if r := w.refusal; r != nil {
		if w.refuseN == 1 {
			w.refusal = nil
		} else if w.refuseN > 1 {
			w.refuseN--
		}
		return Message{}, r
	}
	if textLen(segs) > maxText {
		return Message{}, &Refusal{Code: 34, Text: "消息内容过长"}
	}
	m := &Message{Chat: c, Via: via, Sender: w.self.UIN, Self: true, Segments: segs, Nodes: nodes}
	w.deliverLocked(m)
	w.sentN++
	w.sent = append(w.sent, Sent{N: w.sentN, Message: w.asSeen(m)})
	if len(w.sent) > sentLimit+sentLimit/4 {
		w.sent = slices.Clone(w.sent[len(w.sent)-sentLimit:])
	}
	close(w.sentC)
	w.sentC = make(chan struct{})
	if w.dead == LinkNoAck {
		return w.asSeen(m), ErrUnreachable
	}
	return w.asSeen(m), nil
}

// Refuse lets QQ refuse the next n sends of the bot with r; n 0: all from now
// on. A nil r ends it.
func (w *World) Refuse(r *Refusal, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusal, w.refuseN = r, n
}

// Sent returns what the bot sent after number after, oldest first; at most the
// last 20,000 messages are kept.
func (w *World) Sent(after int) []Sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sentLocked(after)
}

func (w *World) sentLocked(after int) []Sent {
	i, _ := slices.BinarySearchFunc(w.sent, after+1, func(s Sent, n int) int { return s.N - n })
	return slices.Clone(w.sent[i:])
}

// SentCount returns the number of the newest message that the bot sent.
func (w *World) SentCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sentN
}

// WaitSent waits for the first message that the bot sends after number after and
// that match accepts; a nil match accepts all. It returns the cause of ctx if
// that ends first.
func (w *World) WaitSent(ctx context.Context, after int, match func(Message) bool) (Sent, error) {
	for {
		w.mu.Lock()
		list, more := w.sentLocked(after), w.sentC
		w.mu.Unlock()
		for _, s := range list {
			if match == nil || match(s.Message) {
				return s, nil
			}
			after = s.N
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Sent{}, context.Cause(ctx)
		}
	}
}

// maxText is how many characters of text QQ takes in one message.
const maxText = 4500

func textLen(segs []Segment) int {
	n := 0
	for _, s := range segs {
		if text, ok := s.Data.Get("text").(string); ok && s.Type == "text" {
			n += utf8.RuneCountInString(text)
		}
	}
	return n
}
