package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/control/api"
)

// pointer is the file releases/current: which pair to run, which ones ran
// before, and why the last one was left.
type pointer struct {
	Schema     int         `json:"schema"`
	Current    *Pair       `json:"current,omitempty"`
	Previous   []Pair      `json:"previous,omitempty"` // newest first
	RolledBack *RolledBack `json:"rolled_back,omitempty"`
}

// RolledBack says which pair was left, and why.
type RolledBack struct {
	NapCat string    `json:"napcat_version"`
	QQ     string    `json:"qq_version"`
	Time   time.Time `json:"time"`
	Left
}

// Left says why a pair was left.
type Left struct {
	Reason string    `json:"reason"`         // a word, or the English sentence for Fault
	Fault  api.Fault `json:"fault,omitzero"` // what kept the pair from coming online
	// ByItself is true when the daemon went back because the pair did not come
	// online, false when a person asked for it.
	ByItself bool `json:"by_itself"`
}

const pointerSchema = 1

// maxPrevious bounds the history; what keeps releases on disk is Prune.
const maxPrevious = 16

// readPointer reads the pointer. In the place of a damaged one, as a loss of power
// leaves it, comes what is installed.
func (s *Store) readPointer() (pointer, error) {
	p, err := s.parsePointer()
	if _, damaged := atomicfile.Damaged(err); damaged {
		return s.rebuiltPointer()
	}
	return p, err
}

// rebuiltPointer is a pointer to the newest NapCat and QQ that are whole.
func (s *Store) rebuiltPointer() (pointer, error) {
	p := pointer{Schema: pointerSchema}
	pair := Pair{State: Trial}
	for product, r := range map[Product]*Release{NapCat: &pair.NapCat, QQ: &pair.QQ} {
		all, err := s.installed(product, nil)
		if err != nil {
			return p, err
		}
		i := slices.IndexFunc(all, func(i Installed) bool { return whole(product, i.Dir) == nil })
		if i < 0 {
			return p, nil
		}
		*r = Release{Version: all[i].Version, Dir: all[i].Dir, SHA256: all[i].SHA256, Source: all[i].Source}
		pair.Since = all[i].Installed
	}
	pair, err := s.relative(pair)
	if err != nil {
		return p, err
	}
	p.Current = &pair
	return p, nil
}

func (s *Store) parsePointer() (pointer, error) {
	b, err := os.ReadFile(s.pointer())
	if errors.Is(err, fs.ErrNotExist) {
		return pointer{Schema: pointerSchema}, nil
	}
	if err != nil {
		return pointer{}, fmt.Errorf("read which release is current: %w", err)
	}
	var p pointer
	if err := json.Unmarshal(b, &p); err != nil {
		return pointer{}, &atomicfile.DamagedError{Path: s.pointer(), Err: err}
	}
	if p.Schema > pointerSchema {
		return pointer{}, fmt.Errorf("%s was written by a newer ncatd (schema %d)", s.pointer(), p.Schema)
	}
	return p, nil
}

