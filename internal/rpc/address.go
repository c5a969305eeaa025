package rpc

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ErrBadAddress ends [Dial], a [Redialer] and what is like them: the address, or
// the token, can never work, whatever the endpoint does.
var ErrBadAddress = errors.New("unusable address")

// endpointURL reads the address of an endpoint. The first of schemes is shown in
// the error for another one. No error holds a token.
func endpointURL(raw string, schemes ...string) (*url.URL, error) {
	bad := func(why string) error {
		return fmt.Errorf("%w: %s; write it like %s", ErrBadAddress, why, rightAddress(raw, schemes[0]))
	}
	if strings.TrimSpace(raw) == "" {
		return nil, bad("it is empty")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		if err == nil && u.Host == "" && u.Scheme != "" && strings.Contains(raw, "://") {
			return nil, bad("it names no host")
		}
		return nil, bad("it is no URL with a scheme and a host")
	}
	known := false
	for _, s := range schemes {
		known = known || strings.EqualFold(u.Scheme, s)
	}
	switch port := u.Port(); {
	case !known:
		return nil, bad(fmt.Sprintf("the scheme %q is none of %s", u.Scheme, strings.Join(schemes, ", ")))
	case u.Hostname() == "":
		return nil, bad("it names no host")
	case port == "" && strings.HasSuffix(u.Host, ":"):
		return nil, bad("it has a colon without a port")
	case port != "":
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return nil, bad(fmt.Sprintf("%s is no port", port))
		}
	}
	return u, nil
}

// rightAddress makes an address that could work of one that cannot.
func rightAddress(raw, scheme string) string {
	rest := strings.TrimSpace(raw)
	if _, after, ok := strings.Cut(rest, "://"); ok {
		rest = after
	}
	rest, _, _ = strings.Cut(rest, "?") // where a token may stand
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil || u.Hostname() == "" || strings.ContainsAny(u.Host, " \\") {
		return scheme + "://127.0.0.1:3001"
	}
	if n, err := strconv.Atoi(u.Port()); u.Host != u.Hostname() && (err != nil || n < 1 || n > 65535) {
		u.Host = u.Hostname() + ":3001"
	}
	return u.String()
}

// authorize sets the header that carries a token. A token is never part of an
// address that is sent.
func authorize(h http.Header, token string) error {
	for i := 0; i < len(token); i++ {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return fmt.Errorf("%w: the token has characters that no header can carry; use letters, digits and punctuation of ASCII, such as n4pC-7kQ2", ErrBadAddress)
		}
	}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// noRedirects keeps a client where it was sent: an answer that leads elsewhere
// must not get the token there.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// redirected returns the error for an answer that leads elsewhere, nil for others.
func redirected(resp *http.Response) error {
	if resp == nil || resp.StatusCode < 300 || resp.StatusCode > 399 {
		return nil
	}
	to := resp.Header.Get("Location")
	if u, err := url.Parse(to); err == nil {
		u.RawQuery, u.Fragment = "", ""
		to = u.Redacted()
	}
	return fmt.Errorf("the endpoint redirects to %q (HTTP %d), which is not followed", to, resp.StatusCode)
}
