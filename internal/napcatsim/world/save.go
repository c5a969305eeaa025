package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// savedHistory is how many messages of each chat are saved.
const savedHistory = 500

// saved is a world on disk: what QQ's servers would still know after the host
// was restarted. The map from message ids to messages is the host's own and is
// not saved.
type saved struct {
	Version  int         `json:"version"`
	Self     int64       `json:"self"`
	Users    []*User     `json:"users"`
	Groups   []*Group    `json:"groups"`
	Requests []*Request  `json:"requests"`
	Files    []*File     `json:"files"`
	Faces    []string    `json:"faces"`
	Likes    []Vote      `json:"likes"`
	Chats    []savedChat `json:"chats"`
}

type savedChat struct {
	Chat     Chat       `json:"chat"`
	Seq      int64      `json:"seq"`
	Messages []*Message `json:"messages"`
}

// savedVersion changes with the form of saved; another one is not read.
const savedVersion = 1

// Save writes what QQ would remember of the world. The world stands still only
// while it is copied.
func (w *World) Save(to io.Writer) error {
	b, err := json.Marshal(w.copy())
	if err != nil {
		return err
	}
	_, err = to.Write(b)
	return err
}

// copy returns what is saved, sharing only what never changes.
func (w *World) copy() saved {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := saved{Version: savedVersion, Self: w.self.UIN, Faces: slices.Clone(w.faces), Likes: slices.Clone(w.likes)}
	for _, id := range w.order {
		s.Users = append(s.Users, clone(w.users[id]))
	}
	for _, id := range w.gorder {
		g := w.groups[id].clone()
		s.Groups = append(s.Groups, &g)
	}
	for _, r := range w.reqs {
		s.Requests = append(s.Requests, clone(r))
	}
	for _, f := range w.files {
		s.Files = append(s.Files, clone(f))
	}
	for c, l := range w.allLogs() {
		sc := savedChat{Chat: c, Seq: l.seq}
		for _, m := range l.msgs[max(0, len(l.msgs)-savedHistory):] {
			sc.Messages = append(sc.Messages, clone(m))
		}
		s.Chats = append(s.Chats, sc)
	}
	return s
}

func clone[T any](p *T) *T {
	v := *p
	return &v
}

// Load returns the world that [World.Save] wrote, for the account of o. It fails
// if that is another account's or of another version; o.Empty has no meaning.
func Load(from io.Reader, o Options) (*World, error) {
	var s saved
	if err := json.NewDecoder(from).Decode(&s); err != nil {
		return nil, fmt.Errorf("read a saved world: %w", err)
	}
	o.Empty = true
	w := New(o)
	if s.Version != savedVersion || s.Self != w.self.UIN {
		return nil, fmt.Errorf("the saved world is version %d of account %d", s.Version, s.Self)
	}
	for _, u := range s.Users {
		if u.UIN == w.self.UIN {
			*w.self = *u
			continue
		}
		w.addUserLocked(*u)
	}
	for _, g := range s.Groups {
		if g.Options == nil {
			g.Options = make(map[string]int64)
		}
		for _, m := range g.Members {
			m.told = m.Card
		}
		w.groups[g.ID] = g
		w.gorder = append(w.gorder, g.ID)
	}
	for _, f := range s.Files {
		w.files[f.ID] = f
	}
	w.fileN = len(s.Files)
	w.reqs, w.faces, w.likes = s.Requests, s.Faces, s.Likes
	for _, c := range s.Chats {
		w.logs(c.Chat)[c.Chat] = &chatLog{seq: c.Seq, msgs: c.Messages}
		for _, m := range c.Messages {
			w.byMsgID[m.MsgID] = m
		}
	}
	w.changes = 0
	return w, nil
}

// LoadFile returns the world saved at path, or a new one if there is none. If
// what is there cannot be used, it returns a new one and the reason.
func LoadFile(path string, o Options) (*World, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return New(o), nil
	}
	if err != nil {
		return New(o), err
	}
	defer f.Close()
	w, err := Load(f, o)
	if err != nil {
		return New(o), fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

// Keep saves the world at path whenever it has changed, looking every so often,
// until ctx ends; then once more. The file is replaced as a whole.
func (w *World) Keep(ctx context.Context, path string, every time.Duration) error {
	t := time.NewTicker(every)
	defer t.Stop()
	last := uint64(0)
	for {
		w.mu.Lock()
		now := w.changes
		w.mu.Unlock()
		if now != last {
			last = now
			if err := w.saveFile(path); err != nil {
				return fmt.Errorf("save the world: %w", err)
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
}

func (w *World) saveFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	err = w.Save(f)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
