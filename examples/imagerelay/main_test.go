package main

import (
	"bytes"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// gif is the smallest picture there is, followed by nothing that matters.
func gif(size int) []byte {
	return append([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), make([]byte, size)...)
}

func TestRelay(t *testing.T) {
	b := ncat.New()
	b.AddPlugin(&relay{From: 100, To: 200, MaxBytes: 100_000})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		alice := h.Group(100).From(1).Named("Alice")
		small, large := gif(10), gif(90_000) // the large one goes by stream upload
		alice.Says("看", &onebot.ImageSegment{File: onebot.Base64(small)}, &onebot.ImageSegment{File: onebot.Base64(large)})
		m := h.One()
		images := onebot.All[*onebot.ImageSegment](m.Message)
		if m.Chat != ncat.Group(200) || m.Text() != "Alice 发的图：" || len(images) != 2 {
			t.Fatalf("relayed %v", m)
		}
		for i, want := range [][]byte{small, large} {
			if got, ok := h.Content(images[i]); !ok || !bytes.Equal(got, want) {
				t.Errorf("picture %d came as %d bytes, want %d", i, len(got), len(want))
			}
		}

		alice.Says(&onebot.ImageSegment{File: onebot.Base64(gif(100_000))})
		h.Want("图太大了，不转发")
		alice.Says(&onebot.ImageSegment{File: onebot.Base64([]byte("<html>no picture</html>"))})
		h.Want("这不是图片，不转发")
		h.Group(300).From(1).Says(&onebot.ImageSegment{File: onebot.Base64(small)}) // another group
		alice.Says("没有图")
		h.WantNothing()
	})
}
