package proc

import (
	"os"
	"sort"
)

// Identify returns the identity of the process that has this pid now, or
// [ErrGone].
func Identify(pid int) (Identity, error) { return system().identify(pid) }

func (h *host) identify(pid int) (Identity, error) {
	p, err := h.process(pid)
	if err != nil {
		return Identity{}, err
	}
	boot, err := h.bootID()
	if err != nil {
		return Identity{}, err
	}
	uid, err := h.user(pid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, Start: p.Start, BootID: boot, UID: uid}, nil
}

// Self returns what the system knows of this process.
func Self() (Info, error) { return system().process(os.Getpid()) }

// Parent returns the pid of a process's parent.
func Parent(pid int) (int, error) {
	p, err := system().process(pid)
	return p.PPID, err
}

// Look returns nil if the process that id names exists and is no zombie, and
// [ErrGone] if it does not. Any other error says that this could not be told,
// such as for want of descriptors: the process may live.
func Look(id Identity) error { return system().look(id) }

func (h *host) look(id Identity) error {
	if id.PID <= 0 {
		return ErrGone
	}
	boot, err := h.bootID()
	if err != nil {
		return err
	}
	if id.BootID != boot {
		return ErrGone
	}
	if id.UID != "" {
		// First, since the rest of another user's process may be hidden.
		if uid, err := h.user(id.PID); err != nil || uid != id.UID {
			if err == nil {
				err = ErrGone
			}
			return err
		}
	}
	p, err := h.process(id.PID)
	if err == nil && (p.Start != id.Start || p.State == 'Z') {
		err = ErrGone
	}
	return err
}

// Alive reports whether the process that id names exists and is no zombie, or
// whether that could not be told: what is not known to be gone may live.
func Alive(id Identity) bool { return !gone(Look(id)) }

// survivors returns what lives of an account: the process root, all of its
// session, what descends from any of them, and whatever carries the marker.
// Zombies are not in it, nor are this process and its ancestors.
func (h *host) survivors(list []Info, root Identity, marker string) ([]Info, error) {
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
	if root.PID > 0 {
		if err := h.session(list, byPID, root, in); err != nil {
			return nil, err
		}
	}
	if marker != "" {
		for _, p := range list {
			if in[p.PID] || ours[p.PID] || p.State == 'Z' {
				continue
			}
			yes, err := h.ownedByUs(p.PID)
			if yes && err == nil {
				yes, err = h.marked(p.PID, marker)
			}
			if err != nil {
				return nil, err
			}
			if yes {
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
	sort.Slice(out, func(i, j int) bool { return out[i].PID < out[j].PID })
	return out, nil
}

// session puts the session of root into in.
func (h *host) session(list []Info, byPID map[int]Info, root Identity, in map[int]bool) error {
	boot, err := h.bootID()
	if err != nil || root.BootID != boot {
		return err
	}
	// A session keeps its number after its leader died, and no new process gets
	// that number as pid meanwhile. So if there is a process with it, it must be
	// root itself, or the session is somebody else's.
	if leader, ok := byPID[root.PID]; ok {
		uid, err := h.user(root.PID)
		if err != nil && !gone(err) {
			return err
		}
		if leader.Start != root.Start || err == nil && root.UID != "" && uid != root.UID {
			return nil
		}
	}
	for _, p := range list {
		if (p.Session == root.PID || p.PID == root.PID) && p.Start >= root.Start {
			in[p.PID] = true
		}
	}
	return nil
}

// FindMarked returns the oldest process that carries the marker and whose parent
// does not: the master of an account whose pid was never written down. ok is
// false if there is none, or if this system does not tell.
func FindMarked(marker string) (id Identity, ok bool) {
	h := system()
	list, err := h.table()
	if err != nil {
		return Identity{}, false
	}
	alive, err := h.survivors(list, Identity{}, marker)
	if err != nil {
		return Identity{}, false
	}
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
	id, err = h.identify(best.PID)
	return id, err == nil && id.Start == best.Start
}
