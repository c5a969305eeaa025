package ncat

import (
	"context"
	"crypto/tls"
	"net/http"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// ErrBadToken ends [Bot.Dial]: the endpoint refused the token, so that dialling
// again is useless.
var ErrBadToken = rpc.ErrBadToken

// ErrBadAddress ends [Bot.Dial] and [Bot.DialHTTP]: the address or the token can
// never work. Its text shows an address that could.
var ErrBadAddress = rpc.ErrBadAddress

// DialOption configures one [Bot.Dial].
type DialOption func(*dialOptions)

type dialOptions struct {
	callTimeout time.Duration
	tls         *tls.Config
	shared      bool
}

// CallTimeout sets after how long a call ends whose context has no
// deadline; 30 s without it.
func CallTimeout(d time.Duration) DialOption {
	return func(o *dialOptions) { o.callTimeout = d }
}

// TLSConfig configures the connection to a wss endpoint.
func TLSConfig(c *tls.Config) DialOption { return func(o *dialOptions) { o.tls = c } }

// SharedDisk says that the endpoint sees the files of this machine under the
// same paths and may read them, as a NapCat does that runs on this machine, as
// the same user and in no container. [Path] is then passed on as a path; without
// it, what is sent is brought to NapCat and attachments are fetched from it.
func SharedDisk() DialOption { return func(o *dialOptions) { o.shared = true } }

// Dial runs the bot against the OneBot 11 forward WebSocket at url (ws or wss)
// until ctx ends, whose cause it returns. It connects again when the link is
// lost: an endpoint on this machine within half a second of its return, another
// one within some seconds. Only a refused token ends it, with an error that
// wraps [ErrBadToken], and an address that can never work ([ErrBadAddress]). token
// may be empty; it is sent to the endpoint at url only, wherever that may redirect.
//
// Several Dials of one Bot may run at the same time, one for each account.
func (b *Bot) Dial(ctx context.Context, url, token string, opts ...DialOption) error {
	var do dialOptions
	for _, o := range opts {
		o(&do)
	}
	r := &rpc.Redialer{URL: url, Options: rpc.Options{Token: token, Logger: b.core.log, CallTimeout: do.callTimeout, TLS: do.tls}}
	s := b.newSession("", r)
	s.sharedDisk = do.shared
	connected, down := s.linkLog("url", rpc.Redact(url))
	// NapCat takes every connection and refuses the token afterwards: a first event
	// says that it was right. Up, Down and Event run on one goroutine.
	told := false
	r.Up, r.Down = func() { told = false }, down
	r.Options.Event = func(frame []byte) bool {
		if !told {
			told = true
			connected()
		}
		e := s.decode(frame)
		return e != nil && s.Deliver(e)
	}
	return s.runWith(ctx, r.Run)
}

// DialHTTP is Dial for an endpoint that speaks HTTP and Server-Sent Events
// (NapCat's httpSseServers, contract E.6): calls are posted, events are read
// from a stream. It has no heartbeat, so that a host which vanished without a
// word is noticed late; prefer a WebSocket where there is one.
func (b *Bot) DialHTTP(ctx context.Context, url, token string, opts ...DialOption) error {
	var do dialOptions
	for _, o := range opts {
		o(&do)
	}
	h := &rpc.HTTP{URL: url, Token: token, CallTimeout: do.callTimeout}
	if do.tls != nil {
		tr := http.DefaultTransport.(*http.Transport).Clone()
		tr.TLSClientConfig = do.tls
		defer tr.CloseIdleConnections()
		h.Client = &http.Client{Transport: tr}
	}
	s := b.newSession("", h)
	s.sharedDisk = do.shared
	log, down := s.linkLog("url", rpc.Redact(url))
	up := func() { // there is no lifecycle event to tell
		log()
		s.setOnline(true, "")
		if s.journal != nil {
			s.journal.LinkUp()
		}
	}
	return s.runWith(ctx, func(ctx context.Context) error {
		return h.KeepEvents(ctx, up, down, func(frame []byte) { s.Feed(frame) })
	})
}

// Webhook returns a handler for the events that a OneBot host posts (NapCat's
// httpClients, contract E.7), with calls made over its HTTP server at url. Posts
// must be signed with secret unless it is empty. The handler is of use while run
// runs.
func (b *Bot) Webhook(secret, url, token string) (handler http.Handler, run func(ctx context.Context) error) {
	s := b.newSession("", &rpc.HTTP{URL: url, Token: token})
	return &rpc.Webhook{Secret: secret, Event: func(_ onebot.UserID, frame []byte) { s.Feed(frame) }}, s.Run
}

// linkLog returns what logs the ups and downs of a link. A failure that repeats
// itself several times a second is said once.
func (s *session) linkLog(key, where string) (up func(), down func(error)) {
	var last string
	up = func() {
		last = ""
		s.log.Info("connected", key, where)
	}
	down = func(err error) {
		if text := err.Error(); text != last {
			last = text
			s.Down(err)
			s.log.Warn("not connected", key, where, "error", err)
		}
	}
	return up, down
}

// runWith runs the session and its link until one of them ends. The link
// outlives ctx, so that handlers can finish what they are at.
func (s *session) runWith(ctx context.Context, link func(context.Context) error) error {
	linkCtx, endLink := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endLink(nil)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { cancel(link(linkCtx)) })
	err := s.Run(ctx)
	endLink(err)
	wg.Wait()
	return err
}
