// Package console is what browsers get of ncatd: the files of the web console,
// and who was let in. Its central type is [Console], which keeps sessions,
// one-use links and the optional password, all of them hashed, in one file of
// the home, and serves the embedded pages. It knows no accounts and makes no
// decision about them: the pages use the control API like any other client.
package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/internal/control/api"
)

// Limits of what is kept.
const (
	// LinkLifetime is how long a link may wait to be opened.
	LinkLifetime = 10 * time.Minute
	// SessionLifetime is how long a session lasts that nobody uses.
	SessionLifetime = 30 * 24 * time.Hour
	// usedEvery is how often a session's last use is written down.
	usedEvery   = time.Hour
	maxSessions = 64  // the one that was used least goes
	maxLinks    = 32  // the oldest goes
	maxAgent    = 160 // bytes of a browser's name
	maxState    = 1 << 20
)

// The ways to be refused.
var (
	ErrBadSecret   = errors.New("the link is used up, too old or wrong")
	ErrBadPassword = errors.New("the password is wrong")
	ErrNoPassword  = errors.New("no password is set")
	ErrShort       = fmt.Errorf("a password needs %d characters", MinPassword)
	ErrLong        = fmt.Errorf("a password may have %d bytes", MaxPassword)
	ErrTooOften    = errors.New("too many tries")
	ErrNoSession   = errors.New("no such session")
)

// state is the file. What lets somebody in stands in it only as a hash.
type state struct {
	// Listen is where the console was last reached, so that a page finds it there
	// again after a restart.
	Listen   string    `json:"listen,omitempty"`
	Password string    `json:"password,omitempty"`
	Sessions []session `json:"sessions"`
	Links    []link    `json:"links"`
}

type session struct {
	ID      string    `json:"id"`
	Hash    string    `json:"hash"`
	Role    api.Role  `json:"role"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"`
	From    string    `json:"from"`
	Agent   string    `json:"agent"`
}

type link struct {
	Hash    string    `json:"hash"`
	Role    api.Role  `json:"role"`
	Expires time.Time `json:"expires"`
}

// Options make a [Console]. All are required.
type Options struct {
	Dir string // of its own, made if need be
	Log *slog.Logger
}

// Console keeps who was let in, and serves the pages. All methods are safe for
// concurrent use.
type Console struct {
	path  string
	log   *slog.Logger
	tries *tries
	slow  sync.Mutex // one password is hashed at a time: each takes memory

	mu    sync.Mutex
	state state
	// streams are what ends with a session, by what ends it.
	streams map[*func()]string
}

// New returns the console whose file is in o.Dir. A file that cannot be read is
// left behind: everybody has to be let in anew.
func New(o Options) (*Console, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c := &Console{path: filepath.Join(o.Dir, "sessions.json"), log: o.Log, tries: newTries(), streams: map[*func()]string{}}
	switch st, err := read(c.path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		o.Log.Warn("the console's sessions are lost", "err", err)
	default:
		c.state = st
	}
	return c, nil
}

func read(path string) (state, error) {
	f, err := atomicfile.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return state{}, err
	}
	defer f.Close()
	b := make([]byte, maxState)
	n, err := readFull(f, b)
	if err != nil {
		return state{}, err
	}
	var st state
	if err := json.Unmarshal(b[:n], &st); err != nil {
		return state{}, fmt.Errorf("%s: %w", path, err)
	}
	return st, nil
}

// saveLocked writes the state, without what is over.
func (c *Console) saveLocked(now time.Time) error {
	c.state.Links = slices.DeleteFunc(c.state.Links, func(l link) bool { return !now.Before(l.Expires) })
	c.state.Sessions = slices.DeleteFunc(c.state.Sessions, func(s session) bool { return over(s, now) })
	b, err := json.MarshalIndent(c.state, "", "  ")
	if err != nil {
		return fmt.Errorf("encode sessions: %w", err)
	}
	return atomicfile.Write(c.path, append(b, '\n'), 0o600)
}

// keepLocked writes the state. What cannot be written holds all the same, until ncatd
// ends: where the disk is full, the console is where one sees it.
func (c *Console) keepLocked(now time.Time) {
	if err := c.saveLocked(now); err != nil {
		c.log.Warn("the console's sessions could not be written", "err", err)
	}
}

func over(s session, now time.Time) bool { return now.Sub(s.Used) >= SessionLifetime }

