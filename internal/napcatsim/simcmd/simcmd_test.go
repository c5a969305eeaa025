package simcmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim"
)

func run(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	c := New()
	var out, errs bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&errs)
	c.SetArgs(args)
	c.SilenceErrors, c.SilenceUsage = true, true
	err = c.ExecuteContext(t.Context())
	return out.String(), err
}

func TestPack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	options := filepath.Join(dir, "o.json")
	if err := os.WriteFile(options, []byte(`{"never_ready":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "pack", dir, "--json", "--napcat-version", "4.99.0", "--options", options)
	if err != nil {
		t.Fatal(err)
	}
	var p napcatsim.Packages
	if err := json.Unmarshal([]byte(out), &p); err != nil || p.NapCatVersion != "4.99.0" || p.QQ != filepath.Join(dir, napcatsim.QQPackageName) {
		t.Errorf("%s %v", out, err)
	}
	if _, err := os.Stat(p.NapCat); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(options, []byte(`{"never_redy":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "pack", dir, "--options", options); err == nil || !strings.Contains(err.Error(), "never_redy") {
		t.Errorf("a misspelt option: %v", err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	var usage *UsageError
	for _, args := range [][]string{
		{"say", "--home", home, "hello"},
		{"fault", "--home", home, "scan_after"},
		{"fault", "--home", home, "no_such=1"},
		{"qq"},
	} {
		if _, err := run(t, args...); !errors.As(err, &usage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{
		{"say", "--home", home, "--user", "1", "hello"}, {"sent", "--home", home}, {"scan", "--home", home}, {"state", "--home", home, "-a", "main"},
	} {
		if _, err := run(t, args...); !errors.Is(err, napcatsim.ErrNotRunning) {
			t.Errorf("%v: %v", args, err)
		}
	}
	var exit *ExitError
	if _, err := run(t, "qq", filepath.Join(home, "no", "qq"), "--no-sandbox"); err != nil && !errors.As(err, &exit) {
		t.Errorf("role of QQ: %v", err)
	}
}

// TestSentShowsCalls prints calls between the messages, by their time.
func TestSentShowsCalls(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	var out bytes.Buffer
	err := printSent(&out, []napcatsim.Sent{{Seq: 1, Time: at(1), User: 5, Text: "a&#91;b"}, {Seq: 2, Time: at(3), Group: 6, Text: "c"}},
		[]napcatsim.Called{{Time: at(2), Action: "set_group_ban", Params: json.RawMessage(`{"group_id":6}`)}, {Time: at(4), Action: "get_status", Params: json.RawMessage("{}")}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		f := strings.Fields(line)
		got = append(got, f[0]+" "+strings.Join(f[2:], " "))
	}
	if s := strings.Join(got, "; "); s != `1 user 5 a[b; - call set_group_ban {"group_id":6}; 2 group 6 c; - call get_status {}` {
		t.Errorf("printed %s", s)
	}
}
