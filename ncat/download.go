package ncat

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/internal/atomicfile"
	"github.com/ncatd/ncatd/onebot"
)

// The limits of a download that nobody set others for.
const (
	// DefaultDownloadSize is how many bytes a download may have.
	DefaultDownloadSize = 100 << 20
	// DefaultDownloadTime is how long a download may take.
	DefaultDownloadTime = 2 * time.Minute
)

var (
	// ErrTooLarge ends a download that is larger than [MaxSize] allows, and an answer
	// to [Bot.HTTP] that is larger than [MaxBody].
	ErrTooLarge = errors.New("too large")
	// ErrContentType ends a download that is not what [OnlyTypes] allows.
	ErrContentType = errors.New("unwanted type of content")
	// ErrNoAttachment says that a segment holds nothing to download.
	ErrNoAttachment = errors.New("nothing to download")
)

// DownloadOption configures one download.
type DownloadOption func(*downloadOptions)

type downloadOptions struct {
	size   int64
	time   time.Duration
	types  []string
	client *http.Client
	local  bool
}

// MaxSize sets how many bytes a download may have; [DefaultDownloadSize] without
// it. It is not exceeded whatever is announced: a download that turns out larger
// ends with [ErrTooLarge].
func MaxSize(n int64) DownloadOption { return func(o *downloadOptions) { o.size = n } }

// MaxTime sets how long a download may take; [DefaultDownloadTime] without it.
// The context ends it, too.
func MaxTime(d time.Duration) DownloadOption { return func(o *downloadOptions) { o.time = d } }

// OnlyTypes sets what a download may be, such as "image/png", or "image/" for
// all pictures; anything without it. The content itself decides, not its name
// nor what a server says, unless it does not show.
func OnlyTypes(types ...string) DownloadOption {
	return func(o *downloadOptions) { o.types = types }
}

// HTTPClient sets what fetches web addresses; without it a client that asks
// public addresses only, see [AllowLocal].
func HTTPClient(c *http.Client) DownloadOption {
	return func(o *downloadOptions) { o.client = c }
}

// AllowLocal lets a download fetch from web addresses of this machine and of
// private networks, which otherwise it does not: the address is in a message, and
// whoever wrote that must not choose what the bot's machine asks its neighbours.
// It has no effect beside [HTTPClient].
func AllowLocal() DownloadOption { return func(o *downloadOptions) { o.local = true } }

// ErrLocalAddress ends a download from an address that [AllowLocal] would allow.
var ErrLocalAddress = errors.New("an address of this machine or of a private network")

// publicClient fetches from public addresses only, whatever a name resolves to
// and wherever a server redirects.
func publicClient() *http.Client {
	d := &net.Dialer{Timeout: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if a := at.Addr().Unmap(); !a.IsGlobalUnicast() || a.IsPrivate() {
			return fmt.Errorf("%s: %w", a, ErrLocalAddress)
		}
		return nil
	}}
	return &http.Client{Transport: &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: 30 * time.Second, DisableKeepAlives: true}}
}

// Downloaded tells about a download.
type Downloaded struct {
	Name   string // as the sender called it; may be empty. It is not safe as a path.
	Size   int64  // bytes
	Type   string // of the content, such as image/png
	SHA256 string // of the content, in hexadecimal
}

// Download writes the content of a received picture, voice message, video or
// file to w, with constant memory: from its web address if it has one that still
// works, else from the disk if NapCat shares the bot's, else from NapCat in
// packets. It ends with [ErrTooLarge], [ErrContentType] or the context's cause at
// the limits. What was written before an error is of no use.
func (b *Bot) Download(ctx context.Context, w io.Writer, seg onebot.Segment, opts ...DownloadOption) (*Downloaded, error) {
	return b.download(ctx, w, nil, seg, opts)
}

