package config

import (
	"errors"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/schedule"
)

// MinToken is the least length of a token on an endpoint that other machines
// can reach.
const MinToken = 16

var (
	accountName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)
	envName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	hostName    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	versionName = regexp.MustCompile(`^[A-Za-z0-9+_~][A-Za-z0-9.+_~-]{0,63}$`)
	hex         = regexp.MustCompile(`^[0-9A-Fa-f]+$`)
	xDisplay    = regexp.MustCompile(`^[A-Za-z0-9.-]*:\d+(\.\d+)?$`)
)

// reservedEnv are the variables that ncatd sets for a NapCat by itself.
var reservedEnv = []string{"HOME", "NAPCAT_WORKDIR", "NAPCAT_QUICK_ACCOUNT", "NAPCAT_WEBUI_SECRET_KEY", "NCATD_NAPCAT_MAIN"}

// complaint is what is told once.
type complaint struct{ file, source, key string }

// report adds a problem at the place where key was set.
func (d *decoder) report(key, code string, args ...any) {
	p, ok := d.places[key]
	for k := key; !ok && k != ""; {
		if i := strings.LastIndexByte(k, '.'); i >= 0 {
			k = k[:i]
		} else {
			k = ""
		}
		p, ok = d.places[k]
	}
	if !ok {
		p = Place{File: d.file}
	}
	for ; d.known < len(d.problems); d.known++ {
		told := d.problems[d.known]
		d.told[complaint{told.File, told.Source, told.Key}] = true
	}
	if d.told[complaint{p.File, p.Source, key}] {
		return // what could not be read is no value to judge
	}
	d.add(p, key, code, args...)
}

// check reports every value that cannot work and every combination that is not
// safe.
func (d *decoder) check(c *Config) {
	d.checkAccounts(c)
	d.checkApps(c)
	d.checkPorts(c)
	n := &c.NapCat
	d.oneOf("napcat.update", n.Update, "notify", "auto", "off")
	d.within("napcat.keep", float64(n.Keep), 1, 100)
	for key, v := range map[string]string{"napcat.version": n.Version, "napcat.qq_version": n.QQVersion} {
		if v != "" && !versionName.MatchString(v) {
			d.report(key, "bad_version", key, v)
		}
	}
	d.sha256("napcat.sha256", n.SHA256)
	d.sha256("napcat.qq_sha256", n.QQSHA256)
	for i, a := range n.ExtraArgs {
		if a == "--no-sandbox" || a == "-q" || strings.HasPrefix(a, "-q=") {
			d.report("napcat.extra_args."+strconv.Itoa(i), "reserved_arg", "napcat.extra_args", a)
		}
	}
	if len(n.Mirrors) == 0 {
		d.report("napcat.mirrors", "empty_list", "napcat.mirrors")
	}
	if c.Display != "auto" && c.Display != "none" && !xDisplay.MatchString(c.Display) {
		d.report("display", "bad_display", "display", c.Display)
	}
	d.checkSupervisor(&c.Supervisor)
	d.checkAlerts(c)
	d.checkBus(&c.Bus)
	b := &c.Bot
	d.within("bot.queue", float64(b.Queue), 1, 1<<20)
	d.positive("bot.handler_warn", b.HandlerWarn)
	if b.HandlerDeadline < 0 {
		d.positive("bot.handler_deadline", b.HandlerDeadline)
	}
	if b.TimeZone != "" && (strings.ContainsAny(b.TimeZone[:1], ":/") || !ZoneKnown(b.TimeZone)) {
		d.report("bot.time_zone", "bad_zone", "bot.time_zone", b.TimeZone)
	}
	if _, _, err := ParseRate(b.SendRate); err != nil {
		d.report("bot.send_rate", "bad_rate", "bot.send_rate", b.SendRate)
	}
	if _, _, err := ParseRate(b.SendRateChat); err != nil {
		d.report("bot.send_rate_chat", "bad_rate", "bot.send_rate_chat", b.SendRateChat)
	}
	d.oneOf("bot.send_policy", b.SendPolicy, "wait", "merge", "refuse")
	d.oneOf("bot.backfill.mode", b.Backfill.Mode, "auto", "ask", "off")
	d.within("bot.backfill.messages", float64(b.Backfill.Messages), 1, 1000)
	d.within("bot.backfill.chats", float64(b.Backfill.Chats), 1, 1000)
	d.positive("bot.backfill.age", b.Backfill.Age)
	for i, a := range b.Admins {
		if !uinOK(a) {
			d.report("bot.admins."+strconv.Itoa(i), "bad_uin", "bot.admins", a)
		}
	}
	d.checkScripts(&c.Scripts)
	l := &c.Log
	d.oneOf("log.level", l.Level, "debug", "info", "warn", "error")
	d.oneOf("log.format", l.Format, "auto", "text", "json")
	d.oneOf("log.events", l.Events, "off", "summary", "full")
	d.within("log.max_size", float64(l.MaxSize), 64<<10, 1<<40)
	if l.MaxTotal < l.MaxSize {
		d.report("log.max_total", "order", "log.max_size", l.MaxSize.String(), "log.max_total", l.MaxTotal.String())
	}
	d.checkControl(&c.Control)
}

