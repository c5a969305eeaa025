// Command hello is the first bot: it answers 测试. Try it without QQ and without a
// network:
//
//	go run ./examples/hello start --sim
//	go run ./examples/hello sim say --user 3001000001 测试
//
// With a real account it is `go run ./examples/hello start`; every command of
// ncatd is there, see `go run ./examples/hello help`.
package main

import (
	"log"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
)

func newBot() (b *ncat.Bot) {
	b = ncat.New()
	b.OnText("测试", ncat.Say("NcatBot 测试成功喵~"))
	return b
}
func main() { log.Fatal(ncatd.Main(newBot())) }
