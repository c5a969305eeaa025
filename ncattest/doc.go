// Package ncattest tests bots that are written with package ncat, without QQ and
// without a network.
//
// # A first test
//
// [Run] runs a bot with one account. People write to it, and the test says what
// it should have answered:
//
//	func TestPing(t *testing.T) {
//		ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
//			h.Group(100).From(1).Says("ping")
//			h.Want("pong")
//			h.Friend(2).Says("hello")
//			h.WantNothing()
//		})
//	}
//
// Groups and people need not be made first: naming one makes it exist. When Says
// returns, the bot has done everything it will do about it. A failure shows what
// was sent, where, after what, and which handler returned an error:
//
//	the bot did not send what was wanted
//	  sent:
//	    1. group 100: "[CQ:at,qq=1] 积分不够"   <- not wanted here
//	  wanted:
//	    1. "签到成功"
//	  after: user 1 in group 100 said "/sign"
//
// # Who does what
//
// A [Person] is Group(100).From(1), Group(100).Admin(1), Group(100).Owner(1) or
// Friend(1), and [Person.Says], Quotes, Mentions, Recalls, Pokes, Reacts, Joins,
// Leaves or Asks. For everything else that can happen there is a function that
// makes the event, such as [Muted] or [GroupRenamed], for [Harness.Event].
//
// # What the bot did
//
// [Harness.Want] names the messages that the bot sent since it was last asked, by
// their text or with CQ codes; [Harness.WantLike] names parts of them,
// [Harness.One] returns the only one. [Harness.WantCall] asks for any other call:
//
//	h.WantCall("set_group_kick", "group_id", 100, "user_id", 6)
//
// Calls are carried out in a little QQ, the one that the simulator has: who was
// removed is no member, what NapCat refuses is refused. [Recorder.On] decides
// otherwise:
//
//	h.On("get_group_member_info", ncattest.Result(map[string]any{"user_id": 6, "role": "admin"}))
//	h.On("send_group_msg", ncattest.Times(1, ncattest.Refuse(1200, "发送失败")))
//
// # Time
//
// Time is virtual. It stands still while the bot does something;
// [Harness.Pass] lets a day pass in no time, with all that is scheduled and every
// question that nobody answered:
//
//	h.PassUntil("08:00")
//	h.Want("早上好")
//
// [Harness.Stop] and [Harness.Start] start the bot again with what its stores
// remember; [Harness.Account] adds accounts to it.
//
// # The web
//
// There is no network. [Harness.Web] says what is at the addresses that the bot
// asks:
//
//	h.Web("GET example.com/weather", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "晴") })
//
// # Real sockets
//
// A [Server] is a OneBot 11 endpoint as NapCat serves it, on loopback: for bots
// that use [ncat.Bot.Dial], programs run as processes, and bots in other
// languages. It takes the same people and answers every action. From the command
// line the same is `ncatd sim onebot`.
package ncattest
