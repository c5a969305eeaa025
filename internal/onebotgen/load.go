package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is the part of a JSON schema that actions.json uses.
type node struct {
	Ref        string           `json:"$ref"`
	Type       string           `json:"type"`
	Properties *props           `json:"properties"`
	Required   []string         `json:"required"`
	Items      *node            `json:"items"`
	AnyOf      []*node          `json:"anyOf"`
	AllOf      []*node          `json:"allOf"`
	Enum       []string         `json:"enum"`
	Default    *json.RawMessage `json:"default"`
}

// props keeps the order in which properties stand.
type props struct {
	names []string
	nodes map[string]*node
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *props) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &p.nodes); err != nil {
		return err
	}
	var err error
	p.names, err = keys(b)
	return err
}

// keys returns the keys of a JSON object in order.
func keys(b []byte) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var out []string
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		out = append(out, k.(string))
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type action struct {
	Group  string `json:"group"`
	Since  string `json:"since"`
	Params *node  `json:"params"`
	Result *node  `json:"result"`
}

type schema struct {
	NapCat  string             `json:"napcat_version"`
	Actions map[string]*action `json:"actions"`
	Types   map[string]*node   `json:"types"`
}

func loadSchema(path string) (*schema, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := new(schema)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// override is one entry of overrides.yaml; the words are explained there.
type override struct {
	Does, Errors, Note, Go, Result, Needs, Why string

	Params                                                   map[string]string
	Verdict, Packet, Check, Unsure, Secret, Stream, NoAnswer bool
}

type typeDef struct {
	Doc    string
	Schema string
	Fields string
}

type segmentFix struct{ Type, Why string }

// ordered is a YAML mapping whose order counts.
type ordered[T any] struct {
	names []string
	vals  map[string]T
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *ordered[T]) UnmarshalYAML(n *yaml.Node) error {
	o.vals = map[string]T{}
	for i := 0; i < len(n.Content); i += 2 {
		k := n.Content[i].Value
		if _, twice := o.vals[k]; twice {
			return fmt.Errorf("line %d: %s stands here twice", n.Content[i].Line, k)
		}
		var v T
		// Decoding a node does not refuse unknown keys by itself, but writing it
		// out and decoding it strictly does.
		b, err := yaml.Marshal(n.Content[i+1])
		if err != nil {
			return err
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		if err := d.Decode(&v); err != nil {
			return fmt.Errorf("line %d: %s: %w", n.Content[i].Line, k, err)
		}
		o.names = append(o.names, k)
		o.vals[k] = v
	}
	return nil
}

type overrides struct {
	Areas    ordered[ordered[*override]]
	Types    ordered[*typeDef]
	Segments []segmentFix
}

func loadOverrides(path string) (*overrides, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	o := new(overrides)
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(o); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

// check says what is wrong between the two files.
func check(s *schema, o *overrides) error {
	var bad []string
	seen := map[string]bool{}
	for _, area := range o.Areas.names {
		list := o.Areas.vals[area]
		for _, name := range list.names {
			ov := list.vals[name]
			a, known := s.Actions[name]
			switch {
			case !known:
				bad = append(bad, name+": no such action")
				continue
			case seen[name]:
				bad = append(bad, name+": in two areas")
			case ov.Does == "":
				bad = append(bad, name+": nothing said of what it does")
			case (ov.Params != nil || ov.Result != "") && ov.Why == "":
				bad = append(bad, name+": params or result changed without a reason")
			}
			seen[name] = true
			for p := range ov.Params {
				if !slices.ContainsFunc(paramNodes(a), func(n *node) bool { return n.Properties.nodes[p] != nil }) {
					bad = append(bad, name+": no parameter "+p)
				}
			}
		}
	}
	for name := range s.Actions {
		if !seen[name] {
			bad = append(bad, name+": in no area")
		}
	}
	if bad != nil {
		slices.Sort(bad)
		return fmt.Errorf("overrides.yaml:\n\t%s", strings.Join(bad, "\n\t"))
	}
	return nil
}

// paramNodes returns the forms that an action's params may have.
func paramNodes(a *action) []*node {
	if a.Params == nil {
		return nil
	}
	if len(a.Params.AnyOf) > 0 {
		return a.Params.AnyOf
	}
	if a.Params.Properties == nil {
		return nil
	}
	return []*node{a.Params}
}
