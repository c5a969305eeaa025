package control

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"reflect"
	"strings"

	"github.com/ncatd/ncatd/internal/console"
	"github.com/ncatd/ncatd/internal/control/api"
)

// DefaultListen is where the console opens by itself when somebody asks for a
// link and the config names no address. If it is taken, a free port is.
const DefaultListen = "127.0.0.1:8686"

// The routes by which browsers are let in and thrown out.
func doorRoutes() []route {
	login := route{Method: "POST", Path: "/v0/console/login", Summary: "Lets a browser in by a link's secret or the password; sets its cookie.",
		In: reflect.TypeFor[api.ConsoleLoginRequest](), Out: reflect.TypeFor[api.ConsoleSession](), handle: (*Server).login, access: forOpen}
	logout := route{Method: "POST", Path: "/v0/console/logout", Summary: "Ends the session that asks.", Out: reflect.TypeFor[none](), handle: (*Server).logout, access: forAll}
	sessions := get("/v0/console/sessions", "Lists the browsers that were let in.", func(ctx context.Context, _ Backend, t target) ([]api.ConsoleSession, error) {
		list := t.console.Sessions()
		for i := range list {
			list[i].Current = list[i].ID == t.who.session
		}
		return list, nil
	})
	sessions.access = forOwner
	return []route{
		post("/v0/console/link", "Makes a link that lets one browser in, for ten minutes.", func(ctx context.Context, _ Backend, t target, in api.ConsoleLinkRequest) (api.ConsoleLink, error) {
			if in.Role == "" {
				in.Role = api.RoleOwner
			}
			if in.Role != api.RoleOwner && in.Role != api.RoleViewer {
				return api.ConsoleLink{}, badRequest("role is %q, not owner or viewer", in.Role)
			}
			return t.server.link(ctx, in.Role)
		}),
		login, logout,
		{Method: "GET", Path: "/v0/console/me", Summary: "What the caller may do. A browser's cookie lasts anew from then on.", Out: reflect.TypeFor[api.ConsoleMe](), handle: (*Server).me},
		act("/v0/console/password", "Sets the password of the console, or takes it away.", func(_ context.Context, _ Backend, t target, in api.ConsolePasswordRequest) error {
			return refusal(t.console.SetPassword(in.Password))
		}),
		sessions,
		act("/v0/console/sessions/{id}/revoke", "Ends a session, or all of them.", func(_ context.Context, _ Backend, t target, _ none) error {
			return refusal(t.console.Revoke(t.id))
		}),
	}
}

// refusal gives the console's refusals their codes.
func refusal(err error) error {
	code, fault := "", api.Fault{}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, console.ErrBadSecret), errors.Is(err, console.ErrBadPassword):
		code = CodeUnauthorized
	case errors.Is(err, console.ErrTooOften):
		code = CodeTooMany
	case errors.Is(err, console.ErrNoSession):
		code, fault = CodeNotFound, api.Because(api.CodeDoorNoSession)
	case errors.Is(err, console.ErrShort):
		code, fault = CodeBadRequest, api.Because(api.CodeDoorShort, console.MinPassword)
	case errors.Is(err, console.ErrLong):
		code, fault = CodeBadRequest, api.Because(api.CodeDoorLong, console.MaxPassword)
	case errors.Is(err, console.ErrNoPassword):
		code = CodeConflict
	default:
		return err
	}
	return &api.Error{Code: code, Message: err.Error(), Hint: "`ncatd console` makes a new link", Fault: fault}
}

// login lets a browser in.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	var in api.ConsoleLoginRequest
	if err := decode(r, &in); err != nil {
		return err
	}
	who := callerOf(r.Context())
	enter, secret := s.o.Console.Enter, in.Secret
	if in.Password != "" {
		enter, secret = s.o.Console.EnterPassword, in.Password
	}
	value, session, err := enter(secret, who.from, r.UserAgent())
	if err != nil {
		return refusal(err)
	}
	http.SetCookie(w, s.cookieOf(value, who.secure, 0))
	s.o.Log.Info("console: let in", "session", session.ID, "role", string(session.Role), "from", who.from)
	writeJSON(w, http.StatusOK, session)
	return nil
}

