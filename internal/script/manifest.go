package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
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
		return m, checkID(name)
	}
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("this is no regular file") // reading a pipe may never end
	case info.Size() > 1<<20:
		err = fmt.Errorf("%d bytes are too much", info.Size())
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", manifestName, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil && !errors.Is(err, io.EOF) {
		return m, manifestError(err)
	}
	if m.ID == "" {
		m.ID = name
	}
	if m.Main == "" {
		m.Main = "main.ts"
	}
	if !filepath.IsLocal(m.Main) {
		return m, manifestError(fmt.Errorf("main: %q leads out of the plugin's folder", m.Main))
	}
	for key, k := range m.Config {
		if _, ok := map[string]bool{"text": true, "number": true, "bool": true, "list": true, "map": true}[k.Type]; !ok {
			return m, manifestError(fmt.Errorf("config.%s.type: %q is none of text, number, bool, list, map", key, k.Type))
		}
	}
	for _, h := range m.Permissions.Fetch {
		if err := checkHost(h); err != nil {
			return m, manifestError(fmt.Errorf("permissions.fetch: %w", err))
		}
	}
	return m, checkID(m.ID)
}

var yamlLine = regexp.MustCompile(`line (\d+):`)

// manifestError gives an error of the manifest a place and a remedy.
func manifestError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.ReplaceAll(text, "unmarshal errors:\n  ", "")
	text = strings.ReplaceAll(text, "in type script.", "in ")
	p := Problem{File: manifestName, Text: text}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		_, _ = fmt.Sscan(m[1], &p.Line) // digits
		p.Column = 1
		p.Text = strings.TrimSpace(strings.Replace(text, m[0], "", 1))
	}
	if strings.Contains(text, "not found in") {
		p.Hint = "the keys are id, version, description, main, needs, permissions (fetch, files), config"
	}
	return &buildError{[]Problem{p}}
}

func checkID(id string) error {
	if !idPattern.MatchString(id) {
		return &buildError{[]Problem{{Text: fmt.Sprintf("%q is no id for a plugin", short(id)), Hint: "letters, digits, dots and dashes; without " + manifestName + " the name of the file or folder counts"}}}
	}
	return nil
}

// checkHost refuses what is no host or host:port.
func checkHost(h string) error {
	host, _, err := net.SplitHostPort(h)
	if err != nil {
		host = h
	}
	if host == "" || strings.ContainsAny(h, "/*@? ") {
		return fmt.Errorf("%q is no host such as api.example.com", h)
	}
	return nil
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
	for key := range section {
		if _, ok := m.Config[key]; !ok {
			return nil, fmt.Errorf("config: the plugin has no key %s", key)
		}
	}
	for key, k := range m.Config {
		v, given := section[key]
		switch {
		case !given && k.Required:
			return nil, fmt.Errorf("config: %s must be given", key)
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
			return nil, fmt.Errorf("config: %s is a %s, not %v", key, k.Type, v)
		}
		out[key] = v
	}
	return out, nil
}
