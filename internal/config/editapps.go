package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
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
		edited, err := editedEntries(path, src, edit)
		if err != nil {
			return err
		}
		return writeAtomic(path, edited, mode)
	})
}

// editedEntries edits the text of the file at path, and checks the result.
func editedEntries(path string, src []byte, edit func([]byte) ([]byte, error)) ([]byte, error) {
	edited, err := edit(src)
	if err != nil {
		return nil, err
	}
	if _, err := Parse(path, edited); err != nil {
		if _, p := parse(path, edited); p != nil {
			return nil, ErrEdit // no error of the user's
		}
		return nil, err
	}
	return edited, nil
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
	e := newEditor(src)
	nl, indent := e.newline(), "  "
	entry := func() string {
		var b strings.Builder
		mark := "- "
		for l := range strings.SplitSeq(strings.TrimRight(section, "\n"), "\n") {
			b.WriteString(indent + mark + l + nl)
			mark = "  "
		}
		return b.String()
	}
	switch {
	case key == nil:
		s := ""
		if len(src) > 0 && src[len(src)-1] != '\n' {
			s = nl
		}
		return e.splice(len(src), len(src), s+nl+list+":"+nl+entry()), nil
	case val.Anchor != "" || val.Style&yaml.TaggedStyle != 0:
		return nil, ErrEdit
	case isNull(val), val.Kind == yaml.SequenceNode && len(val.Content) == 0:
		from, err := e.afterColon(key)
		if err != nil {
			return nil, err
		}
		to := from
		if val.Value != "" || !isNull(val) {
			if to, err = e.valueEnd(val, e.offset(val.Line, val.Column)); err != nil {
				return nil, err
			}
		}
		e = newEditor(e.splice(from, to, ""))
		return e.behind(e.lineOf(from), entry()), nil
	case val.Kind == yaml.SequenceNode && val.Style&yaml.FlowStyle == 0:
		indent = strings.Repeat(" ", max(val.Column-1, 0))
		return e.behind(e.lastLine(0, val.Line, val), entry()), nil
	}
	return nil, ErrEdit
}

// behind returns the text with whole lines behind line n, of which nothing but a
// comment follows what stands there already.
func (e *editor) behind(n int, lines string) []byte {
	end := e.lineEnd(e.starts[n-1])
	kept := strings.TrimRight(string(e.src[:end]), " \r")
	if end < len(e.src) {
		end++
	}
	return append([]byte(kept+e.newline()+lines), e.src[end:]...)
}

func removeApp(src []byte, name string) ([]byte, error) {
	key, val, err := entriesNode(src, "apps")
	if err != nil {
		return nil, err
	}
	if val == nil || val.Kind != yaml.SequenceNode || val.Style&yaml.FlowStyle != 0 || val.Anchor != "" {
		return nil, ErrEdit
	}
	e := newEditor(src)
	for _, item := range val.Content {
		if n := mapValue(item, "name"); n == nil || n.Value != name {
			continue
		}
		first := item.Line // the dash may stand above
		for first > key.Line && !strings.HasPrefix(strings.TrimSpace(e.line(first)), "-") {
			first--
		}
		if first == key.Line {
			return nil, ErrEdit
		}
		end := min(e.lineEnd(e.starts[e.lastLine(val.Column-1, item.Line, item)-1])+1, len(src))
		out := e.splice(e.starts[first-1], end, "")
		if len(val.Content) == 1 {
			colon, err := e.afterColon(key)
			if err != nil {
				return nil, err
			}
			out = newEditor(out).splice(colon, colon, " []")
		}
		return out, goneOnly(src, out, name)
	}
	return nil, &Error{Problems: []Problem{{Place: Place{Source: name}, Code: "unknown_app", Args: []any{name}}}}
}

// goneOnly returns [ErrEdit] if a text lacks more than the app that was removed.
func goneOnly(src, out []byte, name string) error {
	want, got := Default(), Default()
	newDecoder("").document(src, want)
	newDecoder("").document(out, got)
	want.Apps = slices.DeleteFunc(want.Apps, func(a App) bool { return a.Name == name })
	if !reflect.DeepEqual(want, got) {
		return ErrEdit
	}
	return nil
}
