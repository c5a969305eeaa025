package napcatsim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/typebox"
)

// logConfig is what the log obeys of napcat_<uin>.json.
type logConfig struct {
	consoleLog, fileLog bool
	consoleLevel        string
	fileLevel           string
}

func logConfigOf(doc *jsval.Object) logConfig {
	return logConfig{
		consoleLog: doc.Get("consoleLog") != false, fileLog: doc.Get("fileLog") == true,
		consoleLevel: doc.String("consoleLogLevel"), fileLevel: doc.String("fileLogLevel"),
	}
}

func property(name string, def any) typebox.Prop {
	s := &typebox.Schema{Default: def}
	switch def.(type) {
	case string:
		s.Kind = typebox.String
	case float64:
		s.Kind = typebox.Number
	case bool:
		s.Kind = typebox.Boolean
	}
	return typebox.Prop{Name: name, Schema: s, Required: true}
}

func objectOf(props ...typebox.Prop) *typebox.Schema {
	return &typebox.Schema{Kind: typebox.Object, Props: props, Default: &jsval.Object{}}
}

func listOf(props ...typebox.Prop) *typebox.Schema {
	items := objectOf(props...)
	items.Default = jsval.Undefined
	return &typebox.Schema{Kind: typebox.Array, Items: items, Default: []any{}}
}

func required(name string, s *typebox.Schema) typebox.Prop {
	return typebox.Prop{Name: name, Schema: s, Required: true}
}

// napcatSchema is napcat.json and napcat_<uin>.json, keys in the order in which
// they are written.
var napcatSchema = func() *typebox.Schema {
	bypass := objectOf(property("hook", true), property("window", true), property("module", true),
		property("process", true), property("container", true), property("js", true))
	bypass.Default = jsval.Undefined
	return objectOf(
		property("fileLog", false), property("consoleLog", true), property("fileLogLevel", "debug"), property("consoleLogLevel", "info"),
		property("packetBackend", "auto"), property("packetServer", ""), property("o3HookMode", 0.0), property("autoTimeSync", true),
		typebox.Prop{Name: "bypass", Schema: bypass},
	)
}()

// protocolSchema is napcat_protocol_<uin>.json.
var protocolSchema = objectOf(
	property("enable", false),
	required("network", objectOf(
		required("httpServers", listOf(property("name", "http-server"), property("enable", false), property("host", "127.0.0.1"),
			property("port", 6702.0), property("token", ""), property("enableCors", true), property("debug", false))),
		required("websocketServers", listOf(property("name", "websocket-server"), property("enable", false), property("host", "127.0.0.1"),
			property("port", 6700.0), property("token", ""), property("heartInterval", 30000.0), property("debug", false))),
		required("websocketClients", listOf(property("name", "websocket-client"), property("enable", false), property("url", "ws://localhost:6701"),
			property("token", ""), property("reconnectInterval", 5000.0), property("heartInterval", 30000.0), property("debug", false))),
	)),
)

// document reads JSON5 text by a schema. The error is a *jsval.SyntaxError or a
// *typebox.Error.
func document(s *typebox.Schema, text string) (*jsval.Object, error) {
	v, err := jsval.Parse(text)
	if err != nil {
		return nil, err
	}
	if v, err = s.Parse(v); err != nil {
		return nil, err
	}
	return v.(*jsval.Object), nil // what an object's schema lets through
}

// defaults is the document of a schema that nobody has written to.
func defaults(s *typebox.Schema) *jsval.Object {
	doc, err := document(s, "{}")
	if err != nil {
		panic(fmt.Sprintf("napcatsim: defaults of a schema: %v", err)) // our own schemas only
	}
	return doc
}

// jsError is err as JavaScript prints an exception while reading text.
func jsError(err error, text string) string {
	var se *jsval.SyntaxError
	if errors.As(err, &se) {
		at := min(se.Offset, len(text))
		line := strings.Count(text[:at], "\n") + 1
		col := at - (strings.LastIndexByte(text[:at], '\n') + 1) + 1
		what := se.What
		if what == "invalid character" && at < len(text) {
			what += " '" + string([]rune(text[at:])[0]) + "'"
		}
		return "SyntaxError: JSON5: " + what + " at " + strconv.Itoa(line) + ":" + strconv.Itoa(col)
	}
	return "Error: " + err.Error()
}

// confDir reads and writes the JSON5 files of one config directory.
type confDir struct {
	dir string
	log *console
}

func (c confDir) path(name string) string { return filepath.Join(c.dir, name) }

func accountFile(base string, uin int64) string { return fmt.Sprintf("%s_%d.json", base, uin) }

// account reads base_<uin>.json, creating it from base.json or the defaults if
// it is not there yet. A broken file is logged and an error: the caller goes on
// without.
func account[D any](c confDir, base string, uin int64, parse func(string) (D, error), pretty func(D) string) (D, error) {
	var none D
	name := accountFile(base, uin)
	b, err := os.ReadFile(c.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		doc, err := parse("{}")
		if err != nil {
			return none, err
		}
		if tpl, err := os.ReadFile(c.path(base + ".json")); err == nil {
			if d, err := parse(string(tpl)); err == nil {
				doc = d
			}
		}
		return doc, writeFile(c.path(name), []byte(pretty(doc)))
	}
	if err != nil {
		return none, err
	}
	doc, err := parse(string(b))
	var se *jsval.SyntaxError
	switch {
	case errors.As(err, &se):
		c.log.error("[Core] [Config] 操作配置文件格式错误，请检查配置文件: " + jsError(err, string(b)))
	case err != nil:
		c.log.error("[Core] [Config] 读取配置文件时发生错误: " + jsError(err, string(b)))
	}
	return doc, err
}

// byAccount reads a file of a schema of this package.
func (c confDir) byAccount(base string, uin int64, s *typebox.Schema) (*jsval.Object, error) {
	return account(c, base, uin, func(t string) (*jsval.Object, error) { return document(s, t) }, func(o *jsval.Object) string { return jsval.Indent(o) })
}

// onebot reads onebot11_<uin>.json.
func (c confDir) onebot(uin int64) (*adapter.Config, error) {
	return account(c, "onebot11", uin, adapter.ParseConfig, (*adapter.Config).Pretty)
}

// global reads base.json; whatever is wrong with it, the defaults do.
func (c confDir) global(base string, s *typebox.Schema) *jsval.Object {
	if b, err := os.ReadFile(c.path(base + ".json")); err == nil {
		if doc, err := document(s, string(b)); err == nil {
			return doc
		}
	}
	return defaults(s)
}

// write saves a document the way NapCat does.
func (c confDir) write(name string, doc *jsval.Object) error {
	return writeFile(c.path(name), []byte(jsval.Indent(doc)))
}
