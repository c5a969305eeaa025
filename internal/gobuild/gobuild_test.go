package gobuild

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write makes a program in a folder of its own.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func program(t *testing.T) (Program, string) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"lib/go.mod": "module lib.example\n\ngo 1.24\n", "lib/lib.go": "package lib\n\nconst Lib = 1\n",
		"bot/go.mod":         "module bot.example/bot\n\ngo 1.24\n\nrequire lib.example v0.0.0\nreplace lib.example => ../lib\n",
		"bot/main.go":        "package main\n\nimport (\n\t_ \"embed\"\n\n\t\"bot.example/bot/words\"\n\tlib \"lib.example\"\n)\n\n//go:embed hi.txt\nvar hi string\n\nfunc main() { println(words.Hi, lib.Lib, hi) }\n",
		"bot/hi.txt":         "hi",
		"bot/words/words.go": "package words\n\nconst Hi = \"hi\"\n",
	})
	return Program{Dir: filepath.Join(dir, "bot"), Pattern: ".", Env: append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")}, dir
}

func TestLookAndBuild(t *testing.T) {
	p, dir := program(t)
	s, err := Look(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"bot.example/bot": "bot", "bot.example/bot/words": "bot/words", "lib.example": "lib"} {
		if got := s.Packages[path]; got != filepath.Join(dir, want) {
			t.Errorf("%s lies in %q", path, got)
		}
	}
	if s.Name != "main" || len(s.Packages) != 3 || len(s.Files) != 3 || !s.Imports("embed") || s.Imports("net/http") {
		t.Errorf("sources: %+v", s)
	}
	out := filepath.Join(dir, "program")
	if text, ok, err := p.Build(t.Context(), out, dir); !ok || err != nil || text != "" {
		t.Fatalf("build: %v, %v: %s", ok, err, text)
	}
	write(t, dir, map[string]string{"bot/words/words.go": "package words\n\nconst Hi = missing\n"})
	text, ok, err := p.Build(t.Context(), out, dir)
	if ok || err != nil || !strings.Contains(text, filepath.Join("bot", "words", "words.go")+":3:") {
		t.Errorf("mistake: %v, %v: %s", ok, err, text)
	}
	if s, err = Look(t.Context(), p); err != nil || len(s.Packages) != 3 {
		t.Errorf("with a mistake in it: %+v, %v", s, err)
	}
	var le *ListError
	if _, err := Look(t.Context(), Program{Dir: t.TempDir(), Pattern: ".", Env: p.Env}); !errors.As(err, &le) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestBlame(t *testing.T) {
	p, dir := program(t)
	s, err := Look(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ text, what, where string }{
		{"panic: oh\n\ngoroutine 1 [running]:\nmain.main.func1(0x1)\n\tbot.example/bot/main.go:14 +0x1d\n", "panic: oh", filepath.Join("bot", "main.go") + ":14"},
		{"panic: oh\n\ngoroutine 1 [running]:\nruntime.throw()\n\truntime/panic.go:1 +0x1d\nbot.example/bot/words.(*T).Say(...)\n\t/elsewhere/words.go:7\n", "panic: oh", filepath.Join("bot", "words", "words.go") + ":7"},
		{"fatal error: all goroutines are asleep\n\ngoroutine 1 [x]:\nsync.Wait()\n\tsync/wait.go:9 +0x1\ncreated by main.main in goroutine 1\n\t/x/main.go:3 +0x4\n", "fatal error: all goroutines are asleep", filepath.Join("bot", "main.go") + ":3"},
		{"panic: oh\n\ngoroutine 1 [running]:\nother.example/x.F()\n\t/x/x.go:1\n", "panic: oh", ""},
		{"", "", ""},
	} {
		if what, where := s.Blame(tt.text, dir); what != tt.what || where != tt.where {
			t.Errorf("%q: %q at %q", tt.text, what, where)
		}
	}
}

// TestWatch saves what counts and what does not.
func TestWatch(t *testing.T) {
	p, dir := program(t)
	s, err := Look(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWatch()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	defer func() {
		cancel()
		if err := errors.Join(<-ended, w.Close()); err != nil {
			t.Error(err)
		}
	}()
	began := time.Now()
	if err := w.Follow(s, began); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- w.Run(ctx) }()
	changed := func(what string) {
		t.Helper()
		select {
		case <-w.Changed():
		case <-time.After(10 * time.Second):
			t.Fatalf("%s was not told", what)
		}
	}
	for _, f := range []string{"bot/main.go", "bot/words/words.go", "lib/lib.go", "bot/hi.txt", "bot/go.mod", "bot/words/new.go"} {
		write(t, dir, map[string]string{f: "package x\n"})
		changed(f)
	}
	// What does not count is told before what does, if it is told.
	write(t, dir, map[string]string{"bot/main_test.go": "", "bot/.main.go.swp": "", "bot/.#main.go": "", "bot/notes.txt": "", "bot/other/x.go": ""})
	select {
	case <-w.Changed():
		t.Error("a test, an editor's file or another folder counts")
	case <-time.After(10 * settle):
	}
	// A package that is imported from now on, and was saved after the build began.
	s.Packages["bot.example/bot/other"] = filepath.Join(dir, "bot", "other")
	if err := w.Follow(s, began); err != nil {
		t.Fatal(err)
	}
	changed("what came before its watch")
}
