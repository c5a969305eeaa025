package ncat

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ncatd/ncatd/onebot"
)

// maxInline is up to which size what is sent travels inside the message: one
// call in the place of three. What is larger goes by stream upload, in chunks.
const maxInline = 64 << 10

// Source is where the content of a [Media] comes from: [Path], [Bytes],
// [Reader] or [URL].
type Source struct {
	path string
	data []byte
	url  string
	read *reading
}

// reading is what all copies of the [Source] of one reader share.
type reading struct {
	r     io.Reader
	seeks bool
	start int64 // where it begins, if it can seek

	mu   sync.Mutex // held while it is read; guards the field below
	used bool
}

// Path is a file on the machine on which the bot runs. A relative path is taken
// from the working directory.
func Path(path string) Source { return Source{path: path} }

// Bytes is content in memory, which must not be changed until it was sent.
func Bytes(b []byte) Source { return Source{data: b} }

// Reader is content that is read when it is sent, with constant memory. Unless
// it is an [io.Seeker] it can be sent once only and, if it is large, is kept in
// a temporary file on the way.
func Reader(r io.Reader) Source {
	rd := &reading{r: r}
	if sk, ok := r.(io.Seeker); ok {
		at, err := sk.Seek(0, io.SeekCurrent)
		rd.seeks, rd.start = err == nil, at
	}
	return Source{read: rd}
}

// URL is an http or https address, from which NapCat fetches the content
// itself.
func URL(url string) Source { return Source{url: url} }

// Media is a picture, voice message, video or file to send. It is a segment
// like those of package onebot, but its content comes from where the bot runs,
// not from where NapCat runs: when it is sent by [Bot.Send] and its kin or
// inside a node by [Bot.SendForward], it is brought to NapCat first. If NapCat
// shares the bot's disk, as under ncatd, it is told the path of a [Path]; all
// else travels inside the message or, above 64 KiB, by stream upload, whose use
// of memory does not depend on the size. See [SharedDisk] for bots that
// run by Dial.
//
// A Media is safe for concurrent use, and can be sent again and again unless it
// is of a [Reader] that cannot seek. Calls of [Bot.API] do not bring it to
// NapCat; use [Bot.Place] there.
type Media struct {
	kind    string
	src     Source
	name    string
	summary string
	sticker bool
	thumb   *Source
}

var _ onebot.Segment = (*Media)(nil)

// Image returns a picture.
func Image(s Source) *Media { return &Media{kind: "image", src: s} }

// Voice returns a voice message. NapCat needs ffmpeg to convert it.
func Voice(s Source) *Media { return &Media{kind: "record", src: s} }

// Video returns a video.
func Video(s Source) *Media { return &Media{kind: "video", src: s} }

// File returns a file; it must be alone in its message. It is called name or, if
// that is empty, as its source is.
func File(s Source, name string) *Media { return &Media{kind: "file", src: s, name: name} }

// Summary returns m with what lists of chats show for a picture.
func (m *Media) Summary(text string) *Media {
	c := *m
	c.summary = text
	return &c
}

// Sticker returns m as a picture that QQ shows small.
func (m *Media) Sticker() *Media {
	c := *m
	c.sticker = true
	return &c
}

// Thumb returns m with the picture that QQ shows for a video until it plays.
func (m *Media) Thumb(s Source) *Media {
	c := *m
	c.thumb = &s
	return &c
}

// SegmentType implements [onebot.Segment].
func (m *Media) SegmentType() string { return m.kind }

// AppendJSON implements [onebot.Segment] for content that needs not be brought
// to NapCat. Of other content only the name is written.
func (m *Media) AppendJSON(dst []byte) []byte {
	return m.segment(m.src.where(), "").AppendJSON(dst)
}

// where names the source, for logs and for calls that do not bring it anywhere.
func (s Source) where() string {
	if s.url != "" {
		return s.url
	}
	return s.path
}

// segment returns what is sent for m, with the content at file.
func (m *Media) segment(file, thumb string) onebot.Segment {
	switch m.kind {
	case "image":
		seg := &onebot.ImageSegment{File: file, Summary: m.summary}
		if m.sticker {
			seg.SubType = 1
		}
		return seg
	case "record":
		return &onebot.RecordSegment{File: file}
	case "video":
		return &onebot.VideoSegment{File: file, Thumb: thumb}
	}
	name := m.name
	if name == "" {
		name = m.src.baseName()
	}
	return &onebot.FileSegment{File: file, Name: name}
}

// baseName returns the name of the source, empty if it has none.
func (s Source) baseName() string {
	where := s.path
	if where == "" && s.read != nil {
		if f, ok := s.read.r.(interface{ Name() string }); ok { // an *os.File
			where = f.Name()
		}
	}
	if where == "" {
		return ""
	}
	return filepath.Base(where)
}

// placeError says why content did not get to NapCat. Nothing was sent, whatever
// became of the upload, so that it is an [onebot.ErrNotSent] and never an
// [onebot.ErrUnknownOutcome].
type placeError struct {
	what string
	err  error
}

func (e *placeError) Error() string {
	return fmt.Sprintf("bring %s to NapCat: %v", e.what, e.err)
}

