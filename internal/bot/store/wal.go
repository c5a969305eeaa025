package store

import (
	"encoding/binary"
	"io"
	"os"
)

// What the format of SQLite's log says.
const (
	walHeader   = 32
	frameHeader = 24
)

// inLog reports whether the log of the store at path has the pages after the first
// have of all: a checkpoint that was cut short, by a full disk or a kill, leaves
// a file that says it has more pages than there are, and they are still there.
func inLog(path string, page, have, all int64) bool {
	f, err := os.Open(path + "-wal")
	if err != nil {
		return false
	}
	defer f.Close()
	var h [walHeader]byte
	if _, err := io.ReadFull(f, h[:]); err != nil || int64(binary.BigEndian.Uint32(h[8:])) != page {
		return false
	}
	missing := all - have
	seen := make(map[uint32]bool)
	for at := int64(walHeader); ; at += frameHeader + page {
		var fr [frameHeader]byte
		if _, err := f.ReadAt(fr[:], at); err != nil {
			return false
		}
		if string(fr[8:16]) != string(h[16:24]) { // the salts: it is of an older log
			return false
		}
		n := binary.BigEndian.Uint32(fr[:])
		if int64(n) > have && int64(n) <= all && !seen[n] {
			seen[n] = true
			if missing--; missing == 0 {
				return true
			}
		}
	}
}
