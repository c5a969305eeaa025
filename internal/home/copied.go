package home

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// place says which folder a home is, during one boot of one machine.
type place struct {
	Boot string `json:"boot"`
	Dev  uint64 `json:"dev"`
	Ino  uint64 `json:"ino"`
}

// Claim notes in the home which folder it is, and reports whether it is a copy of
// another folder, made during this boot. What a copy remembers of processes is
// the original's: they are forgotten, so that no daemon adopts or ends what runs
// for another. A home that was moved stays what it was. The caller holds the
// lock.
func (d Dir) Claim() (copied bool, err error) {
	here, ok := placeOf(string(d))
	if !ok {
		return false, nil
	}
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return false, fmt.Errorf("claim the home: %w", err)
	}
	defer root.Close()
	name := filepath.Join("run", "home.json")
	var was place
	b, err := root.ReadFile(name)
	if err == nil && json.Unmarshal(b, &was) == nil {
		if was == here {
			return false, nil
		}
		copied = was.Boot == here.Boot
	}
	if copied {
		if err := forgetProcesses(root); err != nil {
			return true, fmt.Errorf("forget the processes of a copied home: %w", err)
		}
	}
	if b, err = json.Marshal(here); err != nil {
		return copied, err
	}
	if err := root.RemoveAll(name); err != nil {
		return copied, fmt.Errorf("claim the home: %w", err)
	}
	if err := root.WriteFile(name, append(b, '\n'), 0o600); err != nil {
		return copied, fmt.Errorf("claim the home: %w", err)
	}
	return copied, nil
}

// forgetProcesses removes the files that name running processes.
func forgetProcesses(root *os.Root) error {
	names := []string{filepath.Join("run", "xvfb.json")}
	accounts, err := root.Open("accounts")
	if err == nil {
		all, err := accounts.Readdirnames(-1)
		accounts.Close()
		if err != nil {
			return err
		}
		for _, a := range all {
			names = append(names, filepath.Join("accounts", a, "state.json"))
		}
	}
	for _, n := range names {
		if err := root.RemoveAll(n); err != nil { // whatever is there by now
			return err
		}
	}
	return nil
}
