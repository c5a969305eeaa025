// Command relay joins groups: what is written in one is told in the others, with
// pictures, and an answer to a relayed message quotes the one it belongs to.
// Who recalls a message takes it back everywhere.
//
//	go run ./examples/relay start --sim
//	go run ./examples/relay sim say --group 700000001 --user 3001000002 大家好
//
// Which groups is configured in ncatd.yaml:
//
//	bot:
//	  plugin_config:
//	    relay: {groups: [700000001, 700000002]}
package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

func newBot() *ncat.Bot {
	b := ncat.New()
	b.AddPlugin(&relay{Groups: []onebot.GroupID{700000001, 700000002}})
	return b
}

// relay is the plugin; its exported fields are its configuration.
type relay struct {
	Groups []onebot.GroupID `json:"groups"`
}

func (r *relay) ID() string      { return "relay" }
func (r *relay) Version() string { return "1.0.0" }

// Setup implements ncat.Plugin.
func (r *relay) Setup(_ context.Context, h *ncat.Host) error {
	if err := h.Config(r); err != nil {
		return err
	}
	if len(r.Groups) < 2 {
		return fmt.Errorf("groups: a relay needs two, not %d", len(r.Groups))
	}
	h.OnGroup(r.carry, ncat.Where(ncat.InGroup(r.Groups...), ncat.NotSelf()))
	ncat.On(h.Bot, r.recall, ncat.Where(ncat.InGroup(r.Groups...)))
	return nil
}

// remembered is how long answers and recalls find their way.
const remembered = 48 * time.Hour

// copies are one message in every group.
type copies map[onebot.GroupID]onebot.MessageID

func key(id onebot.MessageID) string { return "msg/" + id.String() }

func (r *relay) carry(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
	content, err := content(ctx, b, m)
	if err != nil {
		return err
	}
	quoted, _, err := ncat.Get[copies](ctx, b.Store(), key(m.Message.ReplyTo()))
	if err != nil {
		return err
	}
	all := copies{m.GroupID: m.MessageID}
	for _, g := range r.Groups {
		if g == m.GroupID {
			continue
		}
		c := content
		if id := quoted[g]; id != 0 {
			c = slices.Insert(slices.Clone(c), 0, any(onebot.Reply(id)))
		}
		if all[g], err = b.SendGroup(ctx, g, c...); err != nil {
			return fmt.Errorf("into %d: %w", g, err)
		}
	}
	for _, id := range all {
		if err := ncat.PutFor(ctx, b.Store(), key(id), all, remembered); err != nil {
			return err
		}
	}
	return nil
}

// content is what the other groups get of m: who wrote it, text and pictures.
func content(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) ([]any, error) {
	out := []any{fmt.Sprintf("[%s] %s：", m.GroupName, cmp.Or(m.Sender.Card, m.Sender.Nickname))}
	for _, s := range m.Message {
		switch s := s.(type) {
		case *onebot.TextSegment, *onebot.FaceSegment:
			out = append(out, s)
		case *onebot.ImageSegment:
			var buf bytes.Buffer // the address of a received picture expires
			if _, err := b.Download(ctx, &buf, s, ncat.MaxSize(10<<20)); err != nil {
				return nil, err
			}
			out = append(out, ncat.Image(ncat.Bytes(buf.Bytes())))
		}
	}
	return out, nil
}

func (r *relay) recall(ctx context.Context, b *ncat.Bot, e *onebot.GroupRecall) error {
	all, _, err := ncat.Get[copies](ctx, b.Store(), key(e.MessageID))
	if err != nil || all[e.GroupID] != e.MessageID || e.UserID == b.Self() {
		return err
	}
	delete(all, e.GroupID)
	for _, id := range all {
		if err := b.Recall(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
