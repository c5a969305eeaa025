package control

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// fleetRoutes are what concerns a fleet of hosts.
func fleetRoutes() []route {
	dead := get("/v0/fleet/dead", "Lists the events that no worker of the fleet could finish.", func(ctx context.Context, b Backend, _ target) ([]api.DeadEvent, error) {
		return list(b.FleetDead(ctx))
	})
	hosts := get("/v0/fleet", "Lists the hosts of the fleet as they were last heard.", func(ctx context.Context, b Backend, _ target) ([]api.FleetHost, error) {
		return list(b.FleetHosts(ctx))
	})
	moved := get("/v0/accounts/{name}/move", "Tells how far the last move of an account came.", func(ctx context.Context, b Backend, t target) (api.Move, error) {
		return b.FleetMoved(ctx, t.account)
	})
	moved.access = forOwner
	dead.access, hosts.access = forOwner, forOwner
	return []route{
		act("/v0/accounts/{name}/take", "Makes an account this host's whose host in the fleet is gone.", func(ctx context.Context, b Backend, t target, _ none) error {
			return b.FleetTake(ctx, t.account)
		}),
		post("/v0/accounts/{name}/move", "Begins to move an account to another host of the fleet.", func(ctx context.Context, b Backend, t target, in api.MoveRequest) (api.Move, error) {
			return b.FleetMove(ctx, t.account, in)
		}),
		post("/v0/fleet/incoming", "Tells of an account that another host wants to move here.", func(ctx context.Context, b Backend, _ target, in api.Incoming) (api.IncomingState, error) {
			return b.FleetIncoming(ctx, in)
		}),
		hosts, dead, moved,
		act("/v0/fleet/dead", "Gives dead events again or drops them.", func(ctx context.Context, b Backend, _ target, in api.SettleRequest) error {
			return b.FleetSettle(ctx, in)
		}),
	}
}

// remote hands a request on to another host of the fleet: what follows its name is
// the path there. Only the socket leads there, whose user owns the daemon.
func (s *Server) remote(w http.ResponseWriter, r *http.Request) {
	if callerOf(r.Context()).from != "" {
		writeError(w, &api.Error{Code: CodeForbidden, Message: "other hosts are reached by the command line only"})
		return
	}
	rt, err := s.o.Backend.FleetRemote(r.PathValue("host"))
	if err != nil {
		writeError(w, err)
		return
	}
	// It may be a stream. The errors say that there are no deadlines, as in tests.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	proxy := &httputil.ReverseProxy{
		Transport: rt, FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "ncatd"
			p.Out.URL.Path, p.Out.URL.RawPath = "/"+r.PathValue("rest"), ""
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if worded := (*api.Error)(nil); !errors.As(err, &worded) {
				err = &api.Error{Code: CodeNotSent, Message: err.Error(), Hint: "ncatd status --fleet"}
			}
			writeError(w, err)
		},
	}
	proxy.ServeHTTP(w, r)
}
