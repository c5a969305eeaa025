package onebot

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is how many characters of text one message may have: QQ's own clients
// take no more.
const MaxText = 4500

// SplitText cuts s into portions of at most limit characters, each as long as a
// sensible end allows: that of a paragraph, else of a line, a sentence, a word. White
// space at the cuts is left out. A limit below 1 counts as [MaxText].
func SplitText(s string, limit int) []string {
	if limit < 1 {
		limit = MaxText
	}
	var out []string
	for utf8.RuneCountInString(s) > limit {
		cut := textCut(s, limit)
		if part := strings.TrimRightFunc(s[:cut], unicode.IsSpace); part != "" {
			out = append(out, part)
		}
		s = strings.TrimLeftFunc(s[cut:], unicode.IsSpace)
	}
	if s != "" {
		out = append(out, s)
	}
	return out
}

// textCut returns where to cut s, which is longer than limit characters.
func textCut(s string, limit int) int {
	end := 0 // of the first limit characters
	for range limit {
		_, n := utf8.DecodeRuneInString(s[end:])
		end += n
	}
	head := s[:end]
	for _, marks := range [][]string{{"\n\n"}, {"\n"}, {"。", "！", "？", "…", ". ", "! ", "? ", "；"}, {"，", "、", ", ", " ", "\t"}} {
		best := 0
		for _, mark := range marks {
			if i := strings.LastIndex(head, mark); i >= 0 {
				best = max(best, i+len(mark))
			}
		}
		if best > end/3 { // not for the sake of a tiny portion
			return best
		}
	}
	// A character and what is joined to it stay together, as far as that is possible.
	for cut := end; cut > end/2; {
		next, _ := utf8.DecodeRuneInString(s[cut:])
		before, n := utf8.DecodeLastRuneInString(s[:cut])
		if !joins(next) && before != zeroWidthJoiner {
			return cut
		}
		cut -= n
	}
	return end
}

const zeroWidthJoiner = '\u200d'

// joins reports whether r belongs to the character before it.
func joins(r rune) bool {
	return r == zeroWidthJoiner || unicode.In(r, unicode.Mn, unicode.Me, unicode.Variation_Selector) || r >= 0x1F3FB && r <= 0x1F3FF
}
