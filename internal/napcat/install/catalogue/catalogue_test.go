package catalogue

import (
	"encoding/json"
	"errors"
	"reflect"
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

func TestIsVersion(t *testing.T) {
	for v, want := range map[string]bool{
		"4.18.19": true, "v4.18.19-beta+1": true, "3.2.30-50969": true, "a": true, "~1_2": true, strings.Repeat("1", 64): true,
		"": false, ".1": false, "-1": false, "a/b": false, "a b": false, "版本": false, strings.Repeat("1", 65): false, "a\x00": false,
	} {
		if got := IsVersion(v); got != want {
			t.Errorf("%q: %v", v, got)
		}
	}
}

func TestBuild(t *testing.T) {
	for v, want := range map[string]int{"3.2.30-50969": 50969, "3.2.30": 0, "3.2.30-x": 0, "3.2.30--5": 0, "": 0, "1-0": 0, "1-1": 1} {
		if got := Build(v); got != want {
			t.Errorf("%q: %d", v, got)
		}
	}
}

// Of two versions the order is the reverse of that of the two the other way round.
func TestCompareIsAnOrder(t *testing.T) {
	sorted := []string{"1.2-beta", "1.2", "1.2.0-1", "1.2.1", "1.10", "v2", "10"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, back := Compare(a, b), Compare(b, a); got != -back || i == j && got != 0 {
				t.Errorf("%s, %s: %d and %d", a, b, got, back)
			}
		}
	}
	for _, pair := range [][2]string{{"1.2-beta", "1.2"}, {"1.2", "1.2.1"}, {"1.9", "1.10"}, {"1.10", "v2"}, {"2", "10"}, {"3.2.30-50828", "3.2.30-50969"}} {
		if Compare(pair[0], pair[1]) != -1 {
			t.Errorf("%s is not before %s", pair[0], pair[1])
		}
	}
}

