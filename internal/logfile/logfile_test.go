package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/config"
	"github.com/ncatd/ncatd/internal/control/api"

	"github.com/ncatd/ncatd/internal/e2e/cost"
)

func TestWriterRotatesUnderACap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "ncatd.log")
	w := NewWriter(path, 1000, 3500, nil)
	line := []byte(strings.Repeat("x", 99) + "\n")
	for range 200 {
		if n, err := w.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var sum int64
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		fi, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if fi.Size() > 1000 || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %v", f, fi.Size(), fi.Mode())
		}
		sum += fi.Size()
	}
	if sum > 3500 || len(files) < 3 {
		t.Errorf("%d bytes in %v", sum, files)
	}
}

// TestFullDiskStopsTheLogOnly uses a place that cannot be written to, then can.
func TestFullDiskStopsTheLogOnly(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "logs")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	w := NewWriter(filepath.Join(blocked, "ncatd.log"), 1<<20, 1<<20, Lost("json"))
	w.now = func() time.Time { return now }
	for range 5 {
		if _, err := w.Write([]byte("lost\n")); err != nil {
			t.Fatalf("the program is disturbed: %v", err)
		}
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("still lost: too early to try again\n"))
	now = now.Add(2 * retryAfter)
	w.Write([]byte("kept\n"))
	w.Close()
	b, err := os.ReadFile(filepath.Join(blocked, "ncatd.log"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b); !strings.Contains(got, `"lines":6`) || !strings.HasSuffix(got, "kept\n") || strings.Contains(got, "lost\n") {
		t.Errorf("log:\n%s", got)
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	for _, format := range []string{"json", "text", "console"} {
		var b bytes.Buffer
		h := Handler(&b, format, slog.LevelDebug)
		if format == "console" {
			h = Console(&b, slog.LevelDebug, false)
		}
		l := slog.New(Fan(h)).With("token", "hunter2").WithGroup("g")
		l.Info("x", "secret_value", config.Secret("hunter2"), "password_md5", "hunter2",
			slog.Group("in", "authorization", "hunter2"), "webui", config.Endpoint{Token: "hunter2"}, "err", errors.New("fine"))
		if got := b.String(); strings.Contains(got, "hunter2") || !strings.Contains(got, "fine") {
			t.Errorf("%s: %s", format, got)
		}
	}
}

func writeLog(t *testing.T, path, content string, mtime time.Time) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if !mtime.IsZero() {
		if err := os.Chtimes(path, mtime, mtime); err != nil {
			t.Fatal(err)
		}
	}
}

// testHome has ncatd's log, rotated once, and that of two accounts.
func testHome(t *testing.T) string {
	home := t.TempDir()
	at := time.Date(2026, 1, 1, 12, 0, 30, 0, time.Local)
	stamp := func(sec int) string { return at.Add(time.Duration(sec-30) * time.Second).Format(time.RFC3339Nano) }
	writeLog(t, filepath.Join(home, "logs", "ncatd.log.1"),
		`{"time":"`+stamp(1)+`","level":"INFO","msg":"one","account":"a","n":1}`+"\n"+
			`{"time":"`+stamp(4)+`","level":"WARN","msg":"four","why":"two words"}`+"\n", at)
	writeLog(t, filepath.Join(home, "logs", "ncatd.log"),
		`time=`+stamp(6)+` level=ERROR msg="six at last" account=b x="a b"`+"\nfree text\n", at)
	writeLog(t, filepath.Join(home, "accounts", "a", "napcat.log"),
		"NapCat Shell App Loading...\n01-01 12:00:02 [\x1b[32minfo\x1b[39m] nick | two\nstill two\n01-01 12:00:05 [\x1b[31merror\x1b[39m] five\n", at)
	writeLog(t, filepath.Join(home, "accounts", "b", "napcat.log"), "12-31 23:59:59 [warn] last year\n01-01 12:00:03 [debug] three\n", at)
	return home
}

