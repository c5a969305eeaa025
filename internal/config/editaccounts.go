package config

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// AccountSection returns what of a differs from an account that only has its name,
// as the lines of a YAML mapping, with the name first. It may hold secrets.
func AccountSection(a Account) (string, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	differing(n, reflect.ValueOf(a), reflect.ValueOf(DefaultAccount("")))
	b, err := yaml.Marshal(n)
	if err != nil {
		return "", fmt.Errorf("account %s: %w", a.Name, err)
	}
	return string(b), nil
}

// differing adds to n the keys whose values differ.
func differing(n *yaml.Node, v, def reflect.Value) {
	for _, f := range fields(v.Type()) {
		is, was := v.FieldByIndex(f.index), def.FieldByIndex(f.index)
		if reflect.DeepEqual(is.Interface(), was.Interface()) || (is.Kind() == reflect.Map && is.Len() == 0) {
			continue
		}
		key, val := &yaml.Node{}, &yaml.Node{Kind: yaml.MappingNode}
		key.SetString(f.name)
		if is.Kind() == reflect.Struct {
			differing(val, is, was)
		} else {
			val = flowNode(is)
		}
		n.Content = append(n.Content, key, val)
	}
}

// AddAccount appends the section of an account, the lines of a YAML mapping, to the
// file at path, which it makes (0600) if need be. Everything else in it stays as it
// is; the account main that a file without accounts stands for gives way.
func AddAccount(path, section string) error {
	return editEntries(path, func(src []byte) ([]byte, error) { return addEntry(src, "accounts", section) })
}

// TakesAccounts reports whether AddAccount can bring one more account into the file at
// path: not every way of writing it can be edited.
func TakesAccounts(path, name string) error {
	section, err := AccountSection(DefaultAccount(name))
	if err != nil {
		return err
	}
	src, err := readBounded(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the config: %w", err)
	}
	_, err = editedEntries(path, src, func(src []byte) ([]byte, error) { return addEntry(src, "accounts", section) })
	return err
}

// NamesAccounts reports whether the file at path says which accounts there are.
func NamesAccounts(path string) (bool, error) {
	src, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the config: %w", err)
	}
	key, val, err := entriesNode(src, "accounts")
	return key != nil && !isNull(val), err
}
