package config

import (
	"slices"
	"testing"
)

func TestWarningsOfThisMachine(t *testing.T) {
	t.Setenv("TZ", "CST-8") // POSIX's form, which Go takes for UTC
	c := Default()
	a := &c.Accounts[0]
	a.OneBot.Host, a.OneBot.Token = "198.51.100.9", "abcdefghijklmnop"
	a.Env = map[string]string{"TZ": "Mars/Phobos"}
	a.Networks = map[string]any{"httpServers": []any{map[string]any{"host": "198.51.100.9", "token": "abcdefghijklmnop"}}}
	c.Control.Listen = "198.51.100.9:80"
	var got []string
	for _, w := range Warnings("x", c) {
		if w.Code == "timezone" || w.Code == "host_not_here" {
			got = append(got, w.Code+" "+w.Args[0].(string))
		}
	}
	want := []string{
		"host_not_here accounts.main.onebot.host", "timezone accounts.main.env.TZ", "host_not_here accounts.main.networks.httpServers",
		"timezone $TZ", "host_not_here control.listen",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestZoneKnown(t *testing.T) {
	for tz, want := range map[string]bool{"": true, "UTC": true, ":Asia/Shanghai": true, "/nonexistent": false, "/etc": true, "Asia/Shangai": false, "CST-8": false} {
		if ZoneKnown(tz) != want {
			t.Errorf("%q: %v", tz, !want)
		}
	}
}

func TestNearestTypeOfEventIsNamed(t *testing.T) {
	for typ, want := range map[string]string{
		"notice.group_bann": "notice.group_ban", "notice.notify.poke": "notice.poke", "message.groups": "message.group", "message.Group": "message.group",
		"request.freind": "request.friend", "notice.notify": "", "notice.nonsense": "", "message.foo": "",
	} {
		c := Default()
		c.Apps = []App{DefaultApp("x")}
		c.Apps[0].Events.Types = []string{typ}
		got := ""
		for _, w := range AppWarnings(c) {
			if w.Code == "event_type_nearest" {
				got = w.Args[2].(string)
			}
		}
		if got != want || len(AppWarnings(c)) != 1 {
			t.Errorf("%s: nearest is %q, want %q", typ, got, want)
		}
	}
}
