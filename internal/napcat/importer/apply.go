package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// staging is where a home's import is made; what lies there was never finished.
const staging = ".importing"

// ErrOccupied is a home that has accounts or a config of its own.
var ErrOccupied = errors.New("the home is in use already")

// Apply copies what the plan names into a home. All of it appears at once at the
// end, the config last; what a killed one leaves, the next Apply removes. The source is only read. undo takes back what was made.
func (p *Plan) Apply(ctx context.Context, home string) (undo func() error, err error) {
	if len(p.Accounts) == 0 {
		return nil, fmt.Errorf("%s: %w that has logged in", p.Path, ErrNothing)
	}
	return put(home, func(stage string) error { return p.fill(ctx, stage) })
}

// Take brings what Apply has made in one home into another, and leaves nothing of it
// there.
func Take(ctx context.Context, from, home string) (undo func() error, err error) {
	return put(home, func(stage string) error {
		if os.Rename(filepath.Join(from, "accounts"), filepath.Join(stage, "accounts")) != nil { // another disk
			if err := copyTree(ctx, filepath.Join(from, "accounts"), filepath.Join(stage, "accounts")); err != nil {
				return err
			}
		}
		b, err := readSmall(filepath.Join(from, "ncatd.yaml"))
		if err != nil {
			return err
		}
		return errors.Join(writeSynced(filepath.Join(stage, "ncatd.yaml"), b), os.RemoveAll(from))
	})
}

// Free says whether a home can take an import: it has no config, and no account that
// has ever logged in. The error is [ErrOccupied].
func Free(home string) error {
	if p := filepath.Join(home, "ncatd.yaml"); !missing(p) {
		return fmt.Errorf("%s: %w", p, ErrOccupied)
	}
	if cut(home) {
		return nil
	}
	accounts := filepath.Join(home, "accounts")
	entries, err := os.ReadDir(accounts)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		files, err := os.ReadDir(filepath.Join(accounts, e.Name(), "napcat", "config"))
		switch {
		case !e.IsDir(), err != nil && !errors.Is(err, fs.ErrNotExist), slices.ContainsFunc(files, func(f fs.DirEntry) bool { return perAccount.MatchString(f.Name()) }):
			return fmt.Errorf("%s: %w", filepath.Join(accounts, e.Name()), ErrOccupied)
		}
	}
	return nil
}

// cut reports whether an import was killed between the two steps at its end: then the
// accounts are that import's.
func cut(home string) bool {
	stage := filepath.Join(home, staging)
	return missing(filepath.Join(home, "ncatd.yaml")) && missing(filepath.Join(stage, "accounts")) && !missing(filepath.Join(stage, "ncatd.yaml"))
}

// put has a folder filled with accounts and a config, and moves these into a home. An
// account there that never logged in gives way.
func put(home string, fill func(stage string) error) (undo func() error, err error) {
	if err := Free(home); err != nil {
		return nil, err
	}
	stage := filepath.Join(home, staging)
	if cut(home) {
		if err := os.RemoveAll(filepath.Join(home, "accounts")); err != nil {
			return nil, err
		}
	}
	if err := os.RemoveAll(stage); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(stage, 0o700); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	if err := fill(stage); err != nil {
		return nil, err
	}
	undo = func() error {
		return errors.Join(os.RemoveAll(filepath.Join(home, "ncatd.yaml")), os.RemoveAll(filepath.Join(home, "accounts")))
	}
	if err := os.RemoveAll(filepath.Join(home, "accounts")); err != nil {
		return nil, err
	}
	for _, name := range []string{"accounts", "ncatd.yaml"} {
		if err := os.Rename(filepath.Join(stage, name), filepath.Join(home, name)); err != nil {
			return nil, errors.Join(err, undo())
		}
	}
	return undo, nil
}

