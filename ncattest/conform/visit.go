package conform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/onebot"
)

// people are the people that the expectations speak of.
type people struct {
	self, group, member, friend int64
	leads                       bool // the account is an administrator or the owner of group
}

// nobody and nowhere are numbers that no user and no group has.
const (
	nobody  = 1000000019
	nowhere = 1000000021
)

// meet finds out who the account is and whom it knows.
func meet(ctx context.Context, h *Host) (people, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	v := &visit{ctx: ctx, h: h}
	defer v.close()
	var p people
	var login struct {
		UserID int64 `json:"user_id"`
	}
	if err := v.ask("get_login_info", "{}", &login); err != nil {
		return p, err
	}
	p.self = login.UserID
	var groups []struct {
		GroupID int64 `json:"group_id"`
	}
	if err := v.ask("get_group_list", "{}", &groups); err != nil {
		return p, err
	}
	for _, g := range groups { // one that the account leads is the best
		var members []struct {
			UserID int64  `json:"user_id"`
			Role   string `json:"role"`
		}
		if err := v.ask("get_group_member_list", fmt.Sprintf(`{"group_id":%d}`, g.GroupID), &members); err != nil {
			return p, err
		}
		if p.leads {
			break
		}
		p.group, p.member = g.GroupID, 0
		for _, m := range members {
			switch {
			case m.UserID == p.self:
				p.leads = m.Role == "admin" || m.Role == "owner"
			case m.Role == "member":
				p.member = m.UserID
			}
		}
	}
	var friends []struct {
		UserID int64 `json:"user_id"`
	}
	if err := v.ask("get_friend_list", "{}", &friends); err != nil {
		return p, err
	}
	for _, f := range friends {
		if f.UserID != p.self && (p.friend == 0 || f.UserID < p.friend) {
			p.friend = f.UserID
		}
	}
	if p.group == 0 || p.friend == 0 {
		return p, errors.New("the account needs a friend and a group")
	}
	return p, nil
}

// visit is one expectation being tried.
type visit struct {
	ctx context.Context
	h   *Host
	people
	conn *conn
	n    int
}

func (v *visit) close() {
	if v.conn != nil {
		v.conn.close()
	}
}

// answer is what a call was answered with.
type answer struct {
	Status  string          `json:"status"`
	RetCode int             `json:"retcode"`
	Data    json.RawMessage `json:"data"`
	Message string          `json:"message"`
	Wording string          `json:"wording"`
	Echo    json.RawMessage `json:"echo"`
	Stream  string          `json:"stream"`
	raw     []byte
}

func (a answer) String() string { return cut(string(a.raw)) }

// fill puts numbers in the place of $self, $group and the like. $msg is a message
// that is sent for it, $image a picture.
func (v *visit) fill(s string) (string, error) {
	for _, name := range []string{"$msg", "$theirs"} {
		if !strings.Contains(s, name) {
			continue
		}
		id, err := v.message()
		if err != nil {
			return "", err
		}
		s = strings.ReplaceAll(s, name, strconv.FormatInt(id, 10))
	}
	if strings.Contains(s, "$member") && v.member == 0 {
		return "", &leftOut{"the group has no plain member besides the account"}
	}
	pairs := []string{"$image", "base64://" + onePixel}
	for name, n := range map[string]int64{"$self": v.self, "$group": v.group, "$member": v.member, "$friend": v.friend, "$nobody": nobody, "$nowhere": nowhere} {
		pairs = append(pairs, name, strconv.FormatInt(n, 10))
	}
	return strings.NewReplacer(pairs...).Replace(s), nil
}

// onePixel is the smallest picture, in base64.
const onePixel = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

// message sends a text into the group and returns its id.
func (v *visit) message() (int64, error) {
	var sent struct {
		MessageID int64 `json:"message_id"`
	}
	err := v.ask("send_group_msg", `{"group_id":$group,"message":[{"type":"text","data":{"text":"conform"}}]}`, &sent)
	return sent.MessageID, err
}

// ask makes a call that must be carried out.
func (v *visit) ask(action, params string, result any) error {
	a, err := v.call(action, params)
	if err != nil {
		return err
	}
	if err := v.fine(action, a); err != nil || result == nil {
		return err
	}
	if err := json.Unmarshal(a.Data, result); err != nil {
		return fmt.Errorf("%s answers %s: %w", action, a, err)
	}
	return nil
}

// missing are the refusals of a host that has no QQ behind it for an action: a
// script error, or no packet layer (contract L.10, A.3).
var missing = regexp.MustCompile(`Cannot read propert|Cannot destructure|is not a function|is not iterable|is not defined|packetBackend|PacketBackend|packetStatus`)

// fine says why a call was not carried out; a leftOut where the host cannot.
func (v *visit) fine(action string, a answer) error {
	switch {
	case a.Status == "ok" && a.RetCode == 0:
		return nil
	case missing.MatchString(a.Message):
		return &leftOut{"the host has nothing behind " + action + ": " + cut(a.Message)}
	}
	return fmt.Errorf("%s answers %s", action, a)
}

