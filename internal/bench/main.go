// Command bench measures what an event costs a bot. It plays a OneBot endpoint
// on a loopback WebSocket, starts each bot under test as a process of its own,
// sends it group messages "ping N", counts the replies "pong N", and prints the
// CPU time per event, the latency and the memory of each bot beside those of
// the floor: the least that any bot on the same WebSocket library can do, which
// finds the number in the frame by a byte search and decodes nothing.
//
//	bench [flags] NAME=PROGRAM ...     measure the floor, the 200 commands and the programs
//	bench [flags] runtime              measure one blocked chat among ten, and the memory of -events events
//	bench floor URL                    be the floor
//	bench commands URL                 be a bot with 200 commands, "ping N" one of them
//
// A program gets the endpoint's URL as its only argument. Two loads are run: a
// closed loop that keeps -window messages outstanding until -n are answered,
// for CPU per event, and an open one of -rate messages a second for -time, for
// latency. The bots take turns, -rounds times, and the medians count, so that
// what else the machine does falls on all of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

var (
	count  = flag.Int("n", 50_000, "messages of the closed loop")
	window = flag.Int("window", 256, "messages outstanding in the closed loop")
	rate   = flag.Int("rate", 2000, "messages per second of the open loop")
	length = flag.Duration("time", 4*time.Second, "length of the open loop")
	groups = flag.Int("groups", 50, "groups the messages come from")
	rounds = flag.Int("rounds", 3, "how often each bot has its turn")
	block  = flag.Duration("block", 30*time.Second, "how long the handler of the blocked chat blocks")
	events = flag.Int("events", 1_000_000, "events of the look at memory")
	limit  = flag.Float64("fail-over", 0, "exit with 1 if a bot's CPU per event is over this many times the floor's; 0: never")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if flag.NArg() == 2 {
		switch flag.Arg(0) {
		case "floor":
			floor(ctx, flag.Arg(1))
			return
		case "commands":
			commands(ctx, flag.Arg(1))
			return
		}
	}
	work := run
	if flag.NArg() == 1 && flag.Arg(0) == "runtime" {
		work = func(ctx context.Context, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			return runtimeRun(ctx, []string{self, "commands"})
		}
	}
	if err := work(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bot is one program under test and what was measured of it.
type bot struct {
	name   string
	args   []string
	closed []result
	open   []result
}

func run(ctx context.Context, programs []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bots := []*bot{{name: "floor", args: []string{self, "floor"}}, {name: "200 commands", args: []string{self, "commands"}}}
	for _, p := range programs {
		name, path, ok := strings.Cut(p, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=PROGRAM", p)
		}
		bots = append(bots, &bot{name: name, args: strings.Fields(path)})
	}
	for range *rounds {
		for _, b := range bots {
			r, err := measure(ctx, b.args, load{messages: *count, window: *window, groups: *groups})
			if err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			b.closed = append(b.closed, r)
			if r, err = measure(ctx, b.args, load{messages: int(length.Seconds() * float64(*rate)), rate: *rate, groups: *groups}); err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			b.open = append(b.open, r)
		}
	}
	return report(bots)
}

func report(bots []*bot) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "bot\tCPU/event\tx floor\tp50\tp99\tx floor\tCPU/event at %d/s\tx floor\tRSS\tlost\tdoubled\t\n", *rate)
	base := bots[0]
	cpu := func(rs []result) float64 { return median(rs, func(r result) float64 { return r.cpu }) }
	p99 := func(rs []result) float64 { return median(rs, func(r result) float64 { return r.p99 }) }
	var over []string
	for _, b := range bots {
		lost, doubled := 0, 0
		for _, r := range slices.Concat(b.closed, b.open) {
			lost += r.lost
			doubled += r.doubled
		}
		times := cpu(b.closed) / cpu(base.closed)
		fmt.Fprintf(w, "%s\t%.1f us\t%.2f\t%.0f us\t%.0f us\t%.2f\t%.1f us\t%.2f\t%.1f MiB\t%d\t%d\t\n", b.name,
			cpu(b.closed), times,
			median(b.open, func(r result) float64 { return r.p50 }), p99(b.open), p99(b.open)/p99(base.open),
			cpu(b.open), cpu(b.open)/cpu(base.open),
			median(b.closed, func(r result) float64 { return r.rss }), lost, doubled)
		if *limit > 0 && times > *limit || lost+doubled > 0 {
			over = append(over, b.name)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(over) > 0 {
		return fmt.Errorf("over the limit, or messages lost or doubled: %s", strings.Join(over, ", "))
	}
	return nil
}

func median(rs []result, of func(result) float64) float64 {
	vs := make([]float64, len(rs))
	for i, r := range rs {
		vs[i] = of(r)
	}
	slices.Sort(vs)
	return vs[len(vs)/2]
}
