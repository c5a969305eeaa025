package alert

import (
	"fmt"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// Words is the reader's language: the catalogue's sentences by their codes.
type Words interface {
	// T returns a sentence with its args put in.
	T(code string, args ...any) string
	// Fault returns the sentence of a fault, "" if its code has none.
	Fault(f api.Fault) string
}

// render puts a message into words.
func render(w Words, m Message) Text {
	t := Text{Message: m}
	var lines []string
	for _, it := range m.Items {
		head := w.T("alert."+string(it.Phase), subject(it.Condition), w.T("alert.kind."+string(it.Kind)))
		if t.Title == "" {
			if t.Title = head; it.Account != "" { // else it begins so already
				t.Title = "ncatd: " + head
			}
		}
		lines = append(lines, head)
		if why := w.Fault(it.Fault()); why != "" && it.Phase != Resolved {
			lines = append(lines, "  "+why)
		}
		when := it.Since.Local().Format(time.DateTime)
		if it.Phase == Firing {
			lines = append(lines, "  "+w.T("alert.since", when))
		} else {
			lines = append(lines, "  "+w.T("alert.lasted", when, Duration(it.Lasted)))
		}
		if hint := "hint.alert." + string(it.Kind); it.Phase != Resolved {
			if s := w.T(hint, it.Account); s != "" {
				lines = append(lines, "  "+s)
			}
		}
	}
	if n := len(m.Items); n > 1 {
		t.Title = w.T("alert.more", t.Title, n-1)
	}
	t.Body = strings.Join(lines, "\n")
	return t
}

// subject names what a condition is of.
func subject(c Condition) string {
	name := c.Account
	if name == "" {
		name = "ncatd"
	}
	if c.UIN != 0 {
		name = fmt.Sprintf("%s (%d)", name, c.UIN)
	}
	if c.Subject != "" && (c.Kind == KindPlugin || c.Kind == KindApp || c.Kind == KindChannel) {
		name += " " + c.Subject
	}
	return name
}

// Duration writes a duration as people read it: the two largest units.
func Duration(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := int(d/time.Hour), int(d%time.Hour/time.Minute), int(d%time.Minute/time.Second)
	switch {
	case h >= 24:
		return fmt.Sprintf("%dd%dh", h/24, h%24)
	case h > 0:
		return fmt.Sprintf("%dh%dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm%ds", m, s)
	default:
		return fmt.Sprintf("%ds", s)
	}
}
