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

// ErrEdit says that a text could not be changed in place.
var ErrEdit = errors.New("the place cannot be edited; change the file by hand")

// SetFile changes one key in the file at path, as [Set] does, and replaces the
// file atomically; a file that does not exist is made (0600). It returns the
// value as it is in force afterwards.
func SetFile(path, key, value string) (any, error) {
	return editFile(path, func(src []byte) ([]byte, error) { return Set(path, src, key, value) }, func(c *Config) (any, error) { return Get(c, key) })
}

// editFile replaces the file by what edit makes of it, and returns what get finds
// in it then.
func editFile(path string, edit func(src []byte) ([]byte, error), get func(*Config) (any, error)) (any, error) {
	var out any
	err := withFileLock(path, func() error {
		src, err := readBounded(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read the config: %w", err)
		}
		mode := fs.FileMode(0o600)
		if fi, err := os.Stat(path); err == nil {
			mode = fi.Mode().Perm()
		}
		edited, err := edit(src)
		if err != nil {
			return err
		}
		if string(edited) != string(src) {
			if err := writeAtomic(path, edited, mode); err != nil {
				return err
			}
		}
		c, err := Parse(path, edited)
		if err != nil {
			return err
		}
		out, err = get(c)
		return err
	})
	return out, err
}

// AdoptUIN writes the number of the account that logged in into the file, where
// the account has none yet.
func AdoptUIN(path, account string, uin int64) error {
	_, err := SetFile(path, "accounts."+account+".uin", strconv.FormatInt(uin, 10))
	return err
}

// Set returns src with one key changed in place: comments, order and the form
// of everything else stay as they are. value is written as for an environment
// variable. The error is an [*Error] if the key or the value is wrong, or if
// the config would not be valid afterwards.
func Set(name string, src []byte, key, value string) ([]byte, error) {
	before := Default()
	d := newDecoder(name)
	if err := d.editable(src, before); err != nil {
		return nil, err
	}
	want := Default()
	w := newDecoder(name)
	w.document(src, want)
	w.problems = nil
	w.set(want, key, key, value)
	if len(w.problems) > 0 {
		return nil, &Error{Problems: w.problems}
	}
	v, _, err := lookup(want, key)
	if err != nil {
		return nil, err
	}
	text := flow(v)
	path, err := nodePath(before, key)
	if err != nil {
		return nil, err
	}
	return replace(name, src, path, text, len(d.problems), func(after *Config) bool { return reflect.DeepEqual(after, want) })
}

// replace returns src with the value at path replaced by text, in the first of the
// ways after which the config is as it was meant and has no more problems.
func replace(name string, src []byte, path []string, text string, problems int, meant func(after *Config) bool) ([]byte, error) {
	for _, edit := range []func([]byte, []string, string) ([]byte, error){editBytes, editNodes} {
		out, err := edit(src, path, text)
		if err != nil {
			continue
		}
		after := Default()
		c := newDecoder(name)
		c.document(out, after)
		if !meant(after) || len(c.problems) > problems {
			continue // not what was meant: try the other way
		}
		if _, err := Parse(name, out); err != nil {
			return nil, err
		}
		return out, nil
	}
	return nil, ErrEdit
}

// unreadable are the problems of a file that says nothing for sure.
var unreadable = []string{"syntax", "tab", "wide_colon", "wide_char", "several_docs", "gbk", "utf16", "not_utf8", "zeroed", "not_mapping", "too_large"}

// editable decodes src and refuses one that cannot be edited in place.
func (d *decoder) editable(src []byte, into *Config) error {
	d.document(src, into)
	for _, p := range d.problems {
		if slices.Contains(unreadable, p.Code) {
			return &Error{Problems: d.problems}
		}
	}
	return nil
}

// Get returns the value of one key, secrets as ***.
func Get(c *Config, key string) (any, error) {
	v, _, err := lookup(c, key)
	if err != nil {
		var ke *keyError
		if errors.As(err, &ke) {
			return nil, &Error{Problems: []Problem{{Place: Place{Source: key}, Key: key, Code: ke.code, Args: ke.args}}}
		}
		return nil, err
	}
	return v.Interface(), nil
}

