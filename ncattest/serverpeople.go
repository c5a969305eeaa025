package ncattest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/onebot"
)

// Group returns a group, whose members can act. It is made when it is first
// named, with the bot as an administrator.
func (s *Server) Group(id onebot.GroupID) *Group { return group(s, id) }

// Friend returns somebody who writes to the account in private.
func (s *Server) Friend(user onebot.UserID) *Person { return friend(s, user) }

func (s *Server) tb() testing.TB { return s.T }
func (s *Server) place() *site   { return s.at }
func (s *Server) before()        { s.T.Helper(); s.WaitConnected() }

func (s *Server) after(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = what
}

// Event lets an event happen, for everybody who is connected. Who says something,
// joins or leaves a group, takes a message back, reacts to one or asks for
// something does so in the Server's QQ; other events only tell of it.
func (s *Server) Event(e onebot.Event) {
	s.T.Helper()
	happen(s, e, fmt.Sprintf("a %T", e))
}

// tell hands an event to the connections as it is.
func (s *Server) tell(e onebot.Event) error {
	v, err := jsval.Parse(string(Frame(e)))
	if err != nil {
		return err
	}
	body := v.(*jsval.Object)
	for _, k := range []string{"time", "self_id", "post_type"} {
		body.Delete(k)
	}
	s.net.Emit(world.Event{Time: e.Base().Time, PostType: e.Base().PostType, Body: body})
	return nil
}

func (s *Server) report() report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return report{last: s.last, others: s.others()}
}

// await waits until the bot has sent n messages, or 10 s.
func (s *Server) await(n int) []Sent {
	s.waitFor(patience, func() bool { return len(s.sent) >= n })
	return s.Sent()
}

// Want is [Harness.Want], but waits until the bot has sent as many messages, for
// at most 10 s. Without messages it takes what there is; see [Server.WantNothing].
func (s *Server) Want(messages ...string) {
	s.T.Helper()
	wantTexts(s.T, s.await(len(messages)), messages, s.report())
}

// WantLike is Want for messages of which only a part is given.
func (s *Server) WantLike(parts ...string) {
	s.T.Helper()
	wantLike(s.T, s.await(len(parts)), parts, s.report())
}

// WantNothing fails the test if the bot sends a message within d.
func (s *Server) WantNothing(d time.Duration) {
	s.T.Helper()
	s.waitFor(d, func() bool { return len(s.sent) > 0 })
	wantTexts(s.T, s.Sent(), nil, s.report())
}

// One waits for a message of the bot, as Want does, and returns it.
func (s *Server) One() Sent {
	s.T.Helper()
	return wantOne(s.T, s.await(1), s.report())
}

// WantCall is [Harness.WantCall], but waits for the call, for at most 10 s.
func (s *Server) WantCall(action string, params ...any) Call {
	s.T.Helper()
	want := pairs(params)
	s.waitFor(patience, func() bool { return s.findLocked(action, want) != nil })
	c, ok := s.claim(action, want)
	if !ok {
		s.noCall(s.T, action, want, s.report())
	}
	return c
}

// WantNoCall fails the test if the bot made a call of one of the actions that no
// WantCall has asked for.
func (s *Server) WantNoCall(actions ...string) {
	s.T.Helper()
	wantNoCall(s.T, s.unclaimed(actions...), s.report())
}

// String names the Server's addresses.
func (s *Server) String() string { return strings.Join([]string{s.URL(), s.HTTP()}, " ") }
