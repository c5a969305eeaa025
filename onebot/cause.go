package onebot

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

// A Class says what kind of failure NapCat's text tells of.
type Class string

// The classes of a [Cause].
const (
	// ClassRefused: QQ answered no. Nothing was done.
	ClassRefused Class = "refused"
	// ClassUnconfirmed: QQ took the request and did not confirm it in time. It
	// may have been carried out, and a message mostly was delivered.
	ClassUnconfirmed Class = "unconfirmed"
	// ClassNoPacket: the action needs NapCat's packet back end, which is missing
	// or switched off. Nothing was done.
	ClassNoPacket Class = "no_packet"
	// ClassInternal: NapCat's own code failed with a JavaScript exception.
	ClassInternal Class = "internal"
	// ClassText: anything else that NapCat says in words of its own.
	ClassText Class = "text"
)

// QQ's codes that mean the same wherever they come up (contract L.1).
const (
	CodeRichMedia = -1  // with the text "rich media transfer failed"
	CodeNotMember = 110 // the account is not in the group any more
	CodeMuted     = 120 // the account, or the whole group, is muted
)

// Cause is what one of NapCat's error texts comes down to. The texts hold JSON
// dumps, JavaScript stacks and blocks headed EventRet; a person wants a line.
type Cause struct {
	Class Class
	// Code is QQ's own code, 0 if the text names none.
	Code int
	// Text is one line without the code, in the words of QQ or NapCat. It may be
	// empty where the code says everything.
	Text string
	// Raw is the whole text as it came.
	Raw string
}

// String returns the cause in one line: "你已被禁言 (120)".
func (c Cause) String() string {
	text := c.Text
	switch {
	case text != "":
	case c.Class == ClassUnconfirmed:
		text = "QQ did not confirm it in time"
	case c.Class == ClassNoPacket:
		text = "NapCat has no packet back end"
	case c.Code == CodeMuted:
		text = "muted"
	case c.Code == CodeNotMember:
		text = "not in the group"
	case c.Code == 0:
		text = "no reason given"
	default:
		return fmt.Sprintf("code %d", c.Code)
	}
	if c.Code != 0 {
		text += fmt.Sprintf(" (%d)", c.Code)
	}
	return text
}

const (
	maxCause     = 300      // bytes of Cause.Text
	maxExplained = 16 << 10 // bytes of a text that are looked at
)

var (
	// stackLine begins the frames of a JavaScript stack, also where a JSON dump
	// has spelled its line breaks out.
	stackLine = regexp.MustCompile(`(?:\n|\\n)[ \t]*at [^\n]`)
	exception = regexp.MustCompile(`^(?:Uncaught |Unhandled [A-Za-z ]+: ?)?(?:[A-Z][A-Za-z]*Error|DOMException)(?: \[[A-Z_]+\])?: `)
	// The pieces of a dump that is cut short or no JSON.
	dumpedCode = regexp.MustCompile(`["']?\b(?:result|errCode|retCode|resultCode)["']?\s*:\s*["']?(-?\d+)`)
	dumpedText = regexp.MustCompile(`["']?\b(?:errMsg|retMsg|clientWording|wording)["']?\s*:\s*"((?:[^"\\]|\\.)*)"`)
	// What else QQ's services and programs between call their code and their words,
	// the tellingest first.
	otherCodes = []string{"errorcode", "errcode", "err_code", "errno", "code", "ret", "status", "result"}
	otherTexts = []string{"errmsg", "errorinfo", "errinfo", "error_msg", "promptcontent", "tipscontent", "wording", "reason", "message", "msg", "desc", "description", "error", "errormsg", "prompttitle"}
)

