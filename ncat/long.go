package ncat

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ncatd/ncatd/onebot"
)

// LongText is text that [Long] made.
type LongText struct{ text string }

// Long is text of any length as content of a message of its own. What one message
// takes ([onebot.MaxText] characters) is sent as it is; what is longer is sent as one
// merged forward, which QQ shows as a card to open, in portions that end where
// paragraphs, lines or sentences do. Without Long text that is too long is sent as
// several messages.
func Long(text string) *LongText { return &LongText{text} }

// String returns the text.
func (l *LongText) String() string { return l.text }

// longOf returns the long text that content consists of, if it does not fit into
// one message.
func longOf(content []any) (*LongText, bool) {
	for len(content) == 1 {
		if in, ok := content[0].([]any); ok {
			content = in
			continue
		}
		l, ok := content[0].(*LongText)
		return l, ok && l != nil && utf8.RuneCountInString(l.text) > onebot.MaxText
	}
	return nil, false
}

func (b *Bot) sendLong(ctx context.Context, to Chat, l *LongText) (onebot.MessageID, error) {
	name := b.Account()
	if name == "" {
		name = b.Self().String()
	}
	var nodes onebot.Message
	for _, part := range onebot.SplitText(l.text, onebot.MaxText) {
		nodes = append(nodes, onebot.Node(b.Self(), name, onebot.Text(part)))
	}
	return b.SendForward(ctx, to, nodes)
}

// FromReader yields what r holds as it comes, for [Bot.ReplyParts].
func FromReader(r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		buf, held := make([]byte, 4096), 0
		for {
			n, err := r.Read(buf[held:])
			n += held
			whole := n
			if err == nil { // a character may be cut in two
				for whole > 0 && n-whole < utf8.UTFMax && !utf8.Valid(buf[:whole]) {
					whole--
				}
			}
			if whole > 0 && !yield(strings.ToValidUTF8(string(buf[:whole]), "\uFFFD"), nil) {
				return
			}
			held = copy(buf, buf[whole:n])
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield("", err)
				}
				return
			}
		}
	}
}

// FromChan yields what comes out of ch until it is closed or ctx ends, for
// [Bot.ReplyParts].
func FromChan(ctx context.Context, ch <-chan string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			select {
			case s, ok := <-ch:
				if !ok || !yield(s, nil) {
					return
				}
			case <-ctx.Done():
				yield("", context.Cause(ctx))
				return
			}
		}
	}
}

const (
	// portionSoon is the length, in characters, from which a portion is sent at the
	// next good place.
	portionSoon = 60
	// portionPause is how much time lies between two portions, unless they are large.
	portionPause = 3 * time.Second
	// portionMost is the length from which a portion does not wait for the pause.
	portionMost = 800
)

// ReplyParts answers m with what parts yields, such as the answer of a language
// model, in portions that a person can read: they end with a paragraph, a line or a
// sentence, and come at most every three seconds unless they are long. An error of
// parts is returned when what came before it has been sent. [FromReader] and
// [FromChan] make parts.
func (b *Bot) ReplyParts(ctx context.Context, m onebot.MessageEvent, parts iter.Seq2[string, error]) error {
	var held strings.Builder
	var last time.Time
	send := func(text string) error {
		if text = strings.TrimSpace(text); text == "" {
			return nil
		}
		last = time.Now()
		return b.Reply(ctx, m, text)
	}
	for part, err := range parts {
		if err != nil {
			return errors.Join(send(held.String()), err)
		}
		held.WriteString(part)
		n := utf8.RuneCountInString(held.String())
		if n < portionSoon || n < portionMost && time.Since(last) < portionPause {
			continue
		}
		text := held.String()
		cut := portionEnd(text)
		if n >= 2*portionMost && cut == 0 {
			cut = len(text)
		}
		if cut == 0 {
			continue
		}
		if err := send(text[:cut]); err != nil {
			return err
		}
		held.Reset()
		held.WriteString(text[cut:])
	}
	return send(held.String())
}

// portionEnd returns where the last line or sentence of text ends, 0 if none does,
// or if that is within a block of code.
func portionEnd(text string) int {
	end := strings.LastIndex(text, "\n") + 1
	for _, mark := range []string{"。", "！", "？", "…", ". ", "! ", "? "} {
		if i := strings.LastIndex(text, mark); i >= 0 {
			end = max(end, i+len(mark))
		}
	}
	if strings.Count(text[:end], "```")%2 == 1 {
		return strings.LastIndex(text[:end], "```")
	}
	return end
}
