package main

import (
	"os/exec"
	"strings"
	"testing"
)

// A release is built as `make build` builds: what CI tests is what users get.
func TestFlagsAreTheMakefiles(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "make", "-n", "-C", "../..", "build").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{strings.Join(small(), " "), "-ldflags \"-s -w -funcalign=16 "} {
		if !strings.Contains(string(out), want) {
			t.Errorf("make build has no %s:\n%s", want, out)
		}
	}
}
