package install

import (
	"sort"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
)

// Versions is what is on disk.
type Versions struct {
	Current    *Pair       `json:"current"`
	Previous   []Pair      `json:"previous"` // newest first; what a rollback goes to comes first
	RolledBack *RolledBack `json:"rolled_back,omitempty"`
	NapCat     []Installed `json:"napcat"` // newest version first
	QQ         []Installed `json:"qq"`
}

// Installed is one unpacked release.
type Installed struct {
	Version   string    `json:"version"`
	Dir       string    `json:"dir"`
	SHA256    string    `json:"sha256"`
	Source    string    `json:"source"`
	Bytes     int64     `json:"bytes"` // unpacked
	Installed time.Time `json:"installed"`
	Current   bool      `json:"current"`
}

// Versions lists what is installed. Pairs whose files are gone are left out.
func (s *Store) Versions() (Versions, error) {
	p, err := s.readPointer()
	if err != nil {
		return Versions{}, err
	}
	v := Versions{RolledBack: p.RolledBack, Previous: []Pair{}}
	if p.Current != nil {
		if pair, err := s.resolve(*p.Current); err == nil {
			v.Current = &pair
		}
	}
	for _, old := range p.Previous {
		if pair, err := s.resolve(old); err == nil {
			v.Previous = append(v.Previous, pair)
		}
	}
	if v.NapCat, err = s.installed(NapCat, v.Current); err != nil {
		return Versions{}, err
	}
	v.QQ, err = s.installed(QQ, v.Current)
	return v, err
}

func (s *Store) installed(p Product, current *Pair) ([]Installed, error) {
	dirs, err := s.releaseDirs(p)
	if err != nil {
		return nil, err
	}
	all := []Installed{}
	for _, dir := range dirs {
		info, err := readRelease(dir)
		if err != nil {
			continue // no release of ours; Prune takes it away
		}
		i := Installed{Version: info.Version, Dir: dir, SHA256: info.SHA256, Source: info.Source, Bytes: info.Bytes, Installed: info.Installed}
		if current != nil {
			i.Current = current.NapCat.Dir == dir || current.QQ.Dir == dir
		}
		all = append(all, i)
	}
	sort.SliceStable(all, func(i, j int) bool { return catalogue.Compare(all[i].Version, all[j].Version) > 0 })
	return all, nil
}
