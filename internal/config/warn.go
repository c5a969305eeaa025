package config

import (
	"fmt"
	"net"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Warning is something legal but unwise in a config. Its wording is the
// reader's: Code is a word of a catalogue, Args fit it.
type Warning struct {
	Key  string
	Code string
	Args []any
}

// Warnings returns what is legal but unwise in c, which was loaded from path.
func Warnings(path string, c *Config) []Warning {
	var out []Warning
	add := func(key, code string, args ...any) { out = append(out, Warning{key, code, args}) }
	hasToken := false
	for _, a := range c.Accounts {
		key := "accounts." + a.Name
		for _, e := range []struct {
			key string
			Endpoint
		}{{key + ".webui", a.WebUI}, {key + ".onebot", a.OneBot.Endpoint}} {
			hasToken = hasToken || e.Token != ""
			if notHere(e.Host) {
				add(e.key+".host", "host_not_here", e.key+".host", e.Host)
			}
			if e.Token != "" && len(e.Token) < MinToken {
				add(e.key+".token", "loopback_token", e.key+".token", len(e.Token))
			}
		}
		if !isLoopback(a.WebUI.Host) {
			add(key+".webui.host", "public_webui", key+".webui.host")
		}
		if !slices.Contains(a.Login.Order, "qr") {
			add(key+".login.order", "no_qr", key+".login.order")
		}
		if a.Login.Order[0] == "password" && a.Login.PasswordMD5Env == "" {
			add(key+".login.order", "password_env", key+".login.order")
		}
		if z := a.Env["TZ"]; !ZoneKnown(z) {
			add(key+".env", "timezone", key+".env.TZ", z)
		}
		out = append(out, networkWarnings(key+".networks", a.Networks)...)
	}
	out = append(out, AppWarnings(c)...)
	if z := os.Getenv("TZ"); !ZoneKnown(z) {
		add("", "timezone", "$TZ", z)
	}
	if host, _, err := net.SplitHostPort(c.Control.Listen); err == nil {
		if !isLoopback(host) && c.Control.TLS == "off" && len(c.Control.Proxies) == 0 {
			add("control.listen", "public_control", c.Control.Listen)
		}
		if notHere(host) {
			add("control.listen", "host_not_here", "control.listen", host)
		}
	}
	if c.Log.Level == "debug" {
		add("log.level", "debug")
	}
	if l := c.Supervisor.MemoryLimit; l != 0 && l < 512<<20 {
		add("supervisor.memory_limit", "memory", l.String())
	}
	if fi, err := os.Stat(path); err == nil && hasToken && fi.Mode().Perm()&0o044 != 0 && runtime.GOOS != "windows" {
		add("", "file_mode", path)
	}
	return out
}

// ZoneKnown reports whether a value of the variable TZ names a time zone. Programs
// take UTC for one that does not.
func ZoneKnown(tz string) bool {
	name := strings.TrimPrefix(tz, ":")
	if strings.HasPrefix(name, "/") {
		_, err := os.Stat(name)
		return err == nil
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// notHere reports whether host is an address of which this machine has none.
func notHere(host string) bool {
	ip := net.ParseIP(host)
	if ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		return false
	}
	addrs, err := net.InterfaceAddrs()
	return err == nil && !slices.ContainsFunc(addrs, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

// networkWarnings looks for servers among NapCat's own adapters that other
// machines can reach without a token.
func networkWarnings(key string, networks map[string]any) []Warning {
	var out []Warning
	for _, kind := range sortedKeys(networks) {
		list, _ := networks[kind].([]any)
		for _, item := range list {
			m, _ := item.(map[string]any)
			host, _ := m["host"].(string)
			if m == nil || !strings.HasSuffix(kind, "Servers") || m["enable"] == false {
				continue
			}
			if notHere(host) {
				out = append(out, Warning{key + "." + kind, "host_not_here", []any{key + "." + kind, host}})
			}
			token, _ := m["token"].(string)
			if !isLoopback(host) && len(token) < MinToken {
				name, _ := m["name"].(string)
				if host == "" {
					host = "*"
				}
				out = append(out, Warning{key + "." + kind, "network_token", []any{key, strings.TrimSpace(kind + " " + name), host, MinToken}})
			}
		}
	}
	return out
}

// Tree returns v, a config or a part of one, as maps, lists and scalars with
// the keys of the file, secrets as ***.
func Tree(v any) any {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() {
		return nil
	}
	return tree(rv)
}

func tree(v reflect.Value) any {
	if c, ok := v.Interface().(AlertChannel); ok {
		m := map[string]any{"name": c.Name, "kind": c.Kind}
		for k, s := range c.Fields {
			m[k] = s
		}
		return m
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return tree(v.Elem())
	case reflect.Struct:
		m := map[string]any{}
		for _, f := range fields(v.Type()) {
			m[f.name] = tree(v.FieldByIndex(f.index))
		}
		return m
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = tree(v.Index(i))
		}
		return list
	case reflect.Map:
		m := map[string]any{}
		for _, k := range v.MapKeys() {
			m[k.String()] = tree(v.MapIndex(k))
		}
		return m
	}
	switch x := v.Interface().(type) {
	case Secret:
		return x.masked()
	case Duration, Size:
		return fmt.Sprint(x)
	default:
		return x
	}
}
