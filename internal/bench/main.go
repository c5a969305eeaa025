// Command bench measures what an event costs a bot. It plays a OneBot endpoint
// on a loopback WebSocket, starts each bot under test as a process of its own,
// sends it group messages "ping N", counts the replies "pong N", and prints the
// CPU time per event, the latency and the memory of each bot beside those of
// the floor: the least that any bot on the same WebSocket library can do, which
// finds the number in the frame by a byte search and decodes nothing.
//
//	bench [flags] NAME=PROGRAM ...     measure the floor, one command, 200 of them, and the programs
//	bench [flags] runtime              measure a slow handler among thirty chats, and the memory of -events events
//	bench scripts                      measure a script beside a handler in Go
//	bench floor URL                    be the floor
//	bench commands N URL               be a bot with N commands, "ping" one of them
//	bench scripted KIND URL            be a bot with a handler in Go, in a script, or both
//
// A program gets the endpoint's URL as its only argument. Two loads are run: a
// closed loop that keeps -window messages outstanding until -n are answered,
// for CPU per event, and an open one of -rate messages a second for -time, for
// latency. All bots are connected all the time and take turns, -rounds times. A
// ratio is the median of the rounds' ratios, so that what else the machine does
// falls on both of its sides.
//
// Every figure with a bound is printed with PASS or FAIL; with a FAIL the exit
// code is 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"
)

// The bounds.
const (
	mostBurst    = 1.3 // times the floor: CPU per event in the closed loop
	mostCPU      = 1.7 // times the floor: CPU per event in the open loop
	mostP99      = 1.3 // times the floor: p99 in the open loop
	mostCommands = 1.3 // times one command: CPU per event of 200
	mostOthers   = 1.1 // times the p99 without a slow handler in another chat
	mostScript   = 3   // times the handler in Go: CPU per event of a script
	mostFilter   = 2   // us for each event that a script's filter holds back
	mostGrowth   = 25  // MiB that memory may grow by
)

var (
	count  = flag.Int("n", 20_000, "messages of one turn of the closed loop")
	window = flag.Int("window", 256, "messages outstanding in the closed loop")
	rate   = flag.Int("rate", 2000, "messages per second of the open loop")
	length = flag.Duration("time", 2*time.Second, "length of one turn of the open loop")
	groups = flag.Int("groups", 50, "groups the messages come from")
	rounds = flag.Int("rounds", 20, "how often each bot has its turn")
	events = flag.Int("events", 1_000_000, "events of the look at memory")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "floor":
		return floor(ctx, args[1])
	case len(args) == 3 && args[0] == "commands":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return commands(ctx, n, args[2])
	case len(args) == 3 && args[0] == "scripted":
		return scripted(ctx, args[1], args[2])
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if len(args) == 1 && args[0] == "runtime" {
		bot := []string{self, "commands", "200"}
		return errors.Join(slowHandler(ctx, bot), memory(ctx, bot))
	}
	if len(args) == 1 && args[0] == "scripts" {
		return scripts(ctx, self)
	}
	return compare(ctx, self, args)
}

// verdict prints a figure beside its bound.
func verdict(what string, got, most float64, unit string) error {
	if !(got <= most) { // also if it is no number
		fmt.Printf("FAIL  %s: %.2f%s, at most %.2f\n", what, got, unit, most)
		return fmt.Errorf("%s: %.2f%s, at most %.2f", what, got, unit, most)
	}
	fmt.Printf("PASS  %s: %.2f%s, at most %.2f\n", what, got, unit, most)
	return nil
}
