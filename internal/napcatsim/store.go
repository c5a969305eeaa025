package napcatsim

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// store is what outlives a worker: on QQ's disk the device identity and the
// login tickets, in the simulator's own folder what QQ's servers would know.
// Safe for concurrent use in one process.
type store struct {
	root string // QQ's data root, $HOME/.config/QQ
	mu   sync.Mutex
}

// ticket lets an account log in again without its owner.
type ticket struct {
	UIN    int64  `json:"uin"`
	UID    string `json:"uid"`
	Nick   string `json:"nick"`
	Secret string `json:"secret"`
	Device string `json:"device"` // the identity of the device that got it
}

// servers is the memory of QQ's servers.
type servers struct {
	Valid       map[int64]string `json:"valid"` // secrets of the tickets that still work
	Sessions    int              `json:"sessions"`
	Displaced   int              `json:"displaced"`    // sessions ended by a second login of the same account
	WebUILogins int              `json:"webui_logins"` // counted here because it must outlive a worker
}

func (s *store) ticketPath() string {
	return filepath.Join(s.root, "nt_qq", "global", "nt_data", "Login", "tickets.json")
}

func (s *store) serverPath() string { return filepath.Join(s.root, "sim", "servers.json") }

func (s *store) machinePath() string {
	return filepath.Join(s.root, "nt_qq", "global", "nt_data", "msf", "machine-info")
}

// loadJSON reads path into v and leaves v alone when there is no file.
func loadJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func saveJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, b)
}

// mac returns the network address that QQ remembers for this device, inventing
// one at first. On disk it is four bytes of length and the text in rot13.
func (s *store) mac() (string, error) {
	b, err := os.ReadFile(s.machinePath())
	if errors.Is(err, fs.ErrNotExist) {
		h := randomHex(5)
		mac := "02:" + h[0:2] + ":" + h[2:4] + ":" + h[4:6] + ":" + h[6:8] + ":" + h[8:10]
		return mac, s.setMAC(mac)
	}
	if err != nil {
		return "", err
	}
	if len(b) < 4 {
		return "", nil
	}
	return rot13(string(b[4:])), nil
}

func (s *store) setMAC(mac string) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(mac)))
	return writeFile(s.machinePath(), append(b, rot13(mac)...))
}

func rot13(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case r >= 'A' && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, s)
}

// machineID is the system's own, or a fixed one where there is none.
func machineID() string {
	b, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return strings.Repeat("0", 32)
	}
	return string(bytes.TrimSpace(b))
}

// device is the identity that tickets are bound to.
func (s *store) device() (string, error) {
	mac, err := s.mac()
	if err != nil {
		return "", err
	}
	sum := md5.Sum([]byte(machineID() + mac))
	return hex.EncodeToString(sum[:]), nil
}

// tickets returns the accounts that have logged in here, the last one first.
func (s *store) tickets() ([]ticket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ticketsLocked()
}

func (s *store) ticketsLocked() ([]ticket, error) {
	var list []ticket
	return list, loadJSON(s.ticketPath(), &list)
}

// usable reports whether a quick login with t would work now.
func (s *store) usable(t ticket) bool {
	dev, err := s.device()
	if err != nil || dev != t.Device {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	srv, err := s.serversLocked()
	return err == nil && srv.Valid[t.UIN] == t.Secret
}

// issue gives the account a new ticket and counts the session.
func (s *store) issue(a Account, uid string) error {
	dev, err := s.device()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.ticketsLocked()
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(t ticket) bool { return t.UIN == a.UIN })
	t := ticket{UIN: a.UIN, UID: uid, Nick: a.Nick, Secret: randomHex(16), Device: dev}
	if err := saveJSON(s.ticketPath(), append([]ticket{t}, list...)); err != nil {
		return err
	}
	return s.changeLocked(func(srv *servers) { srv.Valid[a.UIN] = t.Secret; srv.Sessions++ })
}

// revoke makes the account's ticket worthless.
func (s *store) revoke(uin int64) error {
	return s.change(func(srv *servers) { delete(srv.Valid, uin) })
}

func (s *store) serversLocked() (servers, error) {
	srv := servers{Valid: map[int64]string{}}
	return srv, loadJSON(s.serverPath(), &srv)
}

func (s *store) servers() (servers, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serversLocked()
}

func (s *store) change(f func(*servers)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changeLocked(f)
}

func (s *store) changeLocked(f func(*servers)) error {
	srv, err := s.serversLocked()
	if err != nil {
		return err
	}
	if srv.Valid == nil {
		srv.Valid = map[int64]string{}
	}
	f(&srv)
	return saveJSON(s.serverPath(), srv)
}

// maxJournal bounds the messages kept in memory.
const maxJournal = 20_000

// journal is the list of what the bot sent, one JSON document a line, over all
// workers that used this HOME.
type journal struct {
	file *os.File
	mu   sync.Mutex
	list []Sent        // the last maxJournal
	more chan struct{} // closed and replaced at every entry
}

func openJournal(path string) (*journal, error) {
	j := &journal{more: make(chan struct{})}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range bytes.Lines(b) {
		var s Sent
		if json.Unmarshal(line, &s) == nil { // a line cut short by a crash is not worth more
			j.list = append(j.list, s)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	j.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return j, err
}

// add notes s under the next number.
func (j *journal) add(s Sent) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	s.Seq = 1
	if n := len(j.list); n > 0 {
		s.Seq = j.list[n-1].Seq + 1
	}
	s.Time = s.Time.Truncate(time.Millisecond)
	if len(j.list) >= maxJournal {
		j.list = slices.Delete(j.list, 0, maxJournal/2)
	}
	j.list = append(j.list, s)
	close(j.more)
	j.more = make(chan struct{})
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = j.file.Write(append(b, '\n'))
	return err
}

// after returns the entries with a number above n, and a channel that is closed
// when there are more.
func (j *journal) after(n int) ([]Sent, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := len(j.list)
	for i > 0 && j.list[i-1].Seq > n {
		i--
	}
	return slices.Clone(j.list[i:]), j.more
}

// last is the number of the newest entry.
func (j *journal) last() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.list) == 0 {
		return 0
	}
	return j.list[len(j.list)-1].Seq
}

// forgetDevice makes this a new device; every ticket is worthless.
func (s *store) forgetDevice() error {
	err := os.Remove(s.machinePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
