// Package script runs plugins that are written in TypeScript or JavaScript and
// lie in a folder. Each is an [ncat.Plugin] like any that is linked in, so that
// switches, permissions, the store, schedules and the config are the same. The
// [Manager] finds them, watches their files and replaces a plugin's old version
// by its new one between two events.
//
// Every version of a plugin is a machine of its own: one JavaScript engine that
// one goroutine runs, with bounds on its memory, on the time that an event may
// take, and on what it may have waiting. A machine that is over one of them is
// ended and made anew, and a plugin that fails all the time is switched off.
//
// The package knows no daemon and no NapCat: it stands on the public package
// ncat, in whose words scripts are written.
package script
