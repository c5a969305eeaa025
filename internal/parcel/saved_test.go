package parcel

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestSaved(t *testing.T) {
	from := t.TempDir()
	text := bytes.Repeat([]byte("secret ticket "), 20000)
	if err := errors.Join(os.Mkdir(filepath.Join(from, "a"), 0o755), os.WriteFile(filepath.Join(from, "a", "ticket"), text, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, passphrase := range []string{"", "correct horse 电池"} {
		var b bytes.Buffer
		if err := save(&b, passphrase, 10, []Part{{from, []string{"a", "missing"}}}, map[string][]byte{"note": []byte("n")}); err != nil {
			t.Fatal(err)
		}
		if !Saved(b.Bytes()) {
			t.Error("it is not known again")
		}
		if passphrase != "" && bytes.Contains(b.Bytes(), []byte("ticket")) {
			t.Error("it can be read")
		}
		load := func(file []byte, with string) (string, error) {
			dir := filepath.Join(t.TempDir(), "to")
			return dir, Load(bytes.NewReader(file), func() (string, error) { return with, nil }, dir)
		}
		dir, err := load(b.Bytes(), passphrase)
		got, err2 := os.ReadFile(filepath.Join(dir, "a", "ticket"))
		note, err3 := os.ReadFile(filepath.Join(dir, "note"))
		if err = errors.Join(err, err2, err3); err != nil || !bytes.Equal(got, text) || string(note) != "n" {
			t.Errorf("loaded %d bytes, %q, %v", len(got), note, err)
		}
		for at := range 8 { // also the header, and the last chunk
			bad := bytes.Clone(b.Bytes())
			bad[len(bad)-1-at*(len(bad)-1)/7] ^= 0x10
			if _, err := load(bad, passphrase); err == nil {
				t.Errorf("passphrase %q: a wrong byte in eighth %d from the end was taken", passphrase, at)
			}
		}
		for _, cut := range []int{0, 1, 100, b.Len() / 2, b.Len() - 1} {
			if _, err := load(b.Bytes()[:cut], passphrase); err == nil {
				t.Errorf("passphrase %q: %d of %d bytes were taken", passphrase, cut, b.Len())
			}
		}
		if passphrase == "" {
			continue
		}
		for _, with := range []string{"", "Correct horse 电池"} {
			if dir, err := load(b.Bytes(), with); !errors.Is(err, ErrPassphrase) {
				t.Errorf("passphrase %q: %v", with, err)
			} else if _, err := os.Stat(dir); err == nil {
				t.Error("something was written")
			}
		}
	}
	if err := Load(bytes.NewReader([]byte("SQLite format 3")), nil, t.TempDir()); !errors.Is(err, ErrNotSaved) {
		t.Errorf("another file: %v", err)
	}
}
