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
