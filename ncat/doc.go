// Package ncat is the SDK for QQ bots on NapCat or any other OneBot 11 host.
//
// A bot is handlers registered on a [Bot]:
//
//	b := ncat.New()
//	ncat.On(b, func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
//		if m.Text() != "ping" {
//			return nil
//		}
//		err := b.Reply(ctx, m, "pong")
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
// order they were registered; one that returns [ErrStop] keeps the event from the
// rest. A handler may take its time and may call whatever it likes. Its error
// and its panic are logged, counted and handed to [Bot.OnError]; neither
// disturbs anything else.
//
// The queue of a chat is bounded: what does not fit is dropped, counted and
// logged, never silently.
//
// # Filters and middleware
//
// [Where] restricts a handler or command to what passes filters: [InGroup],
// [InPrivate], [FromUser], [ToMe], [MentionsMe], [HasPrefix], [Keyword],
// [IsReply], [HasSegment], [ByGroupAdmin], [During] and more, which combine:
//
//	b.OnGroup(welcome, ncat.Where(ncat.MentionsMe().Or(ncat.HasPrefix("bot")).And(ncat.NotSelf())))
//
// [OnMatch] hands over the groups of a regular expression. A [Middleware] stands
// around all handlers ([Bot.Use]), those of a plugin (Use of its [Host]), or a
// single one ([Wrap]).
//
// # Commands
//
// [Command] binds what follows a command's name to a struct and answers mistakes
// with the usage:
//
//	type remindArgs struct {
//		After time.Duration `arg:"after" help:"how long to wait"`
//		Who   onebot.UserID `flag:"who,w" help:"somebody else"`
//		Text  string        `arg:"text,rest"`
//	}
//	ncat.Command(b, "remind", remind, ncat.Alias("提醒"), ncat.Help("reminds you"), ncat.Cooldown(time.Minute))
//
// Names of several words are sub-commands. help is generated, paged, and shows
// to everybody what they may use; a misspelled command is answered with what was
// perhaps meant. Two commands of one name panic at the start. Finding a command
// costs the same with one and with a thousand.
//
// # Conversations
//
// [Bot.Ask], [Bot.Choose] and [Bot.Confirm] send a question and wait for the
// answer of one user in one chat, while the chat goes on; [Bot.WaitFor] waits for
// any event. They end with the answer, with [ErrNoAnswer], [ErrCancelled] or with
// their context.
//
// # Schedules
//
// [Bot.Schedule] understands "2h30m", "00:15:30", "每天 8:00", "at 2026-01-02
// 15:04" and cron. Runs of one schedule never overlap and stay in step over long
// runs and restarts; [In] sets the time zone, [Jitter] spreads, [CatchUp] makes up
// for what was missed.
//
// # Store
//
// [Bot.Store] is a transactional store of the bot's or the plugin's own, used
// through [Get], [Put], [Update], [Scan] and [Delete]:
//
//	points, err := ncat.Update(ctx, b.Store(), user.String(), func(n int, _ bool) (int, error) { return n + 1, nil })
//
// It is on disk in ncatd; a bot that runs by Dial has one in package ncat/sqlite.
//
// # Plugins
//
// A [Plugin] has an id, a version and a Setup that registers what it does, on a
// [Host], which is a Bot whose handlers, commands, schedules, goroutines
// ([Bot.Go]), store and config section are the plugin's. [Bot.SetPlugin] switches
// it off while the bot runs, which really ends all of it, and it stays off after
// a restart. One that cannot be set up is reported and left out. Package ncattest
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
