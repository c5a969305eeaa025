// Package gobuild builds a Go program while it is being written: what it is made
// of on this machine ([Look]), the build itself ([Program.Build]), and what of it
// changes ([Watch]). It runs the go command and never what that builds.
package gobuild

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Program is a command in source.
type Program struct {
	Dir     string   // where the go command runs
	Pattern string   // the package, as seen from Dir
	Env     []string // of the go command
}

// Sources is what a program is built of on this machine; the standard library and
// what lies in the module cache do not change.
type Sources struct {
	Name     string            // of the package, "main" for a command
	Packages map[string]string // folders by import path
	Files    []string          // embedded files, and go.mod of each module
	modules  []string          // import paths of all packages, with those of others
}

// Imports reports whether the program has a package linked in.
func (s *Sources) Imports(path string) bool { return slices.Contains(s.modules, path) }

// ErrNoGo says that there is no go command.
var ErrNoGo = errors.New("the go command is not installed")

// ListError is what the go command says of a package that is none.
type ListError struct{ Text string }

// Error implements error.
func (e *ListError) Error() string { return e.Text }

// waitDelay is how long a go command that was given up may take to end.
const waitDelay = 5 * time.Second

func (p Program) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = p.Dir, p.Env
	cmd.WaitDelay = waitDelay
	return cmd
}

// listed is what go list says of one package.
type listed struct {
	ImportPath, Dir, Name string
	Standard              bool
	EmbedFiles            []string
	Module                *module
	DepOnly               bool
	Error                 *struct{ Err string }
}

type module struct {
	GoMod, Version string
	Main           bool
	Replace        *module
}

// local reports whether a module's files are somebody's to edit.
func (m *module) local() bool {
	if m == nil {
		return true // of no module: files named one by one
	}
	if m.Replace != nil {
		return m.Replace.Version == ""
	}
	return m.Main || m.Version == ""
}

// Look returns what the program is built of. A package with mistakes in it is
// looked at all the same; a [ListError] says that there is none.
func Look(ctx context.Context, p Program) (*Sources, error) {
	var out, errs bytes.Buffer
	cmd := p.command(ctx, "list", "-e", "-deps", "-json=ImportPath,Dir,Name,Standard,EmbedFiles,Module,DepOnly,Error", "--", p.Pattern)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		switch {
		case errors.Is(err, exec.ErrNotFound):
			return nil, ErrNoGo
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		return nil, &ListError{strings.TrimSpace(errs.String())}
	}
	s := &Sources{Packages: map[string]string{}}
	for d := json.NewDecoder(&out); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		if !l.DepOnly {
			if l.Name == "" && l.Error != nil {
				return nil, &ListError{l.Error.Err}
			}
			s.Name = l.Name
		}
		s.modules = append(s.modules, l.ImportPath)
		if l.Standard || l.Dir == "" || !l.Module.local() {
			continue
		}
		s.Packages[l.ImportPath] = l.Dir
		for _, f := range l.EmbedFiles {
			s.Files = append(s.Files, filepath.Join(l.Dir, f))
		}
		if l.Module != nil && l.Module.GoMod != "" && !slices.Contains(s.Files, l.Module.GoMod) {
			s.Files = append(s.Files, l.Module.GoMod)
		}
	}
	return s, nil
}

// Build builds the program to the file out. text is what the go command says,
// which is mistakes if ok is false, with their places as seen from the folder cwd.
func (p Program) Build(ctx context.Context, out, cwd string) (text string, ok bool, err error) {
	// Without a debugger's tables, which take half of the linker's time; a panic
	// has its places all the same.
	cmd := p.command(ctx, "build", "-ldflags=-s -w", "-o", out, "--", p.Pattern)
	b, err := cmd.CombinedOutput()
	var ee *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", false, ErrNoGo
	case ctx.Err() != nil:
		return "", false, context.Cause(ctx)
	case err != nil && !errors.As(err, &ee):
		return "", false, err
	}
	return Places(strings.TrimRight(string(b), "\n"), p.Dir, cwd), err == nil, nil
}

var place = regexp.MustCompile(`(?m)^(vet: )?([^\s:#][^\n:]*\.go):(\d+)`)

// Places rewrites the places in what the go command says, which are seen from dir,
// for a reader in cwd.
func Places(text, dir, cwd string) string {
	return place.ReplaceAllStringFunc(text, func(s string) string {
		m := place.FindStringSubmatch(s)
		file := m[2]
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		return m[1] + seenFrom(cwd, file) + ":" + m[3]
	})
}

// seenFrom returns a path as one would write it in cwd.
func seenFrom(cwd, path string) string {
	rel, err := filepath.Rel(cwd, path)
	if err != nil || strings.HasPrefix(rel, filepath.Join("..", "..", "..")) {
		return path
	}
	return rel
}

var frame = regexp.MustCompile(`^\t(.+\.go):(\d+)(?: |$)`)

// Blame returns the line of a panic's text that says what it was, and the place in
// the program's own sources from which it came, "" if it came from none.
func (s *Sources) Blame(text, cwd string) (what, where string) {
	lines := strings.Split(text, "\n")
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			what = l
			break
		}
	}
	for i := 1; i < len(lines); i++ {
		m := frame.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		if dir, ok := s.folder(lines[i-1]); ok {
			return what, seenFrom(cwd, filepath.Join(dir, filepath.Base(m[1]))) + ":" + m[2]
		}
	}
	return what, ""
}

// folder returns the folder of the package whose function a line of a stack names.
// The product's own packages are no place to look for a bot's mistake.
func (s *Sources) folder(function string) (string, bool) {
	function = strings.TrimPrefix(function, "created by ")
	slash := strings.LastIndexByte(function, '/') + 1
	dot := strings.IndexByte(function[slash:], '.')
	if dot < 0 {
		return "", false
	}
	path := function[:slash+dot]
	if path == "main" && s.Name == "main" {
		dir, ok := s.Packages[s.modules[len(s.modules)-1]] // what was asked for comes last
		return dir, ok
	}
	if path == product || strings.HasPrefix(path, product+"/") {
		return "", false
	}
	dir, ok := s.Packages[path]
	return dir, ok
}

// product is the module whose frames stand above those of a bot.
const product = "github.com/ncatd/ncatd"
