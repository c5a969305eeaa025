package ncat

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// httpTimeout bounds a whole request: a handler that waits holds up its chat.
	httpTimeout = 30 * time.Second
	// httpDial bounds the way to a host that does not answer.
	httpDial = 10 * time.Second
	// MaxBody is how much of one answer [Bot.HTTP] reads.
	MaxBody = 32 << 20
	// httpPerHost is how many requests to one host run at the same time.
	httpPerHost = 8
)

// outside is what a bot has of the web, of the disk and of the clock.
type outside struct {
	once    sync.Once // guards the client
	client  *http.Client
	web     atomic.Pointer[http.RoundTripper] // in the place of the network; nil: none
	dataDir string
	zone    atomic.Pointer[time.Location] // nil: time.Local
}

// HTTP returns the client with which a bot asks web services: a request takes at most
// 30 s, an answer is at most [MaxBody] bytes long, and the body of a longer one ends with
// [ErrTooLarge]; at most eight requests to one host run at a time, and the way goes through the proxy that the environment names
// (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), as ncatd's own does. It is the same client
// each time, safe for concurrent use. [WithHTTP] puts another in its place, such as
// a test's.
func (b *Bot) HTTP() *http.Client {
	o := &b.core.outside
	o.once.Do(func() {
		if o.client == nil {
			o.client = newHTTP(o)
		}
	})
	return o.client
}

// WithHTTP sets what [Bot.HTTP] returns.
func WithHTTP(c *http.Client) Option { return func(k *core) { k.outside.client = c } }

func newHTTP(o *outside) *http.Client {
	dialer := &net.Dialer{Timeout: httpDial}
	return &http.Client{Timeout: httpTimeout, Transport: limited{way{o, &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: httpDial,
		MaxConnsPerHost: httpPerHost, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: 1 << 20,
	}}}}
}

// way leads to the web that the bot is given, or else over the network.
type way struct {
	o       *outside
	network http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (w way) RoundTrip(r *http.Request) (*http.Response, error) {
	if web := w.o.web.Load(); web != nil {
		return (*web).RoundTrip(r)
	}
	return w.network.RoundTrip(r)
}

// limited cuts bodies off.
type limited struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if res.ContentLength > MaxBody {
		return nil, errors.Join(ErrTooLarge, res.Body.Close())
	}
	res.Body = &limitedBody{res.Body, MaxBody}
	return res, nil
}

type limitedBody struct {
	io.ReadCloser
	left int64 // and one more to see that there is more
}

// Read implements [io.Reader].
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}

// ErrNoDir says that nobody gave the bot a folder.
var ErrNoDir = errors.New("ncat: the bot has no data folder; ncatd gives it one, else WithDataDir does")

// WithDataDir sets the folder in which [Bot.Dir] makes others.
func WithDataDir(dir string) Option { return func(c *core) { c.outside.dataDir = dir } }

// Dir returns the folder for the files of the plugin that b belongs to, or of the bot
// itself, and makes it: "plugins/ID" or "bot" below that of [WithDataDir], which is
// data in ncatd's home. Nobody else writes there, and it stays when the plugin is
// switched off. Small values are better off in [Bot.Store].
func (b *Bot) Dir() (string, error) {
	if b.core.outside.dataDir == "" {
		return "", ErrNoDir
	}
	sub := "bot"
	if b.own != nil && b.own.id != "" {
		sub = filepath.Join("plugins", b.own.id)
	}
	dir := filepath.Join(b.core.outside.dataDir, sub)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	return dir, nil
}
