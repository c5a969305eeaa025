// Package parcel packs folders so that one host alone can unpack them: a tar
// archive, encrypted by age for a key that the receiver made for this one parcel
// ([Pack], [Unpack]); or compressed, for whom knows a passphrase or for anybody
// ([Save], [Load]). It knows neither how a parcel travels nor what an account is.
package parcel

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
)

// Key opens one parcel. It lives in memory only.
type Key struct{ id age.Identity }

// NewKey returns a new key, and the address that a parcel for it is packed for.
func NewKey() (*Key, string, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, "", fmt.Errorf("parcel: %w", err)
	}
	return &Key{id}, id.Recipient().String(), nil
}

// Part is what a parcel has of a folder: those of the names that are there. Of
// folders it takes files, folders and links; of links the text.
type Part struct {
	Dir   string
	Names []string
}

// Pack writes what dir has of the given names, and the given notes as files, to w,
// for address.
func Pack(w io.Writer, address, dir string, names []string, notes map[string][]byte) error {
	to, err := age.ParseX25519Recipient(address)
	if err != nil {
		return fmt.Errorf("parcel: %w", err)
	}
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return fmt.Errorf("parcel: %w", err)
	}
	if err := errors.Join(write(sealed, []Part{{dir, names}}, notes), sealed.Close()); err != nil {
		return fmt.Errorf("parcel: %w", err)
	}
	return nil
}

func write(w io.Writer, parts []Part, notes map[string][]byte) error {
	tw := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		text := notes[name]
		if err := tw.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(text))}); err != nil {
			return err
		}
		if _, err := tw.Write(text); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := writePart(tw, p); err != nil {
			return err
		}
	}
	return tw.Close()
}

func writePart(tw *tar.Writer, p Part) error {
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range p.Names {
		if _, err := root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := fs.WalkDir(root.FS(), filepath.ToSlash(name), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return add(tw, root, path, d)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func add(tw *tar.Writer, root *os.Root, path string, d fs.DirEntry) error {
	fi, err := d.Info()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: path, Mode: int64(fi.Mode().Perm()), ModTime: fi.ModTime()}
	switch {
	case fi.Mode().IsRegular():
		h.Typeflag, h.Size = tar.TypeReg, fi.Size()
		f, err := root.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		_, err = io.CopyN(tw, f, h.Size)
		return err
	case fi.IsDir():
		h.Typeflag = tar.TypeDir
	case fi.Mode()&fs.ModeSymlink != 0:
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = root.Readlink(path); err != nil {
			return err
		}
	default:
		return nil // sockets and pipes belong to processes that are gone
	}
	return tw.WriteHeader(h)
}

// Unpack writes what Pack packed into dir, which it makes. When it returns nil all
// of it is on disk. Nothing is written outside of dir, whatever the parcel says.
func Unpack(r io.Reader, key *Key, dir string) error {
	plain, err := age.Decrypt(r, key.id)
	if err == nil {
		err = unpack(plain, dir)
	}
	if err != nil {
		return fmt.Errorf("parcel: %w", err)
	}
	return nil
}

func unpack(plain io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	tr := tar.NewReader(plain)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			// What follows the archive's end is read so that a parcel that was cut
			// off is noticed.
			if _, err := io.Copy(io.Discard, plain); err != nil {
				return err
			}
			return syncFolders(root)
		}
		if err == nil {
			err = extract(root, tr, h)
		}
		if err != nil {
			return err
		}
	}
}

func extract(root *os.Root, r io.Reader, h *tar.Header) error {
	name := filepath.FromSlash(strings.TrimSuffix(h.Name, "/"))
	if !filepath.IsLocal(name) {
		return fmt.Errorf("%q leads out of the folder", h.Name)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	mode := fs.FileMode(h.Mode).Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, mode|0o700)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
	default:
		return fmt.Errorf("%q is neither file, folder nor link", h.Name)
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return root.Chtimes(name, h.ModTime, h.ModTime)
}

// syncFolders brings the names in all folders to the disk.
func syncFolders(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		f, err := root.Open(path)
		if err != nil {
			return err
		}
		_ = f.Sync() // not every file system has this of folders
		return f.Close()
	})
}
