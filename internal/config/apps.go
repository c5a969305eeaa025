package config

import (
	"net"
	"net/url"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/onebot/schema"
)

// App is a program that uses accounts over OneBot through ncatd, which gives it
// an endpoint with rights of its own, and may run it as well.
type App struct {
	Name       string    `yaml:"name"`
	Accounts   []string  `yaml:"accounts"`   // empty: all
	Transports []string  `yaml:"transports"` // of forward, http, sse, reverse, webhook
	Token      Secret    `yaml:"token"`      // empty: generated, kept in secrets.json
	Listen     Listen    `yaml:"listen"`
	Reverse    Reverse   `yaml:"reverse"`
	Webhook    Webhook   `yaml:"webhook"`
	Allow      []string  `yaml:"allow"` // groups of actions, actions, patterns such as get_*
	Events     AppEvents `yaml:"events"`
	SendRate   string    `yaml:"send_rate"` // besides the account's; empty: unlimited
	Replay     Replay    `yaml:"replay"`
	Heartbeat  Duration  `yaml:"heartbeat"`
	Files      []string  `yaml:"files"` // folders whose files it may send by path
	Run        Run       `yaml:"run"`
}

// Listen is where ncatd waits for an app; port 0 is a free one, which is kept.
type Listen struct {
	Host string `yaml:"host"`
	Port int    `yaml:"port"`
}

// Reverse is where ncatd calls an app that waits for a reverse WebSocket.
type Reverse struct {
	URL      string   `yaml:"url"`       // of the universal link
	APIURL   string   `yaml:"api_url"`   // of split roles
	EventURL string   `yaml:"event_url"` // of split roles
	Interval Duration `yaml:"interval"`  // longest pause between two tries
}

// Webhook is where ncatd posts events to.
type Webhook struct {
	URL     string   `yaml:"url"`
	Timeout Duration `yaml:"timeout"` // of one post
}

// AppEvents says which events an app gets; an empty list is all of its kind.
type AppEvents struct {
	Types    []string `yaml:"types"`    // message, message_sent, notice, request, or such as notice.group_ban
	Groups   []int64  `yaml:"groups"`   // group messages and notices of these groups only
	Users    []int64  `yaml:"users"`    // what these users did only
	Prefixes []string `yaml:"prefixes"` // messages that begin with one of these only
}

// Replay bounds what an app gets of the events that it missed.
type Replay struct {
	Age    Duration `yaml:"age"`
	Events int      `yaml:"events"` // 0: none
}

// Run says how ncatd runs an app.
type Run struct {
	Command     []string          `yaml:"command"` // empty: ncatd does not run it
	Dir         string            `yaml:"dir"`     // empty: apps/NAME in the home
	Env         map[string]string `yaml:"env"`
	User        string            `yaml:"user"` // empty: as ncatd
	MemoryLimit Size              `yaml:"memory_limit"`
}

// The transports of an app.
const (
	TransportForward = "forward"
	TransportHTTP    = "http"
	TransportSSE     = "sse"
	TransportReverse = "reverse"
	TransportWebhook = "webhook"
)

// Listens reports whether the app is waited for at [App.Listen].
func (a App) Listens() bool {
	return slices.ContainsFunc(a.Transports, func(t string) bool {
		return t == TransportForward || t == TransportHTTP || t == TransportSSE
	})
}

// DefaultApp returns what an app is when the file gives it only a name.
func DefaultApp(name string) App {
	return App{
		Name: name, Transports: []string{TransportForward}, Listen: Listen{Host: "127.0.0.1"},
		Reverse: Reverse{Interval: sec(5)}, Webhook: Webhook{Timeout: sec(60)},
		Allow:  []string{string(schema.GroupRead), string(schema.GroupSend)},
		Replay: Replay{Age: sec(300), Events: 1000}, Heartbeat: sec(30),
	}
}

// reservedAppEnv are the variables that ncatd sets for an app by itself.
var reservedAppEnv = []string{"ONEBOT_URL", "ONEBOT_TOKEN", "ONEBOT_SELF_ID", "NCATD_INSTANCE"}