// token returns 160 random bits in letters that no URL needs to quote.
func token() string { return rand.Text() + rand.Text()[:6] }

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Link returns the secret of a link that lets one browser in.
func (c *Console) Link(role api.Role) (secret string, expires time.Time) {
	now := time.Now()
	secret, expires = token(), now.Add(LinkLifetime)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Links = append(c.state.Links, link{Hash: hash(secret), Role: role, Expires: expires})
	c.state.Links = c.state.Links[max(0, len(c.state.Links)-maxLinks):]
	c.keepLocked(now)
	return secret, expires
}

// Enter lets a browser in that has the secret of a link, which is used up
// thereby. from and agent say who that was.
func (c *Console) Enter(secret, from, agent string) (cookie string, s api.ConsoleSession, err error) {
	now, h := time.Now(), hash(secret)
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.state.Links, func(l link) bool { return same(l.Hash, h) && now.Before(l.Expires) })
	if i < 0 {
		if !c.tries.allow(from, now) {
			return "", s, ErrTooOften
		}
		return "", s, ErrBadSecret
	}
	role := c.state.Links[i].Role
	c.state.Links = slices.Delete(c.state.Links, i, i+1)
	cookie, s = c.enterLocked(role, from, agent, now)
	return cookie, s, nil
}

func (c *Console) enterLocked(role api.Role, from, agent string, now time.Time) (string, api.ConsoleSession) {
	cookie := token()
	if len(agent) > maxAgent {
		agent = agent[:maxAgent]
	}
	s := session{ID: rand.Text()[:8], Hash: hash(cookie), Role: role, Created: now, Used: now, From: from, Agent: strings.ToValidUTF8(agent, "?")}
	if len(c.state.Sessions) >= maxSessions {
		i := 0
		for j := range c.state.Sessions {
			if c.state.Sessions[j].Used.Before(c.state.Sessions[i].Used) {
				i = j
			}
		}
		c.state.Sessions = slices.Delete(c.state.Sessions, i, i+1)
	}
	c.state.Sessions = append(c.state.Sessions, s)
	c.keepLocked(now)
	return cookie, s.wire()
}

func (s session) wire() api.ConsoleSession {
	return api.ConsoleSession{ID: s.ID, Role: s.Role, Created: s.Created, Used: s.Used, From: s.From, Agent: s.Agent}
}

// Session returns the session of a cookie.
func (c *Console) Session(cookie string) (api.ConsoleSession, bool) {
	now, h := time.Now(), hash(cookie)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.state.Sessions {
		s := &c.state.Sessions[i]
		if !same(s.Hash, h) || over(*s, now) {
			continue
		}
		if now.Sub(s.Used) >= usedEvery {
			s.Used = now
			out := s.wire()
			c.keepLocked(now)
			return out, true
		}
		return s.wire(), true
	}
	return api.ConsoleSession{}, false
}

// Sessions returns all that were let in, the oldest first.
func (c *Console) Sessions() []api.ConsoleSession {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []api.ConsoleSession{}
	for _, s := range c.state.Sessions {
		if !over(s, now) {
			out = append(out, s.wire())
		}
	}
	return out
}

// Revoke ends the session with that ID; "all" ends all of them and every link
// that was not used yet.
func (c *Console) Revoke(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.state.Sessions)
	c.state.Sessions = slices.DeleteFunc(c.state.Sessions, func(s session) bool { return id == "all" || s.ID == id })
	if id == "all" {
		c.state.Links = nil
	} else if len(c.state.Sessions) == n {
		return ErrNoSession
	}
	for end, whose := range c.streams {
		if id == "all" || whose == id {
			(*end)()
		}
	}
	return c.saveLocked(time.Now())
}

// WhenRevoked calls end when the session is revoked, until stop is called.
func (c *Console) WhenRevoked(id string, end func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams[&end] = id
	if !slices.ContainsFunc(c.state.Sessions, func(s session) bool { return s.ID == id }) {
		end()
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.streams, &end)
	}
}

// Listen returns where the console was last reached, "" if nobody could still
// come.
func (c *Console) Listen() string {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.state.Sessions, func(s session) bool { return !over(s, now) }) {
		return c.state.Listen
	}
	return ""
}

// SetListen remembers where the console is reached.
func (c *Console) SetListen(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Listen != addr {
		c.state.Listen = addr
		c.keepLocked(time.Now())
	}
}
