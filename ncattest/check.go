package ncattest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// report is what a failure tells besides what was wanted.
type report struct {
	last   string   // what happened last
	errs   []error  // what handlers returned
	others []string // calls besides the sends
}

// explain returns a failure: what came and what was wanted, one beside the
// other, and whatever may be the cause.
func explain(head string, sent []Sent, want []string, rep report) string {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString("\n  sent:")
	if len(sent) == 0 {
		b.WriteString(" nothing")
	}
	for i, s := range sent {
		mark := ""
		if want != nil && (i >= len(want) || !s.is(want[i])) {
			mark = "   <- not wanted here"
		}
		fmt.Fprintf(&b, "\n    %d. %s%s", i+1, s, mark)
	}
	if want != nil {
		b.WriteString("\n  wanted:")
		if len(want) == 0 {
			b.WriteString(" nothing")
		}
		for i, w := range want {
			fmt.Fprintf(&b, "\n    %d. %s", i+1, quote(w))
		}
	}
	rep.add(&b)
	return b.String()
}

func (r report) add(b *strings.Builder) {
	if r.last != "" {
		fmt.Fprintf(b, "\n  after: %s", r.last)
	}
	for _, e := range r.errs {
		fmt.Fprintf(b, "\n  a handler failed: %v", e)
	}
	if len(r.others) > 0 {
		b.WriteString("\n  it also called:")
		for _, c := range r.others {
			b.WriteString("\n    ")
			b.WriteString(c)
		}
	}
}

// others are the calls of the last few that sent no message, for reports.
func (r *Recorder) others() []string {
	const most = 5
	var out []string
	for _, c := range slices.Backward(r.Calls()) {
		if len(out) == most {
			out = append(out, "…")
			break
		}
		if !strings.HasPrefix(c.Action, "send_") || c.Err != nil {
			out = append(out, c.String())
		}
	}
	slices.Reverse(out)
	return out
}

func wantTexts(t testing.TB, sent []Sent, texts []string, rep report) {
	t.Helper()
	if len(sent) == len(texts) {
		i := 0
		for i < len(sent) && sent[i].is(texts[i]) {
			i++
		}
		if i == len(sent) {
			return
		}
	}
	if texts == nil {
		texts = []string{}
	}
	t.Error(explain("the bot did not send what was wanted", sent, texts, rep))
}

func wantLike(t testing.TB, sent []Sent, parts []string, rep report) {
	t.Helper()
	ok := len(sent) == len(parts)
	for i := 0; ok && i < len(sent); i++ {
		ok = strings.Contains(sent[i].Text(), parts[i]) || strings.Contains(sent[i].Message.CQ(), parts[i])
	}
	if ok {
		return
	}
	var b strings.Builder
	b.WriteString(explain(fmt.Sprintf("the bot sent %d messages, want %d, each with the text given", len(sent), len(parts)), sent, nil, report{}))
	b.WriteString("\n  wanted, in this order:")
	for i, p := range parts {
		fmt.Fprintf(&b, "\n    %d. …%s…", i+1, quote(p))
	}
	rep.add(&b)
	t.Error(b.String())
}

func wantOne(t testing.TB, sent []Sent, rep report) Sent {
	t.Helper()
	if len(sent) != 1 {
		t.Fatal(explain(fmt.Sprintf("the bot sent %d messages, want one", len(sent)), sent, nil, rep))
		return Sent{}
	}
	return sent[0]
}

// pairs makes a map of "name", value, "name", value.
func pairs(params []any) map[string]any {
	if len(params)%2 != 0 {
		panic("ncattest: parameters are given as name, value, name, value")
	}
	out := make(map[string]any, len(params)/2)
	for i := 0; i < len(params); i += 2 {
		name, ok := params[i].(string)
		if !ok {
			panic(fmt.Sprintf("ncattest: %v is no name of a parameter", params[i]))
		}
		out[name] = params[i+1]
	}
	return out
}

// noCall fails the test because no call was as wanted.
func (r *Recorder) noCall(t testing.TB, action string, want map[string]any, rep report) {
	t.Helper()
	var b strings.Builder
	calls := r.unclaimed(action)
	switch {
	case len(calls) > 0:
		fmt.Fprintf(&b, "the bot did not call %s as wanted", action)
		for i, c := range calls {
			fmt.Fprintf(&b, "\n  %d. %s", i+1, c)
			for _, d := range differences(c.Params, want) {
				fmt.Fprintf(&b, "\n       %s", d)
			}
		}
	case len(r.Calls(action)) > 0:
		fmt.Fprintf(&b, "the bot called %s only %d times, all of which were wanted before", action, len(r.Calls(action)))
	default:
		fmt.Fprintf(&b, "the bot did not call %s", action)
		if all := r.Calls(); len(all) == 0 {
			b.WriteString("; it made no calls at all")
		} else if len(rep.others) == 0 {
			b.WriteString("; it only sent messages")
		}
	}
	rep.add(&b)
	t.Fatal(b.String())
}

func wantNoCall(t testing.TB, calls []Call, rep report) {
	t.Helper()
	if len(calls) == 0 {
		return
	}
	var b strings.Builder
	b.WriteString("the bot made a call that was not wanted:")
	for _, c := range calls {
		b.WriteString("\n  ")
		b.WriteString(c.String())
	}
	rep.others = nil
	rep.add(&b)
	t.Error(b.String())
}
