// What the checks of the pages share. It becomes a part of each page's package.
package p

import (
	"context"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// bot returns a bot on which the blocks of a page were called.
func bot(t *testing.T, blocks ...func(context.Context, *ncat.Bot, *onebot.GroupMessage) error) *ncat.Bot {
	t.Helper()
	b := ncat.New()
	for _, f := range blocks {
		if err := f(t.Context(), b, nil); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// within returns a bot that does in a handler what a block says.
func within(block func(context.Context, *ncat.Bot, *onebot.GroupMessage) error) *ncat.Bot {
	b := ncat.New()
	b.OnGroup(block, ncat.Where(ncat.Keyword("go")))
	return b
}
