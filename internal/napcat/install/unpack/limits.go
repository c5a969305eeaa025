package unpack

import (
	"errors"
	"fmt"
)

// Limits bound what one package may unpack to. A zero field means the default
// of [DefaultLimits].
type Limits struct {
	Entries   int   // files, folders and links
	Bytes     int64 // sum of all files, unpacked
	FileBytes int64 // one file, unpacked
	// Ratio is the most that the unpacked size may be of the packed size. It
	// counts only above RatioFloor bytes, since small files compress well.
	Ratio      int64
	RatioFloor int64
	PathBytes  int // one entry's whole name
	Depth      int // folders above one entry
}

// DefaultLimits are several times what the largest known QQ package needs
// (150 MiB packed, 600 MiB and a few thousand entries unpacked).
var DefaultLimits = Limits{
	Entries:    25_000,
	Bytes:      4 << 30,
	FileBytes:  2 << 30,
	Ratio:      50,
	RatioFloor: 32 << 20,
	PathBytes:  1024,
	Depth:      40,
}

// or returns l with its zero fields taken from d.
func (l Limits) or(d Limits) Limits {
	if l.Entries == 0 {
		l.Entries = d.Entries
	}
	if l.Bytes == 0 {
		l.Bytes = d.Bytes
	}
	if l.FileBytes == 0 {
		l.FileBytes = d.FileBytes
	}
	if l.Ratio == 0 {
		l.Ratio = d.Ratio
	}
	if l.RatioFloor == 0 {
		l.RatioFloor = d.RatioFloor
	}
	if l.PathBytes == 0 {
		l.PathBytes = d.PathBytes
	}
	if l.Depth == 0 {
		l.Depth = d.Depth
	}
	return l
}

// Reason is one word for why an archive was refused.
type Reason string

// The reasons for refusing an entry.
const (
	ReasonAbsolute  Reason = "absolute_path"
	ReasonTraversal Reason = "path_traversal"
	ReasonBadName   Reason = "bad_name"
	ReasonDuplicate Reason = "duplicate_name"
	ReasonLink      Reason = "link_outside"
	ReasonThrough   Reason = "write_through_link"
	ReasonSpecial   Reason = "special_file"
	ReasonTooMany   Reason = "too_many_entries"
	ReasonTooLarge  Reason = "too_large"
	ReasonBomb      Reason = "compression_bomb"
)

// RefusedError says that an archive holds an entry that is not unpacked, and
// with it nothing else of that archive.
type RefusedError struct {
	Entry  string // as the archive spells it
	Reason Reason
	Detail string
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("archive entry %q refused (%s): %s", e.Entry, e.Reason, e.Detail)
}

// The errors of a file that is no archive, or a damaged one.
var (
	// ErrHTML is a web page where an archive was expected: what a dead link or
	// a mirror's error page looks like.
	ErrHTML = errors.New("an HTML page, not an archive")
	// ErrFormat is a file that is none of the known archives.
	ErrFormat = errors.New("not a zip or deb archive")
	// ErrDamaged is an archive that is cut short or inconsistent in itself.
	ErrDamaged = errors.New("damaged archive")
)