func (d *decoder) checkControl(c *Control) {
	d.oneOf("control.tls", c.TLS, "off", "self", "files")
	if c.TLS == "files" && (c.Cert == "" || c.Key == "") {
		d.report("control.tls", "no_cert", "control.tls")
	}
	for i, h := range c.Hosts {
		if !hostOK(h) {
			d.report("control.hosts."+strconv.Itoa(i), "bad_host", "control.hosts", h)
		}
	}
	for i, p := range c.Proxies {
		if _, err := ParseNetwork(p); err != nil {
			d.report("control.proxies."+strconv.Itoa(i), "bad_network", "control.proxies", p)
		}
	}
	if c.Listen != "" {
		host, port, err := net.SplitHostPort(c.Listen)
		p, perr := strconv.Atoi(port)
		if err != nil || perr != nil || p < 0 || p > 65535 || host == "" || !hostOK(host) {
			d.report("control.listen", "bad_listen", "control.listen", c.Listen)
		}
	}
}

func (d *decoder) checkScripts(s *Scripts) {
	l := &s.Limits
	d.within("scripts.limits.memory", float64(l.Memory), 4<<20, 4<<30)
	d.durationWithin("scripts.limits.cpu", l.CPU, 10*time.Millisecond, time.Minute)
	d.within("scripts.limits.queue", float64(l.Queue), 1, 1<<20)
	d.within("scripts.limits.calls", float64(l.Calls), 1, 1<<16)
	d.within("scripts.limits.timers", float64(l.Timers), 1, 1<<16)
	d.durationWithin("scripts.limits.setup", l.Setup, 100*time.Millisecond, 25*time.Second)
	d.durationWithin("scripts.limits.unload", l.Unload, 100*time.Millisecond, 8*time.Second)
	for _, id := range sortedKeys(s.Grants) {
		if _, ok := readGrant(s.Grants[id]); !ok {
			d.report("scripts.grants."+id, "bad_grant", "scripts.grants."+id)
		}
	}
}

func (d *decoder) checkAccounts(c *Config) {
	if len(c.Accounts) == 0 {
		d.report("accounts", "no_accounts")
	}
	names, uins := map[string]int{}, map[int64]int{}
	for i, a := range c.Accounts {
		key := "accounts." + strconv.Itoa(i)
		switch first, taken := names[strings.ToLower(a.Name)]; {
		case a.Name == "":
			if _, set := d.places[key+".name"]; set || len(c.Accounts) > 1 {
				d.report(key, "no_name")
			}
		case !accountName.MatchString(a.Name):
			d.report(key+".name", "bad_name", a.Name)
		case taken:
			d.report(key+".name", "duplicate_name", a.Name, d.where("accounts."+strconv.Itoa(first)+".name"))
		default:
			names[strings.ToLower(a.Name)] = i
		}
		if a.UIN != 0 && !uinOK(a.UIN) {
			d.report(key+".uin", "bad_uin", key+".uin", a.UIN)
		} else if first, taken := uins[a.UIN]; taken && a.UIN != 0 {
			d.report(key+".uin", "duplicate_uin", a.UIN, c.Accounts[first].Name, d.where("accounts."+strconv.Itoa(first)+".uin"))
		} else {
			uins[a.UIN] = i
		}
		d.endpoint(key+".webui", a.WebUI)
		d.endpoint(key+".onebot", a.OneBot.Endpoint)
		d.durationWithin(key+".onebot.heartbeat", a.OneBot.Heartbeat, time.Second, time.Hour)
		d.login(key+".login", a.Login)
		for _, name := range sortedKeys(a.Env) {
			switch {
			case !envName.MatchString(name):
				d.report(key+".env."+name, "bad_env_name", key+".env", name)
			case slices.Contains(reservedEnv, name):
				d.report(key+".env."+name, "reserved_env", key+".env", name)
			}
		}
	}
}