// call makes a call over the visit's own connection.
func (v *visit) call(action, params string) (answer, error) {
	params, err := v.fill(params)
	if err != nil {
		return answer{}, err
	}
	if v.h.URL == "" {
		return v.callCaller(action, params)
	}
	c, err := v.connect()
	if err != nil {
		return answer{}, err
	}
	v.n++
	echo := fmt.Sprintf("%q", fmt.Sprintf("c%d", v.n))
	if err := c.write(fmt.Sprintf(`{"action":%q,"params":%s,"echo":%s}`, action, params, echo)); err != nil {
		return answer{}, err
	}
	return c.answer(echo)
}

// callCaller makes a call without a connection; what a Caller hands over is put
// back into the form of the wire.
func (v *visit) callCaller(action, params string) (answer, error) {
	a := answer{Status: "ok"}
	err := v.h.Caller.Call(v.ctx, action, json.RawMessage(params), &a.Data)
	var refused *onebot.Error
	switch {
	case errors.As(err, &refused):
		a = answer{Status: "failed", RetCode: refused.RetCode, Message: refused.Message, Wording: refused.Wording}
	case err != nil:
		return a, err
	}
	a.raw = fmt.Appendf(nil, "%s %d %s %s", a.Status, a.RetCode, a.Message, a.Data)
	return a, nil
}

// connect returns the visit's connection, after its lifecycle event.
func (v *visit) connect() (*conn, error) {
	if v.conn != nil {
		return v.conn, nil
	}
	if v.h.URL == "" {
		v.conn = listen(v.h.Hear)
		return v.conn, nil
	}
	c, err := dial(v.ctx, v.h.URL, "", bearer(v.h.Token))
	if err != nil {
		return nil, err
	}
	v.conn = c
	_, err = c.event(func(e map[string]any) bool { return e["meta_event_type"] == "lifecycle" })
	return c, err
}

// tells lets somebody do something and returns the first event that the host
// tells of it, of the given kind: notice_type, request_type or message_type, with
// a sub_type after a space if there is one.
func (v *visit) tells(d Deed, kind string) ([]byte, error) {
	c, err := v.connect()
	if err != nil {
		return nil, err
	}
	if err := v.h.Act(v.ctx, d); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Deed, err)
	}
	want, sub, _ := strings.Cut(kind, " ")
	return c.event(func(e map[string]any) bool {
		is := e["notice_type"] == want || e["request_type"] == want || e["message_type"] == want
		return is && (sub == "" || e["sub_type"] == sub)
	})
}

// The forms that most expectations have.

// answers expects a call to be carried out, with data of a shape.
func answers(action, params, shape string) func(*visit) error {
	return func(v *visit) error {
		a, err := v.call(action, params)
		if err != nil {
			return err
		}
		shape, err := v.fill(shape)
		if err != nil {
			return err
		}
		if err := v.fine(action, a); err != nil {
			return err
		}
		if a.Message != "" || a.Wording != "" {
			return fmt.Errorf("a call that was carried out has words: %s", a)
		}
		if err := matches(a.Data, shape); err != nil {
			return fmt.Errorf("%w, in %s", err, a)
		}
		return nil
	}
}

// refuses expects a call to be refused. A message that ends in … is its beginning.
func refuses(action, params string, code int, message string) func(*visit) error {
	return func(v *visit) error {
		a, err := v.call(action, params)
		if err != nil {
			return err
		}
		return v.refusal(a, code, message)
	}
}

func (v *visit) refusal(a answer, code int, message string) error {
	if missing.MatchString(a.Message) {
		return &leftOut{"the host has nothing behind it: " + cut(a.Message)}
	}
	if a.Status != "failed" || a.RetCode != code {
		return fmt.Errorf("want retcode %d (%s), got %s", code, message, a)
	}
	begin, partly := strings.CutSuffix(message, "…")
	if a.Message != message && (!partly || !strings.HasPrefix(a.Message, begin)) {
		return fmt.Errorf("want the words %q, got %s", message, a)
	}
	if a.Wording != a.Message {
		return fmt.Errorf("message and wording differ: %s", a)
	}
	return nil
}

// shows expects a sent message to be there as get_msg tells it: message is what
// is sent, shape what its segments are then.
func shows(message, shape string) func(*visit) error {
	return func(v *visit) error {
		var sent struct {
			MessageID int64 `json:"message_id"`
		}
		if err := v.ask("send_group_msg", `{"group_id":$group,"message":`+message+`}`, &sent); err != nil {
			return err
		}
		shape, err := v.fill(shape)
		if err != nil {
			return err
		}
		return answers("get_msg", fmt.Sprintf(`{"message_id":%d}`, sent.MessageID), `{message:`+shape+`}`)(v)
	}
}

// both expects one thing after the other.
func both(all ...func(*visit) error) func(*visit) error {
	return func(v *visit) error {
		for _, f := range all {
			if err := f(v); err != nil {
				return err
			}
		}
		return nil
	}
}
