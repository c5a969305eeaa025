package importer

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mapping reads a YAML document whose top is a mapping.
func mapping(b []byte) map[string]any {
	var m map[string]any
	if yaml.Unmarshal(b, &m) != nil {
		return nil
	}
	return m
}

// sub is the mapping at a key, never nil.
func sub(m map[string]any, key string) map[string]any {
	s, _ := m[key].(map[string]any)
	if s == nil {
		s = map[string]any{}
	}
	return s
}

func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	}
	return fmt.Sprint(v)
}

func uinOf(v any) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text(v)), 10, 64)
	if err != nil || n < 10000 || n > 99999999999 {
		return 0
	}
	return n
}

// ncatbot reads NcatBot's config: flat in 3, with a section napcat in 4, with
// adapters in 5. NapCat lies beside it or where the shell installer puts it.
func (p *Plan) ncatbot(path string, s surveyed, homes []string) error {
	b, err := readSmall(path)
	if err != nil {
		return err
	}
	doc := mapping(b)
	get := func(key string) any {
		if v := doc[key]; v != nil {
			return v
		}
		if v := sub(doc, "napcat")[key]; v != nil {
			return v
		}
		list, _ := doc["adapters"].([]any)
		for _, item := range list {
			ad, _ := item.(map[string]any)
			if t := text(ad["type"]); t != "" && t != "napcat" {
				continue
			}
			if v := sub(ad, "config")[key]; v != nil {
				return v
			}
		}
		return nil
	}
	uin := uinOf(get("bt_uin"))
	if uin == 0 {
		uin = uinOf(get("bot_uin"))
	}
	if root := uinOf(get("root")); root != 0 && root != uin {
		p.Admins = []int64{root}
	}
	p.ConfigDir, p.QQDir = s.config, s.qq
	if p.ConfigDir == "" {
		var bases []string
		for _, h := range homes {
			bases = append(bases, filepath.Join(h, "Napcat", "opt", "QQ"))
		}
		for _, base := range append(bases, "/opt/QQ") {
			d := filepath.Join(base, "resources", "app", "app_launcher", "napcat", "config")
			if isDir(d) {
				p.ConfigDir = d
				break
			}
		}
	}
	if p.ConfigDir == "" {
		p.miss("unreadable", "%s", filepath.Join(filepath.Dir(path), "napcat", "config"))
	}
	if uin == 0 {
		p.miss("half_config", "%s: bt_uin", path)
		return nil
	}
	p.account(uin)
	if err := p.napcat(); err != nil {
		return err
	}
	a := p.account(uin)
	if host, port, ok := address(text(get("ws_uri")), 3001); ok {
		a.server("websocketServers", host, port, text(get("ws_token")))
	}
	if _, port, ok := address(text(get("webui_uri")), 6099); ok && p.WebUIPort == 0 {
		p.WebUIPort, p.WebUIToken = port, text(get("webui_token"))
	}
	return nil
}

// address reads a host and port out of ws://host:port, on this machine.
func address(s string, standard int) (host string, port int, ok bool) {
	if s == "" {
		return "", 0, false
	}
	if !strings.Contains(s, "://") {
		s = "ws://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return "", 0, false
	}
	host, port = u.Hostname(), standard
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return "", 0, false
		}
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip := net.ParseIP(host)
	return host, port, ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// gocqhttp reads go-cqhttp's config.yml. Its sessions are of another protocol, so
// that a scan is needed.
func (p *Plan) gocqhttp(path string) error {
	b, err := readSmall(path)
	if err != nil {
		return err
	}
	doc := mapping(b)
	uin := uinOf(sub(doc, "account")["uin"])
	if uin == 0 {
		p.miss("half_config", "%s: account.uin", path)
		return nil
	}
	a := p.account(uin)
	fallback := text(sub(sub(doc, "default-middlewares"), "access-token")["access-token"])
	if fallback == "" {
		fallback = text(sub(doc, "default-middlewares")["access-token"])
	}
	list, _ := doc["servers"].([]any)
	for _, item := range list {
		entry, _ := item.(map[string]any)
		for kind := range entry {
			s := sub(entry, kind)
			if s["disabled"] == true {
				continue
			}
			token := text(sub(s, "middlewares")["access-token"])
			if token == "" {
				token = fallback
			}
			where := text(s["address"])
			if where == "" && s["port"] != nil {
				where = net.JoinHostPort(text(s["host"]), text(s["port"]))
			}
			switch kind {
			case "http":
				p.cqHTTP(a, s, where, token)
			case "ws":
				if h, n, ok := split(where); ok {
					a.server("websocketServers", h, n, token)
				}
			case "ws-reverse":
				if u := text(s["universal"]); u != "" {
					a.add("websocketClients", map[string]any{"enable": true, "url": u, "token": token, "messagePostFormat": "array"})
				}
			default:
				p.miss("half_config", "%s: servers.%s", path, kind)
			}
		}
	}
	return nil
}

