package rpc

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/internal/jsonscan"
	"github.com/ncatd/ncatd/onebot"
)

// Webhook takes the events that NapCat's HTTP client posts (contract E.7). It
// answers without a quick operation; NapCat neither repeats a post nor waits for
// long. Posts come without heartbeats, and in the order in which NapCat's
// connections happened to arrive.
type Webhook struct {
	// Secret is the token configured in NapCat, with which it signs; empty
	// accepts everything.
	Secret string
	// Event gets each event; frame is valid until it returns, which must be soon.
	Event func(self onebot.UserID, frame []byte)
	// MaxFrame is the largest event accepted; 0: 64 MiB.
	MaxFrame int64

	slots atomic.Int32 // posts that are being read
	large atomic.Int32 // those of more than smallPost among them

	mu   sync.Mutex // one event at a time; guards the field below
	seen map[[sha1.Size]byte]time.Time
}

// Bounds on posts whose signature has not been checked yet, which needs their
// whole body.
const (
	// maxPosts is how many are read at the same time. NapCat posts one after the
	// other.
	maxPosts = 32
	// smallPost is how long all but one of them may be: 32 MiB and one event of
	// the largest size is what strangers can make us hold.
	smallPost = 1 << 20
	// postTime is how long a post may take to arrive.
	postTime = 30 * time.Second
	// replayWindow is how far the time of a signed event may be from ours. Within
	// it a post that comes again is known by its signature.
	replayWindow = 10 * time.Minute
	// maxSeen is how many signatures are remembered. With more within the window
	// the oldest goes.
	maxSeen = 1 << 14
)

// ServeHTTP implements [http.Handler]. It answers 204, also to an event that came
// before; 401 for a missing signature and 403 for a wrong one or one for an event
// of more than ten minutes ago; 400 for what is no event; 405, 413; 503 for more
// posts at once than any NapCat makes.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "events are posted", http.StatusMethodNotAllowed)
		return
	}
	var sum []byte
	if h.Secret != "" {
		text, ok := strings.CutPrefix(r.Header.Get("X-Signature"), "sha1=")
		if !ok {
			refuse(w, "signature missing", http.StatusUnauthorized)
			return
		}
		var err error
		if sum, err = hex.DecodeString(text); err != nil || len(sum) != sha1.Size {
			refuse(w, "signature wrong", http.StatusForbidden)
			return
		}
	}
	if h.slots.Add(1) > maxPosts {
		h.slots.Add(-1)
		refuse(w, "too many posts at once", http.StatusServiceUnavailable)
		return
	}
	body, status := h.body(w, r)
	h.slots.Add(-1)
	if status != 0 {
		refuse(w, "event not read", status)
		return
	}
	if h.Secret != "" {
		mac := hmac.New(sha1.New, []byte(h.Secret))
		mac.Write(body)
		if !hmac.Equal(sum, mac.Sum(nil)) {
			refuse(w, "signature wrong", http.StatusForbidden)
			return
		}
	}
	if k, _ := classify(body); k != eventFrame {
		http.Error(w, "not an event", http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Secret != "" {
		switch fresh, old := h.freshLocked([sha1.Size]byte(sum), body, time.Now()); {
		case old:
			refuse(w, "event too old", http.StatusForbidden)
			return
		case !fresh:
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	h.Event(SelfID(r), body)
	w.WriteHeader(http.StatusNoContent)
}

// refuse answers with an error and ends the connection.
func refuse(w http.ResponseWriter, text string, status int) {
	w.Header().Set("Connection", "close")
	http.Error(w, text, status)
}

// body reads a post; status is 0 or why it cannot be.
func (h *Webhook) body(w http.ResponseWriter, r *http.Request) (_ []byte, status int) {
	limit := h.MaxFrame
	if limit <= 0 {
		limit = 64 << 20
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(postTime)) // a recorder of a test has none
	in := http.MaxBytesReader(w, r.Body, limit)
	var b bytes.Buffer
	_, err := io.CopyN(&b, in, smallPost)
	if err == nil { // there may be more
		if h.large.Add(1) > 1 {
			h.large.Add(-1)
			return nil, http.StatusServiceUnavailable
		}
		defer h.large.Add(-1)
		_, err = io.Copy(&b, in)
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, http.StatusRequestEntityTooLarge
	case err != nil && err != io.EOF:
		return nil, http.StatusBadRequest
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return b.Bytes(), 0
}

// freshLocked notes a signed event. It is not fresh if it came before; old if it
// may have come before and been forgotten.
func (h *Webhook) freshLocked(sum [sha1.Size]byte, body []byte, now time.Time) (fresh, old bool) {
	var at int64
	jsonscan.Fields(body, func(key, val []byte) {
		if string(key) == "time" {
			at, _ = number(val)
		}
	})
	if d := now.Sub(time.Unix(at, 0)); d > replayWindow || d < -replayWindow {
		return false, true
	}
	if _, ok := h.seen[sum]; ok {
		return false, false
	}
	if h.seen == nil {
		h.seen = map[[sha1.Size]byte]time.Time{}
	}
	if len(h.seen) >= maxSeen {
		var first [sha1.Size]byte
		oldest := now
		for s, t := range h.seen {
			if now.Sub(t) > 2*replayWindow {
				delete(h.seen, s)
			} else if t.Before(oldest) {
				first, oldest = s, t
			}
		}
		if len(h.seen) >= maxSeen {
			delete(h.seen, first)
		}
	}
	h.seen[sum] = now
	return true, false
}
