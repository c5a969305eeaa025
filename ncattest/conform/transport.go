package conform

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

const (
	lifecycle = `{!time:int, self_id:int, post_type:"meta_event", meta_event_type:"lifecycle", sub_type:"connect"}`
	badToken  = `{!status:"failed", retcode:1403, data:none, message:"token验证失败", wording:"token验证失败", echo:none, stream:"normal-action"}`
)

// greets expects that a connection is taken and greeted.
func greets(suffix string, header func(token string) http.Header) func(*visit) error {
	return func(v *visit) error {
		c, err := dial(v.ctx, v.h.URL, strings.ReplaceAll(suffix, "$token", v.h.Token), header(v.h.Token))
		if err != nil {
			return err
		}
		defer c.close()
		b, err := c.next(patience)
		if err != nil {
			return err
		}
		return matches(b, lifecycle)
	}
}

// turnsAway expects a connection to be told of the wrong token and ended, without
// a status code.
func turnsAway(suffix string, header func(token string) http.Header) func(*visit) error {
	return func(v *visit) error {
		if v.h.Token == "" {
			return &leftOut{"the host has no token"}
		}
		c, err := dial(v.ctx, v.h.URL, suffix, header(v.h.Token))
		if err != nil {
			return err
		}
		defer c.close()
		b, err := c.next(patience)
		if err != nil {
			return err
		}
		if err := matches(b, badToken); err != nil {
			return err
		}
		if _, err = c.next(patience); errors.Is(err, errQuiet) {
			return errors.New("the connection goes on")
		}
		if code := websocket.CloseStatus(c.ended); code != websocket.StatusNoStatusRcvd {
			return fmt.Errorf("the connection ended with %d, want no status (%w)", code, c.ended)
		}
		return nil
	}
}

func raw(value string) func(string) http.Header {
	return func(token string) http.Header {
		if value == "" {
			return nil
		}
		return http.Header{"Authorization": {strings.ReplaceAll(value, "$token", token)}}
	}
}

var connections = []Expectation{
	{Place: "E.1", Title: "a bearer token is taken", wire: true, try: greets("", bearer)},
	{Place: "E.1", Title: "a bare token in the header is taken", wire: true, try: greets("", raw("$token"))},
	{Place: "E.1", Title: "a token in the query is taken", wire: true, try: greets("/?access_token=$token", raw(""))},
	{Place: "E.1", Title: "a right query beats a wrong header", wire: true, try: greets("/?access_token=$token", raw("Bearer wrong"))},
	{Place: "E.1", Title: "an empty query leaves it to the header", wire: true, try: greets("/?access_token=", bearer)},
	{Place: "E.1", Title: "no token is turned away", wire: true, try: turnsAway("", raw(""))},
	{Place: "E.1", Title: "a wrong token is turned away", wire: true, try: turnsAway("", raw("Bearer wrong"))},
	{Place: "E.1", Title: "a wrong query beats a right header", wire: true, try: turnsAway("/?access_token=wrong", bearer)},
	{Place: "E.1", Title: "bearer in small letters is turned away", wire: true, try: turnsAway("", raw("bearer $token"))},
	{Place: "E.1", Title: "any path is taken", wire: true, try: greets("/some/where", bearer)},
	{Place: "E.1", Title: "/event is taken", wire: true, try: greets("/event", bearer)},
	{Place: "E.1", Title: "/event takes calls too", wire: true, try: onPath("/event")},
	{Place: "E.1", Title: "/api takes calls", wire: true, try: onPath("/api")},
	{Place: "E.1", Title: "/api/ takes calls", wire: true, try: onPath("/api/")},
	{Place: "E.1", Title: "/api is not greeted", wire: true, try: notGreeted("/api")},
	{Place: "E.1", Title: "/api/ is not greeted", wire: true, try: notGreeted("/api/")},
	{Place: "E.1", Title: "the order of the greeting's keys", wire: true, try: greetingKeys},
	{Place: "E.1", Title: "two clients are both greeted and answered", wire: true, try: twoClients},
	{Place: "E.1", Title: "a ping is answered", wire: true, try: func(v *visit) error {
		c, err := v.connect()
		if err != nil {
			return err
		}
		return c.ws.Ping(v.ctx)
	}},
	{Place: "G.1", Title: "a heartbeat", wire: true, try: heartbeat},
}

func onPath(path string) func(*visit) error {
	return func(v *visit) error {
		c, err := dial(v.ctx, v.h.URL, path, bearer(v.h.Token))
		if err != nil {
			return err
		}
		defer c.close()
		if err := c.write(`{"action":"get_status","echo":"e1"}`); err != nil {
			return err
		}
		a, err := c.answer(`"e1"`)
		if err != nil {
			return err
		}
		return matches(a.Data, `{!online:bool, good:true, stat:{!}}`)
	}
}

func notGreeted(path string) func(*visit) error {
	return func(v *visit) error {
		c, err := dial(v.ctx, v.h.URL, path, bearer(v.h.Token))
		if err != nil {
			return err
		}
		defer c.close()
		if b, err := c.next(quiet); !errors.Is(err, errQuiet) {
			return fmt.Errorf("want nothing, got %s %w", cut(string(b)), err)
		}
		return nil
	}
}

func greetingKeys(v *visit) error {
	c, err := dial(v.ctx, v.h.URL, "", bearer(v.h.Token))
	if err != nil {
		return err
	}
	defer c.close()
	b, err := c.next(patience)
	if err != nil {
		return err
	}
	return inOrder(b, "time self_id post_type meta_event_type sub_type")
}

func inOrder(b []byte, want string) error {
	if got := keys(b); got != want {
		return fmt.Errorf("the keys are %s, want %s", got, want)
	}
	return nil
}

func twoClients(v *visit) error {
	if _, err := v.connect(); err != nil {
		return err
	}
	other := &visit{ctx: v.ctx, h: v.h, people: v.people}
	defer other.close()
	if err := other.ask("get_status", "{}", nil); err != nil {
		return err
	}
	return v.ask("get_status", "{}", nil)
}

func heartbeat(v *visit) error {
	if v.h.Heartbeat == 0 {
		return &leftOut{"nobody said how often it comes"}
	}
	c, err := v.connect()
	if err != nil {
		return err
	}
	limit := time.Now().Add(v.h.Heartbeat + patience)
	for time.Now().Before(limit) {
		b, err := c.next(time.Until(limit))
		if err != nil {
			return err
		}
		if !strings.Contains(string(b), `"heartbeat"`) {
			continue
		}
		if err := inOrder(b, "time self_id post_type meta_event_type status interval"); err != nil {
			return err
		}
		return matches(b, fmt.Sprintf(`{!time:int, self_id:%d, post_type:"meta_event", meta_event_type:"heartbeat", status:{!online:true, good:true}, interval:%d}`,
			v.self, v.h.Heartbeat.Milliseconds()))
	}
	return errQuiet
}
