package rpc

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

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
	// Event gets each event; it owns frame and must return soon.
	Event func(self onebot.UserID, frame []byte)
	// MaxFrame is the largest event accepted; 0: 64 MiB.
	MaxFrame int64

	mu sync.Mutex // one event at a time
}

// ServeHTTP implements [http.Handler]. It answers 204, or 401 for a missing and
// 403 for a wrong signature, 400 for what is no event, 413 and 405.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "events are posted", http.StatusMethodNotAllowed)
		return
	}
	limit := h.MaxFrame
	if limit <= 0 {
		limit = 64 << 20
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			http.Error(w, "event too large", http.StatusRequestEntityTooLarge)
		} else {
			http.Error(w, "event not read", http.StatusBadRequest)
		}
		return
	}
	if h.Secret != "" {
		text, ok := strings.CutPrefix(r.Header.Get("X-Signature"), "sha1=")
		if !ok {
			http.Error(w, "signature missing", http.StatusUnauthorized)
			return
		}
		got, err := hex.DecodeString(text)
		mac := hmac.New(sha1.New, []byte(h.Secret))
		mac.Write(body)
		if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
			http.Error(w, "signature wrong", http.StatusForbidden)
			return
		}
	}
	if k, _ := classify(body); k != eventFrame {
		http.Error(w, "not an event", http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.Event(SelfID(r), body)
	h.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}