// nodePath is key with accounts by their number in the file.
func nodePath(c *Config, key string) ([]string, error) {
	parts := strings.Split(key, ".")
	if list := reflect.ValueOf(c).Elem().FieldByName(map[string]string{"accounts": "Accounts", "apps": "Apps"}[parts[0]]); len(parts) > 1 && list.IsValid() {
		n := entryIndex(list, parts[1])
		if n < 0 {
			return nil, &keyError{unknownEntry(list.Type()), []any{parts[1]}}
		}
		parts[1] = strconv.Itoa(n)
	}
	return parts, nil
}

// flow writes a value in YAML's flow style, on one line.
func flow(v reflect.Value) string {
	n := flowNode(v)
	b, err := yaml.Marshal(n)
	if err != nil {
		return `""` // a node of plain scalars always encodes
	}
	s := strings.TrimSuffix(string(b), "\n")
	if strings.Contains(s, "\n") { // the encoder folds long lists and texts
		s = strings.Join(strings.Fields(s), " ")
	}
	return s
}

func flowNode(v reflect.Value) *yaml.Node {
	str := func(s string) *yaml.Node {
		n := &yaml.Node{}
		n.SetString(s)
		if strings.ContainsAny(s, "\n\r") || strings.TrimSpace(s) != s {
			n.Style = yaml.DoubleQuotedStyle
		}
		return n
	}
	switch {
	case v.Type() == durationType:
		return str(v.Interface().(Duration).String())
	case v.Type() == sizeType:
		s := v.Interface().(Size).String()
		return &yaml.Node{Kind: yaml.ScalarNode, Value: s}
	}
	switch v.Kind() {
	case reflect.String:
		return str(v.String())
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for i := range v.Len() {
			n.Content = append(n.Content, flowNode(v.Index(i)))
		}
		return n
	case reflect.Map:
		n := &yaml.Node{}
		if n.Encode(v.Interface()) == nil {
			setFlow(n)
		}
		return n
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, f := range fields(v.Type()) {
			n.Content = append(n.Content, str(f.name), flowNode(v.FieldByIndex(f.index)))
		}
		return n
	}
	n := &yaml.Node{}
	if err := n.Encode(v.Interface()); err != nil {
		return str("")
	}
	return n
}

func setFlow(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	for _, c := range n.Content {
		setFlow(c)
	}
}

// editNodes is the way that always works: the tree is changed and written anew.
// Comments and order survive, the form of the text may not.
func editNodes(src []byte, path []string, text string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil {
		return nil, err
	}
	var val yaml.Node
	if err := yaml.Unmarshal([]byte(text), &val); err != nil || len(val.Content) == 0 {
		return nil, ErrEdit
	}
	if doc.Kind == 0 {
		doc = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	n := doc.Content[0]
	for i, p := range path {
		last := i == len(path)-1
		if isNull(n) {
			*n = yaml.Node{Kind: yaml.MappingNode, HeadComment: n.HeadComment, LineComment: n.LineComment, FootComment: n.FootComment}
		}
		switch n.Kind {
		case yaml.SequenceNode:
			k, err := strconv.Atoi(p)
			if err != nil || k >= len(n.Content) {
				return nil, ErrEdit
			}
			n = n.Content[k]
		case yaml.MappingNode:
			child := mapValue(n, p)
			if child == nil {
				child = &yaml.Node{Kind: yaml.MappingNode}
				key := &yaml.Node{}
				key.SetString(p)
				n.Content = append(n.Content, key, child)
			}
			n = child
		default:
			return nil, ErrEdit
		}
		if last {
			v := val.Content[0]
			v.HeadComment, v.LineComment, v.FootComment = n.HeadComment, n.LineComment, n.FootComment
			*n = *v
		}
	}
	return yaml.Marshal(&doc)
}

func mapValue(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
