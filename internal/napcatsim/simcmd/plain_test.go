package simcmd

import "testing"

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"a &amp;&#91;b&#93; c":                "a &[b] c",
		"[CQ:image,file=a&#44;b&amp;c]x&#91;": "[CQ:image,file=a&#44;b&amp;c]x[",
		"&amp;#91;":                           "&#91;",
		"[CQ:x &amp;":                         "[CQ:x &amp;",
		"":                                    "",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}