// fill makes the accounts and the config of the plan in a folder.
func (p *Plan) fill(ctx context.Context, stage string) error {
	for _, a := range p.Accounts {
		base := filepath.Join(stage, "accounts", a.Name)
		for _, c := range []struct{ from, to string }{{p.QQDir, "home/.config/QQ"}, {p.PluginsDir, "napcat/plugins"}} {
			if c.from == "" {
				continue
			}
			if err := copyTree(ctx, c.from, filepath.Join(base, filepath.FromSlash(c.to))); err != nil {
				return err
			}
		}
		if err := p.settings(ctx, a, filepath.Join(base, "napcat", "config")); err != nil {
			return err
		}
	}
	return writeSynced(filepath.Join(stage, "ncatd.yaml"), p.Config())
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// unneeded are files of QQ that are made anew, or belong to a running one.
func unneeded(name string) bool {
	return strings.HasPrefix(name, "Singleton") || slices.Contains([]string{
		"Cache", "Code Cache", "GPUCache", "DawnCache", "DawnGraphiteCache", "DawnWebGPUCache", "Crashpad", "blob_storage", "logs", "log", "nt_temp", "temp", "Pic", "Video",
	}, name)
}

// settings copies what NapCat's own files say besides the adapters: how it logs
// and hooks, of music and media, and its plugins' settings.
func (p *Plan) settings(ctx context.Context, a Account, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil || p.ConfigDir == "" {
		return err
	}
	root, err := os.OpenRoot(p.ConfigDir) // what a link would bring from elsewhere is no setting
	if err != nil {
		return err
	}
	defer root.Close()
	uin := fmt.Sprint(a.UIN)
	for _, name := range []string{"napcat.json", "napcat_" + uin + ".json", "napcat_protocol.json", "napcat_protocol_" + uin + ".json", "plugins.json"} {
		fi, err := root.Stat(name)
		if err != nil || !fi.Mode().IsRegular() || fi.Size() > maxFile {
			continue // NapCat makes one
		}
		b, err := root.ReadFile(name)
		if err != nil {
			continue
		}
		if err := writeSynced(filepath.Join(to, name), b); err != nil {
			return err
		}
	}
	if d := filepath.Join(p.ConfigDir, "plugins"); isDir(d) {
		if err := copyTree(ctx, d, filepath.Join(to, "plugins")); err != nil {
			return err
		}
	}
	if len(a.rest) == 0 {
		return nil
	}
	return writeSynced(filepath.Join(to, "onebot11_"+uin+".json"), []byte(flow(a.rest)))
}

// copyTree copies files and folders, and those that a link leads to if they
// belong to the same user as the link: a large folder is often moved to another
// disk. Other links, sockets and devices are left out.
func copyTree(ctx context.Context, from, to string) error {
	return copyFolder(ctx, map[string]bool{}, from, to)
}

// copyFolder is for a folder and those that links lead to; been has those, so
// that links do not lead in circles.
func copyFolder(ctx context.Context, been map[string]bool, from, to string) error {
	if seen(been, from) {
		return nil
	}
	root, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		src := filepath.Join(from, filepath.FromSlash(name))
		if err != nil {
			return at(src, err)
		}
		dst := filepath.Join(to, filepath.FromSlash(name))
		if name != "." && unneeded(d.Name()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(dst, 0o700)
		case d.Type()&fs.ModeSymlink != 0 && ownLink(src):
			return copyFolder(ctx, been, src, dst)
		case d.Type().IsRegular():
			return copyFile(root, from, filepath.FromSlash(name), dst)
		}
		return nil
	})
}

// ownLink reports whether a link leads to a folder of the link's own user.
func ownLink(path string) bool {
	link, err1 := os.Lstat(path)
	to, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && to.IsDir() && sameOwner(link, to)
}

// OpCopy is the Op of an [fs.PathError] about a file of the source.
const OpCopy = "copy"

// at says of which file an error is, in full: that of an [os.Root] names the part
// below it.
func at(src string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &fs.PathError{Op: OpCopy, Path: src, Err: err}
}

func copyFile(root *os.Root, from, name, dst string) error {
	in, err := root.Open(name)
	if err != nil {
		return at(filepath.Join(from, name), err)
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600|fi.Mode().Perm()&0o100)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", name, err)
	}
	return os.Chtimes(dst, fi.ModTime(), fi.ModTime())
}

// Config is the ncatd.yaml for the plan, each line with its reason.
func (p *Plan) Config() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Made by `ncatd import` from %s (%s). 由 ncatd import 生成。\naccounts:\n", clean(p.Path), p.Layout)
	for i, a := range p.Accounts {
		fmt.Fprintf(&b, "  - name: %s\n", a.Name)
		fmt.Fprintf(&b, "    uin: %d  # the account that was logged in there 原来登录的账号\n", a.UIN)
		if i == 0 && p.WebUIPort > 0 {
			b.WriteString("    webui:\n")
			fmt.Fprintf(&b, "      port: %d  # where NapCat's page was; now from this machine only 原来的网页端口，现在只允许本机访问\n", p.WebUIPort)
			if p.WebUIToken != "" {
				fmt.Fprintf(&b, "      token: %s  # of its webui.json 取自 webui.json\n", flow(p.WebUIToken))
			}
		}
		if len(a.Adapters) == 0 {
			continue
		}
		b.WriteString("    networks:  # its OneBot adapters, so that connected frameworks go on 原有的网络配置，已连接的框架照常工作\n")
		for _, kind := range kinds {
			if len(a.Networks[kind]) == 0 {
				continue
			}
			fmt.Fprintf(&b, "      %s:\n", kind)
			for _, e := range a.Networks[kind] {
				b.WriteString("        - " + flow(e) + "\n")
			}
		}
	}
	if len(p.Admins) > 0 {
		fmt.Fprintf(&b, "bot:\n  admins: [%d]  # NcatBot's root NcatBot 的 root\n", p.Admins[0])
	}
	return b.Bytes()
}

// unwritten reports whether a file of YAML cannot have r, or ends a line with it.
func unwritten(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff
}

// clean keeps a path from ending a comment.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unwritten(r) {
			return '?'
		}
		return r
	}, s)
}

// flow is a value on one line: YAML reads JSON, if what only JSON can have is escaped.
func flow(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "null"
	}
	var out strings.Builder
	for _, r := range strings.TrimSpace(b.String()) {
		if unwritten(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}
