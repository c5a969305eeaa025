package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// bot is one program under test and what was measured of it, a result a round.
type bot struct {
	name   string
	args   []string
	stage  *stage
	burst  []result
	steady []result
}

// compare measures the floor, bots with commands and the programs.
func compare(ctx context.Context, self string, programs []string) error {
	bots := []*bot{
		{name: "floor", args: []string{self, "floor"}},
		{name: "one command", args: []string{self, "commands", "1"}},
		{name: "200 commands", args: []string{self, "commands", "200"}},
	}
	for _, p := range programs {
		name, path, ok := strings.Cut(p, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=PROGRAM", p)
		}
		bots = append(bots, &bot{name: name, args: strings.Fields(path)})
	}
	return onStages(ctx, bots, func(ctx context.Context) error {
		for round := range *rounds + 1 {
			for i := range bots {
				b := bots[(i+round)%len(bots)]
				if err := b.turn(ctx, round == 0); err != nil {
					return fmt.Errorf("%s: %w", b.name, err)
				}
			}
		}
		return errors.Join(table(bots), judge(bots))
	})
}

// onStages starts every bot, calls f and ends them.
func onStages(ctx context.Context, bots []*bot, f func(context.Context) error) error {
	if len(bots) == 0 {
		return f(ctx)
	}
	return onStage(ctx, bots[0].args, func(ctx context.Context, s *stage) error {
		bots[0].stage = s
		return onStages(ctx, bots[1:], f)
	})
}

// turn runs both loads once.
func (b *bot) turn(ctx context.Context, warm bool) error {
	burst, err := b.stage.measure(ctx, load{messages: *count, window: *window, groups: *groups})
	if err != nil {
		return err
	}
	steady, err := b.stage.measure(ctx, load{messages: int(length.Seconds() * float64(*rate)), rate: *rate, groups: *groups})
	if err != nil {
		return err
	}
	if !warm {
		b.burst, b.steady = append(b.burst, burst), append(b.steady, steady)
	}
	return nil
}

func cpu(r result) float64 { return r.cpu }
func p99(r result) float64 { return r.p99 }

// table prints what was measured of every bot.
func table(bots []*bot) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	base := bots[0]
	fmt.Fprintf(w, "bot\tburst CPU/event\tx %[2]s\tCPU/event at %[1]d/s\tx %[2]s\tp50\tp99\tx %[2]s\tRSS\t\n", *rate, base.name)
	for _, b := range bots {
		fmt.Fprintf(w, "%s\t%.1f us\t%.2f\t%.1f us\t%.2f\t%.0f us\t%.0f us\t%.2f\t%.1f MiB\t\n", b.name,
			median(b.burst, cpu), ratio(b.burst, base.burst, cpu),
			median(b.steady, cpu), ratio(b.steady, base.steady, cpu),
			median(b.steady, func(r result) float64 { return r.p50 }), median(b.steady, p99), ratio(b.steady, base.steady, p99),
			median(b.burst, func(r result) float64 { return r.rss }))
	}
	return w.Flush()
}

// judge sets what was measured beside the bounds.
func judge(bots []*bot) error {
	base, one, many := bots[0], bots[1], bots[2]
	var errs []error
	for _, b := range bots[3:] {
		errs = append(errs,
			verdict(b.name+": burst CPU per event, times the floor", ratio(b.burst, base.burst, cpu), mostBurst, ""),
			verdict(fmt.Sprintf("%s: CPU per event at %d/s, times the floor", b.name, *rate), ratio(b.steady, base.steady, cpu), mostCPU, ""),
			verdict(fmt.Sprintf("%s: p99 at %d/s, times the floor", b.name, *rate), ratio(b.steady, base.steady, p99), mostP99, ""))
	}
	errs = append(errs, verdict("burst CPU per event of 200 commands, times one", ratio(many.burst, one.burst, cpu), mostCommands, ""))
	for _, b := range bots {
		wrong := b.stage.doubled.Load()
		for _, r := range slices.Concat(b.burst, b.steady) {
			wrong += int64(r.lost)
		}
		errs = append(errs, verdict(b.name+": messages lost or answered twice", float64(wrong), 0, ""))
	}
	return errors.Join(errs...)
}

// ratio returns the median of the rounds' ratios.
func ratio(rs, base []result, of func(result) float64) float64 {
	vs := make([]float64, len(rs))
	for i := range rs {
		vs[i] = of(rs[i]) / of(base[i])
	}
	return middle(vs)
}

// apart returns the median of what a differs from base, round by round.
func apart(a, base []result, of func(result) float64) float64 {
	vs := make([]float64, min(len(a), len(base)))
	for i := range vs {
		vs[i] = of(a[i]) - of(base[i])
	}
	return middle(vs)
}

func median(rs []result, of func(result) float64) float64 {
	vs := make([]float64, len(rs))
	for i, r := range rs {
		vs[i] = of(r)
	}
	return middle(vs)
}

func middle(vs []float64) float64 {
	vs = slices.Sorted(slices.Values(vs))
	return (vs[(len(vs)-1)/2] + vs[len(vs)/2]) / 2
}
