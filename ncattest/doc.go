// Package ncattest tests bots that are written with package ncat, without QQ and
// without a network:
//
//	func TestPing(t *testing.T) {
//		ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
//			alice := h.InGroup(100, 1)
//			alice.Says("ping")
//			h.Want("pong")
//		})
//	}
//
// [Run] gives the bot an account whose calls a [Caller] records and answers. Time
// is virtual: [Harness.Pass] lets a day pass in no time, and everything the bot
// does has come to rest when Says and Pass return.
// For what is to be tested through [ncat.Bot.Dial], `ncatd sim onebot` is a OneBot
// endpoint on a real socket.
package ncattest
