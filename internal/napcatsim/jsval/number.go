package jsval

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// StringNumber returns what JavaScript's Number(s) gives for a string.
func StringNumber(s string) float64 {
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == 0xFEFF })
	if s == "" {
		return 0
	}
	if len(s) > 2 && s[0] == '0' {
		base := map[byte]int{'x': 16, 'X': 16, 'o': 8, 'O': 8, 'b': 2, 'B': 2}[s[1]]
		if base != 0 {
			v := 0.0
			for i := 2; i < len(s); i++ {
				d, err := strconv.ParseUint(s[i:i+1], base, 8)
				if err != nil {
					return math.NaN()
				}
				v = v*float64(base) + float64(d)
			}
			return v
		}
	}
	if n := decimalPrefix(s); n == len(s) {
		f, _ := ParseFloat(s)
		return f
	}
	return math.NaN()
}

// ParseFloat returns what JavaScript's parseFloat gives for s: the number that
// s begins with; false if it begins with none.
func ParseFloat(s string) (float64, bool) {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == 0xFEFF })
	n := decimalPrefix(s)
	if n == 0 {
		return math.NaN(), false
	}
	f, _ := strconv.ParseFloat(s[:n], 64)
	return f, true
}

// decimalPrefix returns the length of the decimal number, with sign, fraction
// and exponent, that s begins with.
func decimalPrefix(s string) int {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	if strings.HasPrefix(s[i:], "Infinity") {
		return i + len("Infinity")
	}
	digits := func() int {
		n := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i - n
	}
	whole, frac := digits(), 0
	if i < len(s) && s[i] == '.' {
		i++
		frac = digits()
	}
	if whole+frac == 0 {
		return 0
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		save := i
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if digits() == 0 {
			i = save
		}
	}
	return i
}
