// Package onebot is the OneBot 11 protocol as NapCat speaks it: ids, message
// segments, messages, events, errors, and a [Client] with one method for every
// action. It does no I/O of its own and starts no goroutines: a Client works
// over any [Caller], and [Decode] over frames from wherever they come. Package
// ncat, built on this one, is where a bot's author starts; this one is for
// everything below handlers and commands.
//
// The package follows what NapCat does, which is not always what its
// descriptions say. "Contract" in the comments names the sections of the
// project's notes on NapCat's behaviour.
//
// # Events
//
// [Decode] turns a frame into an [Event]: a pointer to one of the event structs,
// such as [*GroupMessage], [*GroupIncrease] or [*FriendRequest]. A type switch
// tells them apart; [MessageEvent] stands for messages of both kinds.
//
//	e, err := onebot.Decode(frame)
//	switch e := e.(type) {
//	case *onebot.GroupMessage:
//		fmt.Println(e.GroupID, e.Sender.Nickname, e.Text())
//	case *onebot.Poke:
//		fmt.Println(e.Poker(), "poked", e.TargetID)
//	case *onebot.UnknownEvent:
//		fmt.Printf("%s\n", e.Raw())
//	}
//
// Nothing is dropped. An event this package does not know is an [*UnknownEvent],
// a segment it does not know an [*UnknownSegment] in its place in the message,
// and fields it does not know are in Raw, which every event, received segment
// and result has. What was decoded encodes to the JSON it came from; where
// fields were changed since, only these are written anew.
//
// # Messages
//
// A [Message] is a list of segments, made with functions named for what they
// make:
//
//	m := onebot.Message{onebot.Reply(id), onebot.At(user), onebot.Text(" look: "), &onebot.ImageSegment{File: "https://…/cat.png"}}
//
// Received ones are asked with [Message.Text], [Message.Mentions],
// [Message.ReplyTo], [First] and [All]. A message decodes from all three forms
// that OneBot allows (a list, a single segment, a text with CQ codes) and
// [ParseCQ] and [Message.CQ] convert to and from CQ codes.
//
// NapCat refuses some combinations and drops some segments without a word.
// [Message.Validate] tells before sending, and [Message.Split] makes the
// messages that do work out of one that does not.
//
// A merged forward is a message of nodes: made ones ([Node], [NodeFrom]) and
// existing ones ([NodeOf], [Nodes]), nested up to three deep.
//
// Media come from a path or an address as NapCat's machine sees it, or inside
// the message ([ImageBytes], [ImageReader]). [Client.Upload] and
// [Client.Download] copy files of any size to and from a NapCat on another
// machine.
//
// # Calls
//
// [Client] has a method for each of NapCat's actions, [Actions] lists them, and
// the comment of each ends with the action's name. Parameters go in a struct.
// In it, what may be left out is a pointer, a slice or an id, so that not given
// and zero differ; new makes the pointers:
//
//	err := c.SetGroupBan(ctx, onebot.SetGroupBanParams{GroupID: g, UserID: u, Duration: new(10 * time.Minute)})
//
// A few parameters mean something harmful when they are left out: without
// Enable NapCat takes an administrator's role away, without Duration it lifts a
// ban, without Approve it accepts a request. The methods refuse such calls with
// a [*ParamError] before anything is sent.
//
// Results are structs, or lists of them, decoded leniently: numbers in strings,
// missing keys and data that is null all pass, and whatever came is in Raw. An
// action without a method, or with parameters of one's own, is called through
// [Client.Caller].
//
// # Errors
//
// A call that was answered with a refusal fails with an [*Error], and so does
// one that NapCat calls done although QQ's own code in the answer says no.
// [IsUnsupported], [IsBadParams] and [IsBadToken] tell the common kinds apart,
// over WebSocket and HTTP alike. A call whose connection was lost wraps
// [ErrNotSent], which can be repeated, or [ErrUnknownOutcome], which may have
// been carried out. [MaybeDone] asks the question that matters before sending
// again, and includes sends that QQ did not confirm in time.
//
// Some successes say little: for actions whose comment says so NapCat reports
// success whatever QQ thinks of them. Wait for the notice event where it
// matters.
//
// # Speed
//
// Group messages, which are nearly all of the traffic, are decoded by a scanner
// written for them, with four allocations. Fuzz tests hold it to encoding/json.
package onebot
