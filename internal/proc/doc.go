// Package proc runs child processes of any kind so that they outlive us: it
// starts them in a session of their own, ends them without leaving any behind,
// finds them again after we were killed, and measures them.
//
// [Start] and [Adopt] return a [Process]; [Identity] names one for ever; [Sweep]
// ends what is left of one; [Sampler] measures process trees. A process writes
// into a file of its own and not into a pipe, because a program may wedge at its
// next line when the reader of a pipe is gone: the file outlives us. What the
// lines mean is the business of a [Reader].
//
// The package knows no program in particular and decides nothing: when a process
// runs is the supervisor's business.
package proc
