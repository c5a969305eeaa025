package control

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/internal/console"
	"github.com/ncatd/ncatd/internal/control/api"
)

// caller says whose request one is. The zero caller came over the socket and is
// an owner.
type caller struct {
	role    api.Role
	by      string // token, or the session's ID; "": the socket
	session string // its ID, "" for none
	from    string // address
	secure  bool   // over TLS, as far as the browser sees
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		c.role = api.RoleOwner
	}
	return c
}

// access says who may use a route.
type access int

const (
	byMethod access = iota // a GET is for all, all else for owners
	forOwner
	forAll  // viewers too, although it changes something of their own
	forOpen // also for who was not let in yet
)

func (rt route) lets(role api.Role) bool {
	switch rt.access {
	case forOpen, forAll:
		return true
	case forOwner:
		return role == api.RoleOwner
	}
	return role == api.RoleOwner || rt.Method == http.MethodGet
}

// audit notes a change that was asked for over TCP: the socket belongs to the
// user that runs the daemon.
func (s *Server) audit(r *http.Request, rt route, err error) {
	who := callerOf(r.Context())
	if rt.Method == http.MethodGet || who.from == "" {
		return
	}
	attrs := []any{"route", rt.Path, "by", who.by, "role", string(who.role), "from", who.from}
	if name := r.PathValue("name"); name != "" {
		attrs = append(attrs, "account", name)
	}
	if id := r.PathValue("id"); id != "" {
		attrs = append(attrs, "id", id)
	}
	if err != nil {
		s.o.Log.Warn("console: refused", append(attrs, "code", asError(err).Code)...)
		return
	}
	s.o.Log.Info("console: done", attrs...)
}

// entrance is where TCP requests come in.
type entrance struct {
	host, port string
	wide, tls  bool
}

func entranceOf(addr net.Addr, tls bool) entrance {
	host, port, _ := net.SplitHostPort(addr.String())
	return entrance{host: host, port: port, wide: net.ParseIP(host).IsUnspecified(), tls: tls}
}

// browsers reports whether a session may be used here: what a cookie opens must
// not cross a network in the clear.
func (s *Server) browsers(e entrance) bool {
	return s.o.Console != nil && (e.tls || net.ParseIP(e.host).IsLoopback() || len(s.o.Proxies) > 0)
}

// guard lets a TCP request through if it carries the token or a session's
// cookie, and comes from no foreign web page: that could otherwise reach a
// loopback port by its own or, through DNS rebinding, by a foreign name.
func (s *Server) guard(h http.Handler, e entrance) http.Handler {
	sites := http.NewCrossOriginProtection()
	refuse := func(w http.ResponseWriter, code, message, hint string) {
		w.Header().Set("Connection", "close")
		if code == CodeUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="ncatd"`)
		}
		writeError(w, &api.Error{Code: code, Message: message, Hint: hint})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		console.Headers(w.Header())
		who, trusted := s.origin(r, e)
		if !trusted {
			refuse(w, CodeForbidden, "only the proxies of control.proxies are served here", "")
			return
		}
		if !hostAllowed(r.Host, e.host, e.port, e.wide) && !s.namedHost(r.Host) {
			refuse(w, CodeForbidden, "this Host is not served here", "control.hosts names further ones")
			return
		}
		site := r.Header.Get("Sec-Fetch-Site")
		page := console.IsPage(r.URL.Path)
		foreign := site == "cross-site" && !(page && r.Header.Get("Sec-Fetch-Mode") == "navigate")
		if o := r.Header.Get("Origin"); o != "" && !sameOrigin(o, r.Host) || foreign || sites.Check(r) != nil {
			refuse(w, CodeForbidden, "requests of other sites are refused", "")
			return
		}
		switch {
		case openPath(r.URL.Path):
			w.Header().Set("Connection", "close") // no client without the token keeps one
		case page && !s.browsers(e):
			refuse(w, CodeForbidden, "the console is not served here", "set control.tls, or name the proxy in control.proxies")
			return
		case page:
			s.pages.ServeHTTP(w, r)
			return
		case !s.known(r, e, &who, site) && !s.isOpen(r):
			refuse(w, CodeUnauthorized, "a valid bearer token is required", "the token is in secrets.json: control")
			return
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
	})
}

// known finds out whose request r is, by token or cookie.
func (s *Server) known(r *http.Request, e entrance, who *caller, site string) bool {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		if !s.isToken(strings.TrimSpace(token)) {
			return false
		}
		who.role, who.by = api.RoleOwner, "token"
		return true
	}
	if !s.browsers(e) || site != "" && site != "same-origin" && site != "none" {
		return false
	}
	c, err := r.Cookie(s.cookie)
	if err != nil {
		return false
	}
	session, ok := s.o.Console.Session(c.Value)
	if ok {
		who.role, who.by, who.session = session.Role, session.ID, session.ID
	}
	return ok
}

// isOpen reports whether a request is one that lets somebody in.
func (s *Server) isOpen(r *http.Request) bool {
	return s.o.Console != nil && slices.ContainsFunc(s.table, func(rt route) bool {
		return rt.access == forOpen && rt.Path == r.URL.Path && rt.Method == r.Method
	})
}

// origin returns where a request comes from, through the proxies that are
// trusted. trusted is false for a stranger where only proxies are served.
func (s *Server) origin(r *http.Request, e entrance) (who caller, trusted bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return caller{from: r.RemoteAddr, secure: e.tls}, len(s.o.Proxies) == 0
	}
	addr := peer.Addr().Unmap()
	who = caller{from: addr.String(), secure: e.tls}
	if len(s.o.Proxies) == 0 {
		return who, true
	}
	if !s.proxy(addr) {
		// Who is on this machine needs no proxy.
		return who, addr.IsLoopback() && r.Header.Get("X-Forwarded-For") == ""
	}
	who.secure = e.tls || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // what stands before it was made up
		}
		who.from = a.Unmap().String()
		if !s.proxy(a.Unmap()) {
			break
		}
	}
	return who, true
}

func (s *Server) proxy(a netip.Addr) bool {
	return slices.ContainsFunc(s.o.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// namedHost reports whether the config names the host of h, whatever its port.
func (s *Server) namedHost(h string) bool {
	name, _, err := net.SplitHostPort(h)
	if err != nil {
		name = h
	}
	return slices.ContainsFunc(s.o.Hosts, func(own string) bool { return strings.EqualFold(own, strings.Trim(name, "[]")) })
}

// redact returns the status without what a viewer must not see: whoever has the
// code of a login can log in by it.
func redact(st api.Status) api.Status {
	st.Accounts = slices.Clone(st.Accounts)
	for i := range st.Accounts {
		st.Accounts[i] = redactAccount(st.Accounts[i])
	}
	return st
}

func redactAccount(a api.Account) api.Account {
	if a.Login != nil {
		l := *a.Login
		l.URL = ""
		a.Login = &l
	}
	return a
}

// redactItem does so for a line of a stream.
func redactItem(it api.WatchItem) api.WatchItem {
	if it.Status != nil {
		st := redact(*it.Status)
		it.Status = &st
	}
	if it.State != nil {
		a := redactAccount(*it.State)
		it.State = &a
	}
	return it
}
