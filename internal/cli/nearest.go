package cli

import (
	"iter"
	"maps"

	"github.com/ncatd/ncatd/internal/config"
)

// nearestName returns the name that s is most likely meant to be, "" if none.
func nearestName(s string, names []string) string { return config.Nearest(s, names) }

func mapKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }
