package script

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
)

// countedStore counts the reads that go on.
type countedStore struct {
	ncat.Store
	reads, most *atomic.Int32
}

// View implements [ncat.Store].
func (s countedStore) View(ctx context.Context, fn func(ncat.Tx) error) error {
	n := s.reads.Add(1)
	defer s.reads.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	return s.Store.View(ctx, fn)
}

// What a plugin reads from its store at a time is bounded, however many reads it asks
// for, and so is what one read finds.
func TestReadsTakeTurns(t *testing.T) {
	st := newStage(t, func(b *bench) {
		b.env.Limits.CPU = slack * time.Second
		b.write("a.ts", `import { onPrivate, textIs, store } from "ncat";
onPrivate(textIs("get"), async (m) => {
  const all = await Promise.all(Array.from({ length: 6 }, (_, i) => store.get<string>("k" + i).then((v) => v!.length)));
  await m.reply(all.length + " of " + all[5] + " and " + (await store.scan("k9")).length);
});
onPrivate(textIs("much"), async (m) => { try { await store.put("a", "x".repeat(2 ** 20)); } catch (e) { await m.reply((e as any).name + " of put"); } });
onPrivate(textIs("more"), async (m) => { try { await store.transaction((tx) => tx.put("a", "x".repeat(2 ** 20))); } catch (e) { await m.reply((e as any).name + " of tx.put"); } });
onPrivate(textIs("scan"), async (m) => { try { await store.scan("k"); } catch (e) { await m.reply((e as any).name + " " + (e as any).limit); } });
`)
	})
	var reads, most atomic.Int32
	mem := ncat.NewMemoryStore()
	for i := range 10 {
		if err := ncat.Put(t.Context(), mem, fmt.Sprint("k", i), strings.Repeat("x", 1e6)); err != nil {
			t.Fatal(err)
		}
	}
	botlink.Apply(st.bot, ncat.WithStore(func(string) ncat.Store { return countedStore{mem, &reads, &most} }))
	st.say("get")
	st.until("all values", func() bool { return st.count("6 of 1000000 and 1") == 1 })
	if n := most.Load(); n != 1 {
		t.Errorf("%d reads at a time", n)
	}
	st.say("much")
	st.until("a put is refused", func() bool { return st.count("LimitError of put") == 1 })
	if slack == 1 { // what a transaction may take is too little for that under the race detector
		st.say("more")
		st.until("a put of a transaction is refused", func() bool { return st.count("LimitError of tx.put") == 1 })
	}
	st.say("scan")
	st.until("it is too much", func() bool { return st.count("LimitError size") == 1 })
}

// The next call that may find much goes on once the script has what the one before it
// found.
func TestOneLargeAnswerAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m := newMachine(pluginInfo{ctx: ctx}, Limits{}.withDefaults(), nil, nil, nil)
		fetched := make(chan *request, 2)
		fetch := func(size int) {
			r := &request{m: m, turn: m.newTurn(api.Fault{}, ctx), cancel: func(error) {}, last: true} // as one after which the script is not entered
			go func() {
				out, err := r.answer(ctx, &http.Response{Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size))), Request: &http.Request{URL: &url.URL{}}})
				r.end(out, err)
				fetched <- r
			}()
			synctest.Wait()
		}
		fetch(1 << 20)
		fetch(1 << 20)
		if n := len(fetched); n != 1 {
			t.Fatalf("%d large answers at a time", n)
		}
		fetch(smallAnswer / 2)
		if n := len(fetched); n != 2 {
			t.Fatal("a small answer waits for large ones")
		}
		(<-fetched).done()
		(<-fetched).done()
		synctest.Wait()
		if n := len(fetched); n != 1 {
			t.Fatal("the second does not go on")
		}
		(<-fetched).done()
		if len(m.carriers.bodies) != 0 {
			t.Error("the last holds on")
		}
	})
}
