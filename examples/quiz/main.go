// Command quiz holds a conversation: /quiz asks who wrote it three questions.
//
//	go run ./examples/quiz start --sim
//	go run ./examples/quiz sim say --user 3001000001 /quiz
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

var questions = []struct {
	text    string
	choices []string
	right   int
}{
	{"Go 语言的吉祥物是？", []string{"企鹅", "地鼠", "猫"}, 1},
	{"1 KiB 是多少字节？", []string{"1000", "1024"}, 1},
	{"HTTP 404 表示？", []string{"未找到", "服务器错误"}, 0},
}

func newBot() *ncat.Bot {
	b := ncat.New()
	b.OnCommand("quiz", quiz, ncat.Alias("问答"), ncat.Help("三道题"))
	return b
}

func quiz(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	score := 0
	for _, q := range questions {
		n, err := b.Choose(ctx, m, q.text, q.choices, ncat.Within(30*time.Second))
		switch {
		case errors.Is(err, ncat.ErrCancelled), errors.Is(err, ncat.ErrNoAnswer):
			return b.Mention(ctx, m, "问答结束")
		case err != nil:
			return err
		}
		if n == q.right {
			score++
		}
	}
	return b.Mention(ctx, m, fmt.Sprintf("答对 %d/%d 题", score, len(questions)))
}
