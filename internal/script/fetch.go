package script

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/control/api"
)

// The bounds of one fetch.
const (
	maxFetch     = 8 << 20
	fetchTimeout = 30 * time.Second
	maxRedirects = 5
	maxHeaders   = 256 << 10 // of an answer, as browsers have it
)

type fetchParams struct {
	URL      string            `json:"url"`
	Method   string            `json:"method"`
	Headers  map[string]string `json:"headers"`
	Text     *string           `json:"text"`
	Base64   *string           `json:"base64"`
	Redirect string            `json:"redirect"`
}

// fetch asks a web service, one that the manifest names and the operator
// granted. Addresses of the machine and its network are reached only if they are
// granted as they stand.
func (r *request) fetch(ctx context.Context) (any, error) {
	p := new(fetchParams)
	if err := json.Unmarshal([]byte(r.params), p); err != nil {
		return nil, &argumentError{text: "fetch: " + err.Error()}
	}
	u, err := url.Parse(escapeStray(p.URL, "%25"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &argumentError{text: fmt.Sprintf("fetch takes http and https URLs, not %q", short(p.URL))}
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	g := r.m.outer.granted()
	if err := r.m.allows(g, u); err != nil {
		return nil, err
	}
	var body io.Reader
	switch {
	case p.Base64 != nil:
		b, err := base64.StdEncoding.DecodeString(*p.Base64)
		if err != nil {
			return nil, &argumentError{text: "fetch: " + err.Error()}
		}
		body = bytes.NewReader(b)
	case p.Text != nil:
		body = strings.NewReader(*p.Text)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fetchTimeout, Fail(api.Because(api.CodeScriptFetchLate, fetchTimeout), nil))
	defer cancel()
	method := strings.ToUpper(p.Method)
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, &argumentError{text: "fetch: " + err.Error()}
	}
	for k, v := range p.Headers {
		if !strings.EqualFold(k, "host") {
			req.Header.Set(k, v)
		}
	}
	client := &http.Client{Transport: transportFor(g), CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if p.Redirect == "manual" {
			return http.ErrUseLastResponse
		}
		if p.Redirect == "error" || len(via) >= maxRedirects {
			return errors.New("redirected too often")
		}
		return r.m.allows(g, next.URL)
	}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("fetch %s: %w", u.Host, err)
	}
	defer resp.Body.Close() // it was only read
	return r.answer(ctx, resp)
}

// answer reads what a service answered. If it is much, one of the plugin at a time.
func (r *request) answer(ctx context.Context, resp *http.Response) (any, error) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, smallAnswer))
	if err == nil && len(b) == smallAnswer {
		if err = r.hold(ctx, r.m.carriers.bodies); err == nil {
			body := io.MultiReader(bytes.NewReader(b), io.LimitReader(resp.Body, maxFetch+1-smallAnswer))
			b, err = io.ReadAll(body)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	if len(b) > maxFetch {
		return nil, overLimit("size", api.Because(api.CodeScriptFetchSize, maxFetch>>20))
	}
	headers := map[string]string{}
	for k, v := range resp.Header {
		headers[strings.ToLower(k)] = strings.Join(v, ", ")
	}
	out := map[string]any{"status": resp.StatusCode, "statusText": http.StatusText(resp.StatusCode), "url": resp.Request.URL.String(), "headers": headers}
	if utf8.Valid(b) {
		out["text"] = string(b)
	} else {
		out["base64"] = base64.StdEncoding.EncodeToString(b)
	}
	return out, nil
}

// allows says why a URL may not be fetched.
func (m *machine) allows(g Grants, u *url.URL) error {
	if !named(u, m.info.Permissions.Fetch) {
		if m.info.Dir == "" {
			return denied(api.Because(api.CodeScriptFetchAlone, u.Host))
		}
		return denied(api.Because(api.CodeScriptUnnamed, u.Host))
	}
	if !named(u, g.Fetch) {
		return denied(api.Because(api.CodeScriptUngranted, u.Host, m.info.ID))
	}
	return nil
}

// named reports whether a list of hosts holds that of u. Without a port an entry
// means the scheme's own.
func named(u *url.URL, hosts []string) bool {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return slices.ContainsFunc(hosts, func(h string) bool {
		host, ok := entry(h, port)
		return ok && strings.EqualFold(host, u.Hostname())
	})
}

// entry returns the host of an entry of a list, and whether the entry means port.
func entry(h, port string) (host string, ok bool) {
	host, p, err := net.SplitHostPort(h)
	if err != nil {
		host, p = strings.Trim(h, "[]"), ""
	}
	return host, p == port || p == "" && (port == "80" || port == "443")
}

// opens reports whether an entry grants an address that is not public: by its
// number or as localhost, and at that port, since a name that is granted as well
// may lead to any port of the machine.
func opens(h string, ip netip.Addr, port uint16) bool {
	host, ok := entry(h, strconv.Itoa(int(port)))
	a, err := netip.ParseAddr(host)
	return ok && (err == nil && a.Unmap() == ip || ip.IsLoopback() && strings.EqualFold(host, "localhost"))
}

// transportFor returns a transport that connects to public addresses, and to
// others only if they are granted by number.
func transportFor(g Grants) *http.Transport {
	d := &net.Dialer{Timeout: 10 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return denied(api.Because(api.CodeScriptAddress, address))
		}
		ip := ap.Addr().Unmap()
		if public(ip) {
			return nil
		}
		if slices.ContainsFunc(g.Fetch, func(h string) bool { return opens(h, ip, ap.Port()) }) {
			return nil
		}
		return denied(api.Because(api.CodeScriptLocal, ip))
	}}
	return &http.Transport{DialContext: d.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		ResponseHeaderTimeout: fetchTimeout, MaxResponseHeaderBytes: maxHeaders, DisableKeepAlives: true}
}

// public reports whether an address is one of the internet.
func public(ip netip.Addr) bool {
	if !ip.IsValid() || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48", "2001:db8::/32", "2002::/16", "fc00::/7", "fec0::/10"} {
		if netip.MustParsePrefix(p).Contains(ip) {
			return false
		}
	}
	return true
}