func (s *Store) writePointer(p pointer) error {
	p.Schema = pointerSchema
	if len(p.Previous) > maxPrevious {
		p.Previous = p.Previous[:maxPrevious]
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if _, err := s.parsePointer(); err != nil {
		if _, damaged := atomicfile.Damaged(err); damaged {
			aside := s.pointer() + ".damaged"
			if err := errors.Join(os.RemoveAll(aside), os.Rename(s.pointer(), aside)); err != nil {
				return err
			}
		}
	}
	return atomicfile.Write(s.pointer(), append(b, '\n'), 0o644)
}

// change reads the pointer, lets f change it and writes it back, alone among
// all processes.
func (s *Store) change(f func(*pointer) error) error {
	if err := os.MkdirAll(s.releases(), 0o755); err != nil {
		return err
	}
	l, err := lockFile(s.pointer()+".lock", true)
	if err != nil {
		return fmt.Errorf("lock the release pointer: %w", err)
	}
	defer l.Unlock()
	p, err := s.readPointer()
	if err != nil {
		return err
	}
	if err := f(&p); err != nil {
		return err
	}
	return s.writePointer(p)
}

// activate makes pair the current one. What was current before, if it is
// another pair, becomes the newest of the previous ones. A pair that was
// confirmed once stays good.
func (s *Store) activate(pair Pair, now time.Time) (Pair, error) {
	rel, err := s.relative(pair)
	if err != nil {
		return Pair{}, err
	}
	err = s.change(func(p *pointer) error {
		if p.Current != nil && p.Current.Same(rel) {
			rel.State, rel.Since = p.Current.State, p.Current.Since
			p.Current = &rel
			return nil
		}
		rel.State, rel.Since = Trial, now
		var previous []Pair
		for _, old := range p.Previous {
			if !old.Same(rel) {
				previous = append(previous, old)
			}
		}
		if p.Current != nil {
			previous = append([]Pair{*p.Current}, previous...)
		}
		p.Current, p.Previous, p.RolledBack = &rel, previous, nil
		return nil
	})
	if err != nil {
		return Pair{}, err
	}
	return s.resolve(rel)
}

// Confirm records that pair came online: it is good from now on and is not left
// by itself any more. A pair that is not current any more is no error.
func (s *Store) Confirm(pair Pair) error {
	rel, err := s.relative(pair)
	if err != nil {
		return err
	}
	// The usual case, a pair confirmed long ago, costs one read and no lock.
	if p, err := s.readPointer(); err == nil && (p.Current == nil || !p.Current.Same(rel) || p.Current.State == Good) {
		return nil
	}
	return s.change(func(p *pointer) error {
		if p.Current != nil && p.Current.Same(rel) {
			p.Current.State = Good
		}
		return nil
	})
}

// RollBack leaves the current pair for the one before it, recording reason, and
// returns the pair that is current now. With byItself the pair is left because
// it did not come online: it is marked [Bad], so that a later rollback does not
// return to it; [Store.Install] of the same pair asks for it again.
// Without an earlier pair the error wraps [ErrNoPrevious] and nothing changes.
// RollBack of a pair that is not the current one changes nothing and returns
// the current pair, so that two accounts that fail with it go back once.
func (s *Store) RollBack(pair Pair, why Left) (Pair, error) {
	rel, err := s.relative(pair)
	if err != nil {
		return Pair{}, err
	}
	var now Pair
	err = s.change(func(p *pointer) error {
		if p.Current == nil {
			return ErrNotInstalled
		}
		if !p.Current.Same(rel) {
			now, err = s.resolve(*p.Current)
			return err
		}
		back, err := s.previous(*p)
		if err != nil {
			return err
		}
		left := *p.Current
		if why.ByItself {
			left.State = Bad
		}
		to, err := s.relative(back)
		if err != nil {
			return err
		}
		to.Since = time.Now().UTC()
		var previous []Pair
		for _, old := range p.Previous {
			if !old.Same(to) && !old.Same(left) {
				previous = append(previous, old)
			}
		}
		// The pair that was left stays in the list, so that going back twice
		// does not return to it at once: it comes last.
		p.Previous = append(previous, left)
		p.Current = &to
		p.RolledBack = &RolledBack{NapCat: left.NapCat.Version, QQ: left.QQ.Version, Time: to.Since, Left: why}
		now, err = s.resolve(to)
		return err
	})
	if err != nil {
		return Pair{}, err
	}
	return now, nil
}

// LastRollBack returns the last rollback that happened, and false if there was
// none since the current pair was installed.
func (s *Store) LastRollBack() (RolledBack, bool) {
	p, err := s.readPointer()
	if err != nil || p.RolledBack == nil {
		return RolledBack{}, false
	}
	return *p.RolledBack, true
}