// Explain turns one of NapCat's error texts, whatever action or login it comes
// from, into its cause.
//
// NapCat waits for QQ's answer in one place and words its failures in two ways
// (contract L.1). "EventChecker Failed" comes at once: QQ's code is in it and
// it is a certain no. "Timeout" comes after the wait: QQ took the request with
// code 0 and its confirmation never came. Either with a contradicting code is
// what the code says; without a readable one it is what the words say.
func Explain(message string) Cause {
	c := Cause{Class: ClassText, Raw: message}
	text := strings.TrimSpace(message[:min(len(message), maxExplained)])
	if strings.Contains(strings.ToLower(text), "packetbackend") || strings.Contains(text, "(reading 'packetStatus')") {
		c.Class = ClassNoPacket
		return c
	}
	if text == "" {
		return c
	}
	if head, ret, ok := eventRet(text); ok {
		return c.event(head, ret)
	}
	if at := stackLine.FindStringIndex(text); at != nil && at[0] > 0 {
		c.Class = ClassInternal
		text = text[:at[0]]
	}
	if m := exception.FindString(text); m != "" {
		c.Class = ClassInternal
	}
	if plain, ok := strings.CutPrefix(text, "Error: "); ok { // thrown on purpose, with words for people
		c.Class, text = ClassText, plain
	}
	if head, code, words, ok := dump(text); ok {
		if text = words; head != "" && words != "" {
			text = head + ": " + words
		} else if words == "" {
			text = head
		}
		if c.Code = code; code != 0 {
			c.Class = ClassRefused
		}
	}
	if c.Class == ClassText && waited(text) {
		c.Class = ClassUnconfirmed
	}
	c.Text = oneLine(text)
	return c
}

// event fills c from a failure of NapCat's wait for QQ.
func (c Cause) event(head, ret string) Cause {
	code, words := dumpedVerdict(ret)
	c.Code, c.Text = code, oneLine(words)
	switch checked := strings.HasPrefix(head, "EventChecker Failed"); {
	case code != 0:
		c.Class = ClassRefused
	case checked && !dumpedCode.MatchString(ret):
		// The check refused an answer that holds no code.
		c.Class = ClassRefused
	default:
		c.Class = ClassUnconfirmed
	}
	return c
}

// eventRet splits the two texts of NapCat's wait at the block EventRet.
func eventRet(text string) (head, ret string, ok bool) {
	text = strings.TrimPrefix(text, "Error: ")
	if !strings.HasPrefix(text, "EventChecker Failed") && !strings.HasPrefix(text, "Timeout: NTEvent") {
		return "", "", false
	}
	head, ret, _ = strings.Cut(text, "EventRet:")
	return head, ret, true
}

// waited reports whether NapCat says in other words that it gave up waiting.
func waited(text string) bool {
	low := strings.ToLower(text)
	return strings.Contains(low, "timeout") || strings.Contains(low, "timed out") || strings.Contains(text, "超时")
}

// dump finds a JSON object or list in text: what stands before it, and the code and
// the words in it.
func dump(text string) (head string, code int, words string, ok bool) {
	i := strings.IndexAny(text, "{[")
	if i < 0 {
		return "", 0, "", false
	}
	if dumpedCode.MatchString(text[i:]) || dumpedText.MatchString(text[i:]) {
		code, words = dumpedVerdict(text[i:])
	} else if text[i] == '{' || text[i+1:] != "" && strings.IndexByte("{[\"0123456789-", text[i+1]) >= 0 {
		end := jsonscan.Prefix(text[i:])
		if end < 0 || strings.TrimSpace(text[i+end:]) != "" {
			return "", 0, "", false
		}
		code, words = otherVerdict(text[i : i+end])
	}
	if code == 0 && words == "" && !dumpedCode.MatchString(text[i:]) {
		return "", 0, "", false
	}
	head = strings.TrimRight(strings.TrimSpace(text[:i]), ":：,， ")
	return head, code, words, true
}

// dumpedVerdict returns QQ's code and words in a dump, which should be a JSON
// object, or a list of which the first is one.
func dumpedVerdict(s string) (int, string) {
	i := strings.IndexByte(s, '{')
	if i < 0 {
		return 0, ""
	}
	s = s[i:]
	if end := jsonscan.Prefix(s); end > 0 {
		code, words := verdictIn(s[:end])
		if words == "" {
			_, words = otherVerdict(s[:end])
		}
		return int(code), words
	}
	var code int64
	var words []string
	if m := dumpedCode.FindStringSubmatch(s); m != nil {
		code, _ = looseInt(m[1])
	}
	if m := dumpedText.FindStringSubmatch(s); m != nil {
		if q := `"` + m[1] + `"`; jsonscan.Valid(q) && m[1] != "" {
			words = append(words, jsonscan.Unquote(q))
		}
	}
	return int(code), strings.Join(words, ": ")
}

