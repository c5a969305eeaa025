// Package account is one account's life: what is known of its process, its login
// and its link, and what follows from that.
//
// [Facts] is the one value that knows: three enums with their times, changed by
// [Facts.After] only, which is pure and total. Everything that is shown or kept
// is a projection of it: what the supervisor decides by ([Facts.View]), the
// snapshot that clients see ([Facts.Snapshot]), and what must outlive ncatd
// ([Facts.Saved]). An [Account] gives the value its owner, the goroutine of one
// [supervisor.Runner], and carries out what it asks for.
//
// The package knows no OneBot host. NapCat stands behind [Host], which starts and
// ends the process and tells facts through a [Life]; the bot stands behind
// [Connection].
package account
