package rpc

import (
	"bufio"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/alias"
	"github.com/ncatd/ncatd/onebot"
)

// Accept takes the connection of a reverse WebSocket client, NapCat dialling us
// (contract E.4), and returns it to be Run. A token that is not Options.Token is
// answered with 403 and an error that wraps [ErrBadToken]; an empty one accepts
// everybody but pages of other origins. NapCat tries again by itself after some seconds.
func Accept(w http.ResponseWriter, r *http.Request, o Options) (*Conn, error) {
	o.setDefaults()
	if o.Token != "" {
		if subtle.ConstantTimeCompare([]byte(GivenToken(r)), []byte(o.Token)) != 1 {
			w.Header().Set("Connection", "close")
			http.Error(w, "bad token", http.StatusForbidden)
			return nil, fmt.Errorf("accept %s: %w", r.RemoteAddr, ErrBadToken)
		}
	}
	h := &hijacked{ResponseWriter: w}
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{
		// Browsers send an Origin, and any page that one shows may try to connect.
		// Where no token keeps it out, its origin does.
		InsecureSkipVerify: o.Token != "",
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, fmt.Errorf("accept %s: %w", r.RemoteAddr, err)
	}
	return newConn(ws, h.wire, o), nil
}

// GivenToken returns the token of a request: access_token in the query, else
// Authorization as Bearer or Token, in any case, or the bare token.
func GivenToken(r *http.Request) string {
	if token := r.URL.Query().Get("access_token"); token != "" {
		return token
	}
	given := strings.TrimSpace(r.Header.Get("Authorization"))
	if scheme, token, ok := strings.Cut(given, " "); ok && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Token")) {
		return strings.TrimSpace(token)
	}
	return given
}

// SelfID returns the account that a reverse connection or a webhook request
// names in its header, 0 if none.
func SelfID(r *http.Request) onebot.UserID {
	return onebot.UserID(alias.Number(r.Header.Get("X-Self-ID")))
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
