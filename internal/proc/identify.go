package proc

import (
	"os"
	"slices"
)

// Identify returns the identity of the process that has this pid now.
func Identify(pid int) (Identity, error) {
	p, err := process(pid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, Start: p.Start, BootID: bootID()}, nil
}

// Parent returns the pid of a process's parent.
func Parent(pid int) (int, error) {
	p, err := process(pid)
	return p.PPID, err
}

// Alive reports whether the process that id names exists and is no zombie.
func Alive(id Identity) bool {
	if id.PID <= 0 || id.BootID != bootID() {
		return false
	}
	p, err := process(id.PID)
	return err == nil && p.Start == id.Start && p.State != 'Z'
}

// survivors returns what lives of an account: the process root, all of its
// session, what descends from any of them, and whatever carries the marker.
// Zombies are not in it, nor are this process and its ancestors.
func survivors(list []Info, root Identity, marker string) []Info {
	boot := bootID()
	byPID := make(map[int]Info, len(list))
	for _, p := range list {
		byPID[p.PID] = p
	}
	ours := make(map[int]bool)
	for pid, n := os.Getpid(), 0; pid > 0 && n < 64; n++ {
		ours[pid] = true
		pid = byPID[pid].PPID
	}
	in := make(map[int]bool)
	if root.PID > 0 && root.BootID == boot {
		// A session keeps its number after its leader died, and no new process
		// gets that number as pid meanwhile. So if there is a process with it,
		// it must be root itself, or the session is somebody else's.
		leader, ok := byPID[root.PID]
		if !ok || leader.Start == root.Start {
			for _, p := range list {
				if (p.Session == root.PID || p.PID == root.PID) && p.Start >= root.Start {
					in[p.PID] = true
				}
			}
		}
	}
	if marker != "" {
		for _, p := range list {
			if !in[p.PID] && !ours[p.PID] && p.State != 'Z' && ownedByUs(p.PID) && marked(p.PID, marker) {
				in[p.PID] = true
			}
		}
	}
	for again := true; again; {
		again = false
		for _, p := range list {
			if !in[p.PID] && p.PPID > 1 && in[p.PPID] {
				in[p.PID], again = true, true
			}
		}
	}
	var out []Info
	for _, p := range list {
		if in[p.PID] && !ours[p.PID] && p.State != 'Z' {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Info) int { return a.PID - b.PID })
	return out
}

// FindMarked returns the oldest process that carries the marker and whose parent
// does not: the master of an account whose pid was never written down. ok is
// false if there is none, or if this system does not tell.
func FindMarked(marker string) (id Identity, ok bool) {
	list, err := table()
	if err != nil {
		return Identity{}, false
	}
	alive := survivors(list, Identity{}, marker)
	in := make(map[int]bool, len(alive))
	for _, p := range alive {
		in[p.PID] = true
	}
	var best Info
	for _, p := range alive {
		if !in[p.PPID] && (best.PID == 0 || p.Start < best.Start) {
			best = p
		}
	}
	if best.PID == 0 {
		return Identity{}, false
	}
	return Identity{PID: best.PID, Start: best.Start, BootID: bootID()}, true
}
