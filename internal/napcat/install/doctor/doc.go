// Package doctor looks at a machine and tells what would keep NapCat and QQ from
// running on it: missing libraries, no X server, a full disk, a wrong clock,
// hosts out of reach.
//
// The central function is [Examine]. It changes nothing and starts no program.
// What it finds are codes with arguments, for the caller to put into words;
// what can be mended by the distribution's packages comes together in one command.
package doctor
