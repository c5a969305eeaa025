package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
)

const (
	turns      = 2  // of each in a round: what a tail is of one turn differs by half by chance
	chats      = 30 // of them one has a slow handler
	slowFor    = 300 * time.Millisecond
	memoryWarm = 20_000 // events before the first look at memory
	memoryOne  = 49_000 // events of each further look
)

// slowHandler compares the latency in 29 chats while the handler of the thirtieth
// keeps waiting, as one that asks a web service does, with the latency while it
// has nothing to do. The three take turns in one bot.
func slowHandler(ctx context.Context, args []string) error {
	return onStage(ctx, args, func(ctx context.Context, s *stage) error {
		every := []time.Duration{0, 500 * time.Millisecond, 2 * time.Second}
		results := make([][]result, len(every))
		for round := range turns**rounds + 1 {
			for i := range every {
				i = (i + round) % len(every)
				r, err := s.beside(ctx, every[i])
				if err != nil {
					return err
				}
				if round > 0 { // the first warms up
					results[i] = append(results[i], r)
				}
			}
		}
		fmt.Printf("%d chats, %d messages/s, p99 without a slow handler: %.0f us\n", chats, *rate, median(results[0], p99))
		var errs []error
		for i := 1; i < len(every); i++ {
			fmt.Printf("one waits %v every %v: p99 of the others %.0f us\n", slowFor, every[i], median(results[i], p99))
			errs = append(errs, verdict(fmt.Sprintf("p99 beside a handler that waits every %v, times without it", every[i]), ratio(results[i], results[0], p99), mostOthers, ""))
			for _, r := range results[i] {
				if r.lost > 0 {
					errs = append(errs, fmt.Errorf("%d messages lost", r.lost))
				}
			}
		}
		return errors.Join(errs...)
	})
}

// beside measures the other chats while the slow handler is asked again and again;
// never with 0.
func (s *stage) beside(ctx context.Context, every time.Duration) (result, error) {
	asking, stop := context.WithCancel(ctx)
	asked := make(chan error, 1)
	go func() { asked <- s.askSlow(asking, every) }()
	r, err := s.measure(ctx, load{messages: int(length.Seconds() * float64(*rate)), rate: *rate, groups: chats - 1})
	stop()
	return r, errors.Join(err, <-asked)
}

// askSlow sends what the slow handler waits for, until ctx ends.
func (s *stage) askSlow(ctx context.Context, every time.Duration) error {
	if every == 0 {
		return nil
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if err := s.ws.Write(context.WithoutCancel(ctx), websocket.MessageText, fmt.Appendf(nil,
			`{"self_id":10001,"user_id":30001,"time":%d,"message_id":7,"message_seq":7,"real_id":7,"real_seq":"7","message_type":"group","sender":{"user_id":30001,"nickname":"Alice","card":"","role":"member"},"raw_message":"slow","font":14,"sub_type":"normal","message":[{"type":"text","data":{"text":"slow"}}],"message_format":"array","post_type":"message","group_id":%d,"group_name":"slow"}`,
			time.Now().Unix(), firstGroup+chats-1)); err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// memory compares the memory after many events with that after the first ones.
func memory(ctx context.Context, args []string) error {
	return onStage(ctx, args, func(ctx context.Context, s *stage) error {
		var start, most, end result
		lost := 0
		for done, all := 0, max(*events, memoryWarm+1); done < all; {
			n := memoryWarm
			if done > 0 {
				n = min(memoryOne, all-done)
			}
			r, err := s.measure(ctx, load{messages: n, window: *window, groups: *groups})
			if err != nil {
				return err
			}
			if done == 0 {
				start, most = r, r
			}
			if end = r; end.rss > most.rss {
				most = end
			}
			done, lost = done+n, lost+r.lost
		}
		fmt.Printf("%d events: RSS %.1f MiB after the first %d, %.1f MiB at the end, %.1f MiB at most\n", *events, start.rss, memoryWarm, end.rss, most.rss)
		return errors.Join(verdict("growth of memory", most.rss-start.rss, mostGrowth, " MiB"), verdict("messages lost", float64(lost), 0, ""))
	})
}
