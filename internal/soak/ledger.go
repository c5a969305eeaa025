//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/bot/demo"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// ledgerEnv names the file in which the bot under test writes down which messages
// its handlers were given.
const ledgerEnv = "SOAK_LEDGER"

// newBot returns the bot under test: the demo, which besides dies of "/poison" and
// answers "/mark ACCOUNT CHAT NUMBER", which it writes down before it does. What handlers get is what
// counts: an answer may be lost with its link, or be refused.
func newBot() *ncat.Bot {
	b := demo.New()
	b.OnCommand("poison", func(context.Context, *ncat.Bot, onebot.MessageEvent) error {
		died := make(chan struct{})
		go func() { panic(poisoned) }() // nobody can recover that
		<-died
		return nil
	})
	path := os.Getenv(ledgerEnv)
	if path == "" {
		return b
	}
	const mark = "/mark "
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		text := strings.TrimPrefix(m.Msg().Text(), mark)
		if err := writeDown(path, text, ncat.Redelivered(nil, m)); err != nil {
			return err
		}
		return b.Reply(ctx, m, "marked "+text)
	}, ncat.Where(ncat.HasPrefix(mark), ncat.NotSelf())) // else the demo would leave all messages to it
	return b
}

func writeDown(path, text string, again bool) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %v\n", text, again)
	return errors.Join(err, f.Close())
}

// chatKey is one chat of one account.
type chatKey struct{ account, chat string }

// handled is one time that handlers were given a message.
type handled struct {
	n     int
	again bool
}

// readLedger returns what handlers were given, in order, by chat.
func readLedger(path string) (map[chatKey][]handled, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[chatKey][]handled{}
	for s := bufio.NewScanner(f); s.Scan(); {
		w := strings.Fields(s.Text())
		if len(w) != 4 {
			return nil, fmt.Errorf("ledger: %q", s.Text())
		}
		n, err := strconv.Atoi(w[2])
		if err != nil {
			return nil, err
		}
		k := chatKey{w[0], w[1]}
		out[k] = append(out[k], handled{n, w[3] == "true"})
	}
	return out, nil
}

// some returns the first few of a list, for people.
func some(list []int) string {
	if len(list) <= 10 {
		return fmt.Sprint(list)
	}
	return fmt.Sprintf("%v and %d more", list[:10], len(list)-10)
}

// verdict is how the messages of one chat fared.
type verdict struct {
	said, handled, again      int
	lost, doubled, outOfOrder []int
}

// judge compares what was said in a chat with what handlers were given. Those of
// which it is not known whether they were said count for nothing. A message that
// comes once more marked as such was begun when the process was killed.
func judge(said []int, unsure map[int]bool, got []handled) (v verdict) {
	v.said = len(said)
	times := map[int]int{}
	last := -1
	for _, h := range got {
		switch {
		case h.again:
			v.again++
		default:
			times[h.n]++
		}
		if h.n < last {
			v.outOfOrder = append(v.outOfOrder, h.n)
		}
		last = max(last, h.n)
	}
	seen := map[int]bool{}
	for _, h := range got {
		seen[h.n] = true
	}
	v.handled = len(seen)
	for _, n := range said {
		if !seen[n] && !unsure[n] {
			v.lost = append(v.lost, n)
		}
		if times[n] > 1 {
			v.doubled = append(v.doubled, n)
		}
	}
	return v
}