func read(t *testing.T, home string, q Query) []string {
	t.Helper()
	var got []string
	err := NewReader(home).Read(t.Context(), q, func(r api.LogRecord) error {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", r.Level, r.Source, r.Account, r.Message, r.Attrs)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReaderMergesByTime(t *testing.T) {
	home := testHome(t)
	all := []string{
		"warn napcat b last year",
		"info ncatd a one n=1",
		"info napcat a NapCat Shell App Loading...",
		"info napcat a nick | two",
		"info napcat a still two",
		"debug napcat b three",
		"warn ncatd  four why=\"two words\"",
		"error napcat a five",
		"error ncatd b six at last x=\"a b\"",
		"info ncatd  free text",
	}
	if got := read(t, home, Query{}); !slices.Equal(got, all) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(all, "\n"))
	}
	if got := read(t, home, Query{Lines: 3}); !slices.Equal(got, all[7:]) {
		t.Errorf("last three: %q", got)
	}
	if got := read(t, home, Query{Account: "b"}); !slices.Equal(got, []string{all[0], all[5], all[8]}) {
		t.Errorf("account b: %q", got)
	}
	if got := read(t, home, Query{Level: "warn"}); !slices.Equal(got, []string{all[0], all[6], all[7], all[8]}) {
		t.Errorf("warn: %q", got)
	}
	if got := read(t, home, Query{Since: time.Date(2026, 1, 1, 12, 0, 5, 0, time.Local)}); !slices.Equal(got, all[7:]) {
		t.Errorf("since: %q", got)
	}
	if got := read(t, t.TempDir(), Query{Lines: 5}); len(got) != 0 {
		t.Errorf("an empty home: %q", got)
	}
}

// TestFollowAcrossRotation holds that a follower misses and repeats nothing
// while the log rotates under it.
func TestFollowAcrossRotation(t *testing.T) {
	home := t.TempDir()
	w := NewWriter(filepath.Join(home, "logs", "ncatd.log"), 2000, 1<<20, nil)
	l := slog.New(Handler(w, "json", slog.LevelInfo))
	l.Info("0")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const n = 120
	errDone := errors.New("done")
	started := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		<-started
		for i := 1; i < n; i++ {
			l.Info(fmt.Sprint(i))
		}
	})
	var got []string
	err := NewReader(home).Read(ctx, Query{Follow: true}, func(r api.LogRecord) error {
		if len(got) == 0 {
			close(started)
		}
		if got = append(got, r.Message); len(got) == n {
			return errDone
		}
		return nil
	})
	wg.Wait()
	if !errors.Is(err, errDone) {
		t.Fatalf("got %d records: %v", len(got), err)
	}
	for i, m := range got {
		if m != fmt.Sprint(i) {
			t.Fatalf("record %d is %s", i, m)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-01T00:00:00Z","level":"INFO","msg":"x","a":{"b":1}}`), "")
	f.Add([]byte(`time=2026-01-01T00:00:00Z level=WARN msg="a b"`), "")
	f.Add([]byte("01-01 12:00:02 [\x1b[32minfo\x1b[39m] nick | two"), "main")
	f.Fuzz(func(t *testing.T, line []byte, account string) {
		p := parser{account: account, mtime: time.Unix(1e9, 0)}
		cost.Bounds{Memory: 256, MemoryAnyway: 64 << 10, Time: time.Microsecond, TimeAnyway: 100 * time.Millisecond}.Hold(t, len(line), func() {
			q := parser{account: account, mtime: time.Unix(1e9, 0)}
			q.line(line)
			Summarize(line)
		})
		if r := p.line(line); r != nil && !slices.Contains([]string{"debug", "info", "warn", "error"}, r.Level) {
			t.Errorf("%q has level %q", line, r.Level)
		}
	})
}

func TestSummarize(t *testing.T) {
	for _, tt := range []struct{ raw, kind, text string }{
		{`{"time":5,"post_type":"message","message_type":"group","sub_type":"normal","group_id":7,"group_name":"G","user_id":"8","sender":{"nickname":"n","card":""},"raw_message":"hi"}`,
			"message.group.normal", "group=7(G) user=8(n): hi"},
		{`{"post_type":"notice","notice_type":"group_ban","sub_type":"ban","group_id":7,"user_id":8,"operator_id":9}`, "notice.group_ban.ban", "group=7 user=8 operator=9"},
		{`{"post_type":"request","request_type":"friend","user_id":8,"comment":"let me in"}`, "request.friend", "user=8: let me in"},
		{`[1]`, "", ""},
		{`{"post_type":7}`, "", ""},
	} {
		if got := Summarize([]byte(tt.raw)); got.Type != tt.kind || got.Text != tt.text {
			t.Errorf("%s: %+v", tt.raw, got)
		}
	}
}

// TestForgedRecordIsNone: a line of a chat message that looks like a record is
// written with blanks before it, and stays part of the record before.
func TestForgedRecordIsNone(t *testing.T) {
	p := parser{account: "a", mtime: time.Unix(1e9, 0)}
	p.line([]byte("01-01 12:00:02 [info] 接收 <- 群聊 [g"))
	r := p.line([]byte("  01-01 12:00:05 [error] [KickedOffLine] x"))
	if r == nil || r.Level != "info" || r.Time.Second() != 2 {
		t.Errorf("%+v", r)
	}
}