// me tells a caller what it may do. Each page begins with it, so that a browser in use
// keeps its cookie for as long as its session lasts.
func (s *Server) me(w http.ResponseWriter, r *http.Request) error {
	who := callerOf(r.Context())
	if c, err := r.Cookie(s.cookie); err == nil && who.session != "" {
		http.SetCookie(w, s.cookieOf(c.Value, who.secure, 0))
	}
	writeJSON(w, http.StatusOK, api.ConsoleMe{Role: who.role, Session: who.session, Password: s.o.Console != nil && s.o.Console.HasPassword()})
	return nil
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	who := callerOf(r.Context())
	if who.session != "" {
		if err := s.o.Console.Revoke(who.session); err != nil {
			return refusal(err)
		}
	}
	http.SetCookie(w, s.cookieOf("", who.secure, -1))
	writeJSON(w, http.StatusOK, none{})
	return nil
}

// cookieOf is the cookie of a session. No script reads it, no other site sends
// it, and it is as old as the session at most.
func (s *Server) cookieOf(value string, secure bool, maxAge int) *http.Cookie {
	if maxAge == 0 {
		maxAge = int(console.SessionLifetime.Seconds())
	}
	return &http.Cookie{Name: s.cookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode}
}

// Link makes a link into the console for an owner that works once; "" where only
// this machine would reach it.
func (s *Server) Link(ctx context.Context) (string, error) {
	if s.o.Console == nil || s.o.Listen == "" {
		return "", nil
	}
	e, err := s.open(ctx)
	if err != nil {
		return "", err
	}
	if _, loopback := s.address(e); loopback {
		return "", nil
	}
	l, err := s.link(ctx, api.RoleOwner)
	return l.URL, err
}

// link makes a link, and opens a loopback port for it if nothing listens yet.
func (s *Server) link(ctx context.Context, role api.Role) (api.ConsoleLink, error) {
	e, err := s.open(ctx)
	if err != nil {
		return api.ConsoleLink{}, err
	}
	if !s.browsers(e) {
		return api.ConsoleLink{}, Refuse(CodeConflict, api.Because(api.CodeConsoleNoTLS))
	}
	if e.tls {
		if _, err := s.o.TLS.GetCertificate(&tls.ClientHelloInfo{}); err != nil {
			return api.ConsoleLink{}, Refuse(CodeConflict, api.Because(api.CodeConsoleNoCert, err))
		}
	}
	secret, expires := s.o.Console.Link(role)
	s.o.Console.SetListen(net.JoinHostPort(e.host, e.port))
	base, loopback := s.address(e)
	l := api.ConsoleLink{URL: base + "/#k=" + secret, Expires: expires, Role: role, Loopback: loopback}
	if e.tls {
		l.Fingerprint = s.o.Fingerprint()
	}
	return l, nil
}

// address is how a browser reaches an entrance, and whether only one of this
// machine does.
func (s *Server) address(e entrance) (base string, loopback bool) {
	scheme := "http"
	if e.tls {
		scheme = "https"
	}
	if len(s.o.Proxies) > 0 && len(s.o.Hosts) > 0 {
		return "https://" + s.o.Hosts[0], false
	}
	host := e.host
	switch {
	case len(s.o.Hosts) > 0:
		host = s.o.Hosts[0]
	case e.wide:
		host = outward()
	}
	ip := net.ParseIP(host)
	return scheme + "://" + net.JoinHostPort(host, e.port), strings.EqualFold(host, "localhost") || ip.IsLoopback()
}

// outward returns the first address of this machine that others may reach.
func outward() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "localhost"
	}
	best := "localhost"
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLoopback() || n.IP.IsLinkLocalUnicast() {
			continue
		}
		if n.IP.To4() != nil {
			return n.IP.String()
		}
		best = n.IP.String()
	}
	return best
}
