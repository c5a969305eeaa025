package gateway

import (
	"path"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/onebot/schema"
)

// Rights say which actions an app may call. The zero Rights allow none.
type Rights struct {
	known    map[string]bool
	patterns []string // for actions that no schema knows
}

// NewRights returns what a list of groups, actions and patterns allows.
func NewRights(allow []string) Rights {
	r := Rights{known: map[string]bool{}}
	groups := schema.Groups()
	for _, a := range allow {
		if slices.Contains(groups, schema.Group(a)) {
			for _, name := range schema.Names() {
				if action, _ := schema.Lookup(name); action.Group == schema.Group(a) {
					r.known[name] = true
				}
			}
			continue
		}
		for _, name := range schema.Match(a) {
			r.known[name] = true
		}
		r.patterns = append(r.patterns, a)
	}
	return r
}

// Allow reports whether an action may be called. Its two aliases (contract E.2)
// are as it is. An action that the schema does not have needs a pattern: nobody
// can say what it does.
func (r Rights) Allow(action string) bool {
	name := Base(action)
	if r.known[name] {
		return true
	}
	if _, ok := schema.Lookup(name); ok {
		return false
	}
	return slices.ContainsFunc(r.patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// Base returns the name of the action that an alias stands for.
func Base(action string) string {
	for _, suffix := range [...]string{"_async", "_rate_limited"} {
		if name, ok := strings.CutSuffix(action, suffix); ok {
			return name
		}
	}
	return action
}
