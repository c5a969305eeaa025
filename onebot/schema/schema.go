// Package schema holds the names, parameters and constraints of all OneBot
// actions that NapCat knows, as data: what the client is generated from and
// what the command line checks and completes. It makes no calls.
package schema

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"io"
	"slices"
	"sort"
	"sync"
)

// actions.json, packed by internal/onebotgen: it would be a third of a percent
// of the program.
//
//go:embed actions.json.gz
var packed []byte

func actionsJSON() []byte {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		var b []byte
		if b, err = io.ReadAll(r); err == nil {
			return b
		}
	}
	panic("schema: the embedded actions.json.gz does not unpack: " + err.Error())
}

// The actions that the command line sends messages with.
const (
	SendGroup   = "send_group_msg"
	SendPrivate = "send_private_msg"
)

// Sends reports whether action sends a message into a chat and answers with its
// message_id.
func Sends(action string) bool {
	switch action {
	case SendGroup, SendPrivate, "send_msg", "send_forward_msg", "send_group_forward_msg", "send_private_forward_msg":
		return true
	}
	return false
}

// Param is one parameter of an action.
type Param struct {
	Name string
	// Required says that the caller has to give it. NapCat's own list of
	// required parameters also names those with a default, which it fills in
	// (contract L.8); these are not Required.
	Required bool
	// Types are the JSON types it may have: string, number, boolean, array,
	// object, null; none if the schema does not say.
	Types []string
	// Default is the JSON of what NapCat takes for a parameter left out, nil if
	// the schema names none.
	Default json.RawMessage
	// Enum are the only texts it may have, nil for any.
	Enum []string
}

// Action is one OneBot action.
type Action struct {
	Name   string
	Group  Group
	Params []Param // sorted by name
}

// Missing returns the names of the required parameters that given lacks, sorted.
func (a Action) Missing(given map[string]json.RawMessage) []string {
	var names []string
	for _, p := range a.Params {
		if _, ok := given[p.Name]; !ok && p.Required {
			names = append(names, p.Name)
		}
	}
	return names
}

// Param returns the parameter with that name.
func (a Action) Param(name string) (Param, bool) {
	for _, p := range a.Params {
		if p.Name == name {
			return p, true
		}
	}
	return Param{}, false
}

type node struct {
	Type       string          `json:"type"`
	Properties map[string]node `json:"properties"`
	Required   []string        `json:"required"`
	AnyOf      []node          `json:"anyOf"`
	OneOf      []node          `json:"oneOf"`
	AllOf      []node          `json:"allOf"`
	Enum       []string        `json:"enum"`
	Default    json.RawMessage `json:"default"`
}

var load = sync.OnceValue(func() map[string]Action {
	var doc struct {
		Actions map[string]struct {
			Params node `json:"params"`
		} `json:"actions"`
	}
	if err := json.Unmarshal(actionsJSON(), &doc); err != nil {
		panic("schema: the embedded actions.json does not decode: " + err.Error())
	}
	groups := groupOf()
	out := make(map[string]Action, len(doc.Actions))
	for name, a := range doc.Actions {
		params := map[string]Param{}
		collect(a.Params, params)
		act := Action{Name: name, Group: groups[name]}
		for _, p := range params {
			act.Params = append(act.Params, p)
		}
		sort.Slice(act.Params, func(i, j int) bool { return act.Params[i].Name < act.Params[j].Name })
		out[name] = act
	}
	return out
})

func collect(n node, into map[string]Param) {
	for name, p := range n.Properties {
		q := into[name]
		q.Name = name
		q.Required = q.Required || slices.Contains(n.Required, name) && p.Default == nil
		q.describe(p)
		into[name] = q
	}
	for _, sub := range n.AllOf {
		collect(sub, into)
	}
	for _, sub := range slices.Concat(n.AnyOf, n.OneOf) {
		sub.Required = nil // required in one form only
		collect(sub, into)
	}
}

// describe adds what n says to p.
func (p *Param) describe(n node) {
	if t := n.Type; t != "" && !slices.Contains(p.Types, t) {
		p.Types = append(p.Types, t)
	}
	if n.Default != nil {
		p.Default = n.Default
	}
	p.Enum = append(p.Enum, n.Enum...)
	for _, sub := range slices.Concat(n.AnyOf, n.OneOf, n.AllOf) {
		p.describe(sub)
	}
}

// Lookup returns the action with that name.
func Lookup(name string) (Action, bool) {
	a, ok := load()[name]
	return a, ok
}

// Names returns the names of all actions, sorted.
func Names() []string {
	names := make([]string, 0, len(load()))
	for n := range load() {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