func (d *decoder) checkApps(c *Config) {
	names := map[string]int{}
	for i, a := range c.Apps {
		key := "apps." + strconv.Itoa(i)
		switch first, taken := names[strings.ToLower(a.Name)]; {
		case a.Name == "":
			d.report(key, "app_no_name")
		case !accountName.MatchString(a.Name):
			d.report(key+".name", "bad_app_name", a.Name)
		case taken:
			d.report(key+".name", "duplicate_app", a.Name, d.where("apps."+strconv.Itoa(first)+".name"))
		default:
			names[strings.ToLower(a.Name)] = i
		}
		for j, name := range a.Accounts {
			if !slices.ContainsFunc(c.Accounts, func(acc Account) bool { return acc.Name == name }) {
				d.report(key+".accounts."+strconv.Itoa(j), "unknown_account", name)
			}
		}
		d.transports(key, a)
		d.allow(key+".allow", a.Allow)
		d.appEvents(key+".events", a.Events)
		if _, _, err := ParseRate(a.SendRate); err != nil {
			d.report(key+".send_rate", "bad_rate", key+".send_rate", a.SendRate)
		}
		d.within(key+".replay.events", float64(a.Replay.Events), 0, 10000)
		d.durationWithin(key+".replay.age", a.Replay.Age, 0, 24*time.Hour)
		d.durationWithin(key+".heartbeat", a.Heartbeat, time.Second, time.Hour)
		for j, f := range a.Files {
			if !filepath.IsAbs(f) {
				d.report(key+".files."+strconv.Itoa(j), "not_absolute", key+".files", f)
			}
		}
		d.companion(key+".run", a)
	}
}

func (d *decoder) transports(key string, a App) {
	if len(a.Transports) == 0 {
		d.report(key+".transports", "empty_list", key+".transports")
	}
	for i, t := range a.Transports {
		at := key + ".transports." + strconv.Itoa(i)
		d.oneOf(at, t, TransportForward, TransportHTTP, TransportSSE, TransportReverse, TransportWebhook)
		if slices.Contains(a.Transports[:i], t) {
			d.report(at, "repeated", key+".transports", t)
		}
	}
	if len(a.Token) > 0 && strings.ContainsFunc(a.Token.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		d.report(key+".token", "bad_token", key+".token")
	}
	if a.Listens() {
		d.listen(key, a)
	}
	rev := a.Reverse
	for _, u := range []struct {
		name, url, scheme string
		on                bool
	}{
		{"reverse.url", rev.URL, "ws", slices.Contains(a.Transports, TransportReverse)},
		{"reverse.api_url", rev.APIURL, "ws", slices.Contains(a.Transports, TransportReverse)},
		{"reverse.event_url", rev.EventURL, "ws", slices.Contains(a.Transports, TransportReverse)},
		{"webhook.url", a.Webhook.URL, "http", slices.Contains(a.Transports, TransportWebhook)},
	} {
		at := key + "." + u.name
		switch {
		case u.url != "" && !u.on:
			d.report(at, "unused_url", at, key+".transports")
		case u.url != "" && !urlOK(u.url, u.scheme):
			d.report(at, "bad_url", at, u.url, u.scheme)
		}
	}
	if slices.Contains(a.Transports, TransportReverse) && rev.URL == "" && rev.APIURL == "" && rev.EventURL == "" {
		d.report(key+".reverse", "no_url", key+".reverse.url", TransportReverse)
	}
	if slices.Contains(a.Transports, TransportWebhook) && a.Webhook.URL == "" {
		d.report(key+".webhook", "no_url", key+".webhook.url", TransportWebhook)
	}
	d.durationWithin(key+".reverse.interval", rev.Interval, 100*time.Millisecond, time.Hour)
	d.durationWithin(key+".webhook.timeout", a.Webhook.Timeout, 100*time.Millisecond, 10*time.Minute)
}

// listen checks where an app is waited for. A token may be left to ncatd, which
// makes a long one.
func (d *decoder) listen(key string, a App) {
	l := a.Listen
	if l.Port < 0 || l.Port > 65535 {
		d.report(key+".listen.port", "out_of_range", key+".listen.port", l.Port, 0, 65535)
	}
	switch {
	case !hostOK(l.Host):
		d.report(key+".listen.host", "bad_host", key+".listen.host", l.Host)
	case a.Token != "" && len(a.Token) < MinToken && !isLoopback(l.Host):
		d.report(key+".token", "short_token", key+".token", len(a.Token), l.Host, MinToken)
	}
}

func urlOK(s, scheme string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != scheme && u.Scheme != scheme+"s" {
		return false
	}
	n, err := strconv.Atoi(u.Port())
	return u.Port() == "" && !strings.HasSuffix(u.Host, ":") || err == nil && n > 0 && n < 65536
}

// allow checks that each right is a group, an action or a pattern that some
// action matches.
func (d *decoder) allow(key string, allow []string) {
	var groups []string
	for _, g := range schema.Groups() {
		groups = append(groups, string(g))
	}
	for i, a := range allow {
		at := key + "." + strconv.Itoa(i)
		if slices.Contains(groups, a) {
			continue
		}
		if _, err := path.Match(a, ""); err != nil {
			d.report(at, "bad_pattern", key, a)
			continue
		}
		if len(schema.Match(a)) > 0 {
			continue
		}
		if strings.ContainsAny(a, "*?[") {
			d.report(at, "no_action_matches", key, a)
		} else if near := Nearest(a, append(slices.Clone(groups), schema.Names()...)); near != "" {
			d.report(at, "unknown_right_nearest", key, a, near)
		} else {
			d.report(at, "unknown_right", key, a, strings.Join(groups, ", "))
		}
	}
}

