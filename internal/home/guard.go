package home

// Guard says who has power over a path: whoever owns it, may write to it, or may
// put something else in its place.
type Guard struct {
	// Path is what the links on the way lead to.
	Path string
	// Exists is false if Path does not exist; UID, GID and Loose are then those of
	// the folder it would be made in.
	Exists   bool
	UID, GID int
	// Through is a folder or link on the way that belongs to neither root nor UID,
	// ThroughUID whose it is. It is empty if there is none.
	Through    string
	ThroughUID int
	// Loose is Path if others than its owner can write to it, or a folder on the way
	// in which they can replace it. It is empty if there is none.
	Loose string
}

// Guard returns who has power over the home.
func (d Dir) Guard() (Guard, error) { return guard(string(d)) }
