package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra/doc"

	"github.com/ncatd/ncatd/configs"
	"github.com/ncatd/ncatd/internal/cli"
	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// pages writes the man pages in both languages and the completions.
func (m *maker) pages(ctx context.Context) error {
	for lang, sub := range map[string]string{"en": "man/man1", "zh": "man/zh_CN/man1"} {
		dir := filepath.Join(m.work, filepath.FromSlash(sub))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		tree := cli.Tree(lang, m.version)
		tree.DisableAutoGenTag = true
		h := &doc.GenManHeader{Section: "1", Date: &m.date, Source: "ncatd " + m.version, Manual: "ncatd"}
		if err := doc.GenManTree(tree, h, dir); err != nil {
			return err
		}
		// nfpm takes the mode of a page from the page, which the umask may have
		// narrowed, and the time of a folder from the folder.
		pages, err := below(dir, "")
		if err != nil {
			return err
		}
		for _, p := range pages {
			if err := os.Chmod(p.from, 0o644); err != nil {
				return err
			}
		}
		if err := errors.Join(os.Chmod(dir, 0o755), os.Chtimes(dir, m.date, m.date)); err != nil {
			return err
		}
	}
	dir := filepath.Join(m.work, "completions")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for shell, name := range map[string]string{"bash": "ncatd.bash", "zsh": "_ncatd", "fish": "ncatd.fish"} {
		var out, errs bytes.Buffer
		d := cli.Deps{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Version: m.version, Env: []string{"HOME=" + m.work}}
		if code := cli.Run(ctx, []string{"completion", shell}, d); code != 0 {
			return fmt.Errorf("completion %s: exit %d: %s", shell, code, errs.Bytes())
		}
		if err := os.WriteFile(filepath.Join(dir, name), out.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// small returns the flags that keep the program small, as the Makefile has them:
// no inlining but in what runs for each event.
func small() []string {
	flags := []string{"-gcflags=all=-l"}
	for _, hot := range []string{
		"runtime/...", "internal/...", "sync/...", "reflect", "encoding/json",
		"modernc.org/...", "github.com/klauspost/...", "github.com/coder/...",
		"github.com/ncatd/ncatd/onebot", "github.com/ncatd/ncatd/internal/bot/...", "github.com/ncatd/ncatd/internal/gateway",
	} {
		flags = append(flags, "-gcflags="+hot+"=")
	}
	return flags
}

// platform builds the program for one platform and packs it.
func (m *maker) platform(ctx context.Context, platform string) error {
	goos, arch, ok := strings.Cut(platform, "/")
	if !ok {
		return errors.New("not os/arch")
	}
	exe := "ncatd"
	if goos == "windows" {
		exe += ".exe"
	}
	dir := filepath.Join(m.work, "programs", goos+"-"+arch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	program := filepath.Join(dir, exe)
	env := []string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + strings.TrimSuffix(arch, "v7"), "GOARM=7", "GOFLAGS="}
	flags := "-s -w -funcalign=16 -buildid= -X github.com/ncatd/ncatd.version=" + m.version + " -X github.com/ncatd/ncatd.commit=" + m.commit
	if keys := signed.TestKeys(); keys != "" {
		flags += " -X github.com/ncatd/ncatd/internal/selfupgrade/signed.testKeys=" + keys
	}
	// The version control system is not asked by the compiler: what it says depends on
	// the tags of a clone.
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", program}, small()...)
	if err := m.command(ctx, env, "go", append(args, "./cmd/ncatd")...); err != nil {
		return err
	}
	members := []member{{exe, 0o755, program}}
	for _, name := range []string{"LICENSE", "README.md", "README.zh-CN.md", "CHANGELOG.md"} {
		members = append(members, member{name, 0o644, filepath.Join(m.root, name)})
	}
	for _, sub := range []string{"completions", "man"} {
		more, err := below(filepath.Join(m.work, sub), sub+"/")
		if err != nil {
			return err
		}
		members = append(members, more...)
	}
	name := fmt.Sprintf("ncatd_%s_%s_%s", m.version, goos, arch)
	pack, ending := tarball, ".tar.gz"
	if goos == "windows" {
		pack, ending = zipped, ".zip"
	}
	b, err := pack(members, m.date)
	if err != nil {
		return err
	}
	if err := m.write(name+ending, platform, b); err != nil {
		return err
	}
	if goos != "linux" {
		return nil
	}
	return m.packages(ctx, arch, dir)
}

// packages makes the packages of the distributions with nfpm.
func (m *maker) packages(ctx context.Context, arch, dir string) error {
	unit := strings.ReplaceAll(configs.SystemUnit, "/usr/local/bin/ncatd", "/usr/bin/ncatd")
	if err := os.WriteFile(filepath.Join(dir, "ncatd.service"), []byte(unit), 0o644); err != nil {
		return err
	}
	scripts, err := filepath.Glob(filepath.Join(m.root, "configs", "packaging", "*.sh"))
	if err != nil {
		return err
	}
	for _, p := range scripts { // and that of a script in an .apk from the script
		if err := os.Chtimes(p, m.date, m.date); err != nil {
			return err
		}
	}
	goarch := map[string]string{"armv7": "arm7"}[arch]
	if goarch == "" {
		goarch = arch
	}
	env := []string{
		"SOURCE_DATE_EPOCH=" + fmt.Sprint(m.date.Unix()), "PKG_VERSION=" + m.version, "PKG_ARCH=" + goarch,
		"PKG_PROGRAM=" + dir, "PKG_PAGES=" + m.work,
	}
	for packager, ending := range map[string]string{"deb": ".deb", "rpm": ".rpm", "apk": ".apk", "archlinux": ".pkg.tar.zst"} {
		name := fmt.Sprintf("ncatd_%s_linux_%s%s", m.version, arch, ending)
		err := m.command(ctx, env, "go", "tool", "-modfile=tools/go.mod", "nfpm", "package",
			"--config", "configs/packaging/nfpm.yaml", "--packager", packager, "--target", filepath.Join(m.out, name))
		if err == nil && packager == "deb" {
			err = pressDeb(ctx, filepath.Join(m.out, name))
		}
		if err != nil {
			return err
		}
	}
	for _, ending := range []string{".deb", ".rpm", ".apk", ".pkg.tar.zst"} {
		if err := m.add(fmt.Sprintf("ncatd_%s_linux_%s%s", m.version, arch, ending), "linux/"+arch); err != nil {
			return err
		}
	}
	return nil
}

// container packs what an image is built from: the container file and the
// program of each processor.
func (m *maker) container(context.Context) error {
	members := []member{{"Containerfile", 0o644, filepath.Join(m.root, "configs", "packaging", "Containerfile")}}
	for _, arch := range []string{"amd64", "arm64"} {
		program := filepath.Join(m.work, "programs", "linux-"+arch, "ncatd")
		if _, err := os.Stat(program); err == nil {
			members = append(members, member{"linux/" + arch + "/ncatd", 0o755, program})
		}
	}
	b, err := tarball(members, m.date)
	if err != nil {
		return err
	}
	return m.write(fmt.Sprintf("ncatd_%s_container.tar.gz", m.version), "any", b)
}

// sbom writes what is linked into the programs, in CycloneDX.
func (m *maker) sbom(context.Context) error {
	found, err := filepath.Glob(filepath.Join(m.work, "programs", "*", "ncatd*"))
	if err != nil {
		return err
	}
	type component struct {
		Type    string `json:"type"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
	}
	seen := map[string]bool{}
	components := []component{}
	goVersion := ""
	for _, p := range found {
		info, err := buildinfo.ReadFile(p)
		if err != nil {
			continue // the unit beside it
		}
		goVersion = strings.TrimPrefix(info.GoVersion, "go")
		for _, d := range info.Deps {
			if purl := "pkg:golang/" + d.Path + "@" + d.Version; !seen[purl] {
				seen[purl] = true
				components = append(components, component{"library", d.Path, d.Version, purl})
			}
		}
	}
	components = append(components, component{"platform", "go", goVersion, "pkg:golang/std@" + goVersion})
	b, err := json.MarshalIndent(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata": map[string]any{
			"timestamp": m.date.Format("2006-01-02T15:04:05Z"),
			"component": component{"application", "ncatd", m.version, "pkg:golang/github.com/ncatd/ncatd@v" + m.version},
		},
		"components": components,
	}, "", "  ")
	if err != nil {
		return err
	}
	return m.write(fmt.Sprintf("ncatd_%s_sbom.cdx.json", m.version), "any", append(b, '\n'))
}

// notes writes the release notes out of the changelog.
func (m *maker) notes(context.Context) error {
	b, err := os.ReadFile(filepath.Join(m.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	section := sectionOf(string(b), m.version)
	if section == "" {
		return fmt.Errorf("CHANGELOG.md says nothing of %s", m.version)
	}
	return m.write("RELEASE_NOTES.md", "any", []byte("# ncatd "+m.version+"\n\n"+section+"\n"))
}

// installer writes install.sh with the root keys in it.
func (m *maker) installer(context.Context) error {
	b, err := os.ReadFile(filepath.Join(m.root, "configs", "packaging", "install.sh"))
	if err != nil {
		return err
	}
	roots, err := signed.Roots()
	if err != nil {
		return err
	}
	var words []string
	for _, r := range roots {
		words = append(words, r.String())
	}
	text := string(b)
	for line, value := range map[string]string{"ROOT_KEYS=''": strings.Join(words, " "), "NEWEST=''": m.version} {
		if strings.Count(text, line) != 1 {
			return fmt.Errorf("install.sh has no line %s", line)
		}
		text = strings.Replace(text, line, strings.TrimSuffix(line, "''")+"'"+value+"'", 1)
	}
	return m.write("install.sh", "any", []byte(text))
}

// catalogue adds the catalogue of the repository.
func (m *maker) catalogue(context.Context) error {
	if _, err := catalogue.Parse(configs.Catalogue); err != nil {
		return err
	}
	return m.write(signed.CatalogueName, "any", configs.Catalogue)
}
