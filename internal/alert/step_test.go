package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// play steps through what is seen at each second and returns what was told as
// "second channel phase kind[+phase kind]".
func play(t *testing.T, rules []Rule, seconds int, seen func(s int) []Condition) []string {
	t.Helper()
	var st State
	var told []string
	for s := range seconds {
		var out []Message
		st, out, _ = Step(rules, st, seen(s), t0.Add(time.Duration(s)*time.Second))
		for _, m := range out {
			var items []string
			for _, it := range m.Items {
				items = append(items, string(it.Phase)+" "+string(it.Kind))
			}
			told = append(told, fmt.Sprintf("%d %s %s", s, m.Channel, strings.Join(items, "+")))
		}
	}
	return told
}

func between(from, to int, c Condition) func(int) []Condition {
	return func(s int) []Condition {
		if s >= from && s < to {
			return []Condition{c}
		}
		return nil
	}
}

func TestStep(t *testing.T) {
	offline := Condition{Kind: KindOffline, Account: "main"}
	zone := time.FixedZone("CST", 8*3600) // t0 is 20:00 there
	for name, c := range map[string]struct {
		rule    Rule
		seconds int
		seen    func(int) []Condition
		want    []string
	}{
		"told after the hold-off, mended after the settling": {
			Rule{HoldOff: 5 * time.Second, Settle: 3 * time.Second}, 60, between(10, 30, offline),
			[]string{"15 phone firing offline", "33 phone resolved offline"},
		},
		"a newer release is told once": {
			Rule{HoldOff: 5 * time.Second, Settle: 3 * time.Second, Repeat: 10 * time.Second, RepeatMax: 10 * time.Second}, 60,
			between(10, 50, Condition{Kind: KindNewer, Subject: "napcat 4.19.0"}), []string{"15 phone firing newer"},
		},
		"shorter than the hold-off is not told": {
			Rule{HoldOff: 5 * time.Second}, 60, between(10, 14, offline), nil,
		},
		"back within the settling is the same": {
			Rule{Settle: 5 * time.Second}, 60,
			func(s int) []Condition { return append(between(10, 20, offline)(s), between(22, 30, offline)(s)...) },
			[]string{"10 phone firing offline", "35 phone resolved offline"},
		},
		"repeated with a growing pause and a cap": {
			Rule{Repeat: 10 * time.Second, RepeatMax: 25 * time.Second}, 100, between(0, 200, offline),
			[]string{"0 phone firing offline", "10 phone repeated offline", "30 phone repeated offline", "55 phone repeated offline", "80 phone repeated offline"},
		},
		"what happens together is told together": {
			Rule{}, 20, func(s int) []Condition {
				return append(between(5, 30, offline)(s), between(5, 30, Condition{Kind: KindKicked, Account: "main"})(s)...)
			},
			[]string{"5 phone firing kicked+firing offline"},
		},
		"told at the end of the quiet hours": {
			Rule{Quiet: Quiet{From: 19 * time.Hour, To: 20*time.Hour + time.Minute, Zone: zone}}, 100, between(5, 200, offline),
			[]string{"60 phone firing offline"},
		},
		"mended within the quiet hours is not told": {
			Rule{Quiet: Quiet{From: 19 * time.Hour, To: 20*time.Hour + time.Minute, Zone: zone}}, 100, between(5, 30, offline), nil,
		},
		"a login is not mended before the account is online": {
			Rule{Kinds: []Kind{KindLogin}, Settle: 2 * time.Second}, 60, func(s int) []Condition {
				return append(between(5, 30, offline)(s), between(5, 10, Condition{Kind: KindLogin, Account: "main"})(s)...)
			},
			[]string{"5 phone firing login_needed", "32 phone resolved login_needed"},
		},
		"who is told why an account is offline need not be told that it is": {
			Rule{}, 60, func(s int) []Condition {
				return append(between(5, 30, offline)(s), between(5, 30, Condition{Kind: KindLogin, Account: "main"})(s)...)
			},
			[]string{"5 phone firing login_needed", "30 phone resolved login_needed"},
		},
		"another kind has no rule": {
			Rule{Kinds: []Kind{KindDisk}}, 20, between(5, 30, offline), nil,
		},
		"another account has no rule": {
			Rule{Accounts: []string{"b"}}, 20, between(5, 30, offline), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.rule.Channels = []string{"phone"}
			if got := play(t, []Rule{c.rule}, c.seconds, c.seen); !slices.Equal(got, c.want) {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

func TestThousandFlapsAreThreeMessages(t *testing.T) {
	rules := []Rule{{Channels: []string{"phone"}, Settle: 10 * time.Second}}
	got := play(t, rules, 3000, func(s int) []Condition {
		if s < 2000 && s%2 == 0 {
			return []Condition{{Kind: KindOffline, Account: "main"}}
		}
		return nil
	})
	if len(got) != 3 || !strings.Contains(got[0], "firing offline") || !strings.Contains(got[1], "firing flapping") || !strings.Contains(got[2], "resolved flapping+resolved offline") {
		t.Errorf("told %q", got)
	}
}

// TestFlapsAreToldToWhoIsToldOfThem: a rule that names no flapping hides nothing.
func TestFlapsAreToldToWhoIsToldOfThem(t *testing.T) {
	rules := []Rule{{Kinds: []Kind{KindLogin}, Channels: []string{"phone"}, Settle: 10 * time.Second}}
	got := play(t, rules, 3000, func(s int) []Condition {
		if s < 2000 && s%4 < 2 {
			return []Condition{{Kind: KindLogin, Account: "main"}, {Kind: KindOffline, Account: "main"}}
		}
		return nil
	})
	if len(got) != 3 || !strings.Contains(got[0], "firing login_needed") || !strings.Contains(got[1], "firing flapping") || !strings.Contains(got[2], "resolved flapping") {
		t.Errorf("told %q", got)
	}
	// What nobody is told of covers nothing.
	got = play(t, rules, 80, func(s int) []Condition {
		c := between(40, 50, Condition{Kind: KindLogin, Account: "main"})(s)
		if s < 40 && s%2 == 0 {
			c = append(c, Condition{Kind: KindOffline, Account: "main"})
		}
		return c
	})
	if len(got) != 2 || !strings.Contains(got[0], "40 phone firing login_needed") {
		t.Errorf("told %q", got)
	}
}

func TestResolvedSaysHowLongItLasted(t *testing.T) {
	rules := []Rule{{Channels: []string{"phone"}, Settle: 10 * time.Second}}
	c := []Condition{{Kind: KindFailed, Account: "main", Since: t0}}
	st, _, _ := Step(rules, State{}, c, t0)
	st, _, _ = Step(rules, st, nil, t0.Add(90*time.Second))
	_, out, _ := Step(rules, st, nil, t0.Add(100*time.Second))
	if len(out) != 1 || out[0].Items[0].Lasted != 90*time.Second {
		t.Errorf("told %+v, want 90 s", out)
	}
}

func TestSilence(t *testing.T) {
	rules := []Rule{{Channels: []string{"phone"}}}
	for _, account := range []string{"main", ""} {
		st := State{Silenced: map[string]time.Time{account: t0.Add(time.Hour)}}
		c := []Condition{{Kind: KindFailed, Account: "main"}}
		st, out, next := Step(rules, st, c, t0)
		if len(out) != 0 || !next.Equal(t0.Add(time.Hour)) {
			t.Errorf("silence of %q: told %v, next %v", account, out, next)
		}
		if _, out, _ = Step(rules, st, c, next); len(out) != 1 {
			t.Errorf("after the silence of %q: told %v", account, out)
		}
	}
}

func TestABrokenChannelIsNotToldThroughItself(t *testing.T) {
	rules := []Rule{{Channels: []string{"a", "b"}}}
	_, out, _ := Step(rules, State{}, []Condition{{Kind: KindChannel, Subject: "a"}}, t0)
	if len(out) != 1 || out[0].Channel != "b" {
		t.Errorf("told %+v, want b only", out)
	}
}

func TestQuietEnd(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	night := Quiet{From: 23 * time.Hour, To: 7*time.Hour + 30*time.Minute, Zone: zone}
	for _, c := range []struct{ now, want string }{
		{"2026-11-28T23:00:00", "2026-11-29T07:30:00"},
		{"2026-11-28T03:00:00", "2026-11-28T07:30:00"},
		{"2026-11-28T07:30:00", "2026-11-28T07:30:00"},
		{"2026-11-28T12:00:00", "2026-11-28T12:00:00"},
		{"2026-10-25T00:10:00", "2026-10-25T07:30:00"}, // the clock goes back in this night
	} {
		now, _ := time.ParseInLocation("2006-01-02T15:04:05", c.now, zone)
		want, _ := time.ParseInLocation("2006-01-02T15:04:05", c.want, zone)
		if got := night.End(now); !got.Equal(want) {
			t.Errorf("End(%s) = %s, want %s", c.now, got, want)
		}
	}
}

// TestStepProperties plays random troubles: whatever comes and goes, a message
// of an end follows one of a beginning, nothing is told twice at a time, and
// what is mended for good is told to be, once.
func TestStepProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rule := Rule{Channels: []string{"phone"},
			HoldOff: time.Duration(rapid.IntRange(0, 20).Draw(rt, "hold_off")) * time.Second,
			Settle:  time.Duration(rapid.IntRange(0, 20).Draw(rt, "settle")) * time.Second,
			Repeat:  time.Duration(rapid.SampledFrom([]int{0, 30}).Draw(rt, "repeat")) * time.Second,
		}
		kinds := []Kind{KindOffline, KindKicked, KindDisk}
		var st State
		now := t0
		open := map[string]bool{}
		see := func(seen []Condition) {
			var out []Message
			before := fmt.Sprint(st)
			next, _, _ := Step([]Rule{rule}, st, seen, now)
			if fmt.Sprint(st) != before {
				rt.Fatal("Step changed the state it was given")
			}
			st, out, _ = Step([]Rule{rule}, st, seen, now)
			if len(next.Open) != len(st.Open) {
				rt.Fatal("Step is not deterministic")
			}
			for _, m := range out {
				for _, it := range m.Items {
					if was := open[it.key()]; was == (it.Phase == Firing) {
						rt.Fatalf("%s %s although it was told before: %v", it.Phase, it.Kind, was)
					}
					open[it.key()] = it.Phase != Resolved
				}
			}
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(rt, "pause")) * time.Second)
			var seen []Condition
			for _, k := range kinds {
				if rapid.Bool().Draw(rt, string(k)) {
					seen = append(seen, Condition{Kind: k, Account: "main"})
				}
			}
			see(seen)
		}
		for range 4 {
			now = now.Add(time.Hour)
			see(nil)
		}
		for k, o := range open {
			if o {
				rt.Errorf("%s was never told to be mended", k)
			}
		}
		if len(st.Open)+len(st.Openings) > 0 {
			rt.Errorf("not forgotten: %v", st)
		}
	})
}