func (d *decoder) appEvents(key string, e AppEvents) {
	for i, t := range e.Types {
		post, _, _ := strings.Cut(t, ".")
		d.oneOf(key+".types."+strconv.Itoa(i), post, "message", "message_sent", "notice", "request")
	}
	for i, g := range e.Groups {
		if g <= 0 {
			d.report(key+".groups."+strconv.Itoa(i), "bad_uin", key+".groups", g)
		}
	}
	for i, u := range e.Users {
		if !uinOK(u) {
			d.report(key+".users."+strconv.Itoa(i), "bad_uin", key+".users", u)
		}
	}
}

// AppWarnings returns what is legal but unwise in the apps of c: types of events
// that nobody knows, which NapCat may have all the same, and a token by which one
// app comes to another's rights.
func AppWarnings(c *Config) []Warning {
	var out []Warning
	known := schema.EventTypes()
	for i, a := range c.Apps {
		key := "apps." + a.Name + ".events.types"
		for _, t := range a.Events.Types {
			if !strings.Contains(t, ".") || slices.Contains(known, t) {
				continue
			}
			post, kind, _ := strings.Cut(t, ".")
			var kinds []string
			for _, k := range known {
				if of, name, _ := strings.Cut(k, "."); of == post {
					kinds = append(kinds, name)
				}
			}
			if near := Nearest(strings.TrimPrefix(kind, "notify."), kinds); near != "" {
				out = append(out, Warning{key, "event_type_nearest", []any{key, t, post + "." + near}})
			} else {
				out = append(out, Warning{key, "event_type", []any{key, t, post, strings.Join(kinds, ", ")}})
			}
		}
		for _, other := range c.Apps[:i] {
			if a.Token != "" && a.Token == other.Token && a.Listens() && other.Listens() {
				key := "apps." + a.Name + ".token"
				out = append(out, Warning{key, "shared_token", []any{key, other.Name}})
				break
			}
		}
	}
	return out
}

func (d *decoder) companion(key string, a App) {
	r := a.Run
	if len(r.Command) == 0 {
		if d.mentions(key) {
			d.report(key, "no_command", key+".command")
		}
		return
	}
	dir := r.Dir
	if dir != "" && !filepath.IsAbs(dir) {
		d.report(key+".dir", "not_absolute", key+".dir", dir)
		dir = ""
	}
	if err := findCommand(r.Command[0], dir); err != nil {
		d.report(key+".command", "command_missing", key+".command", r.Command[0])
	}
	if r.MemoryLimit != 0 && r.MemoryLimit < 16<<20 {
		d.report(key+".memory_limit", "out_of_range", key+".memory_limit", r.MemoryLimit.String(), "16MiB", Word("unlimited"))
	}
	for _, name := range sortedKeys(r.Env) {
		switch {
		case !envName.MatchString(name):
			d.report(key+".env."+name, "bad_env_name", key+".env", name)
		case slices.Contains(reservedAppEnv, name):
			d.report(key+".env."+name, "reserved_env", key+".env", name)
		}
	}
}

// mentions reports whether the file has key or something below it.
func (d *decoder) mentions(key string) bool {
	_, ok := d.places[key]
	return ok
}

// findCommand looks for a program as its start will: a name on the path, else a
// path, which may begin in the app's folder.
func findCommand(name, dir string) error {
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) && dir != "" {
		name = filepath.Join(dir, name)
	}
	_, err := exec.LookPath(name)
	return err
}

// appPorts reports two apps, or an app and something else, on one port.
func (d *decoder) appPorts(c *Config, claim func(port int, key, name string)) {
	for i, a := range c.Apps {
		if a.Listens() {
			claim(a.Listen.Port, "apps."+strconv.Itoa(i)+".listen.port", a.Name+".listen")
		}
	}
}

// words splits a command line at its spaces; quotes keep a word together.
func words(s string) (out []string, ok bool) {
	var w strings.Builder
	quote, begun := rune(0), false
	for _, r := range s {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			w.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if begun {
				out = append(out, w.String())
				w.Reset()
				begun = false
			}
		default:
			w.WriteRune(r)
			begun = true
		}
	}
	if begun {
		out = append(out, w.String())
	}
	return out, quote == 0
}

// Address joins a host and a port.
func (l Listen) Address() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }
