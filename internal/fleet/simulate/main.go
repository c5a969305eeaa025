// Command simulate says what fleets of several sizes need and how they behave, in
// virtual time: chats are put into partitions and partitions given to workers by the
// very functions that a fleet uses, events come at random, and a worker dies. What it
// assumes it prints. It is no part of the product.
package main

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ncatd/ncatd/internal/fleet/bus"
	"github.com/ncatd/ncatd/internal/fleet/worker"
	"github.com/ncatd/ncatd/onebot"
)

// What is assumed of accounts and handlers.
const (
	perDay     = 5000                  // events of an account
	peak       = 5                     // times the average, in the busiest hour
	eventBytes = 900                   // of an event on the bus, with its headers
	chats      = 20                    // of an account that anything comes from
	perHost    = 30                    // accounts
	handling   = 20 * time.Millisecond // of an event, on average, most of it waiting
	window     = 64                    // events of a partition under way at a time
	retention  = 100 * time.Hour
	copies     = 3
	renewals   = 10 * time.Second // of an account's lease
	span       = 60 * time.Second // that is simulated, of the busiest hour
	deathAt    = 20 * time.Second
)

// size is one fleet.
type size struct{ accounts, partitions, workers int }

func main() {
	fmt.Printf("assumed: %d events of an account each day of %d bytes, %d times as many in the busiest hour, %d accounts on a host,\n%v to handle an event, %d under way in a partition, a lease of %v; one worker dies\n\n",
		perDay, eventBytes, peak, perHost, handling, window, bus.WorkerLease)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "accounts\thosts\tpartitions\tworkers\tevents/s\tat peak\tGB/day\tGB kept\tleases/s\tbusiest partition\tbusiest worker\tp50\tp99\ttaken over\tcaught up")
	for _, s := range []size{{10, 32, 2}, {1000, 32, 4}, {1000, 32, 32}, {100000, 32, 32}, {100000, 256, 32}, {100000, 256, 64}} {
		report(w, s)
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func report(w *tabwriter.Writer, s size) {
	average := float64(s.accounts) * perDay / (24 * 3600)
	gbDay := float64(s.accounts) * perDay * eventBytes / 1e9
	r := run(s, average*peak)
	over := "not in time"
	if r.caughtUp > 0 {
		over = r.caughtUp.Round(100 * time.Millisecond).String()
	}
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%.0f\t%.0f\t%.2f\t%.1f\t%.0f\t%.0f/s\t%.0f/s\t%v\t%v\t%v\t%s\n", s.accounts, (s.accounts+perHost-1)/perHost, s.partitions, s.workers,
		average, average*peak, gbDay, gbDay*copies*retention.Hours()/24, float64(s.accounts)/renewals.Seconds(), r.busiestPartition, r.busiestWorker,
		r.p50.Round(time.Millisecond), r.p99.Round(time.Millisecond), r.takenOver.Round(100*time.Millisecond), over)
}

// result is what was seen of a run.
type result struct {
	busiestPartition, busiestWorker float64 // events a second
	p50, p99                        time.Duration
	takenOver, caughtUp             time.Duration // after the death; 0: not within the run
}

// partition is one of a run.
type partition struct {
	owner string
	busy  ends // when those under way end
	count int
}

// run simulates the busiest hour for span.
func run(s size, rate float64) result {
	rnd := rand.New(rand.NewPCG(1, uint64(s.accounts*1000+s.partitions+s.workers)))
	of := make([]int, s.accounts*chats) // the partition of each chat
	for c := range of {
		self := onebot.UserID(3000000000 + c/chats)
		of[c] = bus.Partition(bus.ChatKey(self, bus.Chat(onebot.GroupID(700000000+c%chats), 0)), s.partitions)
	}
	names := make([]string, s.workers)
	for i := range names {
		names[i] = fmt.Sprintf("worker-%d", i)
	}
	victim := worker.Due(0, names) // it has something to lose
	parts := make([]partition, s.partitions)
	for i := range parts {
		parts[i].owner = worker.Due(i, names)
	}
	load := map[string]int{}
	free := make([]time.Duration, len(of)) // when a chat's last event was done
	taken := deathAt + bus.WorkerLease + time.Second
	var took []time.Duration
	var firstBack, backlog time.Duration
	for now := time.Duration(0); ; {
		now += time.Duration(rnd.ExpFloat64() / rate * float64(time.Second))
		if now > span {
			break
		}
		c := rnd.IntN(len(of))
		p := &parts[of[c]]
		p.count++
		load[p.owner]++
		start := max(now, free[c])
		if len(p.busy) == window {
			start = max(start, p.busy[0])
			heap.Pop(&p.busy)
		}
		if p.owner == victim && start > deathAt && start < taken {
			start = taken
		}
		end := start + time.Duration(rnd.ExpFloat64()*float64(handling))
		heap.Push(&p.busy, end)
		free[c] = end
		took = append(took, end-now)
		if p.owner == victim && now > deathAt {
			if firstBack == 0 || end < firstBack {
				firstBack = end
			}
			if end-now > time.Second { // still behind
				backlog = max(backlog, end)
			}
		}
	}
	slices.Sort(took)
	r := result{p50: took[len(took)/2], p99: took[len(took)*99/100], takenOver: firstBack - deathAt}
	if backlog > 0 && backlog < span {
		r.caughtUp = backlog - deathAt
	}
	for i := range parts {
		r.busiestPartition = max(r.busiestPartition, float64(parts[i].count)/span.Seconds())
	}
	for _, n := range load {
		r.busiestWorker = max(r.busiestWorker, float64(n)/span.Seconds())
	}
	return r
}

// ends is a heap of times.
type ends []time.Duration

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i] < e[j] }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(time.Duration)) }
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
