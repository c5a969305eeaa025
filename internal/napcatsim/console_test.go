package napcatsim

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"

	"rsc.io/qr"
)

func TestConsoleFormat(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	c := newConsole(func(p []byte) error { _, err := b.Write(p); return err })
	c.debug("before the login everything is printed")
	c.info("a\x1b[31mb\x07c\nd")
	c.raw("NapCat Shell App Loading...")
	if err := c.loggedIn("昵称", logConfig{consoleLog: true, consoleLevel: "warn"}, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	c.info("not this")
	c.warn("token=abc&x=1 stays on stdout")
	c.error("e")
	want := `^\d\d-\d\d \d\d:\d\d:\d\d \[\x1b\[34mdebug\x1b\[39m\] before the login everything is printed
\d\d-\d\d \d\d:\d\d:\d\d \[\x1b\[32minfo\x1b\[39m\] abc
d
NapCat Shell App Loading\.\.\.
\d\d-\d\d \d\d:\d\d:\d\d \[\x1b\[33mwarn\x1b\[39m\] 昵称 \| token=abc&x=1 stays on stdout
\d\d-\d\d \d\d:\d\d:\d\d \[\x1b\[31merror\x1b\[39m\] 昵称 \| e
$`
	if !regexp.MustCompile(want).MatchString(b.String()) {
		t.Errorf("%q", b.String())
	}
	past, live, end := c.follow()
	defer end()
	if len(past) != 5 || past[3].Message != "token=***&x=1 stays on stdout" || past[0].Level != "debug" {
		t.Errorf("live log %+v", past)
	}
	if err := c.loggedIn("昵称", logConfig{}, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	size := b.Len()
	c.error("silent")
	if b.Len() != size {
		t.Error("consoleLog false still prints")
	}
	if r := <-live; r.Message != "silent" {
		t.Errorf("live log %+v", r)
	}
}

func TestLogFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := newConsole(func([]byte) error { return nil })
	c.info("before")
	if err := c.loggedIn("n", logConfig{fileLog: true, fileLevel: "info"}, dir); err != nil {
		t.Fatal(err)
	}
	c.debug("low")
	c.info("after")
	list := logFiles(dir)
	if len(list) != 1 || !regexp.MustCompile(`^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.\d{3}$`).MatchString(list[0]) {
		t.Fatalf("%v", list)
	}
}

func TestBrokenStdoutIsToldOnce(t *testing.T) {
	t.Parallel()
	c := newConsole(func([]byte) error { return errors.New("broken pipe") })
	var wg sync.WaitGroup
	wg.Add(1)
	c.broken = func(error) { wg.Done() } // a second call would panic
	for range 3 {
		c.info("x")
	}
	wg.Wait()
}

// TestDrawQR reads the drawing back, module by module.
func TestDrawQR(t *testing.T) {
	t.Parallel()
	const url = "https://txz.qq.com/p?k=abcdefghijklmnop&f=1600001615"
	art, err := drawQR(url)
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(url, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(art, "\n"), "\n")
	if lines[0] != strings.Repeat("▄", code.Size+2) || len(lines) != 1+(code.Size+1)/2 {
		t.Fatalf("%d lines, first %q", len(lines), lines[0])
	}
	for i, line := range lines[1:] {
		row := []rune(line)
		if len(row) != code.Size+2 || row[0] != '█' || row[len(row)-1] != '█' {
			t.Fatalf("line %d: %q", i, line)
		}
		for x, c := range row[1 : len(row)-1] {
			up, down := c == '█' || c == '▀', c == '█' || c == '▄'
			if up == code.Black(x, 2*i) || 2*i+1 < code.Size && down == code.Black(x, 2*i+1) {
				t.Fatalf("module %d,%d is wrong", x, 2*i)
			}
		}
	}
}

func TestSupportedQQ(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{DefaultQQVersion: true, "3.2.30-50828": true, "3.2.5-21453": false, "9.9.99-99999": false, "x": false} {
		p := process{in: Installation{QQVersion: version}}
		if p.supportedQQ() != want {
			t.Errorf("supportedQQ %s", version)
		}
	}
}
