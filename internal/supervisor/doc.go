// Package supervisor decides when the one process of an account runs. The
// decision is a pure function, [Next], of what is wanted and what was seen;
// a [Runner] owns these facts in one goroutine, asks Next after every change,
// and applies one effect at a time through a [Driver].
//
// Failures add to a score that only time spent online lets decay, and the pause
// before each new try doubles. Above a limit the account is called failed and
// is tried slowly for ever; only a permanent cause ends the tries until somebody
// wishes anew.
//
// The package does no I/O, reads no clock but the one it is given, and knows
// nothing of NapCat.
package supervisor
