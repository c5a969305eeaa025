package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a path of the tree is.
type kind byte

const (
	kindImplied kind = iota + 1 // a folder that only a deeper entry named
	kindDir
	kindFile
	kindLink
)

// tree writes entries below one folder. Two fences hold it inside: what it has
// recorded of every path (no entry goes through a link, none comes twice), and
// os.Root, which does not leave the folder whatever the first fence overlooked.
type tree struct {
	ctx    context.Context
	root   *os.Root // nil: everything is read and judged, nothing written
	lim    Limits
	packed int64 // size of the archive, for the ratio
	seen   map[string]kind
	links  []string // symbolic links, looked at again in the end
	inner  []inner  // those of them that named an absolute path
	bytes  int64
	files  int
	count  int
	buf    []byte
	tick   func(bytes int64)
}

// inner is a link that a distribution package makes to an absolute path, which
// must be one of its own.
type inner struct{ name, target, to string }

func newTree(ctx context.Context, root *os.Root, packed int64, o Options) *tree {
	return &tree{
		ctx: ctx, root: root, lim: o.Limits.or(DefaultLimits), packed: packed,
		seen: map[string]kind{".": kindDir}, buf: make([]byte, 256<<10),
		tick: o.Progress,
	}
}

func refuse(name string, r Reason, format string, args ...any) error {
	return &RefusedError{Entry: name, Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// clean checks an entry's name as the archive spells it and returns its
// slash-separated path below the root, "." for the root itself.
func (t *tree) clean(name string) (string, error) {
	switch {
	case name == "":
		return "", refuse(name, ReasonBadName, "no name")
	case len(name) > t.lim.PathBytes:
		return "", refuse(name[:t.lim.PathBytes], ReasonBadName, "name longer than %d bytes", t.lim.PathBytes)
	case !utf8.ValidString(name):
		return "", refuse(name, ReasonBadName, "name is not UTF-8")
	case strings.HasPrefix(name, "/"):
		return "", refuse(name, ReasonAbsolute, "absolute path")
	case strings.Contains(name, `\`):
		return "", refuse(name, ReasonBadName, "backslash in the name")
	case len(name) > 1 && name[1] == ':':
		return "", refuse(name, ReasonAbsolute, "drive letter")
	case strings.ContainsFunc(name, unicode.IsControl):
		return "", refuse(name, ReasonBadName, "control character in the name")
	}
	depth := 0
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", refuse(name, ReasonTraversal, "path leads upwards")
		}
		if len(part) > 255 {
			return "", refuse(name, ReasonBadName, "name part longer than 255 bytes")
		}
		depth++
	}
	if depth > t.lim.Depth {
		return "", refuse(name, ReasonBadName, "more than %d folders deep", t.lim.Depth)
	}
	p := path.Clean(name)
	if p != "." && !filepath.IsLocal(filepath.FromSlash(p)) {
		return "", refuse(name, ReasonTraversal, "path is not below the package")
	}
	return p, nil
}

// enter counts an entry, checks its name and makes the folders above it.
func (t *tree) enter(name string, k kind) (string, error) {
	if err := t.ctx.Err(); err != nil {
		return "", context.Cause(t.ctx)
	}
	t.count++
	if t.count > t.lim.Entries {
		return "", refuse(name, ReasonTooMany, "more than %d entries", t.lim.Entries)
	}
	p, err := t.clean(name)
	if err != nil {
		return "", err
	}
	if p == "." {
		if k != kindDir {
			return "", refuse(name, ReasonBadName, "the package itself as a file")
		}
		return p, nil
	}
	for i := 0; i < len(p); i++ {
		if p[i] != '/' {
			continue
		}
		up := p[:i]
		switch t.seen[up] {
		case kindDir, kindImplied:
		case kindLink:
			return "", refuse(name, ReasonThrough, "%s is a link of the same archive", up)
		case kindFile:
			return "", refuse(name, ReasonDuplicate, "%s is a file of the same archive", up)
		default:
			if err := t.mkdir(up); err != nil {
				return "", err
			}
			t.seen[up] = kindImplied
		}
	}
	switch old, ok := t.seen[p]; {
	case !ok:
	case old == kindImplied && k == kindDir:
	default:
		return "", refuse(name, ReasonDuplicate, "the name comes twice")
	}
	return p, nil
}

func (t *tree) dir(name string) error {
	p, err := t.enter(name, kindDir)
	if err != nil || p == "." {
		return err
	}
	if t.seen[p] == 0 {
		if err := t.mkdir(p); err != nil {
			return err
		}
	}
	t.seen[p] = kindDir
	return nil
}

func (t *tree) mkdir(p string) error {
	if t.root == nil {
		return nil
	}
	return t.root.Mkdir(filepath.FromSlash(p), 0o755)
}

// file writes one regular file of at most the limits. size is what the archive
// claims, -1 when it does not say. The mode keeps only whether it may be run:
// set-uid bits and the archive's owners mean nothing here. Programs are made
// runnable even where the archive lost that, as NapCat's own zip does.
func (t *tree) file(name string, mode fs.FileMode, size int64, r io.Reader) error {
	p, err := t.enter(name, kindFile)
	if err != nil {
		return err
	}
	if size > t.lim.FileBytes {
		return refuse(name, ReasonTooLarge, "%d bytes, more than %d", size, t.lim.FileBytes)
	}
	if size > 0 {
		if err := t.room(name, t.bytes+size); err != nil {
			return err
		}
	}
	if t.root == nil {
		t.seen[p] = kindFile
		t.files++
		n, err := t.copy(name, io.Discard, r)
		if err == nil {
			err = wholeFile(name, n, size)
		}
		return err
	}
	perm := fs.FileMode(0o644)
	if mode&0o111 != 0 {
		perm = 0o755
	}
	f, err := t.root.OpenFile(filepath.FromSlash(p), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	t.seen[p] = kindFile
	t.files++
	head := &firstBytes{w: f}
	n, err := t.copy(name, head, r)
	if err == nil && perm == 0o644 && head.program() {
		if err = f.Chmod(0o755); runtime.GOOS == "windows" {
			err = nil
		}
	}
	if err == nil {
		err = wholeFile(name, n, size)
	}
	return errors.Join(err, f.Close())
}

// wholeFile checks that a file has as many bytes as the archive says.
func wholeFile(name string, n, size int64) error {
	if size >= 0 && n != size {
		return fmt.Errorf("%w: %s has %d bytes of %d", ErrDamaged, name, n, size)
	}
	return nil
}

// firstBytes keeps what a file begins with.
type firstBytes struct {
	w    io.Writer
	head []byte
}

func (f *firstBytes) Write(p []byte) (int, error) {
	if n := 4 - len(f.head); n > 0 {
		f.head = append(f.head, p[:min(n, len(p))]...)
	}
	return f.w.Write(p)
}

// program reports whether the file is an ELF object or a script.
func (f *firstBytes) program() bool {
	return string(f.head) == "\x7fELF" || strings.HasPrefix(string(f.head), "#!")
}

func (t *tree) copy(name string, w io.Writer, r io.Reader) (int64, error) {
	var n int64
	for {
		if t.ctx.Err() != nil {
			return n, context.Cause(t.ctx)
		}
		k, err := r.Read(t.buf)
		if k > 0 {
			n += int64(k)
			t.bytes += int64(k)
			if n > t.lim.FileBytes {
				return n, refuse(name, ReasonTooLarge, "more than %d bytes", t.lim.FileBytes)
			}
			if err := t.room(name, t.bytes); err != nil {
				return n, err
			}
			if _, err := w.Write(t.buf[:k]); err != nil {
				return n, err
			}
			if t.tick != nil {
				t.tick(t.bytes)
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, damaged(err)
		}
	}
}

// room checks the sum of all files against the limits.
func (t *tree) room(name string, total int64) error {
	if total > t.lim.Bytes {
		return refuse(name, ReasonTooLarge, "the archive unpacks to more than %d bytes", t.lim.Bytes)
	}
	if total > t.lim.RatioFloor && t.packed > 0 && total/t.packed >= t.lim.Ratio {
		return refuse(name, ReasonBomb, "the archive unpacks to more than %d times its %d bytes", t.lim.Ratio, t.packed)
	}
	return nil
}

// symlink makes a symbolic link. With system the archive is meant for the root of
// a system, so that an absolute target may mean a file of the archive itself; the
// link then becomes a relative one to it.
func (t *tree) symlink(name, target string, system bool) error {
	p, err := t.enter(name, kindLink)
	if err != nil {
		return err
	}
	switch {
	case target == "" || !utf8.ValidString(target) || strings.ContainsFunc(target, unicode.IsControl) || strings.Contains(target, `\`):
		return refuse(name, ReasonLink, "link target %.100q is no usable path", target)
	case system && path.IsAbs(target):
		to := strings.TrimPrefix(path.Clean(target), "/")
		t.inner = append(t.inner, inner{name, target, to})
		if target, err = relative(path.Dir(p), to); err != nil {
			return err
		}
	case path.IsAbs(target) || len(target) > 1 && target[1] == ':':
		return refuse(name, ReasonLink, "link to the absolute path %s", target)
	}
	to := path.Join(path.Dir(p), target)
	if to == ".." || strings.HasPrefix(to, "../") {
		return refuse(name, ReasonLink, "link to %s leads out of the package", target)
	}
	if t.root != nil {
		if err := t.root.Symlink(filepath.FromSlash(target), filepath.FromSlash(p)); err != nil {
			return err
		}
	}
	t.seen[p] = kindLink
	t.links = append(t.links, p)
	return nil
}

// relative is the path from one folder of the tree to a path of it.
func relative(dir, to string) (string, error) {
	rel, err := filepath.Rel(filepath.FromSlash("/"+dir), filepath.FromSlash("/"+to))
	return filepath.ToSlash(rel), err
}

// hardlink links to a regular file that the same archive brought before.
func (t *tree) hardlink(name, target string) error {
	p, err := t.enter(name, kindFile)
	if err != nil {
		return err
	}
	to, err := t.clean(target)
	if err != nil {
		return refuse(name, ReasonLink, "hard link to %.100q leads out of the package", target)
	}
	if t.seen[to] != kindFile {
		return refuse(name, ReasonLink, "hard link to %s, which is no file of this archive before it", target)
	}
	if t.root != nil {
		if err := t.root.Link(filepath.FromSlash(to), filepath.FromSlash(p)); err != nil {
			return err
		}
	}
	t.seen[p] = kindFile
	t.files++
	return nil
}

// finish looks at every symbolic link once more, now that all are there: a
// chain of links, each harmless by its own text, can still lead out. A link to
// nothing is left alone.
func (t *tree) finish() error {
	for _, l := range t.inner {
		if t.seen[l.to] == 0 || l.to == "." {
			return refuse(l.name, ReasonLink, "link to the absolute path %s, which is none of the package's", l.target)
		}
	}
	if t.root == nil {
		return nil
	}
	for _, p := range t.links {
		_, err := t.root.Stat(filepath.FromSlash(p))
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return refuse(p, ReasonLink, "link leads out of the package: %v", err)
	}
	return nil
}

// damaged marks err as the archive's fault, unless it says so already.
func damaged(err error) error {
	var refused *RefusedError
	if err == nil || errors.As(err, &refused) || errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// stream bounds what may come out of one decompressor, entries that are skipped
// and padding included.
func (t *tree) stream(r io.Reader) io.Reader {
	return &boundedReader{r: r, left: t.lim.Bytes + t.lim.RatioFloor, limit: t.lim.Bytes}
}

type boundedReader struct {
	r           io.Reader
	left, limit int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, refuse("(stream)", ReasonTooLarge, "the archive unpacks to more than %d bytes", b.limit)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
