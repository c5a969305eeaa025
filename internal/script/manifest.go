package script

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Manifest is a plugin.yaml.
type Manifest struct {
	ID          string         `yaml:"id" json:"id"`
	Version     string         `yaml:"version" json:"version"`
	Description string         `yaml:"description" json:"description,omitempty"`
	Main        string         `yaml:"main" json:"main,omitempty"`
	Needs       []string       `yaml:"needs" json:"needs,omitempty"`
	Permissions Permissions    `yaml:"permissions" json:"permissions"`
	Config      map[string]Key `yaml:"config" json:"config,omitempty"`
}

// Permissions are what a plugin asks of the operator.
type Permissions struct {
	Fetch []string `yaml:"fetch" json:"fetch,omitempty"` // hosts, with a port if it is another than the scheme's
	Files bool     `yaml:"files" json:"files,omitempty"` // names files of NapCat's machine in calls
}

// Key is one key of a plugin's config.
type Key struct {
	Type     string `yaml:"type" json:"type"` // text, number, bool, list, map
	Default  any    `yaml:"default" json:"default,omitempty"`
	Help     string `yaml:"help" json:"help,omitempty"`
	Required bool   `yaml:"required" json:"required,omitempty"`
}

// Grants are what the operator gave to a plugin.
type Grants struct {
	Fetch []string
	Files bool
}

