package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) > 0 && args[0] == "build":
		return build(ctx, args[1:])
	case len(args) > 0 && args[0] == "catalogue":
		return travelling(args[1:])
	case len(args) == 3 && args[0] == "key" && args[1] == "new":
		return newKey(args[2])
	case len(args) > 2 && args[0] == "key" && args[1] == "certify":
		return certify(args[2:])
	}
	return errors.New("usage: release build|catalogue|key new|key certify; go doc ./internal/release")
}

// allPlatforms are what a release has programs for: os/arch, v7 behind arm.
const allPlatforms = "linux/amd64 linux/arm64 linux/armv7 linux/riscv64 linux/loong64 windows/amd64 darwin/amd64 darwin/arm64"

// maker is one making of a release.
type maker struct {
	root    string // of the repository
	out     string
	work    string // scratch
	version string
	commit  string
	date    time.Time // of the commit
	files   []signed.File
}

func build(ctx context.Context, args []string) (err error) {
	f := flag.NewFlagSet("build", flag.ContinueOnError)
	version := f.String("version", "", "the `version`, such as 1.2.3")
	out := f.String("out", "dist", "the `folder` to write to")
	channel := f.String("channel", "", "the `channel`; by default stable, or beta for a version with a dash")
	platforms := f.String("platforms", allPlatforms, "the `platforms`")
	if err := f.Parse(args); err != nil {
		return err
	}
	v := strings.TrimPrefix(*version, "v")
	if !signed.ValidVersion(v) {
		return fmt.Errorf("-version %q is no version such as 1.2.3", *version)
	}
	key, err := signingKey(os.Getenv)
	if err != nil {
		return err
	}
	m := &maker{version: v}
	if m.out, err = filepath.Abs(*out); err != nil {
		return err
	}
	if err := m.facts(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(m.out); err != nil {
		return err
	}
	if err := os.MkdirAll(m.out, 0o755); err != nil {
		return err
	}
	if m.work, err = os.MkdirTemp("", "ncatd-release-*"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.work)) }()
	if err := m.pages(ctx); err != nil {
		return fmt.Errorf("man pages and completions: %w", err)
	}
	for _, p := range strings.Fields(*platforms) {
		if err := m.platform(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	for _, step := range []func(context.Context) error{m.container, m.sbom, m.notes, m.installer, m.catalogue} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if *channel == "" {
		*channel = "stable"
		if strings.Contains(v, "-") {
			*channel = "beta"
		}
	}
	return m.sign(key, *channel)
}

// facts asks git what is built, unless SOURCE_DATE_EPOCH names its time.
func (m *maker) facts(ctx context.Context) error {
	git := func(args ...string) string {
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	m.root, m.commit = git("rev-parse", "--show-toplevel"), git("rev-parse", "HEAD")
	if m.root == "" {
		var err error
		if m.root, err = os.Getwd(); err != nil {
			return err
		}
	}
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		seconds = git("log", "-1", "--format=%ct")
	}
	var n int64
	if _, err := fmt.Sscan(seconds, &n); err != nil {
		return errors.New("no time of the sources: build from a git clone, or set SOURCE_DATE_EPOCH")
	}
	m.date = time.Unix(n, 0).UTC()
	return nil
}

// command runs a program in the repository.
func (m *maker) command(ctx context.Context, env []string, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = m.root
	c.Env = append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