func (e *placeError) Unwrap() []error {
	if onebot.MaybeDone(e.err) {
		for _, end := range [...]error{context.DeadlineExceeded, context.Canceled} {
			if errors.Is(e.err, end) {
				return []error{onebot.ErrNotSent, end}
			}
		}
		return []error{onebot.ErrNotSent}
	}
	return []error{onebot.ErrNotSent, e.err}
}

// Place brings the content of s to where NapCat can read it and returns the
// source to give to an action, for instance as the File of
// [onebot.UploadGroupFileParams]: a path on NapCat's machine, a URL, or the
// content itself. What was uploaded is kept there for five minutes.
func (b *Bot) Place(ctx context.Context, s Source) (string, error) {
	where, err := b.place(ctx, s)
	if err != nil {
		what := s.baseName()
		if what == "" {
			what = "content"
		}
		return "", &placeError{what, err}
	}
	return where, nil
}

func (b *Bot) place(ctx context.Context, s Source) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	switch {
	case s.url != "":
		if !isWeb(s.url) {
			return "", fmt.Errorf("%q is no http or https address", s.url)
		}
		return s.url, nil
	case s.path != "":
		return b.placePath(ctx, s.path)
	case s.read != nil:
		return b.placeReader(ctx, s.read, s.baseName())
	case len(s.data) == 0:
		return "", errors.New("it is empty")
	case len(s.data) <= maxInline:
		return onebot.Base64(s.data), nil
	}
	return b.upload(ctx, bytes.NewReader(s.data), "")
}

func (b *Bot) placePath(ctx context.Context, path string) (string, error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case !st.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file", path)
	case st.Size() == 0:
		return "", errors.New("it is empty")
	}
	if b.sharesDisk() {
		return filepath.Abs(path)
	}
	if st.Size() <= maxInline {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		return onebot.Base64(data), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return b.upload(ctx, f, path)
}

func (b *Bot) placeReader(ctx context.Context, rd *reading, name string) (string, error) {
	rd.mu.Lock()
	defer rd.mu.Unlock()
	sk, _ := rd.r.(io.ReadSeeker)
	if rd.used {
		if !rd.seeks {
			return "", errors.New("the reader was read before")
		}
		if _, err := sk.Seek(rd.start, io.SeekStart); err != nil {
			return "", err
		}
	}
	rd.used = true
	head, err := io.ReadAll(io.LimitReader(rd.r, maxInline+1))
	switch {
	case err != nil:
		return "", err
	case len(head) == 0:
		return "", errors.New("it is empty")
	case len(head) <= maxInline:
		return onebot.Base64(head), nil
	}
	if rd.seeks {
		if _, err := sk.Seek(rd.start, io.SeekStart); err != nil {
			return "", err
		}
		return b.upload(ctx, sk, name)
	}
	f, err := os.CreateTemp("", "ncat-*")
	if err != nil {
		return "", err
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	if _, err := f.Write(head); err != nil {
		return "", err
	}
	if _, err := io.Copy(f, &contextReader{ctx, rd.r}); err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return b.upload(ctx, f, name)
}

// contextReader is a reader that ends with a context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// upload uploads under a name of its own, because NapCat lets files of one name
// replace each other; only the extension of name is kept.
func (b *Bot) upload(ctx context.Context, r io.ReadSeeker, name string) (string, error) {
	ext := filepath.Ext(name)
	if len(ext) > 8 || strings.ContainsFunc(ext, func(r rune) bool {
		return r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		ext = ""
	}
	st, err := b.api.Upload(ctx, r, onebot.Upload{Name: rand.Text() + ext})
	if err != nil {
		return "", err
	}
	return st.FilePath, nil
}

func isWeb(url string) bool {
	low := strings.ToLower(url[:min(len(url), len("https://"))])
	return strings.HasPrefix(low, "http://") || strings.HasPrefix(low, "https://")
}

// sharesDisk reports whether paths of this machine mean the same to the
// account's NapCat.
func (b *Bot) sharesDisk() bool {
	s := b.session()
	return s != nil && s.sharedDisk
}

// placeAll returns msg with its media, also those within nodes, brought to
// NapCat. msg itself stays as it is.
func (b *Bot) placeAll(ctx context.Context, msg onebot.Message) (onebot.Message, error) {
	if !hasMedia(msg) {
		return msg, nil
	}
	out := make(onebot.Message, len(msg))
	for i, seg := range msg {
		switch seg := seg.(type) {
		case *Media:
			file, err := b.Place(ctx, seg.src)
			if err != nil {
				return nil, err
			}
			thumb := ""
			if seg.thumb != nil {
				if thumb, err = b.Place(ctx, *seg.thumb); err != nil {
					return nil, err
				}
			}
			out[i] = seg.segment(file, thumb)
		case *onebot.NodeSegment:
			content, err := b.placeAll(ctx, seg.Content)
			if err != nil {
				return nil, err
			}
			node := *seg
			node.Content = content
			out[i] = &node
		default:
			out[i] = seg
		}
	}
	return out, nil
}

func hasMedia(msg onebot.Message) bool {
	for _, seg := range msg {
		switch seg := seg.(type) {
		case *Media:
			return true
		case *onebot.NodeSegment:
			if hasMedia(seg.Content) {
				return true
			}
		}
	}
	return false
}
