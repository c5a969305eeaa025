package config

import (
	"errors"
	"maps"
	"slices"
)

var errBadRate = errors.New("not a rate")

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
