// Package schema holds the names, parameters and constraints of all OneBot
// actions that NapCat knows, as data: what the client is generated from and
// what the command line checks and completes. It makes no calls.
package schema

import (
	_ "embed"
	"encoding/json"
	"slices"
	"sync"
)

//go:embed actions.json
var actionsJSON []byte

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
	Name     string
	Required bool
	// Types are the JSON types it may have: string, number, boolean, array,
	// object; none if the schema does not say.
	Types []string
}

// Action is one OneBot action.
type Action struct {
	Name   string
	Params []Param // sorted by name
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
	Type       any             `json:"type"`
	Properties map[string]node `json:"properties"`
	Required   []string        `json:"required"`
	AnyOf      []node          `json:"anyOf"`
	OneOf      []node          `json:"oneOf"`
	AllOf      []node          `json:"allOf"`
}

var load = sync.OnceValue(func() map[string]Action {
	var doc struct {
		Actions map[string]struct {
			Params node `json:"params"`
		} `json:"actions"`
	}
	if err := json.Unmarshal(actionsJSON, &doc); err != nil {
		panic("schema: the embedded actions.json does not decode: " + err.Error())
	}
	out := make(map[string]Action, len(doc.Actions))
	for name, a := range doc.Actions {
		params := map[string]Param{}
		collect(a.Params, params)
		act := Action{Name: name}
		for _, p := range params {
			act.Params = append(act.Params, p)
		}
		slices.SortFunc(act.Params, func(a, b Param) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		})
		out[name] = act
	}
	return out
})

func collect(n node, into map[string]Param) {
	for name, p := range n.Properties {
		q := into[name]
		q.Name = name
		q.Required = q.Required || slices.Contains(n.Required, name)
		q.Types = kinds(p, q.Types)
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

func kinds(n node, have []string) []string {
	add := func(t string) {
		if t == "integer" {
			t = "number"
		}
		if !slices.Contains(have, t) {
			have = append(have, t)
		}
	}
	switch t := n.Type.(type) {
	case string:
		add(t)
	case []any:
		for _, x := range t {
			if s, ok := x.(string); ok {
				add(s)
			}
		}
	}
	for _, sub := range slices.Concat(n.AnyOf, n.OneOf, n.AllOf) {
		have = kinds(sub, have)
	}
	return have
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
