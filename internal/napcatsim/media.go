package napcatsim

import (
	"net"
	"net/http"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
)

// newHost returns a host whose files can be fetched: a server on a free loopback
// port of its own plays QQ's servers for pictures and files, and the addresses
// in received segments lead there. They end with the process, as the real ones
// expire. stop ends the server and removes what the host made on disk.
func newHost(o action.Options) (host *action.Host, stop func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binding a loopback port does not wait
	if err != nil {
		host = action.New(o) // its addresses lead nowhere
		return host, func() { _ = host.Close() }
	}
	o.FileURL = "http://" + ln.Addr().String()
	host = action.New(o)
	srv := &http.Server{Handler: host, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln) // ends with stop
	}()
	return host, func() {
		_ = srv.Close()
		<-done
		_ = host.Close()
	}
}
