//go:build e2e && linux

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ncatd/ncatd"
)

// TestMain lets the test binary be the ncatd that is tried, as main does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "ncatd" {
		os.Exit(ncatd.Run(newBot(), os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "sim" {
		os.Exit(ncatd.Run(nil, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func try(t *testing.T, trial func(s *stage) error) {
	t.Helper()
	s, err := newStage(filepath.Join(t.TempDir(), "s"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.remove()
	if err := trial(s); err != nil {
		t.Error(err)
		if out, err := os.ReadFile(s.log.Name()); err == nil {
			t.Logf("%s", out)
		}
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

func TestPoisonMessage(t *testing.T) {
	try(t, func(s *stage) error { return s.poison(t.Context()) })
}

func TestKilledDaemonAnswersOnce(t *testing.T) {
	try(t, func(s *stage) error { return s.journal(t.Context(), 5) })
}
