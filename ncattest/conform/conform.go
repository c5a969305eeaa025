// Package conform tries what NapCat does to the programs that are connected to it, on
// any OneBot 11 host: a NapCat, a simulator of one, or another implementation.
//
//	func TestHost(t *testing.T) {
//		conform.Run(t, conform.Host{URL: "ws://127.0.0.1:3001", Token: token})
//	}
//
// An [Expectation] is one sentence of NapCat's contract with a way to try it.
// Its Place says where that sentence stands: "E.2" is a section on the transport,
// "G.3" one on notices, "H.2" one on segments, "L.1" one on what was seen on the
// whole shell, and "results get_msg" the entry of an action. [Run] tries all.
//
// A host needs an account that is online, a friend and a group in which the
// account may speak. The suite writes to them; it removes nobody and leaves
// nothing. Where it needs people who do something there is [Host.Act].
//
// The package knows nothing of the hosts that it is tried on, and asks them
// nothing but what any client may.
package conform

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// Host is what is tried.
type Host struct {
	// URL is the address of the forward WebSocket, ws://…; "" tries only what
	// [Host.Caller] can.
	URL string
	// Token is what the host wants of its clients; "": nothing, and what is
	// expected of tokens is left out.
	Token string
	// HTTP is the address of the HTTP server, http://…; "": there is none.
	HTTP string
	// Caller makes calls where there is no URL, such as a harness in memory.
	Caller onebot.Caller
	// Hear hands the frames of all events from now on to take, one at a time, until
	// stop is called, where there is no URL; nil: events cannot be heard.
	Hear func(take func(frame []byte)) (stop func())
	// Heartbeat is the configured interval; 0 leaves out what takes a beat.
	Heartbeat time.Duration
	// Act lets somebody in the host's QQ do something; nil: nobody can. It must
	// return when the deed is done or has failed.
	Act func(ctx context.Context, d Deed) error
	// Complete says that the host leaves nothing out: what cannot be tried on it
	// fails, in place of being skipped.
	Complete bool
}

// Deed is something that somebody does in the host's QQ.
type Deed struct {
	// Deed is say, poke, join, leave, ban, admin, card, title, rename, recall,
	// react, essence, upload, request, invite, typing, like or befriend.
	Deed    string
	Group   int64 // 0: in private
	User    int64 // whom it is about
	By      int64 // who does it, if that is somebody else
	Message int64 // a message_id
	Text    string
	Seconds int64
	Off     bool // the opposite
}

// Expectation is one thing that is expected of a host.
type Expectation struct {
	Place string // in the contract
	Title string // what is expected, in words
	// wire says that it takes a connection of one's own, http an HTTP server,
	// people somebody who does something.
	wire, http, people bool
	try                func(*visit) error
}

// Expectations returns everything that [Run] tries.
func Expectations() []Expectation {
	var all []Expectation
	for _, table := range [][]Expectation{connections, requests, coercions, streaming, overHTTP, sends, segments, media, messages, reads, changes, files, events} {
		all = append(all, table...)
	}
	return all
}

// FromEnv returns the host that NCATD_TEST_URL names, with NCATD_TEST_TOKEN and,
// if there is one, NCATD_TEST_HTTP; ok is false if it names none.
func FromEnv() (h Host, ok bool) {
	h = Host{URL: os.Getenv("NCATD_TEST_URL"), Token: os.Getenv("NCATD_TEST_TOKEN"), HTTP: os.Getenv("NCATD_TEST_HTTP")}
	return h, h.URL != ""
}

// patience is how long an answer may take, quiet how long nothing must come
// where nothing is expected.
const (
	patience = 15 * time.Second
	quiet    = 300 * time.Millisecond
)

// Run tries every expectation on the host, each as a test of its own.
func Run(t *testing.T, h Host) {
	t.Helper()
	who, err := meet(t.Context(), &h)
	if err != nil {
		t.Fatalf("conform: %v", err)
	}
	for _, e := range Expectations() {
		t.Run(e.Place+"/"+e.Title, func(t *testing.T) {
			if reason := h.lacks(e); reason != "" {
				h.leaveOut(t, reason)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
			defer cancel()
			v := &visit{ctx: ctx, h: &h, people: who}
			defer v.close()
			var out *leftOut
			if err := e.try(v); errors.As(err, &out) {
				h.leaveOut(t, out.reason)
			} else if err != nil {
				t.Errorf("%s: %v", e.Place, err)
			}
		})
	}
}

// Tries reports whether Run tries an expectation on h rather than to leave it out
// for want of something.
func (h Host) Tries(e Expectation) bool { return h.lacks(e) == "" }

// lacks says what an expectation needs that the host does not have.
func (h *Host) lacks(e Expectation) string {
	switch {
	case e.wire && h.URL == "":
		return "it takes a WebSocket"
	case e.people && h.URL == "" && h.Hear == nil:
		return "it takes events"
	case e.http && h.HTTP == "":
		return "it takes an HTTP server"
	case e.people && h.Act == nil:
		return "it takes people who do something"
	}
	return ""
}

func (h *Host) leaveOut(t *testing.T, reason string) {
	t.Helper()
	if h.Complete && h.URL != "" {
		t.Fatal("left out: " + reason)
	}
	t.Skip(reason)
}

// leftOut is the error of what cannot be tried on a host.
type leftOut struct{ reason string }

func (l *leftOut) Error() string { return l.reason }
