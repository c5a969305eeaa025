// Command imagerelay carries the pictures of one group into another one. Each is
// downloaded, with limits on its size, its type and the time, and sent again, so
// that it does not matter that the address of a received picture expires.
//
//	go run ./examples/imagerelay start --sim
//	go run ./examples/imagerelay sim say --group 700000001 "看 [CQ:image,file=base64://R0lGODlhAQABAAAAACw=]"
//	go run ./examples/imagerelay sim sent
//
// Which groups is configured in ncatd.yaml:
//
//	bot:
//	  plugin_config:
//	    imagerelay: {from: 700000001, to: 700000002}
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

func newBot() *ncat.Bot {
	b := ncat.New()
	b.AddPlugin(&relay{From: 700000001, To: 700000002, MaxBytes: 5 << 20})
	return b
}

// relay is the plugin; its exported fields are its configuration.
type relay struct {
	From     onebot.GroupID `json:"from"`
	To       onebot.GroupID `json:"to"`
	MaxBytes int64          `json:"max_bytes"`
}

func (r *relay) ID() string      { return "imagerelay" }
func (r *relay) Version() string { return "1.0.0" }

// Setup implements ncat.Plugin.
func (r *relay) Setup(_ context.Context, h *ncat.Host) error {
	if err := h.Config(r); err != nil {
		return err
	}
	if r.From == r.To {
		return errors.New("from and to are the same group")
	}
	h.OnGroup(r.carry, ncat.Where(ncat.InGroup(r.From), ncat.HasSegment[*onebot.ImageSegment](), ncat.NotSelf()))
	return nil
}

func (r *relay) carry(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
	content := []any{fmt.Sprintf("%s 发的图：", m.Sender.Nickname)}
	for _, img := range onebot.All[*onebot.ImageSegment](m.Message) {
		var buf bytes.Buffer
		_, err := b.Download(ctx, &buf, img, ncat.MaxSize(r.MaxBytes), ncat.OnlyTypes("image/"), ncat.MaxTime(30*time.Second))
		switch {
		case errors.Is(err, ncat.ErrTooLarge):
			return b.Quote(ctx, m, "图太大了，不转发")
		case errors.Is(err, ncat.ErrContentType):
			return b.Quote(ctx, m, "这不是图片，不转发")
		case err != nil:
			return err
		}
		content = append(content, ncat.Image(ncat.Bytes(buf.Bytes())))
	}
	_, err := b.SendGroup(ctx, r.To, content...)
	return err
}
