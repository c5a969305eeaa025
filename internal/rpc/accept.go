package rpc

import (
	"bufio"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/onebot"
)

// Accept takes the connection of a reverse WebSocket client, NapCat dialling us
// (contract E.4), and returns it to be Run. A token that is not Options.Token is
// answered with 403 and an error that wraps [ErrBadToken]; an empty one accepts
// everybody. NapCat tries again by itself after some seconds.
func Accept(w http.ResponseWriter, r *http.Request, o Options) (*Conn, error) {
	o.setDefaults()
	if o.Token != "" {
		got := r.URL.Query().Get("access_token")
		if got == "" {
			got = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		}
		if subtle.ConstantTimeCompare([]byte(got), []byte(o.Token)) != 1 {
			http.Error(w, "bad token", http.StatusForbidden)
			return nil, fmt.Errorf("accept %s: %w", r.RemoteAddr, ErrBadToken)
		}
	}
	h := &hijacked{ResponseWriter: w}
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // of the Origin header, which only browsers send
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, fmt.Errorf("accept %s: %w", r.RemoteAddr, err)
	}
	return newConn(ws, h.wire, o), nil
}

// SelfID returns the account that a reverse connection or a webhook request
// names in its header, 0 if none.
func SelfID(r *http.Request) onebot.UserID {
	id, err := strconv.ParseInt(r.Header.Get("X-Self-ID"), 10, 64)
	if err != nil {
		return 0
	}
	return onebot.UserID(id)
}

// hijacked puts a wire under the connection that is taken from a server.
type hijacked struct {
	http.ResponseWriter
	wire *wire
}

// Hijack implements [http.Hijacker].
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.wire = newWire(conn)
	return h.wire, bufio.NewReadWriter(rw.Reader, bufio.NewWriter(h.wire)), nil
}
