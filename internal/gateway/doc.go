// Package gateway serves accounts to other programs: it is the OneBot 11 host
// that an app talks to, in the forms that NapCat has (contract E.1 to E.7), while
// NapCat itself has one client only, which is ncatd.
//
// [New] makes a [Gateway], whose accounts are fed with events by [Gateway.Feed]
// and whose apps, each an [App], come and go with [Gateway.Start]. An event is
// filtered for each app and goes out as it came, byte for byte; a call is held
// against the app's [Rights], brought to the account with an echo of our own, and
// its answer goes back with the app's. While an account's NapCat is away its apps
// keep their links and learn so.
//
// What an app missed while it was away itself is in the account's record, from
// which it gets it when it comes back.
//
// The package runs no app, starts no NapCat and does not decide what an account
// sends how fast.
package gateway
