package config

import (
	"reflect"
	"strings"
	"sync"
)

// allKeys lists every key of a config in order, without those of maps; an
// account's are below "accounts[]", an app's below "apps[]".
var allKeys = sync.OnceValue(func() []string {
	var out []string
	var walk func(t reflect.Type, prefix string)
	walk = func(t reflect.Type, prefix string) {
		for _, f := range fields(t) {
			ft := t.FieldByIndex(f.index).Type
			key := join(prefix, f.name)
			switch {
			case hasNames(ft):
				walk(ft.Elem(), key+"[]")
			case ft.Kind() == reflect.Struct:
				walk(ft, key)
			default:
				out = append(out, key)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
	return out
})

// Keys returns every key that `config set` takes, but those of apps; those of an
// account have account in place of the name.
func Keys(account string) []string {
	var out []string
	for _, k := range allKeys() {
		if !strings.HasPrefix(k, "apps[]") {
			out = append(out, strings.Replace(k, "accounts[]", "accounts."+account, 1))
		}
	}
	return out
}

// Nearest returns the name that s is most likely meant to be, "" if none is
// near: at most one error in three letters, or else its beginning.
func Nearest(s string, names []string) string {
	best, bestDist := "", len([]rune(s))/3+1
	begins := ""
	for _, n := range names {
		if strings.EqualFold(n, s) {
			return n
		}
		if begins == "" && len(s) > 2 && strings.HasPrefix(n, strings.ToLower(s)) {
			begins = n
		}
		if d := distance(strings.ToLower(s), n); d < bestDist || d == bestDist && best == "" {
			best, bestDist = n, d
		}
	}
	if best == "" {
		best = begins
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with their
// neighbour to make a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	prev2, prev, cur := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(y)]
}
