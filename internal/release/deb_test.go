package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// archive packs members in pairs of name and data.
func archive(members ...string) string {
	all := "!<arch>\n"
	for i := 0; i < len(members); i += 2 {
		all += fmt.Sprintf("%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", members[i], 1700000000, 0, 0, 0o100644, len(members[i+1]), members[i+1])
		if len(members[i+1])%2 == 1 {
			all += "\n"
		}
	}
	return all
}

func TestPressDeb(t *testing.T) {
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("no xz")
	}
	path := filepath.Join(t.TempDir(), "a.deb")
	data := strings.Repeat("some data ", 1000)
	if err := os.WriteFile(path, []byte(archive("debian-binary", "2.0\n", "control.tar.gz", "odd", "data.tar", data)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := pressDeb(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := xz(t.Context(), []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	if want := archive("debian-binary", "2.0\n", "control.tar.gz", "odd", "data.tar.xz", string(packed)); string(b) != want {
		t.Errorf("%q\nwant %q", b, want)
	}
	cmd := exec.Command("xz", "--decompress", "--stdout")
	cmd.Stdin = bytes.NewReader(packed)
	if out, err := cmd.Output(); err != nil || string(out) != data {
		t.Errorf("unpacked %d bytes, %v", len(out), err)
	}
	for _, bad := range []string{"", archive("debian-binary", "2.0\n"), strings.Replace(archive("data.tar", "x"), "1         `", "9999      `", 1)} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := pressDeb(t.Context(), path); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