// A name that cannot be one of a folder is told, of each release and build.
func TestParseRefusesNames(t *testing.T) {
	c := embedded(t)
	for name, spoil := range map[string]func(*Catalogue){
		"a NapCat release": func(c *Catalogue) { c.NapCat[0].Version = "../x" },
		"a QQ build":       func(c *Catalogue) { c.QQ[0].Version = "../x" },
	} {
		spoilt := *c
		spoilt.NapCat, spoilt.QQ = append([]NapCat(nil), c.NapCat...), append([]QQ(nil), c.QQ...)
		spoil(&spoilt)
		b, err := json.Marshal(&spoilt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(b); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "no name") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A NapCat that only runs with a QQ that somebody else brings is chosen only then.
func TestNewestHasAQQ(t *testing.T) {
	c := embedded(t)
	if got := c.newest(Wish{Arch: "amd64"}); got != c.NapCat[0].Version {
		t.Errorf("%s", got)
	}
	lonely := *c
	lonely.NapCat = append([]NapCat{{Version: "99.0.0", QQ: []string{"9.9.9-99999"}}}, c.NapCat...)
	if got := lonely.newest(Wish{Arch: "amd64"}); got != c.NapCat[0].Version {
		t.Errorf("without its QQ: %s", got)
	}
	if got := lonely.newest(Wish{Arch: "amd64", NoQQ: true}); got != "99.0.0" {
		t.Errorf("with one's own QQ: %s", got)
	}
	if got := lonely.newest(Wish{Arch: "amd64", QQ: "9.9.9-99999"}); got != "99.0.0" {
		t.Errorf("with that QQ: %s", got)
	}
	if got := lonely.newest(Wish{Arch: "amd64", QQ: c.NapCat[0].QQ[0], NoQQ: true}); got != c.NapCat[0].Version {
		t.Errorf("with another QQ: %s", got)
	}
}

// What a catalogue must say, and what it may leave out.
func TestWhatACatalogueMustSay(t *testing.T) {
	const bad = "ftp://x"
	sha := strings.Repeat("0a", 32)
	for name, c := range map[string]struct {
		spoil func(*Catalogue)
		want  string // empty: it is good
	}{
		"as it is":                 {func(*Catalogue) {}, ""},
		"schema 0":                 {func(c *Catalogue) { c.Schema = 0 }, "schema 0"},
		"a newer schema":           {func(c *Catalogue) { c.Schema = Schema + 1 }, "schema 2"},
		"no place of releases":     {func(c *Catalogue) { c.NapCatURL = "" }, "napcat_url"},
		"a bad one":                {func(c *Catalogue) { c.NapCatURL = bad }, "napcat_url"},
		"no API":                   {func(c *Catalogue) { c.NapCatAPI, c.NapCatLatest = "", "" }, ""},
		"a bad API":                {func(c *Catalogue) { c.NapCatAPI = bad }, "napcat_api"},
		"a bad latest":             {func(c *Catalogue) { c.NapCatLatest = "https:///x" }, "napcat_latest"},
		"plain http":               {func(c *Catalogue) { c.NapCatAPI = "http://x/" }, ""},
		"no mirrors":               {func(c *Catalogue) { c.Mirrors = nil }, ""},
		"an empty mirror":          {func(c *Catalogue) { c.Mirrors = []string{""} }, "mirror"},
		"a release's own place":    {func(c *Catalogue) { c.NapCat[0].URL = "https://x/y.zip" }, ""},
		"a bad one of a release":   {func(c *Catalogue) { c.NapCat[0].URL = "x" }, "napcat " + "9.1"},
		"a release's digest":       {func(c *Catalogue) { c.NapCat[0].SHA256 = sha }, ""},
		"a short digest":           {func(c *Catalogue) { c.NapCat[0].SHA256 = sha[2:] }, "napcat 9.1"},
		"a package without place":  {func(c *Catalogue) { c.QQ[0].Packages[0].URL = "" }, "qq 3-1"},
		"a package's digest":       {func(c *Catalogue) { c.QQ[0].Packages[0].SHA256 = strings.ToUpper(sha) }, ""},
		"a digest that is no hex":  {func(c *Catalogue) { c.QQ[0].Packages[0].SHA256 = "zz" + sha[2:] }, "qq 3-1"},
		"no releases of NapCat":    {func(c *Catalogue) { c.NapCat = nil }, "no releases"},
		"no builds of QQ":          {func(c *Catalogue) { c.QQ = nil }, "no releases"},
		"a release without a name": {func(c *Catalogue) { c.NapCat[0].Version = "" }, "no name"},
	} {
		cat := Catalogue{
			Schema: 1, NapCatURL: "https://x/{version}", NapCat: []NapCat{{Version: "9.1"}},
			QQ: []QQ{{Version: "3-1", Packages: []Package{{Arch: "amd64", Format: "deb", URL: "https://x/q.deb"}}}},
		}
		c.spoil(&cat)
		b, err := json.Marshal(cat)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(b)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n, ok := range map[int]bool{maxBytes: true, maxBytes + 1: false} {
		b := append(configs.Catalogue, strings.Repeat(" ", n-len(configs.Catalogue))...)
		if _, err := Parse(b); (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// Notes on a pair are those that name it, the severe ones first, and those that
// follow from what the catalogue knows.
func TestNotesFor(t *testing.T) {
	c := &Catalogue{
		MinimumQQBuild: 100, NapCat: []NapCat{{Version: "9.1", QQ: []string{"3-100", "3-99"}}},
		Notes: []Note{
			{Code: "all", Severity: Warning}, {NapCat: "*", QQ: "*", Arch: "*", Code: "stars", Severity: Broken}, {NapCat: "9.1", Code: "napcat", Severity: Warning},
			{QQ: "3-100", Code: "qq", Severity: Broken}, {Arch: "arm64", Code: "arm", Severity: Warning},
		},
	}
	for _, tt := range []struct{ napcat, qq, arch, want string }{
		{"9.1", "3-100", "arm64", "stars qq all napcat arm"},
		{"9.1", "3-100", "amd64", "stars qq all napcat"},
		{"9.2", "3-101", "amd64", "stars all"},
		{"9.1", "3-101", "amd64", "stars all napcat unknown_pair"},
		{"9.1", "3-99", "amd64", "stars all napcat qq_too_old"},
		{"9.1", "3", "amd64", "stars all napcat unknown_pair"},
		{"9.2", "3-0", "amd64", "stars all"},
		{"9.2", "3-1", "amd64", "stars all qq_too_old"},
	} {
		var got []string
		for _, n := range c.NotesFor(tt.napcat, tt.qq, tt.arch) {
			got = append(got, n.Code)
			if (n.Code == "unknown_pair" || n.Code == "qq_too_old") && (n.Severity != Warning || n.EN == "" || n.ZH == "" || n.QQ != tt.qq) {
				t.Errorf("%+v", n)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// Words in versions: one after the numbers is an earlier state, two go by the alphabet,
// a number comes after what has none in its place.
func TestCompareWords(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.2-beta", "1.2", -1}, {"1.2-alpha", "1.2-beta", -1}, {"1.2-beta", "1.2-beta", 0}, {"1.2-rc", "1.2.0", 1}, {"1.2", "1.2.0", -1}, {"1.2", "1.2-1", -1},
		{"", "1", -1}, {"", "beta", 1}, {"", "", 0}, {"1.x", "1.y", -1}, {"1.2+a", "1.2+b", -1}, {"v1", "1", 0}, {"01", "1", 0}, {"1.2.3", "1.2.3-beta.2", 1},
		{"18446744073709551616", "1", 1},
	} {
		if got := Compare(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Compare(c.b, c.a); got != -c.want {
			t.Errorf("%q, %q: %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

// A choice has what the catalogue says of each file, and a name that tells versions
// apart.
func TestWhatIsChosen(t *testing.T) {
	c := &Catalogue{
		Schema: 1, NapCatURL: "https://x/{version}/{version}.zip", MirroredHosts: []string{"x"},
		NapCat: []NapCat{
			{Version: "9.2", QQ: []string{"3-9"}},
			{Version: "9.1", URL: "https://y/n.zip", SHA256: "AB", Size: 7, QQ: []string{"3-9", "3-2", "3-1"}},
		},
		QQ: []QQ{
			{Version: "3-2", Packages: []Package{{Arch: "amd64", Format: "rpm", URL: "https://y/2.rpm"}, {Arch: "arm64", Format: "deb", URL: "https://y/a2.deb"}, {Arch: "amd64", Format: "deb", URL: "https://y/2.deb", SHA256: "CD", Size: 8}}},
			{Version: "3-1", Packages: []Package{{Arch: "amd64", Format: "deb", URL: "https://y/1.deb"}}},
		},
	}
	for _, tt := range []struct {
		notes []Note
		wish  Wish
		want  Choice
		err   string
	}{
		{wish: Wish{Arch: "amd64"}, want: Choice{NapCat: Item{"9.1", "https://y/n.zip", "ab", 7, "NapCat.Shell-9.1.zip"}, QQ: Item{"3-2", "https://y/2.deb", "cd", 8, "2.deb"}}},
		{wish: Wish{Arch: "amd64", NapCat: "v9.9"}, want: Choice{NapCat: Item{"9.9", "https://x/9.9/9.9.zip", "", 0, "NapCat.Shell-9.9.zip"}, QQ: Item{"3-2", "https://y/2.deb", "cd", 8, "2.deb"}}},
		{notes: []Note{{QQ: "3-2", Severity: Warning}}, wish: Wish{Arch: "amd64"}, want: Choice{NapCat: Item{"9.1", "https://y/n.zip", "ab", 7, "NapCat.Shell-9.1.zip"}, QQ: Item{"3-1", "https://y/1.deb", "", 0, "1.deb"}}},
		{notes: []Note{{QQ: "3-1", Severity: Broken}}, wish: Wish{Arch: "amd64", QQ: "3-1"}, want: Choice{NapCat: Item{"9.1", "https://y/n.zip", "ab", 7, "NapCat.Shell-9.1.zip"}, QQ: Item{"3-1", "https://y/1.deb", "", 0, "1.deb"}, Notes: []Note{{QQ: "3-1", Severity: Broken}}}},
		{wish: Wish{Arch: "amd64", QQ: "3-7"}, err: "no download address is known for QQ 3-7 on amd64; known builds: 3-2, 3-1"},
		{wish: Wish{Arch: "riscv64"}, err: "there is no QQ package for riscv64"},
		{wish: Wish{Arch: "amd64", NapCat: "9.2"}, err: "no download address"},
	} {
		c.Notes = tt.notes
		got, err := c.Choose(tt.wish)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%+v: %v", tt.wish, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%+v:\n%+v, %v\nwant\n%+v", tt.wish, got, err, tt.want)
		}
	}
	for _, severity := range []Severity{Warning, Broken} { // all have a flaw: the first that runs
		c.Notes = []Note{{QQ: "3-2", Severity: severity}, {QQ: "3-1", Severity: Warning}}
		if got, want := c.bestQQ(c.NapCat[1], "amd64"), map[Severity]string{Warning: "3-2", Broken: "3-1"}[severity]; got != want {
			t.Errorf("with a note that says %s: %s", severity, got)
		}
	}
	for u, want := range map[string]bool{"https://x/y": true, "https://x:81/y": true, "https://y/x": false, ":": false} {
		if got := c.Mirrored(u); got != want {
			t.Errorf("%s is mirrored: %v", u, got)
		}
	}
}