// DownloadFile is [Bot.Download] into a file, which appears whole or not at all
// and replaces one that was there.
func (b *Bot) DownloadFile(ctx context.Context, path string, seg onebot.Segment, opts ...DownloadOption) (_ *Downloaded, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".ncat-*")
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	d, err := b.download(ctx, f, func() error {
		if err := f.Truncate(0); err != nil {
			return err
		}
		_, err := f.Seek(0, io.SeekStart)
		return err
	}, seg, opts)
	if err != nil {
		return nil, err
	}
	if err = f.Close(); err == nil {
		err = atomicfile.Move(f.Name(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	return d, nil
}

// attachment is what a segment says of its content.
type attachment struct {
	kind string
	name string
	url  string
	file string // what get_file and its kin know it by
	id   string // for segments that have a file_id, which counts for more
	size int64
}

func attachmentOf(seg onebot.Segment) (a attachment, ok bool) {
	switch s := seg.(type) {
	case *onebot.ImageSegment:
		a = attachment{"image", s.Name, s.URL, s.File, "", s.FileSize}
	case *onebot.RecordSegment:
		a = attachment{"record", s.Name, s.URL, s.File, "", s.FileSize}
	case *onebot.VideoSegment:
		a = attachment{"video", s.Name, s.URL, s.File, "", s.FileSize}
	case *onebot.FileSegment:
		a = attachment{"file", s.Name, s.URL, s.File, s.FileID, s.FileSize}
	}
	if a.name == "" && !strings.Contains(a.file, "://") {
		a.name = a.file
	}
	return a, a.url != "" || a.file != "" || a.id != ""
}

func (b *Bot) download(ctx context.Context, w io.Writer, reset func() error, seg onebot.Segment, opts []DownloadOption) (*Downloaded, error) {
	o := &downloadOptions{size: DefaultDownloadSize, time: DefaultDownloadTime}
	for _, f := range opts {
		f(o)
	}
	web := b.core.outside.web.Load()
	switch {
	case o.client != nil:
	case web != nil:
		o.client = &http.Client{Transport: *web}
	case o.local:
		o.client = http.DefaultClient
	default:
		o.client = publicClient()
	}
	a, ok := attachmentOf(seg)
	if !ok {
		return nil, fmt.Errorf("download of a %T: %w", seg, ErrNoAttachment)
	}
	if a.size > o.size {
		return nil, fmt.Errorf("download %s: %d bytes: %w", a.name, a.size, ErrTooLarge)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.time, fmt.Errorf("download took longer than %v: %w", o.time, context.DeadlineExceeded))
	defer cancel()
	var ways []func(context.Context, *sink) error
	if isWeb(a.url) {
		ways = append(ways, func(ctx context.Context, to *sink) error { return fetch(ctx, o, a.url, to) })
	}
	if a.file != "" || a.id != "" {
		ways = append(ways, b.fromActions(o, a)...)
		ways = append(ways, func(ctx context.Context, to *sink) error { return b.fromNapCat(ctx, a, to) })
	}
	var failed error
	for _, way := range ways {
		to := &sink{w: w, o: o, kind: a.kind, hash: sha256.New()}
		err := way(ctx, to)
		if err == nil {
			err = to.end()
		}
		if err == nil {
			return &Downloaded{Name: a.name, Size: to.size, Type: to.typ, SHA256: hex.EncodeToString(to.hash.Sum(nil))}, nil
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			failed = context.Cause(ctx)
			break
		}
		unwanted := errors.Is(err, ErrContentType) && !errors.Is(err, errDocument)
		if errors.Is(err, ErrTooLarge) || unwanted || to.failed != nil {
			break
		}
		if to.wrote {
			if reset == nil {
				break
			}
			if err := reset(); err != nil {
				failed = errors.Join(failed, err)
				break
			}
		}
	}
	if failed == nil {
		failed = ErrNoAttachment
	}
	return nil, fmt.Errorf("download %s: %w", a.name, failed)
}

// fetch gets the content from a web address.
func fetch(ctx context.Context, o *downloadOptions, url string, to *sink) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	if resp.ContentLength > o.size {
		return fmt.Errorf("%d bytes: %w", resp.ContentLength, ErrTooLarge)
	}
	to.said = resp.Header.Get("Content-Type")
	_, err = io.Copy(to, resp.Body)
	return err
}

// fromActions are the actions that may have the content, each a way of its own:
// implementations differ in which of them they know, and in which works for what.
func (b *Bot) fromActions(o *downloadOptions, a attachment) []func(context.Context, *sink) error {
	var ways []func(context.Context, *sink) error
	add := func(get func(ctx context.Context) (*onebot.FetchedFile, error)) {
		ways = append(ways, func(ctx context.Context, to *sink) error {
			got, err := get(ctx)
			if err != nil {
				return err
			}
			return b.fetched(ctx, o, got, to)
		})
	}
	switch a.kind {
	case "image":
		add(func(ctx context.Context) (*onebot.FetchedFile, error) {
			return b.api.GetImage(ctx, onebot.GetImageParams{File: &a.file})
		})
	case "record":
		add(func(ctx context.Context) (*onebot.FetchedFile, error) {
			return b.api.GetRecord(ctx, onebot.GetRecordParams{File: &a.file})
		})
	}
	add(func(ctx context.Context) (*onebot.FetchedFile, error) {
		if a.id != "" {
			return b.api.GetFile(ctx, onebot.GetFileParams{FileID: &a.id})
		}
		return b.api.GetFile(ctx, onebot.GetFileParams{File: &a.file})
	})
	return ways
}

// fetched reads what an action answered with: the content itself, a path on the
// disk that NapCat shares with the bot, or an address.
func (b *Bot) fetched(ctx context.Context, o *downloadOptions, got *onebot.FetchedFile, to *sink) error {
	if got.Base64 != "" {
		if int64(base64.StdEncoding.DecodedLen(len(got.Base64))) > o.size+2 {
			return ErrTooLarge
		}
		_, err := io.Copy(to, base64.NewDecoder(base64.StdEncoding, strings.NewReader(got.Base64)))
		return err
	}
	if !b.sharesDisk() {
		if isWeb(got.URL) {
			return fetch(ctx, o, got.URL, to)
		}
		return errors.New("it is on the disk of another machine")
	}
	// Looked at before it is opened: opening a FIFO would wait for a writer.
	st, err := os.Stat(got.File)
	switch {
	case err != nil:
		return err
	case !st.Mode().IsRegular():
		return fmt.Errorf("%s is no file", got.File)
	case st.Size() > o.size:
		return fmt.Errorf("%d bytes: %w", st.Size(), ErrTooLarge)
	}
	f, err := os.Open(got.File)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, &contextReader{ctx, f})
	return err
}

