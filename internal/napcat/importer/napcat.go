package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// perAccount are NapCat's files for one account, made at its first login.
var perAccount = regexp.MustCompile(`^(onebot11|napcat|napcat_protocol)_([1-9][0-9]{4,10})\.json$`)

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
	own := map[int64]string{}
	for _, e := range entries {
		m := perAccount.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		uin, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			continue
		}
		p.account(uin)
		if m[1] == "onebot11" {
			own[uin] = filepath.Join(p.ConfigDir, e.Name())
		}
	}
	p.webUI(filepath.Join(p.ConfigDir, "webui.json"))
	template := filepath.Join(p.ConfigDir, "onebot11.json")
	for i := range p.Accounts {
		a := &p.Accounts[i]
		if path := own[a.UIN]; path != "" {
			p.oneBot(path, a)
		} else if _, err := os.Stat(template); err == nil {
			p.oneBot(template, a) // of which NapCat would make the account's own
		}
	}
	return nil
}

// oneBot reads the adapters of one account, and what else its file says.
func (p *Plan) oneBot(path string, a *Account) {
	b, err := readSmall(path)
	if err != nil {
		p.miss("unreadable", "%s", path)
		return
	}
	doc, err := object(b)
	network, ok := doc["network"].(map[string]any)
	if err != nil || !ok {
		p.miss("half_config", "%s", path)
		return
	}
	for _, kind := range kinds {
		list, _ := network[kind].([]any)
		for _, item := range list {
			raw, ok := item.(map[string]any)
			if !ok {
				p.miss("half_config", "%s: network.%s", path, kind)
				continue
			}
			entry, unknown, err := convert(kind, raw)
			name := fmt.Sprintf("%s: network.%s %v", path, kind, raw["name"])
			if err != nil {
				p.miss("half_config", "%s: %v", name, err)
				continue
			}
			if entry["enable"] != true {
				p.miss("disabled", "%s", name) // NapCat opens none of these
				continue
			}
			for _, key := range unknown {
				p.miss("unknown_key", "%s: %s", name, key)
			}
			a.add(kind, entry)
		}
	}
	delete(doc, "network")
	a.rest = doc
}

// object reads a JSON or JSON5 object. The decoder of the latter panics on some
// texts.
func object(b []byte) (doc map[string]any, err error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // editors on Windows write it
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("no JSON: %v", r)
		}
	}()
	err = json5.Unmarshal(b, &doc)
	return doc, err
}

func (p *Plan) webUI(path string) {
	b, err := readSmall(path)
	if err != nil {
		return
	}
	w, err := object(b)
	if err != nil {
		p.miss("half_config", "%s", path)
		return
	}
	if n, ok := number(w["port"]); ok && portOK(n) {
		p.WebUIPort = n
	}
	p.WebUIToken, _ = w["token"].(string)
	host, _ := w["host"].(string)
	if ip := net.ParseIP(host); host == "" || ip != nil && !ip.IsLoopback() {
		p.miss("webui_host", "%s", host)
	}
	if uin := uinOf(w["autoLoginAccount"]); uin != 0 {
		p.account(uin)
	}
	// What guards the page, which the new one does without.
	if on, _ := flag(w["enable2FA"]); on {
		p.miss("webui_settings", "enable2FA")
	}
	if mode := text(w["accessControlMode"]); mode != "" && mode != "none" {
		p.miss("webui_settings", "accessControlMode %s", mode)
	}
	if cert := filepath.Join(filepath.Dir(path), "cert.pem"); !missing(cert) {
		p.miss("webui_settings", "%s", cert)
	}
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
