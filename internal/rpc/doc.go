// Package rpc is one OneBot 11 connection: it sends actions, matches their
// answers, hands events on in the order they came, and notices when the link is
// lost (contract E.1 to E.4).
//
// [Dial] connects to a forward WebSocket endpoint and gives a [Conn], the
// package's central type, which is an [onebot.Streamer]. [Conn.Run] reads
// frames until the link ends; calls are answered only while it runs. A
// [Redialer] keeps making such connections to one endpoint.
//
// No call is ever repeated here: one that was lost says by [onebot.ErrNotSent]
// or [onebot.ErrUnknownOutcome] whether repeating it is safe, and the caller
// decides.
package rpc