func (d *decoder) login(key string, l Login) {
	if len(l.Order) == 0 {
		d.report(key+".order", "empty_list", key+".order")
	}
	for i, m := range l.Order {
		at := key + ".order." + strconv.Itoa(i)
		d.oneOf(at, m, "quick", "password", "qr")
		if slices.Contains(l.Order[:i], m) {
			d.report(at, "repeated", key+".order", m)
		}
	}
	switch e := l.PasswordMD5Env; {
	case e == "":
	case len(e) == 32 && hex.MatchString(e):
		d.report(key+".password_md5_env", "md5_itself", key+".password_md5_env")
	case !envName.MatchString(e):
		d.report(key+".password_md5_env", "bad_env_name", key+".password_md5_env", e)
	}
	d.durationWithin(key+".qr_timeout", l.QRTimeout, 10*time.Second, 30*24*time.Hour)
}

func (d *decoder) endpoint(key string, e Endpoint) {
	if e.Port < 0 || e.Port > 65535 {
		d.report(key+".port", "out_of_range", key+".port", e.Port, 0, 65535)
	}
	d.oneOf(key+".port_busy", e.PortBusy, "refuse", "replace")
	if !hostOK(e.Host) {
		d.report(key+".host", "bad_host", key+".host", e.Host)
		return
	}
	if isLoopback(e.Host) || len(e.Token) >= MinToken {
		return
	}
	if e.Token == "" {
		d.report(key+".host", "unsafe_host", key+".host", e.Host, MinToken)
	} else {
		d.report(key+".token", "short_token", key+".token", len(e.Token), e.Host, MinToken)
	}
}

// checkPorts reports two endpoints on one port, whatever their hosts: a
// wildcard host takes the port on all of them.
func (d *decoder) checkPorts(c *Config) {
	type user struct{ key, name string }
	first := map[int]user{}
	claim := func(port int, key, name string) {
		if port <= 0 {
			return
		}
		if u, taken := first[port]; taken {
			d.report(key, "same_port", port, u.name, d.where(u.key))
			return
		}
		first[port] = user{key, name}
	}
	for i, a := range c.Accounts {
		key := "accounts." + strconv.Itoa(i)
		claim(a.WebUI.Port, key+".webui.port", a.Name+".webui")
		claim(a.OneBot.Port, key+".onebot.port", a.Name+".onebot")
		for _, kind := range sortedKeys(a.Networks) {
			list, _ := a.Networks[kind].([]any)
			for _, item := range list {
				m, _ := item.(map[string]any)
				if port, ok := m["port"].(int); ok && strings.HasSuffix(kind, "Servers") && m["enable"] != false {
					claim(port, key+".networks."+kind, a.Name+".networks."+kind)
				}
			}
		}
	}
	if _, port, err := net.SplitHostPort(c.Control.Listen); err == nil {
		if p, err := strconv.Atoi(port); err == nil {
			claim(p, "control.listen", "control.listen")
		}
	}
	d.appPorts(c, claim)
}

