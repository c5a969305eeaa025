// Command textimage answers with pictures drawn from text: /图 and any text. The
// glyphs come from a CJK font that the system has (on Debian: apt install
// fonts-noto-cjk); without one the bot answers with the text itself.
//
//	go run ./examples/textimage start --sim
//	go run ./examples/textimage sim say --user 3001000001 "/图 春眠不觉晓"
//	go run ./examples/textimage sim sent
package main

import (
	"context"
	"io/fs"
	"log"
	"os"

	"golang.org/x/image/font/sfnt"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot(os.DirFS("/")))) }

// newBot returns the bot of a machine with these files.
func newBot(files fs.FS) *ncat.Bot {
	b := ncat.New()
	f, err := findFont(files)
	p := &painter{font: f, reason: err}
	ncat.Command(b, "picture", p.paint, ncat.Alias("图"), ncat.Help("把文字画成图片"))
	return b
}

type painter struct {
	font   *sfnt.Font
	reason error // why there is no font
}

func (p *painter) paint(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
	Text string `arg:"text,rest" help:"要画的文字"`
}) error {
	if p.font == nil {
		b.Logger().WarnContext(ctx, "no font to draw with", "error", p.reason)
		return b.Reply(ctx, m, a.Text)
	}
	png, err := drawText(p.font, a.Text, 28, 600)
	if err != nil {
		return err
	}
	return b.Reply(ctx, m, &onebot.ImageSegment{File: onebot.Base64(png)})
}