func (p *Plan) cqHTTP(a *Account, s map[string]any, where, token string) {
	if h, n, ok := split(where); ok {
		a.server("httpServers", h, n, token)
	}
	posts, _ := s["post"].([]any)
	for _, item := range posts {
		post, _ := item.(map[string]any)
		if u := text(post["url"]); u != "" {
			a.add("httpClients", map[string]any{"enable": true, "url": u, "token": text(post["secret"]), "messagePostFormat": "array"})
		}
	}
}

func split(where string) (string, int, bool) {
	h, s, err := net.SplitHostPort(where)
	n, err2 := strconv.Atoi(s)
	return h, n, err == nil && err2 == nil
}

// compose reads the service of NapCat out of a compose file: where its folders
// are on this machine and where its ports are published.
func (p *Plan) compose(path string, s surveyed) error {
	b, err := readSmall(path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	var raw map[string]any
	if err := yaml.Unmarshal(b, &raw); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	doc, _ := interpolate(raw, variables(dir)).(map[string]any)
	services, names := sub(doc, "services"), napcatServices(doc)
	if len(names) == 0 {
		return fmt.Errorf("%s: %w", path, ErrNothing)
	}
	for _, name := range names[1:] {
		p.miss("other_service", "%s", name)
	}
	service := sub(services, names[0])
	p.Container = names[0]
	if n := text(service["container_name"]); n != "" {
		p.Container = n
	}
	list, _ := service["volumes"].([]any)
	for _, item := range list {
		from, to := volume(item)
		p.bind(dir, volumeOf(doc, dir, from), to)
	}
	if len(names) == 1 && p.ConfigDir == "" {
		p.ConfigDir = s.config
	}
	if len(names) == 1 && p.QQDir == "" {
		p.QQDir = s.qq
	}
	env := environment(service["environment"])
	if uin := uinOf(env["ACCOUNT"]); uin != 0 {
		p.account(uin)
	}
	if err := p.napcat(); err != nil {
		return err
	}
	ports := published(service["ports"])
	if service["network_mode"] != "host" {
		for i := range p.Accounts {
			p.Accounts[i].publish(p, ports)
		}
		if to, ok := ports[p.WebUIPort]; ok {
			p.WebUIPort = to.port
		}
	}
	if p.WebUIToken == "" {
		p.WebUIToken = env["WEBUI_TOKEN"]
	}
	return nil
}

// napcatServices are the services of a compose file that are NapCat: by their image,
// or where that is built or called otherwise, by the folders that they have.
func napcatServices(doc map[string]any) []string {
	services := sub(doc, "services")
	var names []string
	for name := range services {
		service := sub(services, name)
		is := strings.Contains(text(service["image"]), "napcat")
		list, _ := service["volumes"].([]any)
		for _, item := range list {
			_, to := volume(item)
			is = is || strings.HasPrefix(to, "/app/napcat") || strings.HasPrefix(to, "/app/.config/QQ")
		}
		if is {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// volume reads "./here:/there:ro" and its long form.
func volume(v any) (from, to string) {
	if m, ok := v.(map[string]any); ok {
		return text(m["source"]), text(m["target"])
	}
	parts := strings.Split(text(v), ":")
	if len(parts) < 2 {
		return "", ""
	}
	return parts[0], parts[1]
}

// volumeOf is the name that Docker has for a volume of a compose file: a folder
// stays as it is.
func volumeOf(doc map[string]any, dir, from string) string {
	if from == "" || strings.ContainsAny(from[:1], "./~") {
		return from
	}
	v := sub(sub(doc, "volumes"), from)
	switch name := text(v["name"]); {
	case name != "":
		return name
	case v["external"] == true:
		return from
	}
	project := text(doc["name"])
	if project == "" {
		project = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
				return r
			}
			return -1
		}, strings.ToLower(filepath.Base(dir)))
	}
	return project + "_" + from
}

// variables are those of the file .env beside a compose file; the environment's
// own come first, as for Docker.
func variables(dir string) func(string) (string, bool) {
	file := map[string]string{}
	b, err := readSmall(filepath.Join(dir, ".env"))
	if err == nil {
		for _, line := range strings.Split(strings.TrimPrefix(string(b), "\ufeff"), "\n") {
			k, v, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
			if ok && !strings.HasPrefix(k, "#") {
				file[strings.TrimSpace(k)] = unquote(strings.TrimSpace(v))
			}
		}
	}
	return func(name string) (string, bool) {
		if v, ok := os.LookupEnv(name); ok {
			return v, true
		}
		v, ok := file[name]
		return v, ok
	}
}

// unquote takes the quotes of a value away, and the comment after it.
func unquote(s string) string {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		if v, _, ok := strings.Cut(s[1:], s[:1]); ok {
			return v
		}
	}
	if i := strings.Index(s, " #"); i >= 0 {
		s = strings.TrimSpace(s[:i])
	}
	return s
}

