// Command accounts is one bot on several accounts. Its handlers are shared; each
// gets the Bot of the account that heard the message, so that an answer comes from
// that account. /accounts lists them, /tell carries a message to a friend of
// another account.
//
// Each account is an entry in ncatd.yaml, with a login of its own:
//
//	accounts:
//	  - name: main
//	  - name: second
//	bot: {admins: [10000]}
//
//	go run ./examples/accounts start
package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

func newBot() *ncat.Bot {
	b := ncat.New()
	b.OnCommand("accounts", list, ncat.Alias("账号"), ncat.Help("在线的账号"))
	ncat.Command(b, "tell", tell, ncat.Alias("转告"), ncat.Help("用另一个账号发私聊"), ncat.Need(ncat.RoleAdmin))
	return b
}

func list(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	var s strings.Builder
	for _, a := range b.Accounts() {
		if s.Len() > 0 {
			s.WriteByte('\n')
		}
		fmt.Fprintf(&s, "%s %d", a.Account(), a.Self())
		if a.Self() == b.Self() {
			s.WriteString("（我）")
		}
	}
	return b.Reply(ctx, m, s.String())
}

func tell(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, args struct {
	Account string        `arg:"account" help:"账号的名字"`
	User    onebot.UserID `arg:"user" help:"发给谁"`
	Text    string        `arg:"text,rest" help:"说什么"`
}) error {
	for _, a := range b.Accounts() {
		if a.Account() == args.Account {
			if _, err := a.SendPrivate(ctx, args.User, args.Text); err != nil {
				return err
			}
			return b.Reply(ctx, m, "已转告")
		}
	}
	return b.Reply(ctx, m, "没有这个账号")
}
