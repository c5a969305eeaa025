package ncattest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// newBot is the bot under test in the examples.
func newBot() *ncat.Bot {
	b := ncat.New()
	b.OnCommand("ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "pong")
	})
	b.OnCommand("quit", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		yes, err := b.Confirm(ctx, m, "really?", ncat.Within(time.Minute))
		if err != nil || !yes {
			return nil
		}
		return b.API().SetGroupLeave(ctx, onebot.SetGroupLeaveParams{GroupID: ncat.ChatOf(m).Group})
	}, ncat.Need(ncat.RoleGroupOwner))
	return b
}

// In a test file the outer function is func TestPing(t *testing.T).
func ExampleRun() {
	TestPing := func(t *testing.T) {
		ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
			h.Group(100).From(1).Says("/ping")
			h.Want("pong")
		})
	}
	_ = TestPing
}

func ExampleHarness_WantCall() {
	TestQuit := func(t *testing.T) {
		ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
			boss := h.Group(100).Owner(1)
			boss.Says("/quit")
			h.Want("really?")
			h.Group(100).From(2).Says("yes") // he was not asked
			h.WantNoCall("set_group_leave")
			boss.Says("yes")
			h.WantCall("set_group_leave", "group_id", 100)
		})
	}
	_ = TestQuit
}

func ExampleHarness_Pass() {
	TestQuitIsForgotten := func(t *testing.T) {
		ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
			boss := h.Group(100).Owner(1)
			boss.Says("/quit")
			h.Want("really?")
			h.Pass(time.Minute) // takes no time
			boss.Says("yes")
			h.WantNoCall("set_group_leave")
		})
	}
	_ = TestQuitIsForgotten
}

func ExampleServer() {
	TestOverTheWire := func(t *testing.T) {
		s := ncattest.NewServer(t, ncattest.ServerOptions{Token: "secret"})
		s.Run(newBot()) // or start any program with s.URL() and s.Token()
		s.Group(100).From(1).Says("/ping")
		s.Want("pong")
		s.Drop() // the bot connects again
		s.Group(100).From(1).Says("/ping")
		s.Want("pong")
	}
	_ = TestOverTheWire
}

// A Caller alone tests code that makes calls and hears no events.
func ExampleCaller() {
	var c ncattest.Caller
	c.On("get_group_info", ncattest.Result(map[string]any{"group_id": 100, "group_name": "gophers"}))
	api := onebot.NewClient(&c)
	g, err := api.GetGroupInfo(context.Background(), onebot.GetGroupInfoParams{GroupID: 100})
	fmt.Println(g.GroupName, err)
	fmt.Println(c.Calls()[0])
	// Output:
	// gophers <nil>
	// get_group_info {"group_id":"100"}
}

func ExampleHarness_Web() {
	b := ncat.New()
	b.OnText("weather", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		resp, err := b.HTTP().Get("https://example.com/weather")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		return b.Reply(ctx, m, string(text))
	})
	TestWeather := func(t *testing.T) {
		ncattest.Run(t, b, func(h *ncattest.Harness) {
			h.Web("GET example.com/weather", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "sunny") })
			h.Friend(1).Says("weather")
			h.Want("sunny")
		})
	}
	_ = TestWeather
}

func ExampleHarness_Account() {
	TestTwoAccounts := func(t *testing.T) {
		ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
			second := h.Account("second", 10002)
			second.Group(200).From(1).Says("/ping")
			second.Want("pong")
			h.WantNothing()
		})
	}
	_ = TestTwoAccounts
}
