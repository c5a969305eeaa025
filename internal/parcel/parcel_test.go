package parcel

import (
	"archive/tar"
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
)

func TestParcel(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(from, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("home/.config/QQ/ticket", "secret ticket", 0o600)
	write("home/run.sh", "#!", 0o700)
	write("napcat/config/a.json", "{}", 0o644)
	write("state.json", "not for others", 0o600)
	if err := os.Symlink("host-1234", filepath.Join(from, "home/SingletonLock")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(from, "home", "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Mkdir(filepath.Join(from, "home/empty"), 0o500); err != nil {
		t.Fatal(err)
	}
	key, address, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Pack(&b, address, from, []string{"home", "napcat", "missing"}, map[string][]byte{"account.yaml": []byte("name: x")}); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.Bytes(), []byte("ticket")) {
		t.Error("the parcel can be read")
	}
	if err := Unpack(bytes.NewReader(b.Bytes()), key, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"home/.config/QQ/ticket": "secret ticket", "home/run.sh": "#!", "napcat/config/a.json": "{}", "account.yaml": "name: x"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if text, err := os.Readlink(filepath.Join(to, "home/SingletonLock")); err != nil || text != "host-1234" {
		t.Error(text, err)
	}
	if fi, err := os.Stat(filepath.Join(to, "home/run.sh")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Error(fi, err)
	}
	for _, name := range []string{"state.json", "home/sock"} {
		if _, err := os.Lstat(filepath.Join(to, name)); err == nil {
			t.Errorf("%s was packed", name)
		}
	}
	other, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if Unpack(bytes.NewReader(b.Bytes()), other, filepath.Join(t.TempDir(), "x")) == nil {
		t.Error("another key opened the parcel")
	}
	for _, cut := range []int{1, 100, b.Len() / 2, b.Len() - 1} {
		if Unpack(bytes.NewReader(b.Bytes()[:cut]), key, filepath.Join(t.TempDir(), "x")) == nil {
			t.Errorf("a parcel of %d of %d bytes was taken", cut, b.Len())
		}
	}
}

// What a parcel says of paths leads nowhere outside.
func TestHostileParcel(t *testing.T) {
	for name, entries := range map[string][]*tar.Header{
		"above":          {{Name: "../x", Typeflag: tar.TypeReg}},
		"absolute":       {{Name: "/x", Typeflag: tar.TypeReg}},
		"through a link": {{Name: "a", Linkname: "..", Typeflag: tar.TypeSymlink}, {Name: "a/x", Typeflag: tar.TypeReg}},
		"hard link":      {{Name: "a", Linkname: "../x", Typeflag: tar.TypeLink}},
	} {
		key, address, err := NewKey()
		if err != nil {
			t.Fatal(err)
		}
		to, err := age.ParseX25519Recipient(address)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		sealed, err := age.Encrypt(&b, to)
		if err != nil {
			t.Fatal(err)
		}
		tw := tar.NewWriter(sealed)
		for _, h := range entries {
			if err := tw.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []io.Closer{tw, sealed} {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		base := t.TempDir()
		if Unpack(&b, key, filepath.Join(base, "to")) == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := os.Lstat(filepath.Join(base, "x")); err == nil {
			t.Errorf("%s: written outside", name)
		}
	}
}
