package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// AddApp appends the section of an app, the lines of a YAML mapping, to the file at
// path, which it makes (0600) if need be. Everything else in it stays as it is.
func AddApp(path, section string) error {
	return editEntries(path, func(src []byte) ([]byte, error) { return addEntry(src, "apps", section) })
}

// RemoveApp takes the section of an app out of the file at path.
func RemoveApp(path, name string) error {
	return editEntries(path, func(src []byte) ([]byte, error) { return removeApp(src, name) })
}

func editEntries(path string, edit func([]byte) ([]byte, error)) error {
	return withFileLock(path, func() error {
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
		if _, err := Parse(path, edited); err != nil {
			return err
		}
		return writeAtomic(path, edited, mode)
	})
}

// entriesNode returns the key and the value of a list in a text, nil if it has none.
func entriesNode(src []byte, list string) (key, val *yaml.Node, err error) {
	root, p := parse("", src)
	if p != nil {
		return nil, nil, &Error{Problems: []Problem{*p}}
	}
	if root == nil {
		return nil, nil, nil
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == list {
			return root.Content[i], root.Content[i+1], nil
		}
	}
	return nil, nil, nil
}

func addEntry(src []byte, list, section string) ([]byte, error) {
	key, val, err := entriesNode(src, list)
	if err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(string(src), "\n")
	indent := "  "
	var at int // before which line the entry goes
	switch {
	case key == nil:
		if n := len(lines); lines[n-1] != "" && !strings.HasSuffix(lines[n-1], "\n") {
			lines[n-1] += "\n"
		}
		lines = append(lines, "\n"+list+":\n")
		at = len(lines)
	case len(val.Content) == 0 && val.Line == key.Line || isNull(val):
		line := lines[key.Line-1]
		i := strings.Index(line, list+":") + len(list+":")
		rest := strings.TrimPrefix(strings.TrimSpace(line[i:]), "[]")
		lines[key.Line-1] = strings.TrimRight(line[:i]+rest, " \r\n") + "\n"
		at = key.Line
	case val.Kind == yaml.SequenceNode && val.Style&yaml.FlowStyle == 0:
		indent = strings.Repeat(" ", max(val.Column-1, 0))
		at = lastLine(val)
	default:
		return nil, ErrEdit
	}
	if at <= len(lines) && at > 0 && !strings.HasSuffix(lines[at-1], "\n") {
		lines[at-1] += "\n"
	}
	var entry []string
	for i, l := range strings.Split(strings.TrimRight(section, "\n"), "\n") {
		mark := "  "
		if i == 0 {
			mark = "- "
		}
		entry = append(entry, indent+mark+l+"\n")
	}
	return []byte(strings.Join(slices.Insert(lines, at, entry...), "")), nil
}

func removeApp(src []byte, name string) ([]byte, error) {
	_, val, err := entriesNode(src, "apps")
	if err != nil {
		return nil, err
	}
	if val == nil || val.Kind != yaml.SequenceNode || val.Style&yaml.FlowStyle != 0 {
		return nil, ErrEdit
	}
	for _, item := range val.Content {
		if n := mapValue(item, "name"); n == nil || n.Value != name {
			continue
		}
		lines := strings.SplitAfter(string(src), "\n")
		if first := strings.TrimSpace(lines[item.Line-1]); !strings.HasPrefix(first, "-") {
			return nil, ErrEdit
		}
		lines = slices.Delete(lines, item.Line-1, lastLine(item))
		if len(val.Content) == 1 {
			for i, l := range lines {
				if strings.HasPrefix(l, "apps:") {
					lines[i] = "apps: []" + strings.TrimPrefix(l, "apps:")
				}
			}
		}
		return []byte(strings.Join(lines, "")), nil
	}
	return nil, &Error{Problems: []Problem{{Place: Place{Source: name}, Code: "unknown_app", Args: []any{name}}}}
}

// lastLine is the last line of a node.
func lastLine(n *yaml.Node) int {
	last := n.Line
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		last += strings.Count(n.Value, "\n") + 1
	}
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}
