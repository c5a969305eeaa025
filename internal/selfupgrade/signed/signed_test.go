package signed

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"aead.dev/minisign"
)

func newKey(t *testing.T) (minisign.PublicKey, minisign.PrivateKey) {
	t.Helper()
	pub, priv, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pub, priv
}

func sample() Manifest {
	return Manifest{Version: "1.2.3", Channel: "stable", Date: "2026-11-28", Files: []File{
		{Name: "ncatd_1.2.3_linux_amd64.tar.gz", Platform: "linux/amd64", SHA256: strings.Repeat("ab", 32), Size: 12},
		{Name: "install.sh", Platform: "any", SHA256: strings.Repeat("cd", 32), Size: 34},
	}}
}

func TestManifestRoundTrip(t *testing.T) {
	text := sample().Text()
	m, err := ParseManifest(text)
	if err != nil || !bytes.Equal(m.Text(), text) {
		t.Fatal(m, err)
	}
	if f, ok := m.Find("install.sh"); !ok || f.Size != 34 {
		t.Error(f, ok)
	}
	for name, change := range map[string][2]string{
		"path":           {"install.sh", "../install.sh"},
		"option":         {"install.sh", "-rf"},
		"twice":          {"install.sh", "ncatd_1.2.3_linux_amd64.tar.gz"},
		"version":        {"version 1.2.3", "version 1.2"},
		"version path":   {"version 1.2.3", "version ../../x"},
		"digest":         {"abab", "ab"},
		"size":           {" 34 ", " -34 "},
		"size in words":  {" 34 ", " 034 "},
		"blank":          {"date 2026-11-28", "date  2026-11-28"},
		"other order":    {"version 1.2.3\nchannel stable", "channel stable\nversion 1.2.3"},
		"newer format":   {"ncatd release 1", "ncatd release 2"},
		"line behind":    {" install.sh\n", " install.sh\n\n"},
		"carriage":       {"stable\n", "stable\r\n"},
		"no last line":   {" install.sh\n", " install.sh"},
		"something else": {"file cd", "folder cd"},
	} {
		bad := strings.Replace(string(text), change[0], change[1], 1)
		if bad == string(text) {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := ParseManifest([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestChain(t *testing.T) {
	root1, priv1 := newKey(t)
	root2, priv2 := newKey(t)
	_, stranger := newKey(t)
	pub, priv := newKey(t)
	roots := []minisign.PublicKey{root1, root2}
	text := KeyText(pub, 7)
	for _, r := range []minisign.PrivateKey{priv1, priv2} {
		k, err := VerifyKey(roots, text, minisign.Sign(r, text))
		if err != nil || k.Serial != 7 || !k.Equal(pub) {
			t.Fatal(k, err)
		}
		m := sample().Text()
		if err := k.Verify(ManifestName, m, minisign.Sign(priv, m)); err != nil {
			t.Error(err)
		}
		for name, sig := range map[string][]byte{"a root's": minisign.Sign(priv1, m), "nobody's": nil, "of other bytes": minisign.Sign(priv, m[1:])} {
			if err := k.Verify(ManifestName, m, sig); !errors.Is(err, ErrSignature) {
				t.Errorf("signature %s: %v", name, err)
			}
		}
	}
	if _, err := VerifyKey(roots, text, minisign.Sign(stranger, text)); !errors.Is(err, ErrSignature) {
		t.Error("a stranger's signature:", err)
	}
	// The serial is signed although minisign calls its line untrusted.
	newer := bytes.Replace(text, []byte("key 7"), []byte("key 9"), 1)
	if _, err := VerifyKey(roots, newer, minisign.Sign(priv1, text)); !errors.Is(err, ErrSignature) {
		t.Error("another serial:", err)
	}
	// What a root signed, but not as a signing key, is none.
	other, err := pub.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyKey(roots, other, minisign.Sign(priv1, other)); err == nil {
		t.Error("a key that is no signing key was accepted")
	}
}

func TestOlder(t *testing.T) {
	for _, x := range []struct {
		a, b string
		want bool
	}{{"1.2.3", "1.2.10", true}, {"1.2.3-beta.1", "1.2.3", true}, {"1.2.3", "1.2.3", false}, {"v2.0.0", "1.9.9", false}, {"devel", "0.0.1", true}, {"1.0.0", "devel", false}} {
		if got := Older(x.a, x.b); got != x.want {
			t.Errorf("Older(%s, %s) = %v", x.a, x.b, got)
		}
	}
}

func TestEmbeddedRoots(t *testing.T) {
	roots, err := Roots()
	if err != nil || len(roots) != 2 || roots[0].Equal(roots[1]) {
		t.Errorf("%v, %v", roots, err)
	}
	files, err := RootFiles()
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(sample().Text())
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseManifest(b); err == nil && !bytes.Equal(m.Text(), b) {
			t.Errorf("%q reads as %q", b, m.Text())
		}
	})
}
