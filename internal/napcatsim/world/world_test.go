package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// record collects what the account sees, as the kind of each event.
func record(w *World) *[]string {
	var seen []string
	w.Subscribe(func(e Event) {
		switch {
		case e.Message != nil:
			seen = append(seen, "message")
		case e.PostType == "request":
			seen = append(seen, "request "+e.Body.String("request_type"))
		default:
			s := e.Body.String("notice_type")
			if sub := e.Body.String("sub_type"); sub != "" {
				s += " " + sub
			}
			seen = append(seen, s)
		}
	})
	return &seen
}

func TestRolesBind(t *testing.T) {
	w := New(Options{})
	const g, owner, admin, plain = 700000001, 3001000001, 3001000002, 3001000003
	for name, err := range map[string]error{
		"a plain member bans":          w.Ban(g, w.Self().UIN, plain, 60),
		"an admin bans an admin":       w.Ban(g, w.Self().UIN, admin, 60),
		"an admin bans the owner":      w.Ban(g, owner, admin, 60),
		"an admin makes an admin":      w.SetAdmin(g, plain, admin, true),
		"a plain member renames":       w.Rename(g, plain, "x"),
		"a plain member silences all":  w.BanAll(g, plain, true),
		"an admin gives titles":        w.SetTitle(g, plain, admin, "x"),
		"a plain member kicks":         w.Leave(g, admin, plain),
		"a plain member renames other": w.SetCard(g, admin, plain, "x"),
	} {
		if !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Ban(g, plain, admin, 60); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Say(Say{Group: g, User: plain, Text: "x"}); !errors.Is(err, ErrMuted) {
		t.Errorf("a silenced member speaks: %v", err)
	}
	if _, err := w.Say(Say{Group: g, User: 3002000002, Text: "x"}); !errors.Is(err, ErrNoMember) {
		t.Errorf("a stranger speaks: %v", err)
	}
	if _, err := w.Say(Say{User: 3999999999, Text: "x"}); !errors.Is(err, ErrNoUser) {
		t.Errorf("nobody speaks: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	w := New(Options{})
	seen := record(w)
	w.SetOnline(false)
	m, err := w.Say(Say{User: 3001000001, Text: "missed"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Send(Chat{Private, 3001000001}, 0, []Segment{Text("x")}, nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("send: %v", err)
	}
	w.KickOffline("t", "d") // told all the same
	w.SetOnline(true)
	if got := strings.Join(*seen, ","); got != "bot_offline" {
		t.Errorf("saw %s", got)
	}
	h := w.History(m.Chat, "", 10, false)
	if len(h) != 1 || h[0].PlainText() != "missed" {
		t.Errorf("history %+v", h)
	}
}

func TestWaitSent(t *testing.T) {
	w := New(Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got := make(chan Sent, 1)
	go func() {
		s, err := w.WaitSent(ctx, 0, func(m Message) bool { return m.PlainText() == "b" })
		if err != nil {
			t.Error(err)
		}
		got <- s
	}()
	for _, s := range []string{"a", "b", "c"} {
		if _, err := w.Send(Chat{InGroup, 700000001}, 0, []Segment{Text(s)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if s := <-got; s.N != 2 || s.Message.PlainText() != "b" {
		t.Errorf("got %+v", s)
	}
	cancel()
	if _, err := w.WaitSent(ctx, 3, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	if got := w.Sent(1); len(got) != 2 || got[0].N != 2 || got[1].N != 3 {
		t.Errorf("Sent(1) = %+v", got)
	}
}

// TestHistoryProperties holds paging: walking back from the newest by the ids
// that each page begins with visits every message once.
func TestHistoryProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := New(Options{})
		n, page := rapid.IntRange(1, 60).Draw(t, "messages"), rapid.IntRange(2, 20).Draw(t, "page")
		c := Chat{InGroup, 700000001}
		for range n {
			if _, err := w.Say(Say{Group: c.Peer, User: 3001000001, Text: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		var seqs []int64
		from := ""
		for {
			h := w.History(c, from, page, false)
			if from != "" {
				h = h[:len(h)-1] // pages overlap by the message they start from
			}
			if len(h) == 0 {
				break
			}
			for _, m := range slices.Backward(h) {
				seqs = append(seqs, m.Seq)
			}
			from = h[0].MsgID
		}
		if len(seqs) != n || !slices.IsSortedFunc(seqs, func(a, b int64) int { return int(b - a) }) {
			t.Fatalf("walked %v", seqs)
		}
	})
}

func TestOtherDevice(t *testing.T) {
	w := New(Options{})
	m, err := w.Say(Say{User: SelfUIN, To: 3001000001, Text: "from my phone"})
	if err != nil || !m.Self || m.Chat != (Chat{Private, 3001000001}) {
		t.Errorf("%+v, %v", m, err)
	}
	if w.SentCount() != 0 {
		t.Error("counted as sent by the bot")
	}
}

func TestSnapshot(t *testing.T) {
	w := New(Options{})
	if _, err := w.Say(Say{User: 3001000001, Text: "hi"}); err != nil {
		t.Fatal(err)
	}
	s := w.Snapshot()
	if s.Self.UIN != SelfUIN || len(s.Friends) != 3 || len(s.Groups) != 2 || len(s.Others) != 2 || s.Link != "up" ||
		len(s.Chats) != 1 || s.Chats[0].Last != "hi" {
		t.Errorf("%+v", s)
	}
}

func TestSaveAndLoad(t *testing.T) {
	w := New(Options{})
	const g = 700000001
	m, err := w.Say(Say{Group: g, User: 3001000001, Segments: []Segment{At(SelfUIN), Text("hi")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Send(Chat{Private, 3001000002}, 0, nil, []*Message{{Sender: 1, Nickname: "N", Segments: []Segment{Text("in")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Ask(Request{Kind: JoinRequest, User: 42, Group: g}); err != nil {
		t.Fatal(err)
	}
	if err := w.SetCard(g, 3001000003, 3001000003, "K"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "world.json")
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // saves once
	if err := w.Keep(ctx, path, time.Hour); err != nil {
		t.Fatal(err)
	}
	l, err := LoadFile(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := w.Snapshot(), l.Snapshot()
	a.Sent, b.Sent = 0, 0
	if x, y := fmt.Sprint(toJSON(t, a)), fmt.Sprint(toJSON(t, b)); x != y {
		t.Errorf("loaded %s\nwant %s", y, x)
	}
	if _, ok := l.Lookup(m.ID); ok {
		t.Error("the host's own ids were saved")
	}
	h := l.History(m.Chat, "", 5, false)
	if len(h) != 1 || h[0].ID != m.ID || h[0].PlainText() != "hi" || h[0].Segments[0].Data.String("qq") != "3889001001" {
		t.Errorf("history %+v", h)
	}
	if p := l.History(Chat{Private, 3001000002}, "", 5, false); len(p) != 1 || len(p[0].Nodes) != 1 || p[0].Nodes[0].PlainText() != "in" {
		t.Errorf("forward %+v", p)
	}
	next, err := l.Say(Say{Group: g, User: 3001000001, Text: "again"})
	if err != nil || next.Seq != m.Seq+1 {
		t.Errorf("sequence goes on at %d, %v", next.Seq, err)
	}
	if other, err := LoadFile(path, Options{UIN: 5}); err == nil || len(other.Snapshot().Chats) != 0 {
		t.Errorf("another account's world was loaded: %v", err)
	}
	if fresh, err := LoadFile(filepath.Join(t.TempDir(), "none"), Options{}); err != nil || len(fresh.Friends()) != 3 {
		t.Errorf("without a file there is no new world: %v", err)
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSaveWhileTheWorldGoesOn(t *testing.T) {
	w := New(Options{})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			m, err := w.Say(Say{Group: 700000001, User: 3001000001, Text: "x"})
			if err != nil {
				t.Error(err)
				return
			}
			_ = w.React(m.ID, 3001000002, "76", true)
			_ = w.SetCard(700000001, 3001000003, 3001000003, m.MsgID)
			_ = w.Recall(m.ID, 3001000001)
		}
	})
	for range 20 {
		if err := w.Save(io.Discard); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

// TestTwoAccountsShareGroups: what is said and done in a group is heard by each
// account that is in it, and by no other.
func TestTwoAccountsShareGroups(t *testing.T) {
	const g, alice = 100, 1
	a := New(Options{UIN: 10, Empty: true})
	b := a.Account(Options{UIN: 20})
	a.AddUser(User{UIN: alice, Nickname: "Alice", Friend: true})
	a.AddGroup(g, "g", map[int64]Role{10: Owner, 20: Plain, alice: Plain})
	seenA, seenB := record(a), record(b)
	said, err := a.Say(Say{Group: g, User: alice, Text: "hi"})
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := b.Lookup(said.ID); !ok || m.Seq != said.Seq || m.Nickname != "Alice" {
		t.Errorf("the other account knows %+v", m)
	}
	sent, err := b.Send(Chat{InGroup, g}, 0, []Segment{Text("re")}, nil)
	if err != nil || !sent.Self {
		t.Fatal(sent, err)
	}
	if m, _ := a.Lookup(sent.ID); m.Self || m.Sender != 20 {
		t.Errorf("the first account takes %+v for its own", m)
	}
	if len(a.Sent(0)) != 0 || len(b.Sent(0)) != 1 {
		t.Error("what was sent counts for the wrong account")
	}
	if err := a.Ban(g, 20, 10, 60); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Send(Chat{InGroup, g}, 0, []Segment{Text("x")}, nil); !errors.Is(err, ErrMuted) {
		t.Errorf("muted by the other account: %v", err)
	}
	if err := a.Leave(g, 20, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Say(Say{Group: g, User: alice, Text: "alone"}); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(*seenA, ", "), "message, message, group_ban ban, group_decrease kick, message"; got != want {
		t.Errorf("the first account saw %s, want %s", got, want)
	}
	if got, want := strings.Join(*seenB, ", "), "message, message, group_ban ban, group_decrease kick_me"; got != want {
		t.Errorf("the other account saw %s, want %s", got, want)
	}
	if u, _ := b.User(alice); u.Friend || u.Nickname != "Alice" {
		t.Errorf("a friend of the one account is to the other %+v", u)
	}
	if _, err := b.Send(Chat{Private, 10}, 0, []Segment{Text("psst")}, nil); err != nil {
		t.Fatal(err)
	}
	if h := a.History(Chat{Private, 20}, "", 1, false); len(h) != 1 || h[0].PlainText() != "psst" {
		t.Errorf("what one account wrote to the other: %+v", h)
	}
}