var variable = regexp.MustCompile(`\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([^}]*))?\})`)

// interpolate puts variables into the texts of a compose file: $A, ${A},
// ${A-B}, ${A:-B}, ${A+B}, ${A:+B}, and $$ for a dollar sign.
func interpolate(v any, get func(string) (string, bool)) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = interpolate(x[k], get)
		}
	case []any:
		for i := range x {
			x[i] = interpolate(x[i], get)
		}
	case string:
		return variable.ReplaceAllStringFunc(x, func(m string) string {
			if m == "$$" {
				return "$"
			}
			g := variable.FindStringSubmatch(m)
			is, set := get(g[1] + g[2])
			if strings.HasPrefix(g[3], ":") {
				set = set && is != ""
			}
			switch {
			case strings.HasSuffix(g[3], "-") && !set, strings.HasSuffix(g[3], "+") && set:
				return g[4]
			case strings.HasSuffix(g[3], "+"):
				return ""
			}
			return is
		})
	}
	return v
}

// bind notes which of NapCat's folders a volume is.
func (p *Plan) bind(dir, from, to string) {
	if from == "" {
		return
	}
	switch {
	case strings.HasPrefix(from, "~/"):
		from = filepath.Join(os.Getenv("HOME"), from[2:])
	case strings.HasPrefix(from, "."):
		from = filepath.Join(dir, from)
	case !filepath.IsAbs(from):
		named := filepath.Join("/var/lib/docker/volumes", from, "_data")
		if !isDir(named) {
			p.miss("named_volume", "%s", from)
			return
		}
		from = named
	}
	switch strings.TrimSuffix(to, "/") {
	case "/app/napcat/config":
		p.ConfigDir = from
	case "/app/napcat":
		p.ConfigDir = filepath.Join(from, "config")
	case "/app/napcat/plugins":
		p.PluginsDir = from
	case "/app/.config/QQ":
		p.QQDir = from
	case "/app/.config":
		p.QQDir = filepath.Join(from, "QQ")
	}
}

// environment reads a compose file's list or mapping.
func environment(v any) map[string]string {
	env := map[string]string{}
	switch x := v.(type) {
	case map[string]any:
		for k, v := range x {
			env[k] = text(v)
		}
	case []any:
		for _, item := range x {
			if k, v, ok := strings.Cut(text(item), "="); ok {
				env[k] = v
			}
		}
	}
	return env
}

// published reads "127.0.0.1:3001:3001/tcp" and its shorter and longer forms.
func published(v any) map[int]hostPort {
	ports := map[int]hostPort{}
	list, _ := v.([]any)
	for _, item := range list {
		host := "0.0.0.0"
		var outer, inner string
		if m, ok := item.(map[string]any); ok {
			outer, inner = text(m["published"]), text(m["target"])
			if h := text(m["host_ip"]); h != "" {
				host = h
			}
		} else {
			parts := strings.Split(strings.Split(text(item), "/")[0], ":")
			inner, outer = parts[len(parts)-1], parts[len(parts)-1]
			if len(parts) > 1 {
				outer = parts[len(parts)-2]
			}
			if len(parts) > 2 {
				host = strings.Trim(strings.Join(parts[:len(parts)-2], ":"), "[]")
			}
		}
		a, lastA, ok1 := span(inner)
		b, lastB, ok2 := span(outer)
		if ok1 && ok2 && lastA-a == lastB-b {
			for i := range lastA - a + 1 {
				ports[a+i] = hostPort{host, b + i}
			}
		}
	}
	return ports
}

// span reads "3001" or "3000-3001".
func span(s string) (from, to int, ok bool) {
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	return from, to, err1 == nil && err2 == nil && portOK(from) && portOK(to) && from <= to
}
