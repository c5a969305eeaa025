package config

import (
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/ncatd/ncatd/internal/alert/preset"
)

// Alerts says what is told to whom does not look, and through what. Without
// channels nothing is.
type Alerts struct {
	Language string         `yaml:"language"` // en, zh; empty: of the daemon's environment
	Console  bool           `yaml:"console"`  // a call for a login brings a link into the console that works once
	Channels []AlertChannel `yaml:"channels"`
	Rules    []AlertRule    `yaml:"rules"` // empty: all is told through all channels
}

// AlertChannel is a way to tell something. Fields are what its kind takes, such
// as token and chat_id; secrets among them are references to secrets.
type AlertChannel struct {
	Name   string
	Kind   string
	Fields map[string]string
}

// AlertRule says when and through what some alerts are told. The first rule that
// fits an alert decides.
type AlertRule struct {
	Kinds     []string   `yaml:"kinds"`    // empty: all
	Accounts  []string   `yaml:"accounts"` // empty: all
	Channels  []string   `yaml:"channels"` // empty: nothing is told
	HoldOff   Duration   `yaml:"hold_off"` // how long it has to last before it is told
	Settle    Duration   `yaml:"settle"`   // how long it has to be gone before it counts as mended
	Repeat    Duration   `yaml:"repeat"`   // first pause before it is told again; 0: never
	RepeatMax Duration   `yaml:"repeat_max"`
	Quiet     AlertQuiet `yaml:"quiet"`
}

// AlertQuiet are the hours of the day in which nothing is told.
type AlertQuiet struct {
	From string `yaml:"from"` // such as "23:00"; empty: none
	To   string `yaml:"to"`
	Zone string `yaml:"zone"` // such as Asia/Shanghai; empty: of this machine
}

// AlertKinds returns the words that a rule's kinds may be.
func AlertKinds() []string {
	return []string{"login_needed", "kicked", "failed", "offline", "flapping", "disk_low", "store_broken",
		"plugin_failed", "app_failed", "degraded", "release", "newer", "certificate", "host_silent", "channel_failed"}
}

// DefaultAlertRule returns what a rule is when the file gives it no times.
func DefaultAlertRule() AlertRule {
	return AlertRule{HoldOff: sec(10), Settle: sec(60), Repeat: sec(3600), RepeatMax: sec(24 * 3600)}
}

