// Package launch starts QQ with NapCat in it, or takes over one that runs:
// [Start] and [Adopt] return a [Process], whose lines are read with the grammar
// of package output; [Display] is the X server that accounts share.
//
// The package decides nothing: when a process runs is the supervisor's business.
package launch
