// Package preset says what channels of alerts there are and how each service is
// spoken to: a data file for each, read into a [Preset]. It sends nothing; the
// config checks what a channel is given against it, package alert fills it in.
package preset

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var files embed.FS

// Preset describes a service. Values of its requests are texts with the fields
// {title}, {body}, {time}, those of the channel and, where sign is set,
// {timestamp} and {sign}. A value whose fields are all empty is left out.
type Preset struct {
	// Fields are what a channel of this kind is configured with: "" must be given,
	// "optional" may be, "secret" and "optional secret" are references to secrets,
	// anything else is the default.
	Fields     map[string]string `yaml:"fields"`
	Limit      int               `yaml:"limit"`    // characters of title and body
	LimitIn    string            `yaml:"limit_in"` // bytes or utf16 in place of characters
	TitleLimit int               `yaml:"title_limit"`
	Sign       string            `yaml:"sign"`   // feishu, dingtalk, hmac
	Escape     string            `yaml:"escape"` // slack
	Text       Request           `yaml:"text"`
	Image      *Request          `yaml:"image"`
	// OK is what a yes has in its JSON, by where; of places with | between them
	// one must be there. No are the places where only a no has something. Yes is
	// what a yes is if it is no JSON.
	OK    map[string]string `yaml:"ok"`
	No    []string          `yaml:"no"`
	Yes   string            `yaml:"yes"`
	Words string            `yaml:"words"` // where a no has its reason
	Retry string            `yaml:"retry"` // where a no has the seconds to wait
	// Code is where a no has the service's own number, and Means what is known of
	// some: many say with HTTP 200 that a token is wrong.
	Code  string              `yaml:"code"`
	Means map[string][]string `yaml:"means"` // token, busy, server
}

// Request is one HTTP request. One of JSON, Form with FormJSON, and Bytes is its
// body.
type Request struct {
	Method   string            `yaml:"method"` // POST if empty
	URL      string            `yaml:"url"`
	Query    map[string]string `yaml:"query"`
	Headers  map[string]string `yaml:"headers"`
	JSON     map[string]any    `yaml:"json"`
	Form     map[string]string `yaml:"form"`
	FormJSON map[string]any    `yaml:"form_json"`
	File     string            `yaml:"file"`  // the form's field with the picture
	Bytes    bool              `yaml:"bytes"` // the body is the picture
	Limit    int               `yaml:"limit"` // in place of the preset's
	Besides  bool              `yaml:"besides"`
}

// Load returns the preset of a kind that is spoken to over HTTP.
func Load(kind string) (*Preset, error) {
	b, err := files.ReadFile(path.Base(kind) + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no channel kind %q", kind)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	p := new(Preset)
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("preset %s: %w", kind, err)
	}
	return p, nil
}

// Field is one thing that a channel of a kind is configured with.
type Field struct {
	Name     string
	Required bool
	Secret   bool // a reference to a secret, see [IsSecret]
	Default  string
}

// Kinds are the kinds of channels: the presets, and smtp, exec and qq.
func Kinds() []string {
	kinds := slices.Collect(maps.Keys(builtin))
	entries, err := files.ReadDir(".")
	if err != nil {
		return kinds
	}
	for _, e := range entries {
		kinds = append(kinds, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(kinds)
	return kinds
}

// Fields returns what a channel of kind is configured with, sorted by name; ok
// is false if there is no such kind.
func Fields(kind string) (fields []Field, ok bool) {
	specs, ok := builtin[kind]
	if !ok {
		p, err := Load(kind)
		if err != nil {
			return nil, false
		}
		specs = p.Fields
	}
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		spec := specs[name]
		f := Field{Name: name, Required: spec == "" || spec == "secret", Secret: strings.HasSuffix(spec, "secret")}
		if !f.Required && !f.Secret && spec != "optional" {
			f.Default = spec
		}
		fields = append(fields, f)
	}
	return fields, true
}

// builtin are the fields of the channels that are no presets.
var builtin = map[string]map[string]string{
	"smtp": {"host": "", "port": "587", "tls": "starttls", "from": "", "to": "", "user": "optional", "password": "optional secret"},
	"exec": {"command": ""},
	"qq":   {"account": "", "user": "optional", "group": "optional"},
}

// Builtin reports whether channels of kind are spoken to by a program of ours
// rather than by a [Preset].
func Builtin(kind string) bool { return builtin[kind] != nil }

// IsSecret reports whether from has the form of a reference to a secret:
// "env:NAME", "file:PATH" or "credential:NAME".
func IsSecret(from string) bool {
	kind, name, ok := strings.Cut(from, ":")
	return ok && name != "" && (kind == "env" || kind == "file" || kind == "credential")
}
