package script

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// strayPercent stands for a percent sign that escapes nothing, which browsers leave
// as it is.
const strayPercent = "%EE%80%80"

var percent = regexp.MustCompile(`%([0-9A-Fa-f]{2})?`)

// escapeStray replaces the percent signs that escape nothing.
func escapeStray(text, by string) string {
	return percent.ReplaceAllStringFunc(text, func(s string) string {
		if s == "%" {
			return by
		}
		return s
	})
}

func parseURL(text, base string) (string, error) {
	escaped := escapeStray(text, strayPercent)
	out, err := parseEscaped(escaped, base)
	if err != nil {
		return "", &argumentError{text: fmt.Sprintf("%q is no URL", short(text))}
	}
	if escaped != text {
		out = strings.ReplaceAll(out, strayPercent, "%")
	}
	return out, nil
}

// needsHost are the schemes whose URLs name a host.
var needsHost = []string{"http", "https", "ws", "wss", "ftp"}

var errURL = errors.New("no URL")

func parseEscaped(text, base string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err == nil && base != "" {
		var b *url.URL
		if b, err = url.Parse(escapeStray(base, strayPercent)); err == nil {
			u = b.ResolveReference(u)
		}
	}
	if err != nil || u.Scheme == "" || u.Opaque == "" && u.Hostname() == "" && slices.Contains(needsHost, u.Scheme) {
		return "", errURL
	}
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", errURL
		}
	}
	u = u.ResolveReference(u) // without . and .. in the path
	user, password, _ := strings.Cut(u.User.String(), ":")
	p := map[string]any{"protocol": u.Scheme + ":", "hostname": strings.ToLower(u.Hostname()), "port": u.Port(), "pathname": u.EscapedPath(),
		"search": "", "hash": "", "username": user, "password": password, "slashes": u.Host != "" || u.Scheme == "file"}
	if u.RawQuery != "" {
		p["search"] = "?" + escapeQuery(u.RawQuery)
	}
	if u.Fragment != "" {
		p["hash"] = "#" + u.EscapedFragment()
	}
	if u.Host != "" && u.Path == "" {
		p["pathname"] = "/"
	}
	if port := u.Port(); port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		p["port"] = ""
	}
	if u.Opaque != "" {
		p["pathname"] = u.Opaque
	}
	return jsonText(p)
}

// escapeQuery writes the query of a URL as browsers send it.
func escapeQuery(q string) string {
	var b strings.Builder
	for _, c := range []byte(q) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>'`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
