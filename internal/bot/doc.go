// Package bot is the embedded runtime: it runs an [ncat.Bot] on the OneBot link
// of each account and tells the daemon how the link fares. [Link] is its central
// type, one per account.
//
// It starts no process, knows no NapCat and decides nothing about restarts.
package bot
