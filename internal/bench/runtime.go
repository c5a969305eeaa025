package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/coder/websocket"
)

const (
	blockedChats = 10   // of them one is blocked
	blockedMost  = 1.20 // times the p99 of the others without it
	memoryMost   = 25.0 // MiB that memory may grow by
	memoryWarm   = 20_000
)

// runtimeRun measures what a bot that runs for long and has bad handlers does to
// its good ones.
func runtimeRun(ctx context.Context, args []string) error {
	return errors.Join(blocked(ctx, args), memory(ctx, args))
}

// blocked compares the latency in nine chats while the handler of a tenth blocks
// with that in as much time in which none does, in one bot.
func blocked(ctx context.Context, args []string) error {
	per := int(block.Seconds() * float64(*rate))
	warm := *rate
	var took [2][]int64 // without, with
	err := onStage(ctx, args, warm+2*per, 0, func(ctx context.Context, s *stage) error {
		l := load{rate: *rate, groups: blockedChats - 1}
		if err := s.openLoop(ctx, s.ws, 0, warm, l); err != nil {
			return err
		}
		for i := range took {
			if i == 1 {
				if err := s.block(ctx); err != nil {
					return err
				}
			}
			from := warm + i*per
			if err := s.openLoop(ctx, s.ws, from, from+per, l); err != nil {
				return err
			}
			for n := from; n < from+per; n++ {
				d := s.took[n].Load()
				if d == 0 {
					d = math.MaxInt64 // lost
				}
				took[i] = append(took[i], d)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	a, b := p99(took[0]), p99(took[1])
	fmt.Fprintf(os.Stdout, "%d chats, one blocked for %v: p99 of the others %.0f us, without it %.0f us, %.2f times (at most %.2f)\n",
		blockedChats, *block, b/1e3, a/1e3, b/a, blockedMost)
	if b/a > blockedMost {
		return errors.New("a blocked handler slows the others down")
	}
	return nil
}

func p99(d []int64) float64 {
	slices.Sort(d)
	return float64(d[int(.99*float64(len(d)-1))])
}

// block lets the handler of the tenth chat block.
func (e *stage) block(ctx context.Context) error {
	return e.ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil,
		`{"self_id":10001,"user_id":30001,"time":%d,"message_id":7,"message_seq":7,"real_id":7,"real_seq":"7","message_type":"group","sender":{"user_id":30001,"nickname":"Alice","card":"","role":"member"},"raw_message":"block","font":14,"sub_type":"normal","message":[{"type":"text","data":{"text":"block"}}],"message_format":"array","post_type":"message","group_id":%d,"group_name":"blocked"}`,
		time.Now().Unix(), 700000001+blockedChats-1))
}

// memory compares the memory after many events with that after the first ones.
func memory(ctx context.Context, args []string) error {
	total := max(*events, memoryWarm+1)
	return onStage(ctx, args, total, *window, func(ctx context.Context, s *stage) error {
		var start, most, end float64
		const looks = 20
		for i, from := 0, 0; i <= looks; i++ {
			to := memoryWarm + (total-memoryWarm)*i/looks
			if err := s.closedLoop(ctx, s.ws, from, to, *groups); err != nil {
				return err
			}
			from = to
			m, err := s.proc.MemoryInfo()
			if err != nil {
				return err
			}
			end = float64(m.RSS) / (1 << 20)
			if i == 0 {
				start = end
			}
			most = max(most, end)
		}
		lost := int64(total) - s.replies.Load()
		fmt.Fprintf(os.Stdout, "%d events: RSS %.1f MiB after the first %d, %.1f MiB at the end, %.1f MiB at most (at most %.0f MiB above the start), %d lost\n",
			total, start, memoryWarm, end, most, memoryMost, lost)
		if most-start > memoryMost || lost != 0 {
			return errors.New("memory grows, or messages were lost")
		}
		return nil
	})
}
