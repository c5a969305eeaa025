package bus

import (
	"encoding/hex"
	"fmt"
	"strings"
)

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// token writes any text as one token of a subject: what is not a plain character
// becomes = and two hexadecimal digits for each byte.
func token(s string) string {
	if s == "" {
		return "="
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(plain, s[i]) >= 0 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "=%02x", s[i])
		}
	}
	return b.String()
}

// untoken is the reverse of token.
func untoken(t string) (string, error) {
	if t == "=" {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] != '=' {
			b.WriteByte(t[i])
			continue
		}
		if i+3 > len(t) {
			return "", fmt.Errorf("bus: token %q ends early", t)
		}
		c, err := hex.DecodeString(t[i+1 : i+3])
		if err != nil {
			return "", fmt.Errorf("bus: token %q: %w", t, err)
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), nil
}
