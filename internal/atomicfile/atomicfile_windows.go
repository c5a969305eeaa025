package atomicfile

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
)

// noFollow has no counterpart here: links take rights that others lack.
const noFollow = 0

// pending is what renameio, which does not build here, calls a PendingFile.
type pending struct {
	*os.File
	root *os.Root
	tmp  string
	base string
	done bool
}

func create(root *os.Root, base string, perm fs.FileMode) (*pending, error) {
	tmp := "." + base + strconv.FormatInt(rand.Int64(), 10)
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	return &pending{File: f, root: root, tmp: tmp, base: base}, nil
}

// CloseAtomicallyReplace ends the writing.
func (p *pending) CloseAtomicallyReplace() error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	if err := p.root.Rename(p.tmp, p.base); err != nil {
		return err
	}
	p.done = true
	return nil
}

// Cleanup gives the writing up.
func (p *pending) Cleanup() error {
	if p.done {
		return nil
	}
	_ = p.Close() // closed already is fine
	return p.root.Remove(p.tmp)
}

func keepOwner(*os.Root, string, *os.File) error { return nil }

func syncDir(*os.Root) error { return nil }
