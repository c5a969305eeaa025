package ncattest_test

import (
	"strings"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

// TestContentOfTheBots: what brings a bot's files to NapCat is nothing a person
// says, and the panic shows what is.
func TestContentOfTheBots(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "&onebot.ImageSegment{File: onebot.Base64(b)}") {
			t.Errorf("%q", text)
		}
	}()
	ncattest.Content("look", ncat.Image(ncat.Bytes([]byte("a cat"))))
}
