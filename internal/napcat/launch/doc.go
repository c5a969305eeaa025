// Package launch starts the processes of one account (Xvfb and QQ with NapCat
// in it), ends them without leaving any behind, finds them again after ncatd
// itself was killed, and turns what they print into facts.
//
// [Start] and [Adopt] return a [Process]; [Parser] reads NapCat's output line by
// line (contract A.11, D.2 to D.4, K); [Display] is the X server that accounts
// share; [Sampler] measures process trees. A process writes into a file of its
// own and not into a pipe, because NapCat's worker wedges at its next line when
// the reader of a pipe is gone: the file outlives ncatd.
//
// The package decides nothing: when a process runs is the supervisor's business.
package launch