// TimeOfDay reads "23:00" as the time since midnight.
func TimeOfDay(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, err
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

var (
	alertChannelsType = reflect.TypeFor[[]AlertChannel]()
	alertRulesType    = reflect.TypeFor[[]AlertRule]()
)

// alertList reads the channels or the rules.
func (d *decoder) alertList(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.SequenceNode {
		d.at(n, key, "wrong_type", key, Word("list"), kindOf(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, len(n.Content))
	for i, item := range n.Content {
		at := key + "." + strconv.Itoa(i)
		e := reflect.New(v.Type().Elem()).Elem()
		switch {
		case item.Kind == yaml.AliasNode:
			d.at(item, at, "alias", item.Value)
		case item.Kind != yaml.MappingNode:
			d.at(item, at, "wrong_type", at, Word("mapping"), kindOf(item))
		case v.Type() == alertChannelsType:
			d.mark(item, at)
			e.Set(reflect.ValueOf(d.alertChannel(item, at)))
		default:
			d.mark(item, at)
			e.Set(reflect.ValueOf(DefaultAlertRule()))
			d.mapping(item, e, at)
		}
		list = reflect.Append(list, e)
	}
	v.Set(list)
}

// alertChannel reads a channel: name, kind, and what that kind takes.
func (d *decoder) alertChannel(n *yaml.Node, key string) AlertChannel {
	c := AlertChannel{Fields: map[string]string{}}
	d.pairs(n, key, func(k, val *yaml.Node) {
		at := join(key, k.Value)
		if isNull(val) {
			return
		}
		d.mark(val, at)
		s := reflect.New(reflect.TypeFor[string]()).Elem()
		d.scalar(val, s, at)
		switch k.Value {
		case "name":
			c.Name = s.String()
		case "kind":
			c.Kind = s.String()
		default:
			c.Fields[k.Value] = s.String()
		}
	})
	return c
}

func (d *decoder) checkAlerts(c *Config) {
	a := &c.Alerts
	d.oneOf("alerts.language", a.Language, "", "en", "zh")
	names := map[string]int{}
	for i, ch := range a.Channels {
		if ch.Fields == nil {
			continue // told already
		}
		key := "alerts.channels." + strconv.Itoa(i)
		first, taken := names[ch.Name]
		switch {
		case !accountName.MatchString(ch.Name):
			d.report(key+".name", "bad_channel_name", ch.Name)
		case taken:
			d.report(key+".name", "duplicate_channel", ch.Name, d.where("alerts.channels."+strconv.Itoa(first)+".name"))
		}
		names[ch.Name] = i
		d.checkAlertChannel(key, ch)
	}
	for i, r := range a.Rules {
		d.checkAlertRule("alerts.rules."+strconv.Itoa(i), r, c)
	}
	if len(a.Rules) > 0 && len(a.Channels) == 0 {
		d.report("alerts.channels", "empty_list", "alerts.channels")
	}
}

func (d *decoder) checkAlertChannel(key string, ch AlertChannel) {
	fields, ok := preset.Fields(ch.Kind)
	if !ok {
		d.report(key+".kind", "not_one_of", key+".kind", ch.Kind, strings.Join(preset.Kinds(), ", "))
		return
	}
	var known []string
	for _, f := range fields {
		known = append(known, f.Name)
		v := ch.Fields[f.Name]
		switch {
		case v == "" && f.Required:
			d.report(key, "channel_lacks", key, ch.Kind, f.Name)
		case v != "" && f.Secret && !preset.IsSecret(v):
			d.report(key+"."+f.Name, "open_secret", key+"."+f.Name)
			d.problems[len(d.problems)-1].Text = "" // the line has the secret
		case f.Name == "base" && v != "" && !webAddress(v):
			d.report(key+".base", "bad_url", key+".base", v, "https")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ch.Fields)) {
		if !slices.Contains(known, name) {
			d.report(key+"."+name, "not_one_of", key, name, strings.Join(known, ", "))
		}
	}
	switch v := ch.Fields; ch.Kind {
	case "qq":
		if (v["user"] == "") == (v["group"] == "") {
			d.report(key, "user_or_group", key)
		}
	case "smtp":
		d.oneOf(key+".tls", v["tls"], "", "starttls", "tls", "none")
		if v["user"] != "" && v["password"] == "" {
			d.report(key, "channel_lacks", key, ch.Kind, "password")
		}
	}
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func (d *decoder) checkAlertRule(key string, r AlertRule, c *Config) {
	for i, k := range r.Kinds {
		d.oneOf(key+".kinds."+strconv.Itoa(i), k, AlertKinds()...)
	}
	var accounts, channels []string
	for _, a := range c.Accounts {
		accounts = append(accounts, a.Name)
	}
	for _, ch := range c.Alerts.Channels {
		channels = append(channels, ch.Name)
	}
	for i, a := range r.Accounts {
		d.oneOf(key+".accounts."+strconv.Itoa(i), a, accounts...)
	}
	for i, ch := range r.Channels {
		d.oneOf(key+".channels."+strconv.Itoa(i), ch, channels...)
	}
	for name, v := range map[string]Duration{"hold_off": r.HoldOff, "settle": r.Settle, "repeat_max": r.RepeatMax} {
		d.durationWithin(key+"."+name, v, 0, 365*24*time.Hour)
	}
	if r.Repeat != 0 {
		d.durationWithin(key+".repeat", r.Repeat, time.Minute, 365*24*time.Hour)
	}
	q := r.Quiet
	for name, v := range map[string]string{"from": q.From, "to": q.To} {
		if _, err := TimeOfDay(v); err != nil && (v != "" || q != AlertQuiet{}) {
			d.report(key+".quiet."+name, "bad_time_of_day", key+".quiet."+name, v)
		}
	}
	if _, err := time.LoadLocation(q.Zone); err != nil {
		d.report(key+".quiet.zone", "no_zone", key+".quiet.zone", q.Zone)
	}
}
