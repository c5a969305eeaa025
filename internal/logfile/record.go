package logfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// parser makes records of the lines of one log, in order. Lines without a head
// of their own belong to the record before them.
type parser struct {
	account string    // of a NapCat's log; empty: ncatd's own
	mtime   time.Time // of the file, which tells the year of NapCat's lines
	last    time.Time
	level   string
}

var (
	ansi       = regexp.MustCompile(`\x1b?\[[0-9;]*m|\x1b\[[0-9;?]*[A-Za-z]`)
	napcatHead = regexp.MustCompile(`^(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? \[(\w+)\] ?`)
)

// line returns the record of one line, nil for an empty one. A line without a
// head has the time of the one before it, zero if there is none.
func (p *parser) line(b []byte) *api.LogRecord {
	b = bytes.TrimRight(b, "\r\n")
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	if p.account != "" {
		return p.napcat(string(b))
	}
	r := own(b)
	if r == nil {
		return &api.LogRecord{Time: p.last, Level: "info", Source: "ncatd", Message: string(b)}
	}
	p.last = r.Time
	return r
}

func (p *parser) napcat(s string) *api.LogRecord {
	s = strings.TrimRight(ansi.ReplaceAllString(s, ""), " ")
	r := &api.LogRecord{Time: p.last, Level: p.level, Account: p.account, Source: "napcat"}
	m := napcatHead.FindStringSubmatch(s)
	if m == nil {
		if r.Level == "" {
			r.Level = "info"
		}
		r.Message = s
		return r
	}
	var n [5]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // digits by the pattern
	}
	r.Time = time.Date(p.mtime.Year(), time.Month(n[0]), n[1], n[2], n[3], n[4], 0, p.mtime.Location())
	if r.Time.After(p.mtime.Add(24 * time.Hour)) { // a line of December in a file of January
		r.Time = r.Time.AddDate(-1, 0, 0)
	}
	r.Level = normal(m[6])
	r.Message = s[len(m[0]):]
	p.last, p.level = r.Time, r.Level
	return r
}

// own parses a line that a [Handler] wrote, JSON or text.
func own(b []byte) *api.LogRecord {
	var fields []field
	if b[0] == '{' {
		fields = jsonFields(b)
	} else {
		fields = textFields(string(b))
	}
	r := &api.LogRecord{Source: "ncatd"}
	var attrs strings.Builder
	for _, f := range fields {
		switch f.key {
		case slog.TimeKey:
			t, err := time.Parse(time.RFC3339Nano, f.value)
			if err != nil {
				return nil
			}
			r.Time = t
		case slog.LevelKey:
			r.Level = normal(f.value)
		case slog.MessageKey:
			r.Message = f.value
		case "account":
			r.Account = f.value
		default:
			v := f.value
			if strings.ContainsAny(v, " \t\"=") || v == "" {
				v = strconv.Quote(v)
			}
			fmt.Fprintf(&attrs, " %s=%s", f.key, v)
		}
	}
	if r.Time.IsZero() || r.Level == "" {
		return nil
	}
	r.Attrs = strings.TrimPrefix(attrs.String(), " ")
	return r
}

type field struct{ key, value string }

// jsonFields returns the members of a JSON object in order.
func jsonFields(b []byte) []field {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var out []field
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil
		}
		v := string(raw)
		var s string
		if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
			v = s
		}
		key, ok := k.(string)
		if !ok {
			return nil
		}
		out = append(out, field{key, v})
	}
	return out
}

// textFields returns the key=value pairs of a line of slog's text form.
func textFields(s string) []field {
	var out []field
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		k, rest, ok := strings.Cut(s, "=")
		if !ok || strings.ContainsAny(k, " \"") {
			return nil
		}
		var v string
		if strings.HasPrefix(rest, `"`) {
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil
			}
			v, err = strconv.Unquote(q)
			if err != nil {
				return nil
			}
			s = rest[len(q):]
		} else {
			v, s, _ = strings.Cut(rest, " ")
		}
		out = append(out, field{k, v})
	}
	return out
}

// normal maps the level words of ncatd and NapCat to the four of the API.
func normal(level string) string {
	switch l := strings.ToLower(level); {
	case strings.HasPrefix(l, "debug"), l == "trace", l == "silly", l == "verbose":
		return "debug"
	case strings.HasPrefix(l, "warn"):
		return "warn"
	case strings.HasPrefix(l, "error"), l == "fatal":
		return "error"
	}
	return "info"
}

// rank orders level words.
func rank(level string) int {
	switch level {
	case "debug":
		return 0
	case "warn":
		return 2
	case "error":
		return 3
	}
	return 1
}