// pluginInfo is what a machine knows of its plugin.
type pluginInfo struct {
	Manifest
	Dir  string // its folder; "" for a plugin of one file
	file string // what its bundle is called in stacks
	// setup is what the prelude is told: the names of the actions, the manifest,
	// the config.
	setup string
	ctx   context.Context
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const manifestName = "plugin.yaml"

// readManifest reads a plugin's manifest: of the folder dir, or, where there is
// none, one that says nothing.
func readManifest(dir, name string) (Manifest, error) {
	m := Manifest{ID: name, Version: "0", Main: "main.ts"}
	path := filepath.Join(dir, manifestName)
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return m, CheckID(name)
	}
	switch {
	case err != nil:
		return m, manifestError(api.Because(api.CodeScriptSaid, err))
	case !info.Mode().IsRegular(): // reading a pipe may never end
		return m, manifestError(api.Because(api.CodeScriptIrregular))
	case info.Size() > 1<<20:
		return m, manifestError(api.Because(api.CodeScriptManifest, info.Size()))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil && !errors.Is(err, io.EOF) {
		return m, yamlError(err)
	}
	if m.ID == "" {
		m.ID = name
	}
	if m.Main == "" {
		m.Main = "main.ts"
	}
	if !filepath.IsLocal(m.Main) {
		return m, manifestError(api.Because(api.CodeScriptMain, m.Main))
	}
	for _, key := range slices.Sorted(maps.Keys(m.Config)) {
		k := m.Config[key]
		if _, ok := map[string]bool{"text": true, "number": true, "bool": true, "list": true, "map": true}[k.Type]; !ok {
			return m, manifestError(api.Because(api.CodeScriptKeyType, key, k.Type))
		}
	}
	for _, h := range m.Permissions.Fetch {
		if !isHost(h) {
			return m, manifestError(api.Because(api.CodeScriptHost, h))
		}
	}
	return m, CheckID(m.ID)
}

// manifestError gives what is wrong with the manifest its place.
func manifestError(f api.Fault) error {
	return &buildError{[]Problem{{File: manifestName, What: f}}}
}

// The errors of the YAML library: its own, of a key that nobody knows, of a value
// of another kind.
var (
	yamlLine  = regexp.MustCompile(`^line (\d+): `)
	yamlField = regexp.MustCompile(`^field (.*) not found in type script\.(\w+)$`)
	yamlValue = regexp.MustCompile("(?s)^cannot unmarshal !!(\\w+)(?: `(.*)`)? into (.*)$")
)

// yamlError words what the YAML library says of the manifest, a problem for each
// line.
func yamlError(err error) error {
	lines := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if several := new(yaml.TypeError); errors.As(err, &several) {
		lines = several.Errors
	}
	out := &buildError{}
	for _, line := range lines {
		p := Problem{File: manifestName}
		if m := yamlLine.FindStringSubmatch(line); m != nil {
			_, _ = fmt.Sscan(m[1], &p.Line) // digits
			p.Column = 1
			line = strings.TrimPrefix(line, m[0])
		}
		p.What = api.Because(api.CodeScriptSaid, line)
		if m := yamlField.FindStringSubmatch(line); m != nil {
			p.What, p.Hint = api.Because(api.CodeScriptKey, m[1]), api.Because(api.CodeScriptKeyHint, manifestKeys[m[2]])
		} else if m := yamlValue.FindStringSubmatch(line); m != nil {
			p.What = api.Because(api.CodeScriptValue, cmp.Or(m[2], yamlKind(m[1])), yamlKind(m[3]))
		}
		out.list = append(out.list, p)
	}
	return out
}

// manifestKeys are the keys of the parts of a manifest, by their types.
var manifestKeys = map[string]string{
	"Manifest": "id, version, description, main, needs, permissions, config", "Permissions": "fetch, files", "Key": "type, default, help, required",
}

// yamlKind shows a kind of value, by its Go type or YAML's word, as it is written.
func yamlKind(kind string) string {
	switch {
	case kind == "string":
		return "text"
	case kind == "bool":
		return "true / false"
	case kind == "seq", strings.HasPrefix(kind, "[]"):
		return "[a, b]"
	}
	return "key: value"
}

func keysOf(config map[string]Key) string {
	return strings.Join(slices.Sorted(maps.Keys(config)), ", ")
}

// otherNames mean something else in the folder of plugins.
var otherNames = []string{"node_modules", "package.json", "plugins.lock", "tsconfig.json"}

// CheckID says why a plugin cannot have an id, nil if it can.
func CheckID(id string) error {
	if slices.Contains(otherNames, strings.ToLower(id)) { // the file system may not tell them apart
		return &buildError{[]Problem{{What: api.Because(api.CodeScriptOtherID, id), Hint: api.Because(api.CodeScriptOtherIDHint)}}}
	}
	if !idPattern.MatchString(id) {
		return &buildError{[]Problem{{What: api.Because(api.CodeScriptBadID, short(id)), Hint: api.Because(api.CodeScriptBadIDHint)}}}
	}
	return nil
}

// isHost refuses what is no host or host:port.
func isHost(h string) bool {
	host, _, err := net.SplitHostPort(h)
	if err != nil {
		host = h
	}
	return host != "" && !strings.ContainsAny(h, "/*@? ")
}

// settings checks a section of the configuration against the manifest and fills
// in the defaults.
func (m *Manifest) settings(section map[string]any) (map[string]any, error) {
	out := map[string]any{}
	if m.Config == nil {
		for k, v := range section {
			out[k] = v
		}
		return out, nil
	}
	for _, key := range slices.Sorted(maps.Keys(section)) {
		if _, ok := m.Config[key]; !ok {
			return nil, Fail(api.Because(api.CodeScriptSetKey, m.ID, key).With(api.Because(api.CodeScriptKeyHint, keysOf(m.Config))), nil)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.Config)) {
		k := m.Config[key]
		v, given := section[key]
		switch {
		case !given && k.Required:
			return nil, Fail(api.Because(api.CodeScriptSetNone, m.ID, key), nil)
		case !given && k.Default == nil:
			continue
		case !given:
			v = k.Default
		}
		ok := false
		switch v.(type) {
		case string:
			ok = k.Type == "text"
		case float64, int, int64:
			ok = k.Type == "number"
		case bool:
			ok = k.Type == "bool"
		case []any:
			ok = k.Type == "list"
		case map[string]any:
			ok = k.Type == "map"
		}
		if !ok {
			return nil, Fail(api.Because(api.CodeScriptSetValue, m.ID, key, k.Type, v), nil)
		}
		out[key] = v
	}
	return out, nil
}
