// Package install keeps the installed releases of NapCat and QQ: it chooses what
// to fetch, fetches and verifies it, unpacks it, switches to it and goes back
// (contract A.1 to A.8, A.12, A.13).
//
// The central type is [Store], opened with [Open] on a home folder. What is
// installed is a [Pair], one release of NapCat and one of QQ that run together:
// [Store.Current] gives the paths that a launcher needs, [Store.Install] brings
// another pair, [Store.Confirm] says that it came online, [Store.RollBack] goes
// back to the one before.
//
// On disk:
//
//	releases/napcat/VERSION/  releases/qq/VERSION/  complete or absent, never in between
//	releases/current          the pointer, one JSON document, replaced by rename
//	releases/.staging-*       what an interrupted install left; the next one removes it
//	downloads/                verified packages, and *.part with what came so far
//	ncatd.lock                the digest of every package that was ever accepted
//
// Every change of the pointer is one rename, so that a kill at any instant
// leaves either the old pair or the new one. Two installs in one home exclude
// each other by a lock that the kernel drops with the process.
//
// The package starts no processes and knows nothing of accounts that run, but
// for a look through /proc before it removes a release.
package install
