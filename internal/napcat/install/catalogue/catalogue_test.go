package catalogue

import (
	"errors"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/configs"
)

func embedded(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Parse(configs.Catalogue)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChoose(t *testing.T) {
	c := embedded(t)
	for _, tt := range []struct {
		name       string
		wish       Wish
		napcat, qq string
		url        string
		note       string
	}{
		{"all default", Wish{Arch: "amd64"}, "4.18.19", "3.2.30-50969", "_50969_amd64.deb", ""},
		{"arm64 avoids the build without packet support", Wish{Arch: "arm64"}, "4.18.19", "3.2.30-50969", "_50969_arm64.deb", ""},
		{"pinned pair", Wish{NapCat: "4.18.13", QQ: "3.2.30-50828", Arch: "amd64"}, "4.18.13", "3.2.30-50828", "_50828_amd64.deb", ""},
		{"pinned bad pair is told", Wish{QQ: "3.2.30-50828", Arch: "arm64"}, "4.18.19", "3.2.30-50828", "_50828_arm64.deb", "no_packet_support"},
		{"unlisted NapCat goes by its version", Wish{NapCat: "v4.19.0", Arch: "amd64"}, "4.19.0", "3.2.30-50969", "_50969_amd64.deb", ""},
		{"own QQ of an old build", Wish{QQ: "3.2.10-30000", Arch: "amd64", NoQQ: true}, "4.18.19", "3.2.10-30000", "", "unknown_pair"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ch, err := c.Choose(tt.wish)
			if err != nil {
				t.Fatal(err)
			}
			if ch.NapCat.Version != tt.napcat || ch.QQ.Version != tt.qq {
				t.Errorf("chose %s with %s", ch.NapCat.Version, ch.QQ.Version)
			}
			if want := "/v" + tt.napcat + "/NapCat.Shell.zip"; !strings.HasSuffix(ch.NapCat.URL, want) {
				t.Errorf("NapCat from %s, want …%s", ch.NapCat.URL, want)
			}
			if tt.url != "" && !strings.HasSuffix(strings.ReplaceAll(ch.QQ.URL, "3.2.30-", "_"), strings.TrimPrefix(tt.url, "_")) {
				t.Errorf("QQ from %s", ch.QQ.URL)
			}
			var codes []string
			for _, n := range ch.Notes {
				codes = append(codes, n.Code)
			}
			if (len(codes) > 0 || tt.note != "") && (len(codes) == 0 || codes[0] != tt.note) {
				t.Errorf("notes %v, want %q first", codes, tt.note)
			}
		})
	}
}

func TestChooseUnknown(t *testing.T) {
	c := embedded(t)
	for _, w := range []Wish{{QQ: "3.2.99-99999", Arch: "amd64"}, {Arch: "riscv64"}} {
		_, err := c.Choose(w)
		var unknown *UnknownError
		if !errors.As(err, &unknown) {
			t.Errorf("Choose(%+v): %v", w, err)
		}
	}
}

func TestChooseSkipsBroken(t *testing.T) {
	c := embedded(t)
	c.Notes = append(c.Notes, Note{QQ: "3.2.30-50969", Arch: "arm64", Severity: Broken, Code: "crash"})
	ch, err := c.Choose(Wish{Arch: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	if ch.QQ.Version != "3.2.30-50828" {
		t.Errorf("chose QQ %s although a note calls it broken", ch.QQ.Version)
	}
}

func TestCompare(t *testing.T) {
	ordered := []string{"3.2.9", "3.2.30-50828", "3.2.30-50969", "4.8.0", "4.18.0-beta", "4.18.0", "4.18.13", "v4.18.19", "4.19"}
	for i, a := range ordered {
		for j, b := range ordered {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := Compare(a, b); got != want {
				t.Errorf("Compare(%s, %s) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(configs.Catalogue)
	for name, b := range map[string]string{
		"newer schema": strings.Replace(good, `"schema": 1`, `"schema": 2`, 1),
		"no address":   strings.Replace(good, "https://ghfast.top/", "ftp://ghfast.top/", 1),
		"two":          good + good,
		"digest":       strings.Replace(good, `"format": "deb", `, `"format": "deb", "sha256": "12", `, 1),
		"path":         strings.Replace(good, `"version": "3.2.30-50828"`, `"version": "../../etc/systemd/system/x.service.d"`, 1),
		"option":       strings.Replace(good, `"version": "3.2.30-50828"`, `"version": "-x"`, 1),
		"html":         "<html>",
		"empty":        "{}",
	} {
		if _, err := Parse([]byte(b)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(configs.Catalogue)
	f.Add([]byte(`{"schema":1,"napcat_url":"https://a/{version}","napcat":[{"version":"1"}],"qq":[{"version":"2"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		for _, arch := range []string{"amd64", "arm64"} {
			if ch, err := c.Choose(Wish{Arch: arch}); err == nil && (ch.NapCat.URL == "" || ch.QQ.URL == "") {
				t.Errorf("a choice without an address: %+v", ch)
			}
		}
	})
}
