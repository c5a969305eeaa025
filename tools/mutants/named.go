package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// byHand is a mutant written by hand.
type byHand struct {
	Name, File string
	Old, New   string // Old must stand in the file exactly once
	Tests      []string
}

// readNamed reads mutants written by hand: a JSON array of objects with the keys
// name, file, old, new and tests.
func readNamed(path string) ([]byHand, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []byHand
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

func tryNamed(ctx context.Context, path, only string) (tally, error) {
	list, err := readNamed(path)
	if err != nil {
		return tally{}, err
	}
	t := tally{group: "named"}
	for _, m := range list {
		if !strings.Contains(m.Name+m.File, only) {
			continue
		}
		killed, err := m.try(ctx)
		if err != nil {
			return tally{}, fmt.Errorf("%s: %q: %w", path, m.Name, err)
		}
		if killed {
			t.killed++
			continue
		}
		t.lived++
		fmt.Printf("LIVED  %s  %s\n", m.File, m.Name)
	}
	return t, nil
}

// try builds the changed code and runs its tests.
func (m byHand) try(ctx context.Context) (killed bool, err error) {
	src, err := os.ReadFile(m.File)
	if err != nil {
		return false, err
	}
	if n := bytes.Count(src, []byte(m.Old)); n != 1 {
		return false, fmt.Errorf("%q stands %d times in %s, not once", m.Old, n, m.File)
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	original, err := filepath.Abs(m.File)
	if err != nil {
		return false, err
	}
	at := bytes.Index(src, []byte(m.Old))
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	b, _ := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err := os.WriteFile(changed, slices.Concat(src[:at], []byte(m.New), src[at+len(m.Old):]), 0o600); err != nil {
		return false, err
	}
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*testLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-overlay", overlay, "-vet=off", "-failfast", "-short", "-timeout", testLimit.String()}, m.Tests...)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")) {
		return false, fmt.Errorf("it does not compile:\n%s", tail(out))
	}
	return err != nil, nil
}
