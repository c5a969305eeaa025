package onebot

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// uploadChunk makes frames of about 700 KB: far below the 50 MiB a frame may
	// have, large enough that the time between two chunks does not count.
	uploadChunk = 512 << 10
	// resetTimeout is how long a failed upload may take to tell NapCat so.
	resetTimeout = 5 * time.Second
)

// Upload says what [Client.Upload] sends.
type Upload struct {
	// Name is the name the file gets on NapCat's machine, without a directory.
	// A second upload under the same name replaces the first.
	Name string
	// Size is the file's length in bytes. It may be 0 if the reader is also an
	// [io.Seeker], which tells.
	Size int64
	// SHA256 is the file's digest in hexadecimal. If it is empty and the reader
	// is an [io.Seeker] the file is read twice to find it. NapCat checks it;
	// without it only the length is checked.
	SHA256 string
	// ChunkSize is how much one frame carries, in bytes; 0 means 512 KiB.
	ChunkSize int
	// Retention is how long NapCat keeps the file once it is complete; nil means
	// five minutes, 0 for good.
	Retention *time.Duration
	// Progress, if not nil, is called after every chunk.
	Progress func(done, total int64)
}

// Upload copies what r holds to NapCat's machine, in chunks and with constant
// memory, and returns where it is: FilePath can be the source of [Image],
// [File] and the other media segments, and of [Client.UploadGroupFile]. That is
// the way for files to reach a NapCat on another machine. It fails if r does not
// hold exactly Size bytes; NapCat then forgets what it has.
func (c *Client) Upload(ctx context.Context, r io.Reader, u Upload) (*UploadState, error) {
	if err := u.complete(r); err != nil {
		return nil, fmt.Errorf("upload %q: %w", u.Name, err)
	}
	id := rand.Text()
	st, err := c.upload(ctx, r, u, id)
	if err != nil {
		if !errors.Is(err, ErrNotSent) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetTimeout)
			defer cancel()
			// NapCat answers a reset with an error, and forgets by itself in time.
			_, _ = c.UploadFileStream(ctx, UploadFileStreamParams{StreamID: id, Reset: new(true)})
		}
		return nil, fmt.Errorf("upload %q: %w", u.Name, err)
	}
	return st, nil
}

// complete fills in what r can tell and refuses what cannot work.
func (u *Upload) complete(r io.Reader) error {
	// NapCat joins the name to its folder as it is.
	if i := strings.LastIndexAny(u.Name, `/\`); i >= 0 {
		u.Name = u.Name[i+1:]
	}
	if u.Name == "" || u.Name == "." || u.Name == ".." || strings.ContainsRune(u.Name, 0) {
		return fmt.Errorf("no usable name: %w", ErrNotSent)
	}
	if u.ChunkSize <= 0 {
		u.ChunkSize = uploadChunk
	}
	if base64.StdEncoding.EncodedLen(u.ChunkSize) > maxFrame-frameSlack {
		return fmt.Errorf("a chunk of %d bytes does not fit a frame: %w", u.ChunkSize, ErrNotSent)
	}
	if s, ok := r.(io.Seeker); ok && (u.Size == 0 || u.SHA256 == "") {
		from, err := s.Seek(0, io.SeekCurrent)
		if err == nil {
			h := sha256.New()
			n, err := io.Copy(h, r)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrNotSent, err)
			}
			if _, err := s.Seek(from, io.SeekStart); err != nil {
				return fmt.Errorf("%w: %w", ErrNotSent, err)
			}
			if u.Size != 0 && u.Size != n {
				return fmt.Errorf("it has %d bytes, not %d: %w", n, u.Size, ErrNotSent)
			}
			u.Size = n
			if u.SHA256 == "" {
				u.SHA256 = hex.EncodeToString(h.Sum(nil))
			}
		}
	}
	if u.Size <= 0 {
		return fmt.Errorf("it is empty or of unknown size: %w", ErrNotSent)
	}
	return nil
}

func (c *Client) upload(ctx context.Context, r io.Reader, u Upload, id string) (*UploadState, error) {
	chunks := int((u.Size + int64(u.ChunkSize) - 1) / int64(u.ChunkSize))
	first := UploadFileStreamParams{
		StreamID: id, TotalChunks: &chunks, FileSize: &u.Size, Filename: &u.Name, FileRetention: u.Retention,
	}
	if u.SHA256 != "" {
		first.ExpectedSHA256 = new(strings.ToLower(u.SHA256))
	}
	if _, err := c.UploadFileStream(ctx, first); err != nil {
		return nil, err
	}
	buf := make([]byte, min(int64(u.ChunkSize), u.Size))
	var done int64
	for i := range chunks {
		part := buf[:min(int64(len(buf)), u.Size-done)]
		if _, err := io.ReadFull(r, part); err != nil {
			return nil, fmt.Errorf("read at byte %d of %d: %w", done, u.Size, err)
		}
		st, err := c.UploadFileStream(ctx, UploadFileStreamParams{
			StreamID: id, ChunkIndex: new(i), ChunkData: new(base64.StdEncoding.EncodeToString(part)),
			FileRetention: u.Retention,
		})
		if err != nil {
			return nil, fmt.Errorf("chunk %d of %d: %w", i+1, chunks, err)
		}
		if st.ReceivedChunks != 0 && st.ReceivedChunks < int64(i+1) {
			return nil, fmt.Errorf("chunk %d of %d: NapCat has only %d", i+1, chunks, st.ReceivedChunks)
		}
		done += int64(len(part))
		if u.Progress != nil {
			u.Progress(done, u.Size)
		}
	}
	if n, _ := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return nil, fmt.Errorf("it has more than the %d bytes that were announced", u.Size)
	}
	st, err := c.UploadFileStream(ctx, UploadFileStreamParams{
		StreamID: id, IsComplete: new(true), FileRetention: u.Retention,
	})
	if err != nil {
		return nil, err
	}
	switch {
	case st.FilePath == "":
		return nil, fmt.Errorf("NapCat says %q and no path", st.Status)
	case st.FileSize != u.Size:
		return nil, fmt.Errorf("%d of %d bytes arrived", st.FileSize, u.Size)
	case st.SHA256 != "" && u.SHA256 != "" && !strings.EqualFold(st.SHA256, u.SHA256):
		return nil, fmt.Errorf("sha256 %s arrived where %s was sent", st.SHA256, u.SHA256)
	}
	return st, nil
}
