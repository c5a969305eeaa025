// Command release makes all files of a release of ncatd in one folder: programs
// for every platform, packages, a manifest and its signatures. The same commit
// gives the same bytes in any folder, but for the signing key's choice.
//
//	release build -version 1.2.3 -out dist   # NCATD_SIGNING_KEY names the key
//	release key new NAME                      # a pair of keys: NAME.pub, NAME.key
//	release key certify -serial 1 -root ROOT.key SIGNING.pub
//
// It needs git, the Go command and the module proxy, and no other network. It
// publishes nothing.
package main
