package parcel

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// workFactor makes a guess of a passphrase cost half a second and 128 MiB, half of
// what age takes by itself: a small server has a QQ beside it. A file that wants
// more than maxWorkFactor, age's own, could be made to eat all memory.
const (
	workFactor    = 17
	maxWorkFactor = 18
)

// ErrPassphrase says that a parcel is encrypted and that the passphrase does not
// open it, or that there is none.
var ErrPassphrase = errors.New("wrong passphrase")

// ErrNotSaved says that a file is nothing that [Save] wrote.
var ErrNotSaved = errors.New("no parcel")

// Save writes the parts and the notes to w, readable by who knows the passphrase;
// by everybody if it is empty.
func Save(w io.Writer, passphrase string, parts []Part, notes map[string][]byte) error {
	return save(w, passphrase, workFactor, parts, notes)
}

func save(w io.Writer, passphrase string, factor int, parts []Part, notes map[string][]byte) error {
	sealed := io.WriteCloser(plainWriter{w})
	if passphrase != "" {
		to, err := age.NewScryptRecipient(passphrase)
		if err != nil {
			return fmt.Errorf("parcel: %w", err)
		}
		to.SetWorkFactor(factor)
		if sealed, err = age.Encrypt(w, to); err != nil {
			return fmt.Errorf("parcel: %w", err)
		}
	}
	z := gzip.NewWriter(sealed)
	if err := errors.Join(write(z, parts, notes), z.Close(), sealed.Close()); err != nil {
		return fmt.Errorf("parcel: %w", err)
	}
	return nil
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

// Load writes what Save saved into dir, as [Unpack] does. passphrase is called if
// one is needed. The error wraps [ErrNotSaved] or [ErrPassphrase] where that is
// why; any other says that the file is damaged, or that dir could not be written.
func Load(r io.Reader, passphrase func() (string, error), dir string) error {
	in := bufio.NewReader(r)
	plain := io.Reader(in)
	if encrypted(in) {
		text, err := passphrase()
		if err != nil {
			return err
		}
		id, err := age.NewScryptIdentity(text)
		if err != nil { // it is empty
			return fmt.Errorf("parcel: %w", ErrPassphrase)
		}
		id.SetMaxWorkFactor(maxWorkFactor)
		plain, err = age.Decrypt(in, id)
		var none *age.NoIdentityMatchError
		if errors.As(err, &none) {
			err = ErrPassphrase
		}
		if err != nil {
			return fmt.Errorf("parcel: %w", err)
		}
	} else if head, _ := in.Peek(2); !bytes.Equal(head, []byte{0x1f, 0x8b}) { // gzip's
		return fmt.Errorf("parcel: %w", ErrNotSaved)
	}
	z, err := gzip.NewReader(plain)
	if err == nil {
		err = unpack(z, dir)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, plain) // the end of what is encrypted is signed too
	}
	if err != nil {
		return fmt.Errorf("parcel: %w", err)
	}
	return nil
}

// Saved reports whether what begins with head may be what [Save] wrote.
func Saved(head []byte) bool {
	in := bufio.NewReader(bytes.NewReader(head))
	return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) || encrypted(in)
}

func encrypted(in *bufio.Reader) bool {
	const magic = "age-encryption.org/"
	head, err := in.Peek(len(magic))
	return err == nil && string(head) == magic
}
