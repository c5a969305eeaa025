package action

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// The people and groups of the default world.
const (
	self   = world.SelfUIN
	alice  = 3001000001
	bob    = 3001000002
	carol  = 3001000003
	dave   = 3002000001
	erin   = 3002000002
	group  = 700000001 // the bot is an administrator
	group2 = 700000002 // the bot is a plain member
)

type rig struct {
	t  *testing.T
	w  *world.World
	h  *Host
	wg sync.WaitGroup

	mu     sync.Mutex
	events []string
}

func newRig(t *testing.T) *rig {
	w := world.New(world.Options{})
	r := &rig{t: t, w: w, h: New(Options{World: w, TempDir: t.TempDir()})}
	w.Subscribe(func(e world.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		s := jsval.Stringify(e.Body)
		if e.Message != nil {
			s = jsval.Stringify(MessageObject(e.Message, MessageForm{Self: self, Event: true}))
		}
		r.events = append(r.events, s)
	})
	t.Cleanup(func() {
		r.wg.Wait()
		r.h.Close()
	})
	return r
}

// last returns the newest event.
func (r *rig) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return ""
	}
	return r.events[len(r.events)-1]
}

// do carries out an action and returns its packets, the answer last.
func (r *rig) do(name string, params any) []Result {
	r.t.Helper()
	if s, ok := params.(string); ok {
		v, err := jsval.Parse(s)
		if err != nil {
			r.t.Fatal(err)
		}
		params = v
	}
	var mu sync.Mutex
	var out []Result
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	r.h.Do(ctx, Call{Name: name, Params: params, Format: "array"}, func(f func()) { r.wg.Go(f) }, func(res Result) {
		mu.Lock()
		out = append(out, res)
		mu.Unlock()
		if !res.More {
			close(done)
		}
	})
	<-done
	return out
}

// data returns what an action answered, its failure as "error: …".
func (r *rig) data(name string, params any) string {
	r.t.Helper()
	out := r.do(name, params)
	last := out[len(out)-1]
	if last.Err != nil {
		return "error: " + last.Err.Text
	}
	if jsval.IsUndefined(last.Data) {
		return "none"
	}
	return jsval.Stringify(last.Data)
}

func (r *rig) object(name string, params any) *jsval.Object {
	r.t.Helper()
	out := r.do(name, params)
	last := out[len(out)-1]
	if last.Err != nil {
		r.t.Fatalf("%s: %v", name, last.Err)
	}
	return last.Data.(*jsval.Object)
}

func (r *rig) want(name string, params any, want string) {
	r.t.Helper()
	if got := r.data(name, params); got != want {
		r.t.Errorf("%s %v\n got %s\nwant %s", name, params, got, want)
	}
}

func (r *rig) newest() world.Message {
	s := r.w.Sent(r.w.SentCount() - 1)
	return s[0].Message
}

func arrayOf(segs []world.Segment) []any {
	var out []any
	for _, s := range segs {
		out = append(out, jsval.Obj("type", s.Type, "data", s.Data))
	}
	return out
}
