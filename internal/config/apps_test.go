package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/onebot/schema"
)

func TestAppProblemsHaveTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"- {name: a, allow: [raed]}":                                           `2:21: apps.0.allow: "raed" is neither a group of actions nor an action; did you mean "read"?`,
		"- {name: a, allow: [\"get_x*\"]}":                                     `no action matches "get_x*"`,
		"- {name: a, allow: [\"[\"]}":                                          `is no pattern`,
		"- {name: a, run: {command: /no/such/program}}":                        `there is no program "/no/such/program"`,
		"- {name: a, run: {dir: /tmp}}":                                        `run.command is missing`,
		"- {name: a, run: {command: \"sh 'x\"}}":                               `a quote is not closed`,
		"- {name: a, token: short, listen: {host: 0.0.0.0, port: 6700}}":       `has 5 characters; with host "0.0.0.0" it needs at least 16`,
		"- {name: a, listen: {port: 6700}}\n- {name: b, listen: {port: 6700}}": `3:28: port 6700 is already used by a.listen (line 2)`,
		"- {name: a}\n- {name: A}":                                             `app name "A" is already taken (line 2)`,
		"- {accounts: [main]}":                                                 `an app needs a name`,
		"- {name: a, accounts: [other]}":                                       `no account named "other"`,
		"- {name: a, transports: [ws]}":                                        `it must be one of forward, http, sse, reverse, webhook`,
		"- {name: a, transports: [reverse]}":                                   `reverse.url is missing; the transport reverse needs it`,
		"- {name: a, reverse: {url: \"ws://127.0.0.1:1\"}}":                    `is set, but apps.0.transports does not name its transport`,
		"- {name: a, transports: [webhook], webhook: {url: \"ws://h\"}}":       `a right one begins with http://`,
		"- {name: a, events: {types: [massage]}}":                              `it must be one of message, message_sent, notice, request`,
		"- {name: a, run: {command: sh, env: {ONEBOT_URL: x}}}":                `ncatd sets ONEBOT_URL by itself`,
		"- {name: a, lisen: {port: 1}}":                                        `unknown key "lisen"; did you mean "listen"?`,
	} {
		_, err := Parse("f", []byte("apps:\n"+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
}

func TestAppsHaveDefaults(t *testing.T) {
	c, err := Parse("f", []byte("apps:\n  - {name: a, run: {command: \"sh -c 'echo a b'\"}}\n  - {name: b, allow: [files, get_msg, \"set_group_*\"]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Apps[0]
	if !slices.Equal(a.Run.Command, []string{"sh", "-c", "echo a b"}) || !slices.Equal(a.Transports, []string{"forward"}) || !slices.Equal(a.Allow, []string{"read", "send"}) || a.Replay.Events != 1000 {
		t.Errorf("%+v", a)
	}
	c, err = Load("/nonexistent/ncatd.yaml", []string{"NCATD_LOG_LEVEL=debug"}, nil)
	if err != nil || len(c.Apps) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A new action has a group, so that rights are never silent about it.
func TestEveryActionMatchesAGroup(t *testing.T) {
	n := 0
	for _, name := range schema.Match("*") {
		if a, ok := schema.Lookup(name); !ok || a.Group == "" {
			t.Errorf("%s has no group", name)
		}
		n++
	}
	if n != 175 {
		t.Errorf("%d actions", n)
	}
}
