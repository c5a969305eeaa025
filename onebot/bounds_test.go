package onebot

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/e2e/cost"
)

// What reading a frame may cost: so many bytes of memory for each of its bytes,
// and so much of the time that encoding/json takes to check it. Both have room
// for slow machines and none for a cost that grows with the square.
const (
	memoryPerByte = 160
	memoryAnyway  = 64 << 10
	timeToCheck   = 400
	timeAnyway    = 100 * time.Millisecond
)

// holdBounds fails if reading s costs more than it may. A measurement that
// another goroutine spoilt is repeated.
func holdBounds(tb testing.TB, s string, read func(s string)) {
	tb.Helper()
	var memory uint64
	var took, limit time.Duration
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := cost.CPU()
		read(s)
		took = cost.CPU() - began
		runtime.ReadMemStats(&after)
		memory = after.TotalAlloc - before.TotalAlloc
		began = cost.CPU()
		json.Valid([]byte(s))
		limit = timeToCheck*(cost.CPU()-began) + timeAnyway
		if memory <= memoryPerByte*uint64(len(s))+memoryAnyway && took <= limit {
			return
		}
	}
	tb.Errorf("%d bytes (%.60q…) cost %d bytes of memory and %v, want %v at most", len(s), s, memory, took, limit)
}

func readFrame(s string) {
	e, err := DecodeText(s)
	if err != nil {
		return
	}
	if m, ok := e.(MessageEvent); ok {
		_ = m.Text()
		_ = m.Msg().Message.AppendJSON(nil)
	}
}

func nested(n int, open, inner, end string) string {
	return `{"post_type":"message","message_type":"group","message":` + strings.Repeat(open, n) + inner + strings.Repeat(end, n) + `}`
}

// The cost of a frame grows with its length and not with the square of it.
func TestCostOfFrames(t *testing.T) {
	list := func(n int, element string) string {
		return `{"post_type":"message","message_type":"group","message":[` + strings.Repeat(element+",", n) + `{}]}`
	}
	for name, s := range map[string]string{
		"nodes in nodes":       nested(3300, `[{"type":"node","data":{"content":`, `"x"`, `}}]`),
		"nodes, single":        nested(3300, `{"type":"node","data":{"content":`, `"x"`, `}}`),
		"forwards in forwards": nested(2000, `[{"type":"forward","data":{"id":"1","content":[{"message":`, `"x"`, `}]}}]`),
		"unknown in unknown":   nested(3000, `[{"type":"u","data":{"content":`, `"x"`, `}}]`),
		"lists in lists":       nested(9000, `[`, ``, `]`),
		"empty segments":       list(200_000, `{}`),
		"short texts":          list(50_000, `{"type":"text","data":{"text":"x"}}`),
		"numbers":              list(300_000, `1`),
		"codes":                `{"post_type":"message","message_type":"group","message":"` + strings.Repeat("[CQ:face,id=1]", 30_000) + `"}`,
		"codes without end":    `{"post_type":"message","message_type":"group","message":"` + strings.Repeat("[CQ:a,b=", 50_000) + `"}`,
		"messages":             `{"post_type":"message","message_type":"group"` + strings.Repeat(`,"message":"[CQ:at,qq=1]x"`, 10_000) + `}`,
		"keys":                 `{"post_type":"notice","notice_type":"x"` + strings.Repeat(`,"k":1`, 100_000) + `}`,
		"escapes":              `{"post_type":"message","message_type":"group","raw_message":"` + strings.Repeat(`\ud83d\ude00`, 50_000) + `"}`,
	} {
		t.Run(name, func(t *testing.T) { holdBounds(t, s, readFrame) })
	}
}

func TestCostOfAnswers(t *testing.T) {
	for name, s := range map[string]string{
		"forwards": `{"messages":` + strings.Repeat(`[{"message":[{"type":"forward","data":{"content":`, 2000) + `[]` + strings.Repeat(`}}]}]`, 2000) + `}`,
		"nodes":    `{"message":` + strings.Repeat(`[{"type":"node","data":{"content":`, 3000) + `""` + strings.Repeat(`}}]`, 3000) + `}`,
		"data":     `{"messages":[` + strings.Repeat(`{"data":`, 5000) + `{}` + strings.Repeat(`}`, 5000) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			holdBounds(t, s, func(s string) { _ = json.Unmarshal([]byte(s), new(GetForwardMsgResult)) })
		})
	}
	t.Run("an error's text", func(t *testing.T) {
		holdBounds(t, "x {"+strings.Repeat(`"message":{"errMsg":"y"},`, 20_000)+"}", func(s string) { Explain(s) })
	})
}

// What lies too deep or comes too late to be decoded stays in Raw.
func TestBoundsOfMessages(t *testing.T) {
	deep := nested(20, `[{"type":"node","data":{"content":`, `"x"`, `}}]`)
	e, err := DecodeText(deep)
	if err != nil {
		t.Fatal(err)
	}
	m, levels := e.(*GroupMessage).Message, 0
	for {
		n, ok := First[*NodeSegment](m)
		if !ok {
			break
		}
		m, levels = n.Content, levels+1
	}
	if u, ok := m[0].(*UnknownSegment); levels != maxNesting || !ok || !strings.HasPrefix(string(u.Raw), `[{"type":"node"`) {
		t.Errorf("%d levels, then %v", levels, m)
	}
	if out, err := e.(*GroupMessage).MarshalJSON(); err != nil || string(out) != deep {
		t.Errorf("a deep message does not survive: %v", err)
	}
	long := `{"post_type":"message","message_type":"group","message":[` + strings.Repeat(`{"type":"face","data":{"id":"1"}},`, MaxSegments) + `{"type":"text","data":{"text":"late"}}]}`
	e, err = DecodeText(long)
	if m := e.(*GroupMessage); err != nil || len(m.Message) != MaxSegments || !strings.Contains(string(m.Raw()), "late") {
		t.Errorf("%d segments, %v", len(m.Message), err)
	}
	if m := ParseCQ(strings.Repeat("a[CQ:face,id=1]", MaxSegments)); len(m) > MaxSegments || !strings.HasSuffix(m.Text(), "[CQ:face,id=1]") {
		t.Errorf("%d segments of a text", len(m))
	}
}
