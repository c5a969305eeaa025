package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// notKeys are NCATD_ variables that are not settings of the config.
var notKeys = map[string]bool{
	"NCATD_HOME": true, "NCATD_LANG": true, "NCATD_CONFIG": true, "NCATD_NAPCAT_MAIN": true,
	"NCATD_SOCKET": true, "NCATD_DETACHED": true, "NCATD_AGAIN": true, "NCATD_PASSPHRASE": true,
	"NCATD_IMPORT": true,
}

// Load resolves the config: flag over NCATD_ environment over file over
// default. It is the only place that knows this order.
//
// path is the file; one that does not exist is an empty one. env is in the form
// of os.Environ: NCATD_LOG_LEVEL sets log.level, NCATD_ACCOUNTS_MAIN_UIN the
// uin of account main; an empty variable is none. flags has dotted keys ("log.level",
// "accounts.main.uin"). Lists are written with commas.
//
// The error is an [*Error] with every problem; the Config is then nil.
func Load(path string, env []string, flags map[string]string) (*Config, error) {
	src, err := readBounded(path)
	if errors.Is(err, errNotRegular) {
		return nil, &Error{Problems: []Problem{{Place: Place{File: path}, Code: "not_regular"}}}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, readError(path, err)
	}
	c, _, err := parseAll(path, src, env, flags)
	return c, err
}

// Named is nil if there is a file of that name, as one that somebody named must be:
// the defaults stand only for one that nobody named.
func Named(path string) error {
	if _, err := os.Stat(path); err != nil {
		return readError(path, err)
	}
	return nil
}

func readError(path string, err error) error {
	p := Problem{Place: Place{File: path}, Code: "read", Args: []any{err.Error()}}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Code, p.Args = "no_such_file", nil
	case errors.Is(err, fs.ErrPermission):
		p.Code, p.Args = "forbidden", nil
	}
	return &Error{Problems: []Problem{p}}
}

// Parse is [Load] of a text in place of a file; name stands for it in problems.
func Parse(name string, src []byte) (*Config, error) {
	c, _, err := parseAll(name, src, nil, nil)
	return c, err
}

func parseAll(name string, src []byte, env []string, flags map[string]string) (*Config, *decoder, error) {
	d := newDecoder(name)
	c := Default()
	d.document(src, c)
	d.environment(c, env)
	d.flags(c, flags)
	d.check(c)
	if len(d.problems) > 0 {
		sortProblems(d.problems)
		return nil, d, &Error{Problems: d.problems}
	}
	return c, d, nil
}

func (d *decoder) environment(c *Config, env []string) {
	env = slices.Sorted(slices.Values(env))
	byVar := map[string]string{}
	for _, k := range allKeys() {
		if rest, ok := strings.CutPrefix(k, "accounts[]."); ok {
			for _, a := range c.Accounts {
				key := "accounts." + a.Name + "." + rest
				byVar[EnvName(key)] = key
			}
			continue
		}
		if rest, ok := strings.CutPrefix(k, "apps[]."); ok {
			for _, a := range c.Apps {
				key := "apps." + a.Name + "." + rest
				byVar[EnvName(key)] = key
			}
			continue
		}
		byVar[EnvName(k)] = k
	}
	own := map[string]bool{} // variables that the config itself names
	for _, a := range c.Accounts {
		own[a.Login.PasswordMD5Env] = true
	}
	for _, kv := range env {
		name, val, _ := strings.Cut(kv, "=")
		if val == "" || !strings.HasPrefix(name, "NCATD_") || notKeys[name] || own[name] || strings.HasPrefix(name, "NCATD_SIM_") {
			continue
		}
		if key, ok := byVar[name]; ok {
			d.set(c, name, key, val)
		} else {
			d.add(Place{Source: name}, "", "unknown_env")
		}
	}
}

func (d *decoder) flags(c *Config, flags map[string]string) {
	keys := make([]string, 0, len(flags))
	for k := range flags {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		d.set(c, "--set "+k, k, flags[k])
	}
}

// EnvName returns the environment variable of a key.
func EnvName(key string) string {
	return "NCATD_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// set changes one key of c as if the file had it; source is what problems name.
func (d *decoder) set(c *Config, source, key, val string) {
	d.source = source
	defer func() { d.source = "" }()
	v, full, err := lookup(c, key)
	if err != nil {
		var p *keyError
		if errors.As(err, &p) {
			d.add(Place{Source: d.source}, key, p.code, p.args...)
		}
		return
	}
	n := textNode(v, val)
	d.value(n, n, v, full)
}

// textNode makes the node that a user means who writes val for v without YAML
// around it.
func textNode(v reflect.Value, val string) *yaml.Node {
	scalar := func(s string) *yaml.Node {
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: s, Tag: "!!str"}
		if v.Kind() == reflect.Bool && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false")) {
			n.Tag = "!!bool"
		}
		return n
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Struct:
		if v.Type() == durationType || v.Type() == sizeType {
			break
		}
		looks := strings.HasPrefix(val, "[") || strings.HasPrefix(val, "{") || v.Kind() != reflect.Slice
		if root, p := parse("", []byte(val)); looks && p == nil && root != nil && root.Kind != yaml.ScalarNode {
			return root
		}
		if v.Kind() != reflect.Slice {
			return scalar(val)
		}
		seq := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, s := range strings.Split(val, ",") {
			if s = strings.TrimSpace(s); s != "" {
				seq.Content = append(seq.Content, scalar(s))
			}
		}
		return seq
	}
	return scalar(val)
}

type keyError struct {
	code string
	args []any
}

// Error implements error.
func (e *keyError) Error() string { return fmt.Sprintf(Formats[e.code], e.args...) }

// lookup finds the settable value of a dotted key; an account is named by its
// name or its number from 0. full is the key as places knows it.
func lookup(c *Config, key string) (v reflect.Value, full string, err error) {
	v = reflect.ValueOf(c).Elem()
	parts := strings.Split(key, ".")
	for i := 0; i < len(parts); i++ {
		p := parts[i]
		switch {
		case hasNames(v.Type()):
			n := entryIndex(v, p)
			if n < 0 {
				return v, "", &keyError{unknownEntry(v.Type()), []any{p}}
			}
			v = v.Index(n)
			full = join(full, strconv.Itoa(n))
		case v.Kind() == reflect.Struct:
			fs := fields(v.Type())
			names := make([]string, len(fs))
			at := -1
			for j, f := range fs {
				names[j] = f.name
				if f.name == p {
					at = j
				}
			}
			if at < 0 {
				if near := Nearest(p, names); near != "" {
					return v, "", &keyError{"unknown_nearest", []any{key, join(strings.Join(parts[:i], "."), near)}}
				}
				return v, "", &keyError{"unknown_key", []any{key}}
			}
			v = v.FieldByIndex(fs[at].index)
			full = join(full, p)
		default:
			return v, "", &keyError{"unknown_key", []any{key}}
		}
	}
	return v, full, nil
}

// entryIndex returns the number of the entry of a list that s names.
func entryIndex(list reflect.Value, s string) int {
	for i := range list.Len() {
		if list.Index(i).FieldByName("Name").String() == s {
			return i
		}
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < list.Len() {
		return n
	}
	return -1
}

func unknownEntry(t reflect.Type) string {
	if t.Elem() == appType {
		return "unknown_app"
	}
	return "unknown_account"
}
