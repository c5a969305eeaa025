// Package ncat is the SDK for QQ bots on NapCat or any other OneBot 11 host.
//
// A bot is handlers registered on a [Bot]:
//
//	b := ncat.New()
//	ncat.On(b, func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
//		if m.Text() != "ping" {
//			return nil
//		}
//		_, err := b.Reply(ctx, m, "pong")
//		return err
//	})
//	log.Fatal(b.Dial(ctx, "ws://127.0.0.1:3001", token))
//
// [Bot.Dial] runs it against an endpoint that is already there; handing the Bot
// to ncatd.Main makes the program a whole ncatd that installs, launches and
// supervises NapCat as well.
//
// # Handlers
//
// [On] takes a handler for any event type of package onebot, concrete or
// interface; [Bot.OnGroup], [Bot.OnPrivate] and [Bot.OnMessage] are short forms.
// Events of one chat are handled one after the other in the order they came,
// chats in parallel. Within one event, handlers run by [Priority], then in the
// order they were registered; one that returns [Stop] keeps the event from the
// rest. A handler may take its time and may call whatever it likes. Its error
// and its panic are logged, counted and handed to [Bot.OnError]; neither
// disturbs anything else.
//
// The queue of a chat is bounded: what does not fit is dropped, counted and
// logged, never silently.
//
// # Commands and conversations
//
// [Command] binds what follows a command's name to a struct and answers mistakes
// with the usage; help is generated. [Bot.Ask], [Bot.Choose] and [Bot.Confirm]
// wait for an answer while the chat goes on. Filters such as [InGroup], [Keyword]
// and [MentionsMe] combine and are given to handlers and commands with [Where].
//
// # Plugins, schedules, store
//
// A [Plugin] can be switched off while the bot runs, which ends its handlers,
// schedules and goroutines. [Bot.Schedule] and [Bot.Store] remember across
// restarts if the bot has a store on disk, as it does in ncatd. Package ncattest
// tests all of it in virtual time.
//
// # Acting
//
// [Bot.Reply], [Bot.Send] and their kin send messages, [Bot.API] has a method
// for every action, [Bot.Call] takes any action by name. They work in a
// handler, in a goroutine it started and anywhere else. Each call ends: with its
// result, with an [*onebot.Error] if it was refused, with an error that wraps
// [onebot.ErrNotSent] or [onebot.ErrUnknownOutcome] if the link was lost or time
// ran out.
//
// [Image], [Voice], [Video] and [File] are media that come from where the bot
// runs and are brought to NapCat wherever that is; [Bot.Download] takes what was
// received, within limits.
//
// # Permissions
//
// [Need] restricts a command to roles. The bot's admins ([WithAdmins]) may do
// everything; to others roles, commands and plugins are granted and denied by
// [Bot.Permissions], or by the admins in the chat.
//
// # What was missed
//
// Messages that were written while there was no link are fetched afterwards and
// handled like all others, with Backfilled set; see [WithBackfill].
//
// # Several accounts
//
// The handlers of a Bot are shared by all accounts that run it. The Bot a
// handler gets is that of the account the event came to, so that answers go out
// through the right one.
package ncat
