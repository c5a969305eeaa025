// Package unpack writes what a downloaded package holds into a fresh folder, and
// refuses whatever could reach outside of it. It reads zip archives and Debian
// packages (.deb: ar around tar in xz, zst, gz or plain) in Go, so that neither
// root nor dpkg is needed (contract A.4, step 4).
//
// The central function is [Extract]. It knows nothing of QQ or NapCat: what the
// files mean, where they go in the end and which digest they must have is
// decided by the caller.
package unpack
