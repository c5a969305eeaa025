package importer

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Defaults of NapCat's adapters (contract B.3), whose types are those that it
// converts what it reads to.
var (
	every   = map[string]any{"name": "", "enable": false, "token": "", "messagePostFormat": "array", "debug": false}
	servers = map[string]any{"host": "127.0.0.1", "port": 3000, "enableCors": true, "enableWebsocket": false}
	shapes  = map[string]map[string]any{
		"httpServers":      join(every, servers),
		"httpSseServers":   join(every, servers, map[string]any{"reportSelfMessage": false}),
		"httpClients":      join(every, map[string]any{"url": "http://localhost:8080", "reportSelfMessage": false}),
		"websocketServers": join(every, map[string]any{"host": "127.0.0.1", "port": 3001, "reportSelfMessage": false, "heartInterval": 30000, "enableForcePushEvent": true}),
		"websocketClients": join(every, map[string]any{"url": "ws://localhost:8082", "reportSelfMessage": false, "heartInterval": 30000, "reconnectInterval": 5000, "verifyCertificate": true}),
	}
)

func join(all ...map[string]any) map[string]any {
	m := map[string]any{}
	for _, x := range all {
		for k, v := range x {
			m[k] = v
		}
	}
	return m
}

// convert reads an adapter as NapCat does: what is not of a key's type is made so
// if it can be, and where it listens or connects to is its default if it says
// nothing. unknown are the keys that NapCat does not know. The error says what
// cannot be converted.
func convert(kind string, raw map[string]any) (entry map[string]any, unknown []string, err error) {
	shape := shapes[kind]
	entry = map[string]any{"enable": false}
	for _, k := range []string{"host", "port", "url"} {
		if v, ok := shape[k]; ok {
			entry[k] = v
		}
	}
	for k, v := range raw {
		like, known := shape[k]
		if !known {
			unknown = append(unknown, k)
			continue
		}
		if v == nil {
			continue
		}
		if entry[k], known = as(like, v); !known {
			return nil, nil, fmt.Errorf("%s is %v", k, v)
		}
	}
	sort.Strings(unknown)
	if f, ok := entry["messagePostFormat"]; ok && f != "string" {
		entry["messagePostFormat"] = "array" // as NapCat takes any other
	}
	if n, ok := entry["reconnectInterval"].(int); ok && n < 0 {
		delete(entry, "reconnectInterval")
	}
	return entry, unknown, nil
}

// as converts a value to the type of another.
func as(like, v any) (any, bool) {
	switch like.(type) {
	case int:
		return number(v)
	case bool:
		return flag(v)
	}
	switch v.(type) {
	case string, bool, float64, int:
		return text(v), true
	}
	return nil, false
}

// number reads a whole number as NapCat does: 3001, 3001.0 or "3001".
func number(v any) (int, bool) {
	switch x := v.(type) {
	case int:
		return x, true
	case float64:
		return int(x), x == float64(int(x))
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(x), 64)
		return int(f), err == nil && f == float64(int(f))
	}
	return 0, false
}

func flag(v any) (is, ok bool) {
	switch x := v.(type) {
	case bool:
		return x, true
	case string:
		b, err := strconv.ParseBool(x)
		return b, err == nil
	}
	n, ok := number(v)
	return n == 1, ok && (n == 0 || n == 1)
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

func hostOK(h string) bool { return net.ParseIP(h) != nil || hostName.MatchString(h) && len(h) < 254 }
func portOK(n int) bool    { return n > 0 && n < 1<<16 }

// usable says what of an adapter no program could listen at or connect to.
func usable(kind string, e map[string]any) error {
	scheme := "http"
	if kind == "websocketClients" {
		scheme = "ws"
	}
	if n, ok := e["port"].(int); ok && !portOK(n) {
		return fmt.Errorf("port is %d", n)
	}
	if h, _ := e["host"].(string); h != "" && !hostOK(h) {
		return fmt.Errorf("host is %q", h)
	}
	where, ok := e["url"].(string)
	if !ok {
		return nil
	}
	u, err := url.Parse(where)
	if err == nil && hostOK(u.Hostname()) && (u.Scheme == scheme || u.Scheme == scheme+"s") {
		if n, err := strconv.Atoi(u.Port()); u.Port() == "" || err == nil && portOK(n) {
			return nil
		}
	}
	return fmt.Errorf("url is %q", where)
}

// prune leaves out adapters that ncatd's config would refuse: that cannot work, or
// whose port another one has, as with accounts that took turns.
func (p *Plan) prune() {
	taken := map[int]bool{p.WebUIPort: true}
	for i := range p.Accounts {
		a := &p.Accounts[i]
		var drop []string
		for _, kind := range kinds {
			for _, e := range a.Networks[kind] {
				name := text(e["name"])
				port, listens := e["port"].(int)
				switch err := usable(kind, e); {
				case err != nil:
					p.miss("half_config", "%d %s: %v", a.UIN, name, err)
				case listens && taken[port]:
					p.miss("same_port", "%d %s: %d", a.UIN, name, port)
				default:
					taken[port] = true
					continue
				}
				drop = append(drop, name)
			}
		}
		a.without(drop)
	}
}

// PortsTaken are the ports of the plan's adapters that somebody listens at, such as
// the old installation where nothing else tells that it runs. The WebUI's is not
// among them: NapCat takes the next one by itself.
func (p *Plan) PortsTaken() []int {
	var taken []int
	try := func(host string, port int) {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		switch {
		case err == nil:
			_ = l.Close() // nobody connected
		case inUse(err):
			taken = append(taken, port)
		}
	}
	for _, a := range p.Accounts {
		for _, kind := range kinds {
			for _, e := range a.Networks[kind] {
				if port, ok := e["port"].(int); ok {
					try(text(e["host"]), port)
				}
			}
		}
	}
	return taken
}
