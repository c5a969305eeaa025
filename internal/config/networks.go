package config

import (
	"math"
	"net/url"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// NapCat's own shapes of the adapters in networks (contract B.3). NapCat checks
// types only and is silent about most mistakes, so they are found here. What is
// unlike anything known is passed on: a newer NapCat may know it.

// adapters has the keys of each kind of adapter with their type: a letter for
// text, number or flag, or what the text must be.
var adapters = map[string]map[string]string{
	"httpServers":      adapter("host", "port", "enableCors", "enableWebsocket"),
	"httpSseServers":   adapter("host", "port", "enableCors", "enableWebsocket", "reportSelfMessage"),
	"httpClients":      adapter("http", "reportSelfMessage"),
	"websocketServers": adapter("host", "port", "reportSelfMessage", "heartInterval", "enableForcePushEvent"),
	"websocketClients": adapter("ws", "reportSelfMessage", "heartInterval", "reconnectInterval", "verifyCertificate"),
	"plugins":          {"name": "name", "enable": "flag", "messagePostFormat": "format", "reportSelfMessage": "flag", "debug": "flag"},
}

// adapter lists the keys that all kinds have, and further ones.
func adapter(more ...string) map[string]string {
	m := map[string]string{"name": "name", "enable": "flag", "token": "text", "messagePostFormat": "format", "debug": "flag"}
	for _, k := range more {
		switch k {
		case "http", "ws":
			m["url"] = k
		case "host", "port":
			m[k] = k
		case "heartInterval": // 0 and less is none (contract E.1)
			m[k] = "whole"
		case "reconnectInterval":
			m[k] = "number"
		default:
			m[k] = "flag"
		}
	}
	return m
}

// otherKinds are names of kinds of adapters elsewhere: in NapCat's first versions,
// in go-cqhttp and in Lagrange.
var otherKinds = map[string]string{
	"http": "httpServers", "httpServer": "httpServers", "http_server": "httpServers",
	"httpPost": "httpClients", "http_post": "httpClients", "post": "httpClients", "webhook": "httpClients",
	"ws": "websocketServers", "wsServer": "websocketServers", "ws_server": "websocketServers", "forwardWebSocket": "websocketServers", "ForwardWebSocket": "websocketServers",
	"reverseWs": "websocketClients", "reverseWS": "websocketClients", "wsReverse": "websocketClients", "ws_reverse": "websocketClients", "ws-reverse": "websocketClients",
	"reverseWebSocket": "websocketClients", "ReverseWebSocket": "websocketClients", "wsClient": "websocketClients", "ws_client": "websocketClients",
}

// takenNames are adapters that NapCat has by itself.
var takenNames = []string{"plugin_manager", "debug-primary"}

// networks checks the adapters of one account.
func (d *decoder) networks(n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode {
		return // told already
	}
	names := map[string]Place{}
	kinds := sortedKeys(adapters)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, list := n.Content[i], n.Content[i+1]
		kind := k.Value
		if adapters[kind] == nil {
			near := otherKinds[kind]
			if near == "" {
				near = Nearest(kind, kinds)
			}
			if near == "" {
				continue
			}
			d.at(k, join(key, kind), "unknown_nearest", kind, near)
			kind = near
		}
		at := join(key, k.Value)
		switch {
		case isNull(list):
		case list.Kind == yaml.SequenceNode:
			for j, item := range list.Content {
				d.adapter(item, kind, join(at, strconv.Itoa(j)), names)
			}
		case list.Kind == yaml.MappingNode:
			d.at(list, at, "wrong_type", at, Word("list"), kindOf(list))
			d.adapter(list, kind, at, names)
		default:
			d.at(list, at, "wrong_type", at, Word("list"), kindOf(list))
		}
	}
}

// adapter checks one adapter; names has those seen so far.
func (d *decoder) adapter(n *yaml.Node, kind, key string, names map[string]Place) {
	if n.Kind != yaml.MappingNode {
		d.at(n, key, "wrong_type", key, Word("mapping"), kindOf(n))
		return
	}
	known := adapters[kind]
	named := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := join(key, k.Value)
		want, ok := known[k.Value]
		if !ok {
			if near := Nearest(k.Value, sortedKeys(known)); near != "" {
				d.at(k, at, "unknown_nearest", k.Value, near)
			}
			continue
		}
		if v.Kind != yaml.ScalarNode {
			d.at(v, at, "wrong_type", at, Word("text"), kindOf(v))
			continue
		}
		if want != "text" && d.mistyped(v, at, want == "name") {
			continue
		}
		if want == "name" {
			named = true
			if first, taken := names[v.Value]; taken {
				d.at(v, at, "adapter_twice", at, v.Value, LineNumber(first.Line))
			} else if slices.Contains(takenNames, v.Value) {
				d.at(v, at, "adapter_name", at, v.Value)
			}
			names[v.Value] = d.place(v)
			continue
		}
		d.adapterValue(v, want, at)
	}
	if !named { // NapCat names all of a kind alike
		if _, taken := names["\x00"+kind]; taken {
			d.at(n, key, "adapter_unnamed", key)
		}
		names["\x00"+kind] = d.place(n)
	}
}

// portOK reports whether a URL's port can be connected to; "" is the scheme's own.
func portOK(s string) bool {
	p, err := strconv.Atoi(s)
	return s == "" || err == nil && p > 0 && p < 1<<16
}

func (d *decoder) adapterValue(v *yaml.Node, want, at string) {
	switch want {
	case "flag":
		if v.Tag != "!!bool" {
			d.at(v, at, "bad_bool", at, v.Value)
		}
	case "number", "whole":
		switch n, err := strconv.ParseInt(v.Value, 10, 64); {
		case err != nil || v.Tag != "!!int":
			d.at(v, at, "bad_int", at, v.Value)
		case n < 0 && want == "number":
			d.at(v, at, "out_of_range", at, n, 0, math.MaxInt32)
		}
	case "port":
		p, err := strconv.Atoi(v.Value)
		switch {
		case err != nil || v.Tag != "!!int":
			d.at(v, at, "bad_int", at, v.Value)
		case p < 1 || p > 65535:
			d.at(v, at, "out_of_range", at, p, 1, 65535)
		}
	case "host":
		if v.Value != "" && !hostOK(v.Value) {
			d.at(v, at, "bad_host", at, v.Value)
		}
	case "format":
		if v.Value != "array" && v.Value != "string" {
			d.at(v, at, "not_one_of", at, v.Value, "array, string")
		}
	case "http", "ws":
		u, err := url.Parse(v.Value)
		if err != nil || !hostOK(u.Hostname()) || !portOK(u.Port()) || u.Scheme != want && u.Scheme != want+"s" {
			d.at(v, at, "bad_url", at, v.Value, want)
		}
	}
}