// maxDump is how deep a dump is looked into.
const maxDump = 4

// otherVerdict returns the code and the words in a valid JSON object or list that
// has other names for them than QQ's kernel: those of the first object that has any,
// or the texts of a list.
func otherVerdict(s string) (code int, words string) {
	var look func(s string, depth int)
	look = func(s string, depth int) {
		if depth > maxDump || words != "" {
			return
		}
		if inner := strings.TrimSpace(looseText(s)); s[0] == '"' && inner != "" && (inner[0] == '{' || inner[0] == '[') && jsonscan.Valid(inner) {
			s = inner // JSON in JSON
		}
		if s[0] == '[' {
			var texts []string
			jsonscan.Elements(s, func(val string) bool {
				if t := strings.TrimSpace(looseText(val)); val[0] == '"' && t != "" && t[0] != '{' && t[0] != '[' {
					texts = append(texts, t)
				} else {
					look(val, depth+1)
				}
				return words == ""
			})
			if words == "" {
				words = strings.Join(texts, ": ")
			}
			return
		}
		ms, _ := jsonscan.Members(s, nil)
		named := func(names []string, fits func(val string) bool) {
			for _, name := range names {
				for _, m := range ms {
					if strings.EqualFold(m.Key, name) && fits(m.Val) {
						return
					}
				}
			}
		}
		named(otherTexts, func(val string) bool {
			t := strings.TrimSpace(looseText(val))
			if val[0] != '"' || t == "" || t[0] == '{' {
				return false
			}
			words = t
			return true
		})
		named(otherCodes, func(val string) bool {
			n, ok := looseInt(val)
			if ok && val[0] != 't' && val[0] != 'f' && code == 0 {
				code = int(n)
			}
			return ok && n != 0
		})
		for _, m := range ms {
			look(m.Val, depth+1)
		}
	}
	look(s, 0)
	return code, words
}

// oneLine returns the lines of s joined, at most maxCause bytes.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxCause {
		return s
	}
	cut := maxCause
	for cut > maxCause-utf8.UTFMax && !utf8.RuneStart(s[cut]) { // more are no rune
		cut--
	}
	return s[:cut] + "…"
}

// Cause returns what the error comes down to.
func (e *Error) Cause() Cause {
	if e.RetCode == RetOK && e.Verdict != 0 {
		return Cause{Class: ClassRefused, Code: e.Verdict, Text: oneLine(e.Message), Raw: e.Message}
	}
	c := Explain(e.Message)
	if c.Class == ClassUnconfirmed && e.RetCode != RetFailed && e.RetCode != RetHTTPFailed {
		c.Class = ClassText // the request was refused before anything could wait
	}
	return c
}

// CauseOf returns the cause of an [*Error] in err's chain, and whether there is
// one.
func CauseOf(err error) (Cause, bool) {
	var e *Error
	if !errors.As(err, &e) {
		return Cause{}, false
	}
	return e.Cause(), true
}

func hasCause(err error, class Class, codes ...int) bool {
	c, ok := CauseOf(err)
	return ok && c.Class == class && (len(codes) == 0 || slices.Contains(codes, c.Code))
}

// IsUnconfirmed reports whether QQ took the call and did not confirm it in time,
// so that it may have been carried out. Only such failures, and calls that time
// out, say that an account's link to QQ may be dead; a refusal does not.
func IsUnconfirmed(err error) bool { return hasCause(err, ClassUnconfirmed) }

// IsNoPacket reports whether the call failed because NapCat's packet back end is
// missing.
func IsNoPacket(err error) bool { return hasCause(err, ClassNoPacket) }

// IsMuted reports whether QQ refused the call because the account, or the whole
// group, is muted.
func IsMuted(err error) bool { return hasCause(err, ClassRefused, CodeMuted) }

// IsNotMember reports whether QQ refused the call because the account is not in
// the group any more.
func IsNotMember(err error) bool { return hasCause(err, ClassRefused, CodeNotMember) }
