package adapter

import (
	"fmt"
	"slices"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/typebox"
)

// Kind is the kind of an adapter, in the words of the configuration file.
type Kind string

// The kinds of adapter, in the order in which a reload handles them.
const (
	HTTPServers      Kind = "httpServers"
	HTTPClients      Kind = "httpClients"
	HTTPSseServers   Kind = "httpSseServers"
	WebSocketServers Kind = "websocketServers"
	WebSocketClients Kind = "websocketClients"
)

var reloadOrder = []Kind{HTTPServers, HTTPClients, HTTPSseServers, WebSocketServers, WebSocketClients}

// Entry is one adapter of a [Config]. Fields that a kind does not have are zero.
type Entry struct {
	Name              string
	Enable            bool
	Host              string
	Port              float64 // a JSON number: nothing checks that it is a port
	URL               string
	Token             string
	MessagePostFormat string
	ReportSelfMessage bool
	Debug             bool
	HeartInterval     float64 // milliseconds; 0 and less: off
	ReconnectInterval float64 // milliseconds
	EnableWebsocket   bool
	VerifyCertificate bool
}

// Timeouts bound how long sends wait for QQ's confirmation (contract E.9).
type Timeouts struct {
	Base, UploadKBps, DownloadKBps, Max float64
}

// Config is the document of onebot11_<uin>.json (contract B.3). A Config is
// immutable.
type Config struct {
	doc                 *jsval.Object
	EnableLocalFile2Url bool
	ParseMultMsg        bool
	Timeout             Timeouts
}

func str(d string) *typebox.Schema   { return &typebox.Schema{Kind: typebox.String, Default: d} }
func num(d float64) *typebox.Schema  { return &typebox.Schema{Kind: typebox.Number, Default: d} }
func boolean(d bool) *typebox.Schema { return &typebox.Schema{Kind: typebox.Boolean, Default: d} }

func prop(name string, s *typebox.Schema) typebox.Prop {
	return typebox.Prop{Name: name, Schema: s, Required: true}
}

func object(props ...typebox.Prop) *typebox.Schema {
	return &typebox.Schema{Kind: typebox.Object, Props: props, Default: &jsval.Object{}}
}

func list(props ...typebox.Prop) *typebox.Schema {
	items := object(props...)
	items.Default = jsval.Undefined
	return &typebox.Schema{Kind: typebox.Array, Items: items, Default: []any{}}
}

// configSchema is the table of contract B.3 in the order in which the host
// writes the keys.
var configSchema = func() *typebox.Schema {
	name := func(s string) []typebox.Prop {
		return []typebox.Prop{prop("name", str(s)), prop("enable", boolean(false))}
	}
	with := func(first []typebox.Prop, more ...typebox.Prop) *typebox.Schema {
		return list(slices.Concat(first, more)...)
	}
	host, token, debug := prop("host", str("127.0.0.1")), prop("token", str("")), prop("debug", boolean(false))
	format, self := prop("messagePostFormat", str("array")), prop("reportSelfMessage", boolean(false))
	cors, ws := prop("enableCors", boolean(true)), prop("enableWebsocket", boolean(false))
	heart := prop("heartInterval", num(30000))
	verify := typebox.Prop{Name: "verifyCertificate", Schema: boolean(true)}
	return object(
		prop("network", object(
			prop("httpServers", with(name("http-server"), prop("port", num(3000)), host, cors, ws, format, token, debug)),
			prop("httpSseServers", with(name("http-sse-server"), prop("port", num(3000)), host, cors, ws, format, token, debug, self)),
			prop("httpClients", with(name("http-client"), prop("url", str("http://localhost:8080")), format, self, token, debug)),
			prop("websocketServers", with(name("websocket-server"), host, prop("port", num(3001)), format, self, token,
				prop("enableForcePushEvent", boolean(true)), debug, heart)),
			prop("websocketClients", with(name("websocket-client"), prop("url", str("ws://localhost:8082")), format, self,
				prop("reconnectInterval", num(5000)), token, debug, heart, verify)),
			prop("plugins", with(name("plugin"), format, self, debug)),
		)),
		prop("musicSignUrl", str("")),
		prop("enableLocalFile2Url", boolean(false)),
		prop("parseMultMsg", boolean(false)),
		prop("imageDownloadProxy", str("")),
		prop("timeout", object(
			prop("baseTimeout", num(10000)),
			prop("uploadSpeedKBps", num(256)),
			prop("downloadSpeedKBps", num(256)),
			prop("maxTimeout", num(1800000)),
		)),
	)
}()

