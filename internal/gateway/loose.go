package gateway

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/titanous/json5"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

// maxLoose bounds what is read as JSON5, which people write by hand: its reader
// calls itself for each level of a text.
const maxLoose = 64 << 10

// loose returns the JSON that a text in JSON5 stands for, nil if it is none: NapCat
// reads requests and answers in that form (contract E.2, E.5, E.7).
func loose(b []byte) []byte {
	if len(b) == 0 || len(b) > maxLoose {
		return nil
	}
	dec := json5.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, bom)))
	dec.UseNumber()
	var v, more any
	if dec.Decode(&v) != nil || dec.Decode(&more) == nil {
		return nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if enc.Encode(plain(v)) != nil {
		return nil
	}
	return bytes.TrimSpace(out.Bytes())
}

// plain returns v with its numbers as JSON has them. What JavaScript writes as null
// is null.
func plain(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			x[k] = plain(e)
		}
	case []any:
		for i, e := range x {
			x[i] = plain(e)
		}
	case json5.Number:
		return number(string(x))
	case float64:
		if math.IsInf(x, 0) || math.IsNaN(x) {
			return nil
		}
	}
	return v
}

func number(s string) any {
	if jsonscan.Valid(s) {
		return json.RawMessage(s)
	}
	s = strings.TrimPrefix(s, "+")
	if n, err := strconv.ParseInt(s, 0, 64); err == nil {
		return n
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return nil
	}
	return n
}
