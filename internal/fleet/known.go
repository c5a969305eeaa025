package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/onebot"
)

// known is what this host last knew of the accounts that it asked for, on its own
// disk: servers that lose theirs must not make an account run twice.
type known struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex // guards the field below
	owners map[onebot.UserID]Owner
}

func readKnown(path string, log *slog.Logger) (*known, error) {
	k := &known{path: path, log: log, owners: map[onebot.UserID]Owner{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	if err := json.Unmarshal(b, &k.owners); err != nil {
		log.Warn("which host has which account is no longer known, should the bus lose it", "file", path, "err", err)
		k.owners = map[onebot.UserID]Owner{}
	}
	return k, nil
}

func (k *known) of(uin onebot.UserID) (Owner, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o, ok := k.owners[uin]
	return o, ok
}

// note remembers whose an account is.
func (k *known) note(uin onebot.UserID, o Owner) {
	k.mu.Lock()
	defer k.mu.Unlock()
	is := string(o.encode())
	if was, ok := k.owners[uin]; ok && string(was.encode()) == is {
		return
	}
	k.owners[uin] = o
	b, err := json.Marshal(k.owners)
	if err == nil {
		err = atomicfile.Write(k.path, b, 0o600)
	}
	if err != nil {
		k.log.Warn("which host has an account is not remembered, should the bus lose it", "file", k.path, "err", err)
	}
}
