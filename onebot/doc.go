// Package onebot is the OneBot 11 protocol as NapCat speaks it: ids, message
// segments, messages, events, errors, and a [Client] with one method for every
// action. It does no I/O of its own: a [Client] works over any [Caller].
package onebot
