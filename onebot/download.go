package onebot

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Downloaded tells about a file that was downloaded.
type Downloaded struct {
	Name      string // may be empty
	Size      int64  // bytes that were written
	SHA256    string // of what was written, in hexadecimal
	Width     int64  // of a picture, in pixels
	Height    int64  // of a picture, in pixels
	OutFormat string // of a voice message that was converted
}

// Download writes a file that came in a message, by its File or FileID, to w:
// in packets, with constant memory, and from whatever machine NapCat runs on.
// Progress, if not nil, is called after every packet; total is what NapCat
// announced, which is the size before a conversion and 0 if unknown. It fails if
// a packet is missing; what was written by then is of no use.
func (c *Client) Download(ctx context.Context, w io.Writer, p DownloadFileStreamParams, progress func(done, total int64)) (*Downloaded, error) {
	return download(w, progress, func(packet func(*StreamPacket) error) (*StreamPacket, error) {
		return c.DownloadFileStream(ctx, p, packet)
	})
}

// DownloadImage is [Client.Download] for a picture, and tells its measures.
func (c *Client) DownloadImage(ctx context.Context, w io.Writer, p DownloadFileImageStreamParams, progress func(done, total int64)) (*Downloaded, error) {
	return download(w, progress, func(packet func(*StreamPacket) error) (*StreamPacket, error) {
		return c.DownloadFileImageStream(ctx, p, packet)
	})
}

// DownloadRecord is [Client.Download] for a voice message, which NapCat converts
// if OutFormat is given.
func (c *Client) DownloadRecord(ctx context.Context, w io.Writer, p DownloadFileRecordStreamParams, progress func(done, total int64)) (*Downloaded, error) {
	return download(w, progress, func(packet func(*StreamPacket) error) (*StreamPacket, error) {
		return c.DownloadFileRecordStream(ctx, p, packet)
	})
}

// receiver puts the packets of one download together.
type receiver struct {
	w        io.Writer
	progress func(done, total int64)
	hash     hash.Hash
	buf      []byte
	total    int64
	chunks   int64
	out      Downloaded
}

func download(w io.Writer, progress func(done, total int64), run func(func(*StreamPacket) error) (*StreamPacket, error)) (*Downloaded, error) {
	r := &receiver{w: w, progress: progress, hash: sha256.New()}
	last, err := run(r.packet)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	switch {
	case last.DataType != "file_complete":
		return nil, fmt.Errorf("download: the stream ended with %q", last.DataType)
	case last.TotalChunks != r.chunks:
		return nil, fmt.Errorf("download: %d of %d packets arrived", r.chunks, last.TotalChunks)
	case last.TotalBytes != r.out.Size:
		return nil, fmt.Errorf("download: %d of %d bytes arrived", r.out.Size, last.TotalBytes)
	}
	r.out.SHA256 = hex.EncodeToString(r.hash.Sum(nil))
	return &r.out, nil
}

func (r *receiver) packet(p *StreamPacket) error {
	switch p.DataType {
	case "file_info":
		r.total = p.FileSize
		r.out.Name, r.out.OutFormat = p.FileName, p.OutFormat
		r.out.Width, r.out.Height = p.Width, p.Height
		return nil
	case "file_chunk":
	default:
		return nil // what later versions may add
	}
	if p.Index != r.chunks {
		return fmt.Errorf("packet %d came where %d was due", p.Index, r.chunks)
	}
	if n := base64.StdEncoding.DecodedLen(len(p.Data)); cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	n, err := base64.StdEncoding.Decode(r.buf[:cap(r.buf)], []byte(p.Data))
	if err != nil {
		return fmt.Errorf("packet %d: %w", p.Index, err)
	}
	part := r.buf[:n]
	if p.Size != 0 && p.Size != int64(n) {
		return errors.New("a packet is not as long as it says")
	}
	if _, err := r.w.Write(part); err != nil {
		return err
	}
	r.hash.Write(part)
	r.chunks++
	r.out.Size += int64(n)
	if r.progress != nil {
		r.progress(r.out.Size, r.total)
	}
	return nil
}
