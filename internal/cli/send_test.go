package cli

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ncatd/ncatd/onebot"
)

// TestSendable: what one message takes goes out as it was written, the rest as
// several, with nothing lost.
func TestSendable(t *testing.T) {
	for _, msg := range []string{"hi", "[CQ:face,id=14] a &amp; b", "", "[CQ:nothing,of=this] kind", strings.Repeat("长", onebot.MaxText)} {
		if got := sendable(msg, false); !slices.Equal(got, []string{msg}) {
			t.Errorf("%.40q became %q", msg, got)
		}
	}
	line := strings.Repeat("字", 99) + "\n"
	long := strings.Repeat(line, 100)
	parts := sendable("[CQ:at,qq=10001]"+long, false)
	text := ""
	for _, p := range parts {
		m := onebot.ParseCQ(p)
		if n := utf8.RuneCountInString(m.Text()); n > onebot.MaxText {
			t.Errorf("a part has %d characters", n)
		}
		text += strings.ReplaceAll(m.Text(), "\n", "")
	}
	if len(parts) < 3 || !strings.HasPrefix(parts[0], "[CQ:at,qq=10001]") || text != strings.ReplaceAll(long, "\n", "") {
		t.Errorf("%d parts, %d of %d characters", len(parts), utf8.RuneCountInString(text), 9900)
	}
	if got := sendable("see [CQ:record,file=a.mp3]", true); !slices.Equal(got, []string{"see ", "[CQ:record,file=a.mp3]"}) {
		t.Errorf("a voice beside text: %q", got)
	}
}
