//go:build unix

package config

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFIFOAsConfig: nobody writes into it, and it is refused at once.
func TestFIFOAsConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ncatd.yaml")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, nil, nil)
	var ce *Error
	if !errors.As(err, &ce) || len(ce.Problems) != 1 || ce.Problems[0].Code != "not_regular" {
		t.Errorf("as the config: %v", err)
	}
	if _, err := EnsureSecrets(path, Default(), ""); err == nil {
		t.Error("as secrets: read")
	}
	if _, err := SetFile(path, "log.level", "debug"); err == nil {
		t.Error("edited")
	}
}
