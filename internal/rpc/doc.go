// Package rpc is one OneBot 11 connection: it sends actions, matches their
// answers, hands events on in the order they came, and notices when the link is
// lost (contract E.1 to E.4).
//
// [Dial] connects to a forward WebSocket endpoint and gives a [Conn], the
// package's central type, which is an [onebot.Streamer]. [Conn.Run] reads
// frames until the link ends; calls are answered only while it runs.
//
// The package never reconnects and never repeats a call: a call that was lost
// says by [onebot.ErrNotSent] or [onebot.ErrUnknownOutcome] whether repeating
// it is safe, and the caller decides.
package rpc