// ParseConfig reads a configuration as the host does: JSON5, unknown keys
// dropped, missing ones filled in, convertible values converted. The error is a
// [*jsval.SyntaxError] or a [*typebox.Error] such as "Expected number".
func ParseConfig(text string) (*Config, error) {
	v, err := jsval.Parse(text)
	if err != nil {
		return nil, err
	}
	if v, err = configSchema.Parse(v); err != nil {
		return nil, err
	}
	doc := v.(*jsval.Object)
	t := doc.Get("timeout").(*jsval.Object)
	return &Config{
		doc:                 doc,
		EnableLocalFile2Url: doc.Get("enableLocalFile2Url") == true,
		ParseMultMsg:        doc.Get("parseMultMsg") == true,
		Timeout: Timeouts{
			Base: jsval.Number(t.Get("baseTimeout")), UploadKBps: jsval.Number(t.Get("uploadSpeedKBps")),
			DownloadKBps: jsval.Number(t.Get("downloadSpeedKBps")), Max: jsval.Number(t.Get("maxTimeout")),
		},
	}, nil
}

// DefaultConfig returns the configuration without any adapter.
func DefaultConfig() *Config {
	c, err := ParseConfig("{}")
	if err != nil {
		panic(fmt.Sprintf("adapter: default configuration: %v", err))
	}
	return c
}

// SingleServer returns a configuration with one forward WebSocket server.
func SingleServer(host string, port int, token string) *Config {
	doc := jsval.Obj("network", jsval.Obj("websocketServers", []any{jsval.Obj(
		"name", "ws", "enable", true, "host", host, "port", port, "token", token)}))
	c, err := ParseConfig(jsval.Stringify(doc))
	if err != nil {
		panic(fmt.Sprintf("adapter: single server: %v", err))
	}
	return c
}

// JSON returns the document on one line, with all its keys.
func (c *Config) JSON() string { return jsval.Stringify(c.doc) }

// Pretty returns the document as the host writes it to disk, indented by two
// spaces.
func (c *Config) Pretty() string { return jsval.Indent(c.doc) }

// WithoutVerifyCertificate returns c as the WebUI reads and writes it: its copy
// of the schema lacks that key (contract C.6).
func (c *Config) WithoutVerifyCertificate() *Config {
	doc := jsval.Clone(c.doc).(*jsval.Object)
	if list, ok := doc.Get("network").(*jsval.Object).Get("websocketClients").([]any); ok {
		for _, e := range list {
			e.(*jsval.Object).Delete("verifyCertificate")
		}
	}
	d := *c
	d.doc = doc
	return &d
}

// Entries returns the adapters of one kind in the order of the file.
func (c *Config) Entries(k Kind) []Entry {
	var out []Entry
	items, _ := c.doc.Get("network").(*jsval.Object).Get(string(k)).([]any)
	for _, it := range items {
		o := it.(*jsval.Object)
		out = append(out, Entry{
			Name:              o.String("name"),
			Enable:            o.Get("enable") == true,
			Host:              o.String("host"),
			Port:              jsval.Number(o.Get("port")),
			URL:               o.String("url"),
			Token:             o.String("token"),
			MessagePostFormat: o.String("messagePostFormat"),
			ReportSelfMessage: o.Get("reportSelfMessage") == true,
			Debug:             o.Get("debug") == true,
			HeartInterval:     jsval.Number(o.Get("heartInterval")),
			ReconnectInterval: jsval.Number(o.Get("reconnectInterval")),
			EnableWebsocket:   o.Get("enableWebsocket") == true,
			VerifyCertificate: o.Get("verifyCertificate") != false,
		})
	}
	return out
}
