package ncattest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// Call is one call that the bot made.
type Call struct {
	Action string
	Params json.RawMessage
	// Err is what it was answered with if it was refused or lost.
	Err error
}

// Decode decodes the parameters into v.
func (c Call) Decode(v any) error { return json.Unmarshal(c.Params, v) }

// String returns the action and its parameters.
func (c Call) String() string {
	s := c.Action + " " + short(string(c.Params))
	if c.Err != nil {
		s += " (" + c.Err.Error() + ")"
	}
	return s
}

// Sent is one message that the bot sent.
type Sent struct {
	Chat    ncat.Chat
	ID      onebot.MessageID
	Message onebot.Message
}

// Text returns the plain text of the message.
func (s Sent) Text() string { return s.Message.Text() }

// String returns where the message went, and its content with CQ codes.
func (s Sent) String() string { return chatName(s.Chat) + ": " + quote(s.Message.CQ()) }

// is reports whether the message is the one that want describes: by its text or
// by its content with CQ codes, without the white space around it.
func (s Sent) is(want string) bool {
	want = strings.TrimSpace(want)
	return strings.TrimSpace(s.Text()) == want || strings.TrimSpace(s.Message.CQ()) == want
}

// Answer answers calls of one action: with what encodes to the data of the
// answer, or with an error, for instance an *[onebot.Error]. nil data lets the
// call be answered as if there were no Answer.
type Answer func(params json.RawMessage) (data any, err error)

// Result answers with data, which is encoded to JSON.
func Result(data any) Answer { return func(json.RawMessage) (any, error) { return data, nil } }

// Refuse answers with an error: 1200 is what NapCat says of an action that failed
// ([onebot.RetFailed]), message its text.
func Refuse(retcode int, message string) Answer {
	return func(json.RawMessage) (any, error) {
		return nil, &onebot.Error{RetCode: retcode, Message: message, Wording: message}
	}
}

// NotSent lets calls fail as they do while there is no connection.
func NotSent() Answer { return func(json.RawMessage) (any, error) { return nil, onebot.ErrNotSent } }

// errSilence is what Silence returns.
var errSilence = errors.New("no answer")

// Silence never answers: the call ends when its context does, or after 30 s as
// all calls do.
func Silence() Answer { return func(json.RawMessage) (any, error) { return nil, errSilence } }

// Times lets a answer the first n calls only; the others are answered as if
// there were no Answer.
func Times(n int, a Answer) Answer {
	var mu sync.Mutex
	return func(params json.RawMessage) (any, error) {
		mu.Lock()
		n--
		over := n < 0
		mu.Unlock()
		if over {
			return nil, nil
		}
		return a(params)
	}
}

// Recorder remembers what a bot did and decides how its calls are answered. It
// is a part of [Caller], [Harness] and [Server] and safe for concurrent use.
type Recorder struct {
	mu      sync.Mutex // guards the fields below
	calls   []*Call
	claimed map[*Call]bool // by WantCall
	sent    []Sent         // since they were last asked for
	answers map[string]Answer
	changed chan struct{} // closed when sent or calls grow; nil: nobody waits
}

// On sets how calls of an action are answered; nil: as without it. See [With],
// [Refuse], [NotSent], [Silence] and [Times].
func (r *Recorder) On(action string, a Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers == nil {
		r.answers = map[string]Answer{}
	}
	r.answers[action] = a
}

// Calls returns the calls of the actions, of all if none is given, in the order
// in which they were made.
func (r *Recorder) Calls(actions ...string) []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Call
	for _, c := range r.calls {
		if len(actions) == 0 || slices.Contains(actions, c.Action) {
			out = append(out, *c)
		}
	}
	return out
}

// Sent returns what was sent since it was last asked for, by Sent or by one of
// the methods that begin with Want.
func (r *Recorder) Sent() []Sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.sent
	r.sent = nil
	return out
}

// record remembers a call and returns how it is to be answered, nil: as usual.
func (r *Recorder) record(action string, params json.RawMessage) (*Call, Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &Call{Action: action, Params: params}
	r.calls = append(r.calls, c)
	r.changedLocked()
	return c, r.answers[action]
}

// failed remembers what became of a call.
func (r *Recorder) failed(c *Call, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Err = err
}

func (r *Recorder) recordSent(s Sent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, s)
	r.changedLocked()
}

func (r *Recorder) changedLocked() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// waitFor waits until ok, which is called with r.mu held, or d is over.
func (r *Recorder) waitFor(d time.Duration, ok func() bool) bool {
	limit := time.NewTimer(d)
	defer limit.Stop()
	for {
		r.mu.Lock()
		if ok() {
			r.mu.Unlock()
			return true
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-limit.C:
			return false
		}
	}
}

// findLocked returns the first call of action with the given parameters that was
// not claimed yet.
func (r *Recorder) findLocked(action string, params map[string]any) *Call {
	for _, c := range r.calls {
		if c.Action == action && !r.claimed[c] && len(differences(c.Params, params)) == 0 {
			return c
		}
	}
	return nil
}

// claim finds a call and keeps it from being found again.
func (r *Recorder) claim(action string, params map[string]any) (Call, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.findLocked(action, params)
	if c == nil {
		return Call{}, false
	}
	if r.claimed == nil {
		r.claimed = map[*Call]bool{}
	}
	r.claimed[c] = true
	return *c, true
}

// unclaimed returns the calls of the actions that were not claimed.
func (r *Recorder) unclaimed(actions ...string) []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Call
	for _, c := range r.calls {
		if !r.claimed[c] && slices.Contains(actions, c.Action) {
			out = append(out, *c)
		}
	}
	return out
}

// differences tells in which parameters a call is not as wanted. Numbers and
// texts of numbers are the same, as they are to NapCat.
func differences(params json.RawMessage, want map[string]any) []string {
	var got map[string]json.RawMessage
	if err := json.Unmarshal(params, &got); err != nil && len(want) > 0 {
		return []string{"the parameters are no object"}
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		b, err := json.Marshal(want[k])
		if err != nil {
			panic(fmt.Sprintf("ncattest: parameter %s: %v", k, err))
		}
		g, ok := got[k]
		switch {
		case !ok:
			out = append(out, fmt.Sprintf("%s is not given, want %s", k, b))
		case plain(g) != plain(b):
			out = append(out, fmt.Sprintf("%s is %s, want %s", k, short(string(g)), b))
		}
	}
	return out
}

// plain is a JSON value in a form in which equal values are equal.
func plain(b json.RawMessage) string {
	var s string
	if json.Unmarshal(b, &s) == nil {
		return s
	}
	var v any
	if json.Unmarshal(b, &v) != nil {
		return string(b)
	}
	if _, ok := v.(float64); ok {
		return strings.TrimSpace(string(b)) // ids are exact only as they stand
	}
	out, err := json.Marshal(v)
	if err != nil {
		return string(b)
	}
	return string(out)
}

func chatName(c ncat.Chat) string {
	switch {
	case c.IsGroup():
		return "group " + c.Group.String()
	case c.User != 0:
		return "user " + c.User.String()
	}
	return "nowhere"
}

// short cuts what is too long to be read in a failure, such as a picture.
func short(s string) string {
	const limit = 300
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}

func quote(s string) string { return fmt.Sprintf("%q", short(s)) }
