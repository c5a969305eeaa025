package onebot

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// Text returns a segment of plain text.
func Text(s string) Segment { return &TextSegment{Text: s} }

// Textf returns a segment of plain text, formatted as by [fmt.Sprintf].
func Textf(format string, args ...any) Segment {
	return &TextSegment{Text: fmt.Sprintf(format, args...)}
}

// At returns a mention of a user. It has no effect in private chats.
func At(id UserID) Segment { return &AtSegment{QQ: id.String()} }

// AtAll returns a mention of everybody in the group. QQ allows it to owners and
// administrators a few times a day, see [Client.GetGroupAtAllRemain].
func AtAll() Segment { return &AtSegment{QQ: "all"} }

// Reply returns a quotation of a message. It goes first in the message it is
// part of.
func Reply(id MessageID) Segment { return &ReplySegment{ID: id} }

// Face returns one of QQ's own faces.
func Face(id int) Segment { return &FaceSegment{ID: strconv.Itoa(id)} }

// Dice returns a die.
func Dice() Segment { return &DiceSegment{} }

// RPS returns rock, paper or scissors.
func RPS() Segment { return &RPSSegment{} }

// Music returns a card of a song that a platform (qq, 163, kugou, kuwo, migu)
// knows by id.
func Music(platform, id string) Segment { return &MusicSegment{Type: platform, ID: id} }

// CustomMusic returns a card of any song. link is where a click leads, audio
// what is played; QQ wants an image.
func CustomMusic(title, link, audio, image string) Segment {
	return &MusicSegment{Type: "custom", Title: title, URL: link, Audio: audio, Image: image}
}

// Contact returns a recommendation of a user.
func Contact(id UserID) Segment { return &ContactSegment{Type: "qq", ID: id.String()} }

// ContactGroup returns a recommendation of a group.
func ContactGroup(id GroupID) Segment { return &ContactSegment{Type: "group", ID: id.String()} }

// JSON returns a card from QQ's JSON text.
func JSON(data string) Segment { return &JSONSegment{Data: data} }

// Markdown returns Markdown text, for use inside a forward.
func Markdown(content string) Segment { return &MarkdownSegment{Content: content} }

// MFace returns a market face. The three values come with a received one.
func MFace(packageID int64, emojiID, key string) Segment {
	return &MFaceSegment{EmojiPackageID: packageID, EmojiID: emojiID, Key: key}
}

// Forward returns a merged forward that exists, by its res_id. To make one see
// [Node] and [Client.SendForwardMsg].
func Forward(resID string) Segment { return &ForwardSegment{ID: resID} }

// Node returns a made message for a merged forward. content may itself be nodes,
// which nests a forward. A user other than the account needs NapCat's packet
// layer.
func Node(user UserID, nickname string, content ...Segment) Segment {
	return &NodeSegment{UserID: user, Nickname: nickname, Content: content}
}

// NodeOf returns an existing message for a merged forward.
func NodeOf(id MessageID) Segment { return &NodeSegment{ID: id} }

// Nodes returns a merged forward of existing messages.
func Nodes(ids ...MessageID) Message {
	m := make(Message, len(ids))
	for i, id := range ids {
		m[i] = NodeOf(id)
	}
	return m
}

// Base64 returns b as a base64:// source, which every media segment takes.
func Base64(b []byte) string {
	const scheme = "base64://"
	out := make([]byte, 0, len(scheme)+base64.StdEncoding.EncodedLen(len(b)))
	out = append(out, scheme...)
	return string(base64.StdEncoding.AppendEncode(out, b))
}

// FileURL returns a file on this machine as a file:/// URL, which every media
// segment takes if NapCat runs on the same machine and may read it. A relative
// path is taken from the working directory.
func FileURL(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("file URL of %q: %w", path, err)
	}
	p := filepath.ToSlash(abs)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return (&url.URL{Scheme: "file", Path: p}).String(), nil
}
