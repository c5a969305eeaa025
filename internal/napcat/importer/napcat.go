package importer

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/titanous/json5"
)

var perAccount = regexp.MustCompile(`^onebot11_([1-9][0-9]{4,11})\.json$`)

// kinds are NapCat's adapters that ncatd's config passes on.
var kinds = []string{"httpServers", "httpSseServers", "httpClients", "websocketServers", "websocketClients"}

// napcat reads NapCat's own config folder.
func (p *Plan) napcat() error {
	if p.ConfigDir == "" || p.read {
		return nil
	}
	p.read = true
	entries, err := os.ReadDir(p.ConfigDir)
	if err != nil {
		p.miss("unreadable", "%s", p.ConfigDir)
		return nil
	}
	for _, e := range entries {
		m := perAccount.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		uin, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			continue
		}
		p.oneBot(filepath.Join(p.ConfigDir, e.Name()), p.account(uin))
	}
	p.webUI(filepath.Join(p.ConfigDir, "webui.json"))
	return nil
}

// oneBot reads the adapters of one account.
func (p *Plan) oneBot(path string, a *Account) {
	b, err := readSmall(path)
	if err != nil {
		p.miss("unreadable", "%s", path)
		return
	}
	var doc struct {
		Network map[string]any `json:"network"`
	}
	if err := json5.Unmarshal(b, &doc); err != nil || doc.Network == nil {
		p.miss("half_config", "%s", path)
		return
	}
	for _, kind := range kinds {
		list, _ := doc.Network[kind].([]any)
		for _, item := range list {
			entry, ok := item.(map[string]any)
			if !ok {
				p.miss("half_config", "%s: network.%s", path, kind)
				continue
			}
			if entry["enable"] != true {
				continue // NapCat opens none of these
			}
			if n, ok := number(entry["port"]); ok {
				entry["port"] = n
			}
			a.add(kind, entry)
		}
	}
}

func (p *Plan) webUI(path string) {
	b, err := readSmall(path)
	if err != nil {
		return
	}
	var w struct {
		Port             any    `json:"port"`
		Token            string `json:"token"`
		Host             string `json:"host"`
		AutoLoginAccount string `json:"autoLoginAccount"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		p.miss("half_config", "%s", path)
		return
	}
	p.WebUIPort, _ = number(w.Port)
	p.WebUIToken = w.Token
	if host := net.ParseIP(w.Host); w.Host == "" || host != nil && !host.IsLoopback() {
		p.miss("webui_host", "%s", w.Host)
	}
	if uin, err := strconv.ParseInt(w.AutoLoginAccount, 10, 64); err == nil && uin > 9999 {
		p.account(uin)
	}
}

// number reads a whole number as NapCat does: 3001, 3001.0 or "3001".
func number(v any) (int, bool) {
	switch x := v.(type) {
	case int:
		return x, true
	case float64:
		return int(x), x == float64(int(x))
	case string:
		n, err := strconv.Atoi(strings.TrimSpace(x))
		return n, err == nil
	}
	return 0, false
}

// versions reads which NapCat and QQ ran.
func (p *Plan) versions(s surveyed) {
	read := func(path string) string {
		b, err := readSmall(path)
		var m struct {
			Version string `json:"version"`
		}
		if err != nil || json.Unmarshal(b, &m) != nil {
			return ""
		}
		return strings.TrimPrefix(m.Version, "v")
	}
	if s.app != "" {
		p.QQVersion = read(s.app)
	}
	if s.mjs == "" {
		return
	}
	if b, err := os.ReadFile(s.mjs); err == nil {
		if m := bundleVersion.FindSubmatch(b); m != nil {
			p.NapCatVersion = string(m[1])
			return
		}
	}
	p.NapCatVersion = read(filepath.Join(filepath.Dir(s.mjs), "package.json"))
}

// bundleVersion is how napcat.mjs names its version.
var bundleVersion = regexp.MustCompile(`napCatVersion\s*=[^=;\n"']{0,400}["']v?(\d+\.\d+\.\d+)["']`)

// publish sets the ports of servers in a container to those of the machine, and
// leaves out what is reachable from other containers only.
func (a *Account) publish(p *Plan, ports map[int]hostPort) {
	old := a.Networks
	a.Networks, a.Adapters = map[string][]map[string]any{}, nil
	for _, kind := range kinds {
		for _, e := range old[kind] {
			name, _ := e["name"].(string)
			if u, _ := e["url"].(string); u != "" && strings.HasSuffix(kind, "Clients") {
				if x, err := url.Parse(u); err == nil && net.ParseIP(x.Hostname()) == nil && !strings.Contains(x.Hostname(), ".") && x.Hostname() != "localhost" {
					p.miss("container_url", "%s: %s", name, u) // a name that only Docker knows
				}
			}
			if n, ok := number(e["port"]); ok && strings.HasSuffix(kind, "Servers") {
				to, found := ports[n]
				if !found {
					p.miss("unpublished_port", "%s: %d", name, n)
					to = hostPort{"127.0.0.1", n}
				}
				e["host"], e["port"] = to.host, to.port
			}
			a.add(kind, e)
		}
	}
}

// hostPort is where a container's port is published.
type hostPort struct {
	host string
	port int
}

// server is a forward WebSocket or HTTP server for somebody's old address.
func (a *Account) server(kind, host string, port int, token string) {
	for _, e := range slices.Concat(a.Networks["websocketServers"], a.Networks["httpServers"]) {
		if n, ok := number(e["port"]); ok && n == port {
			return // it is there
		}
	}
	a.add(kind, map[string]any{"name": "", "enable": true, "host": host, "port": port, "token": token, "messagePostFormat": "array"})
}