func (d *decoder) checkSupervisor(s *Supervisor) {
	r, h := &s.Restart, &s.Health
	d.positive("supervisor.restart.initial", r.Initial)
	if r.Initial > r.Max {
		d.report("supervisor.restart.max", "order", "supervisor.restart.initial", r.Initial.String(), "supervisor.restart.max", r.Max.String())
	}
	d.within("supervisor.restart.jitter", r.Jitter, 0, 1)
	d.within("supervisor.restart.score_limit", r.ScoreLimit, 1, 1000)
	d.positive("supervisor.restart.score_half_life", r.ScoreHalfLife)
	d.positive("supervisor.restart.healthy_after", r.HealthyAfter)
	d.positive("supervisor.health.probe_interval", h.ProbeInterval)
	d.positive("supervisor.health.probe_timeout", h.ProbeTimeout)
	d.positive("supervisor.health.start_timeout", h.StartTimeout)
	d.within("supervisor.health.heartbeat_misses", float64(h.HeartbeatMisses), 1, 1000)
	d.within("supervisor.health.offline_samples", float64(h.OfflineSamples), 1, 1000)
	d.durationWithin("supervisor.stop_timeout", s.StopTimeout, 100*time.Millisecond, time.Hour)
	if s.MemoryLimit != 0 && s.MemoryLimit < 64<<20 {
		d.report("supervisor.memory_limit", "out_of_range", "supervisor.memory_limit", s.MemoryLimit.String(), "64MiB", Word("unlimited"))
	}
	if s.RestartAt != "" {
		d.restartAt(s.RestartAt)
	}
}

// minRestartAt is how far two restarts by schedule lie apart at least: a NapCat
// needs a while to come online at all.
const minRestartAt = 10 * time.Minute

func (d *decoder) restartAt(spec string) {
	const key = "supervisor.restart_at"
	s, err := schedule.Parse(spec, time.Local)
	var se *schedule.Error
	switch {
	case errors.As(err, &se) && se.Zone != "":
		d.report(key, "no_zone", key, se.Zone)
		return
	case err != nil:
		d.report(key, "bad_schedule", key, spec)
		return
	}
	first := s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	if next := s.Next(first); !first.IsZero() && !next.IsZero() && next.Sub(first) < minRestartAt {
		d.report(key, "too_often", key, spec, Duration(minRestartAt).String())
	}
}

// where names the place of a key set earlier for a message about another.
func (d *decoder) where(key string) any {
	p, ok := d.places[key]
	switch {
	case !ok:
		return Word("default")
	case p.Source != "":
		return p.Source
	}
	return LineNumber(p.Line)
}

func (d *decoder) oneOf(key, v string, allowed ...string) {
	if !slices.Contains(allowed, v) {
		d.report(key, "not_one_of", key, v, strings.Join(allowed, ", "))
	}
}

func (d *decoder) within(key string, v, lo, hi float64) {
	if v < lo || v > hi {
		num := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
		d.report(key, "out_of_range", key, num(v), num(lo), num(hi))
	}
}

func (d *decoder) positive(key string, v Duration) {
	d.durationWithin(key, v, time.Millisecond, 365*24*time.Hour)
}

func (d *decoder) durationWithin(key string, v Duration, lo, hi time.Duration) {
	if v.D() < lo || v.D() > hi {
		d.report(key, "out_of_range", key, v.String(), Duration(lo).String(), Duration(hi).String())
	}
}

func (d *decoder) sha256(key, v string) {
	if v != "" && (len(v) != 64 || !hex.MatchString(v)) {
		d.report(key, "bad_sha256", key, v)
	}
}

func uinOK(u int64) bool { return u >= 10000 && u <= 99999999999 }

func hostOK(h string) bool { return net.ParseIP(h) != nil || hostName.MatchString(h) && len(h) < 254 }

func isLoopback(h string) bool {
	if strings.EqualFold(h, "localhost") {
		return true
	}
	ip := net.ParseIP(h)
	return ip != nil && ip.IsLoopback()
}

// ParseNetwork reads an address or a network such as 10.0.0.0/8.
func ParseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// ParseRate reads "20/10s": n sends in each period. "" is n 0, no limit.
func ParseRate(s string) (n int, per time.Duration, err error) {
	if s == "" {
		return 0, 0, nil
	}
	count, period, _ := strings.Cut(s, "/")
	n, err = strconv.Atoi(strings.TrimSpace(count))
	if err != nil || n < 1 || n > 1e6 {
		return 0, 0, errBadRate
	}
	d, err := ParseDuration(period)
	if err != nil || d.D() < time.Millisecond {
		return 0, 0, errBadRate
	}
	return n, d.D(), nil
}
