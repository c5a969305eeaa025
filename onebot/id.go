package onebot

import (
	"fmt"
	"strconv"

	"github.com/ncatd/ncatd/internal/alias"
)

// UserID is a QQ number (UIN). It decodes from a JSON number or a string of
// digits and encodes as a number; the params of an action write it in the form
// that action declares.
//
// Some hosts have ids that are no numbers, such as "7B5C0D". Each decodes, here
// and in the other ids, to a negative number below -2^52, every time to the same;
// a bot's calls carry the text again as long as its link has seen it lately.
type UserID int64

// GroupID is a group's number. It decodes from a JSON number or a string of
// digits, or as in [UserID], and encodes as a number; the params of an action
// write it in the form that action declares.
type GroupID int64

// MessageID names a message: NapCat's own positive 32-bit id (contract E.9) or,
// where an action takes it, QQ's 19-digit id. It decodes from a JSON number or
// a string of digits, or as in [UserID]; ids beyond 2^53 encode as strings because NapCat would
// lose their last digits otherwise, all others as numbers.
//
// NapCat remembers the last 5000 ids, in memory only: after a restart an older
// id names nothing.
type MessageID int64

// maxSafeInt is the largest integer that survives a JavaScript number.
const maxSafeInt = 1<<53 - 1

// String returns the number's digits.
func (id UserID) String() string { return strconv.FormatInt(int64(id), 10) }

// String returns the number's digits.
func (id GroupID) String() string { return strconv.FormatInt(int64(id), 10) }

// String returns the number's digits.
func (id MessageID) String() string { return strconv.FormatInt(int64(id), 10) }

// UnmarshalJSON takes a number or a string; null and "" are 0.
func (id *UserID) UnmarshalJSON(b []byte) error { return parseID("user id", b, (*int64)(id)) }

// UnmarshalJSON takes a number or a string; null and "" are 0.
func (id *GroupID) UnmarshalJSON(b []byte) error { return parseID("group id", b, (*int64)(id)) }

// UnmarshalJSON takes a number or a string; null and "" are 0.
func (id *MessageID) UnmarshalJSON(b []byte) error { return parseID("message id", b, (*int64)(id)) }

// AppendJSON appends the id as JSON.
func (id UserID) AppendJSON(dst []byte) []byte { return strconv.AppendInt(dst, int64(id), 10) }

// AppendJSON appends the id as JSON.
func (id GroupID) AppendJSON(dst []byte) []byte { return strconv.AppendInt(dst, int64(id), 10) }

// AppendJSON appends the id as JSON, as a string if a JavaScript number could
// not hold it.
func (id MessageID) AppendJSON(dst []byte) []byte {
	if id > maxSafeInt || id < -maxSafeInt {
		return appendQuotedInt(dst, int64(id))
	}
	return strconv.AppendInt(dst, int64(id), 10)
}

// MarshalJSON implements [encoding/json.Marshaler].
func (id MessageID) MarshalJSON() ([]byte, error) { return id.AppendJSON(nil), nil }

func appendQuotedInt(dst []byte, n int64) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '"')
}

func parseID(what string, b []byte, id *int64) error {
	n, ok := idOf(string(b))
	if !ok {
		return fmt.Errorf("%s: %.40q is not a number", what, b)
	}
	*id = n
	return nil
}

// idOf returns the id in the valid JSON value s; it reports false if it is of a kind
// that no id is.
func idOf(s string) (int64, bool) {
	switch c := s[0]; {
	case c == '"':
		return alias.Number(looseText(s)), true
	case c == 'n':
		return 0, true
	case c != '-' && (c < '0' || c > '9'):
		return 0, false
	}
	return looseInt(s)
}

// ParseUserID returns the QQ number that s, a string of digits, names.
func ParseUserID(s string) (UserID, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("user id: %.40q is not a QQ number", s)
	}
	return UserID(n), nil
}

// ParseGroupID returns the group that s, a string of digits, names.
func ParseGroupID(s string) (GroupID, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("group id: %.40q is not a group's number", s)
	}
	return GroupID(n), nil
}

// ParseMessageID returns the message that s, a string of digits, names.
func ParseMessageID(s string) (MessageID, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("message id: %.40q is not a number", s)
	}
	return MessageID(n), nil
}