// fromNapCat lets NapCat send the content in packets.
func (b *Bot) fromNapCat(ctx context.Context, a attachment, to *sink) error {
	p := onebot.DownloadFileStreamParams{File: &a.file}
	if a.id != "" {
		p = onebot.DownloadFileStreamParams{FileID: &a.id}
	}
	_, err := b.api.Download(ctx, to, p, nil)
	return err
}

// sink passes content on and holds it to the limits.
type sink struct {
	w      io.Writer
	o      *downloadOptions
	kind   string // image, record, video, file
	said   string // the type that the server names
	head   bytes.Buffer
	typ    string // known once head is complete
	size   int64
	wrote  bool  // something was passed on
	failed error // what w answered
	hash   hash.Hash
}

// sniffed is how much of the content tells its type.
const sniffed = 512

// Write implements [io.Writer].
func (s *sink) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.size > s.o.size {
		return 0, fmt.Errorf("more than %d bytes: %w", s.o.size, ErrTooLarge)
	}
	if s.typ == "" {
		s.head.Write(p)
		if s.head.Len() < sniffed {
			return len(p), nil
		}
		if err := s.begin(); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if err := s.pass(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// begin decides by the first bytes what the content is and passes them on.
func (s *sink) begin() error {
	head := s.head.Bytes()
	s.typ, _, _ = mime.ParseMediaType(http.DetectContentType(head))
	if s.typ == "application/octet-stream" || s.typ == "text/plain" {
		if said, _, err := mime.ParseMediaType(s.said); err == nil && (s.typ != "text/plain" || strings.HasPrefix(said, "text/")) {
			s.typ = said
		}
	}
	if s.kind != "file" && isDocument(s.typ, head) {
		return fmt.Errorf("%s: %w: %w", s.typ, errDocument, ErrContentType)
	}
	if !s.o.allows(s.typ) {
		return fmt.Errorf("%s: %w", s.typ, ErrContentType)
	}
	return s.pass(head)
}

// errDocument ends one way of a download: what came is no picture, voice or
// video but a page that says why there is none. Another way may do better.
var errDocument = errors.New("a document in the place of the content")

// isDocument reports whether content is what servers answer with in the place of
// what they no longer have: a page or a piece of JSON.
func isDocument(typ string, head []byte) bool {
	switch typ {
	case "text/html", "text/xml", "application/xml", "application/json":
		return true
	case "text/plain":
		text := bytes.TrimLeft(head, "\ufeff \t\r\n")
		return len(text) == 0 || text[0] == '{' || text[0] == '[' || text[0] == '<'
	}
	return false
}

func (s *sink) pass(p []byte) error {
	s.wrote = true
	s.hash.Write(p)
	_, s.failed = s.w.Write(p)
	return s.failed
}

// end passes on what is shorter than what begin waits for.
func (s *sink) end() error {
	if s.typ != "" {
		return nil
	}
	if s.size == 0 {
		return errors.New("it is empty")
	}
	return s.begin()
}

func (o *downloadOptions) allows(typ string) bool {
	if len(o.types) == 0 {
		return true
	}
	for _, t := range o.types {
		if strings.EqualFold(t, typ) || strings.HasSuffix(t, "/") && strings.HasPrefix(typ, strings.ToLower(t)) {
			return true
		}
	}
	return false
}
