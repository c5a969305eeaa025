package daemon

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/webui"
	"github.com/ncatd/ncatd/internal/proc"
	"github.com/ncatd/ncatd/internal/supervisor"
)

// accountState is accounts/<name>/state.json: what must be known of an account
// after ncatd itself was killed.
type accountState struct {
	// Marker is in the environment of every process of the account. It is
	// written before the first of them starts.
	Marker string `json:"marker"`
	// Process is the master that runs, zero for none.
	Process proc.Identity `json:"process"`
	Started time.Time     `json:"started"`
	// Output is how far the master's output was read.
	Output     int64 `json:"output"`
	WebUIPort  int   `json:"webui_port"`
	WebUIKnown bool  `json:"webui_known"` // NapCat said that it listens there
	// WebUITLS is the certificate that the WebUI shows, nil when it speaks plain
	// HTTP. The file may hold another by now.
	WebUITLS   *webui.Pin `json:"webui_tls,omitempty"`
	OneBotPort int        `json:"onebot_port"`
	// Main is the NapCat that the master runs, with the versions of the pair.
	Main   string `json:"main"`
	NapCat string `json:"napcat"`
	QQ     string `json:"qq"`
	// Quick says that the master was started for a quick login of the account.
	Quick bool `json:"quick,omitempty"`

	UIN      int64  `json:"uin"` // who logged in last
	Nickname string `json:"nickname,omitempty"`
	// SigningKey signs WebUI credentials, so that one outlives NapCat's process.
	SigningKey string              `json:"signing_key"`
	Failures   supervisor.Failures `json:"failures"`
	Kicks      []time.Time         `json:"kicks,omitempty"`    // of the last kickMemory
	Networks   []string            `json:"networks,omitempty"` // adapters taken from the config
}

// loadState reads the file at path. Without one, or with one that makes no
// sense, it returns a new state; the latter is told.
func loadState(path string) (accountState, error) {
	var s accountState
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil:
		if err = json.Unmarshal(b, &s); err != nil {
			s = accountState{}
			err = fmt.Errorf("state of the account: %w", err)
		}
	}
	if s.Marker == "" {
		s.Marker = rand.Text()
	}
	if s.SigningKey == "" {
		s.SigningKey = rand.Text() + rand.Text()
	}
	return s, err
}

// save replaces the file at path, mode 0600, making its folder if need be.
func (s accountState) save(path string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".state-*")
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}
