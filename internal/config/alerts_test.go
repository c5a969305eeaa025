package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestAlertsProblems wants each mistake named at its place, and a secret that
// stands in the file repeated nowhere.
func TestAlertsProblems(t *testing.T) {
	phone := "{name: phone, kind: telegram, chat_id: 7, token: env:T}"
	for _, c := range []struct{ channels, rules, want string }{
		{phone, "", ""},
		{"{name: phone, kind: telegram, chat_id: '7', token: file:/run/x}, {name: q, kind: qq, account: main, group: 700}", "{channels: [q, phone], hold_off: 0, repeat: 0}", ""},
		{"{name: 'a b', kind: slack, url: env:U}", "", "bad_channel_name"},
		{phone + "," + phone, "", "duplicate_channel"},
		{"{name: a, kind: fax}", "", "not_one_of"},
		{"{name: a, kind: telegram, chat_id: 7}", "", "channel_lacks"},
		{"{name: a, kind: telegram, chat_id: 7, token: 110201543:AAHdqTcv}", "", "open_secret"},
		{"{name: a, kind: slack, url: 'https://hooks.slack.com/services/AAHdqTcv'}", "", "open_secret"},
		{"{name: a, kind: telegram, chat_id: 7, token: env:T, colour: red}", "", "not_one_of"},
		{"{name: a, kind: telegram, chat_id: 7, token: env:T, base: ftp://x}", "", "bad_url"},
		{"{name: a, kind: qq, account: main}", "", "user_or_group"},
		{"{name: a, kind: qq, account: main, user: 10001, group: 700}", "", "user_or_group"},
		{"{name: a, kind: smtp, host: h, from: a@b, to: c@d, user: u}", "", "channel_lacks"},
		{"{name: a, kind: smtp, host: h, from: a@b, to: c@d, tls: ssl}", "", "not_one_of"},
		{"", "{channels: []}", "empty_list"},
		{phone, "{channels: [fax]}", "not_one_of"},
		{phone, "{kinds: [sad], channels: [phone]}", "not_one_of"},
		{phone, "{accounts: [other], channels: [phone]}", "not_one_of"},
		{phone, "{channels: [phone], repeat: 1s}", "out_of_range"},
		{phone, "{channels: [phone], quiet: {from: '25:00', to: '07:00'}}", "bad_time_of_day"},
		{phone, "{channels: [phone], quiet: {from: '23:00'}}", "bad_time_of_day"},
		{phone, "{channels: [phone], quiet: {from: '23:00', to: '07:00', zone: Mars/Olympus}}", "no_zone"},
		{phone, "{channels: [phone], holdoff: 1s}", "unknown_nearest"},
		{"phone", "", "wrong_type"},
	} {
		src := fmt.Sprintf("alerts:\n  channels: [%s]\n  rules: [%s]\n", c.channels, c.rules)
		_, err := Parse("x", []byte(src))
		var e *Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s%v", src, err)
		case c.want == "":
		case !errors.As(err, &e) || len(e.Problems) != 1 || e.Problems[0].Code != c.want || e.Problems[0].Line == 0:
			t.Errorf("%s%v, want %s", src, err, c.want)
		case strings.Contains(e.Error()+e.Problems[0].Text, "AAHdqTcv"):
			t.Errorf("the secret is repeated: %v, %s", err, e.Problems[0].Text)
		}
	}
}

// TestAlertsAreShown: config show has each channel with its references.
func TestAlertsAreShown(t *testing.T) {
	c, err := Parse("x", []byte("alerts:\n  channels:\n    - {name: phone, kind: telegram, chat_id: 7, token: env:T}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(Tree(c.Alerts)); !strings.Contains(got, "chat_id:7") || !strings.Contains(got, "token:env:T") || !strings.Contains(got, "kind:telegram") {
		t.Errorf("shown as %s", got)
	}
}
