package alert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // WeCom asks for it
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/alert/preset"
)

const (
	// maxAnswer bounds what is read of a service's answer.
	maxAnswer = 64 << 10
	// maxWords is how much of a service's words is kept.
	maxWords = 300
	// longestAsked is the longest that a service is left alone because it asks
	// for that.
	longestAsked = 24 * time.Hour
)

// httpChannel tells things by a preset.
type httpChannel struct {
	p       *preset.Preset
	fields  map[string]string // as configured: secrets are references
	secrets []string          // names of the fields that are
	client  *http.Client
	now     func() time.Time
}

func newHTTP(kind string, fields map[string]string) (*httpChannel, error) {
	p, err := preset.Load(kind)
	if err != nil {
		return nil, err
	}
	c := &httpChannel{p: p, fields: map[string]string{}, now: time.Now, client: &http.Client{
		// A redirect would take the secret elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	list, _ := preset.Fields(kind)
	for _, f := range list {
		v := fields[f.Name]
		if v == "" {
			v = f.Default
		}
		c.fields[f.Name] = v
		if f.Secret && v != "" {
			c.secrets = append(c.secrets, f.Name)
		}
	}
	return c, nil
}

// Send implements [Channel].
func (c *httpChannel) Send(ctx context.Context, t Text) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	v := maps.Clone(c.fields)
	for _, name := range c.secrets {
		s, err := secret(v[name])
		if err != nil {
			return err
		}
		v[name] = s
	}
	req, limit := &c.p.Text, c.p.Limit
	if img := c.p.Image; img != nil && t.Image != nil && !img.Besides {
		req = img
		if img.Limit > 0 {
			limit = img.Limit
		}
	}
	if err := c.fill(v, t, limit); err != nil {
		return err
	}
	var err error
	told := t.Told
	if !told {
		err = c.do(ctx, req, v, t)
	}
	if img := c.p.Image; err == nil && img != nil && t.Image != nil && img.Besides {
		told = true
		err = c.do(ctx, img, v, t)
	}
	if err != nil {
		e := problem(err)
		e.Told = told
		e.Detail = c.hide(e.Detail, v)
		return e
	}
	return nil
}

// hide takes the secrets out of what a service or the network said, also as they
// stand in addresses, and keeps no more of it than a person reads.
func (c *httpChannel) hide(said string, v map[string]string) string {
	var forms []string
	for _, name := range c.secrets {
		s := v[name]
		if s == "" {
			continue
		}
		for _, form := range []string{s, url.PathEscape(s), url.QueryEscape(s)} {
			forms = append(forms, form, "***")
		}
		if u, err := url.Parse(s); err == nil && u.Host != "" && len(u.RequestURI()) > 1 {
			forms = append(forms, u.RequestURI(), "/***")
		}
	}
	return shorten(strings.NewReplacer(forms...).Replace(said), maxWords, utf8.RuneCountInString)
}

// fill puts the message's own fields beside the channel's.
func (c *httpChannel) fill(v map[string]string, t Text, limit int) error {
	title, body := t.Title, t.Body
	if c.p.Escape == "slack" {
		esc := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
		title, body = esc.Replace(title), esc.Replace(body)
	}
	length := lengths[c.p.LimitIn]
	if c.p.TitleLimit > 0 {
		title = shorten(title, c.p.TitleLimit, length)
	}
	title = shorten(title, limit/2, length)
	body = shorten(body, limit-length(title)-1, length)
	v["title"], v["body"] = title, body
	v["time"] = t.Message.Time.Format(time.RFC3339)
	if t.Image != nil {
		sum := md5.Sum(t.Image) //nolint:gosec // WeCom asks for it
		v["image_base64"], v["image_md5"] = base64.StdEncoding.EncodeToString(t.Image), hex.EncodeToString(sum[:])
	}
	if v["secret"] == "" {
		return nil
	}
	now := c.now()
	switch c.p.Sign {
	case "feishu":
		v["timestamp"] = strconv.FormatInt(now.Unix(), 10)
		v["sign"] = sign(v["timestamp"]+"\n"+v["secret"], "")
	case "dingtalk":
		v["timestamp"] = strconv.FormatInt(now.UnixMilli(), 10)
		v["sign"] = sign(v["secret"], v["timestamp"]+"\n"+v["secret"])
	}
	return nil
}

func sign(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// lengths are what services count texts in; see [preset.Preset].
var lengths = map[string]func(string) int{
	"":      utf8.RuneCountInString,
	"bytes": func(s string) int { return len(s) },
	"utf16": func(s string) (n int) {
		for _, r := range s {
			n += utf16.RuneLen(r)
		}
		return n
	},
}

// shorten cuts s to at most n, counted by length, at a character's end.
func shorten(s string, n int, length func(string) int) string {
	if length(s) <= n {
		return s
	}
	n -= length("…")
	cut := 0
	for cut < len(s) {
		_, size := utf8.DecodeRuneInString(s[cut:])
		if n -= length(s[cut : cut+size]); n < 0 {
			break
		}
		cut += size
	}
	return s[:cut] + "…"
}

// do makes one request and judges its answer.
func (c *httpChannel) do(ctx context.Context, r *preset.Request, v map[string]string, t Text) error {
	body, contentType, err := requestBody(r, v, t)
	if err != nil {
		return err
	}
	addr, err := address(r, v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodPost), addr, bytes.NewReader(body))
	if err != nil {
		return &Error{Problem: ProblemConfig, Detail: "the address cannot be used"}
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "ncatd")
	if c.p.Sign == "hmac" && v["secret"] != "" {
		h := hmac.New(sha256.New, []byte(v["secret"]))
		h.Write(body)
		v["sign"] = "sha256=" + hex.EncodeToString(h.Sum(nil))
	}
	for name, value := range r.Headers {
		if s, ok := expand(value, v, nil); ok {
			req.Header.Set(name, mime.BEncoding.Encode("utf-8", s))
		}
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return network(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return network(err)
	}
	return c.judge(resp, answer)
}

// address is the request's URL with its fields put in.
func address(r *preset.Request, v map[string]string) (string, error) {
	s, _ := expand(r.URL, v, func(name, value string) string {
		if name == "base" || name == "url" {
			return strings.TrimRight(value, "/")
		}
		return url.PathEscape(value)
	})
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", &Error{Problem: ProblemConfig, Detail: "the address is no http or https URL"}
	}
	q := u.Query()
	for name, value := range r.Query {
		if s, ok := expand(value, v, nil); ok {
			q.Set(name, s)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func requestBody(r *preset.Request, v map[string]string, t Text) (body []byte, contentType string, err error) {
	switch {
	case r.Bytes:
		return t.Image, "image/png", nil
	case r.File != "":
		return form(r, v, t)
	default:
		b, err := encode(r.JSON, v, t)
		return b, "application/json; charset=utf-8", err
	}
}

func form(r *preset.Request, v map[string]string, t Text) ([]byte, string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(r.Form)) {
		if s, ok := expand(r.Form[name], v, nil); ok {
			if err := w.WriteField(name, s); err != nil {
				return nil, "", err
			}
		}
	}
	for name, tree := range r.FormJSON {
		enc, err := encode(tree, v, t)
		if err != nil {
			return nil, "", err
		}
		if err := w.WriteField(name, string(enc)); err != nil {
			return nil, "", err
		}
	}
	f, err := w.CreateFormFile(r.File, "qr.png")
	if err != nil {
		return nil, "", err
	}
	if _, err := f.Write(t.Image); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

// encode fills a tree and writes it as JSON, which escapes what has to be.
func encode(tree any, v map[string]string, t Text) ([]byte, error) {
	filled, _ := fillTree(tree, v, t)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(filled); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// fillTree returns the tree with its fields put in; ok is false if all of them
// are empty.
func fillTree(tree any, v map[string]string, t Text) (filled any, ok bool) {
	switch x := tree.(type) {
	case string:
		if x == "@items" {
			return t.Message.Items, true
		}
		if text, number := strings.CutPrefix(x, "#"); number {
			s, _ := expand(text, v, nil)
			n, err := strconv.Atoi(s)
			return n, err == nil
		}
		return expand(x, v, nil)
	case map[string]any:
		m := map[string]any{}
		for k, val := range x {
			if f, ok := fillTree(val, v, t); ok {
				m[k] = f
			}
		}
		return m, true
	case []any:
		list := make([]any, 0, len(x))
		for _, val := range x {
			if f, ok := fillTree(val, v, t); ok {
				list = append(list, f)
			}
		}
		return list, true
	default:
		return tree, true
	}
}

var field = regexp.MustCompile(`\{[a-z0-9_]+\}`)

// expand puts fields into a text; ok is false if it has some and all are empty.
func expand(text string, v map[string]string, escape func(name, value string) string) (s string, ok bool) {
	some, any := false, false
	s = field.ReplaceAllStringFunc(text, func(f string) string {
		name := f[1 : len(f)-1]
		some, any = true, any || v[name] != ""
		if escape != nil {
			return escape(name, v[name])
		}
		return v[name]
	})
	return s, any || !some
}

// network says what kind of trouble there was, without the URL, which may hold
// a secret.
func network(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &name), errors.As(err, &authority), errors.As(err, &invalid), errors.As(err, &verify):
		return &Error{Problem: ProblemCertificate, Detail: err.Error()}
	default:
		return &Error{Problem: ProblemUnreachable, Detail: err.Error()}
	}
}

// judge says whether an answer is a yes.
func (c *httpChannel) judge(resp *http.Response, answer []byte) error {
	var tree any
	text := strings.Join(strings.Fields(string(answer)), " ")
	isJSON := json.Unmarshal(answer, &tree) == nil
	words, own := first(tree, c.p.Words), first(tree, c.p.Code)
	if words == "" {
		words = resp.Status
		if text != "" && utf8.ValidString(text) {
			words += ": " + text
		}
	}
	if !isJSON {
		own = text
	}
	no := func(p Problem) error { return &Error{Problem: p, Detail: words, After: c.after(resp, tree)} }
	for problem, numbers := range c.p.Means {
		if slices.Contains(numbers, own) {
			return no(Problem(problem))
		}
	}
	code := resp.StatusCode
	if n, err := strconv.Atoi(own); err == nil && code == http.StatusOK && n >= 400 && n < 600 {
		code = n // many tell by HTTP only that they were reached
	}
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return no(ProblemToken)
	case code == http.StatusNotFound, code == http.StatusGone:
		return no(ProblemAddress)
	case code == http.StatusTooManyRequests:
		return no(ProblemBusy)
	case code >= 500:
		return no(ProblemServer)
	case code < 200 || code >= 300:
		return no(ProblemRefused)
	case !isJSON && c.strange(text):
		return no(ProblemAnswer)
	case isJSON && !c.taken(tree):
		return no(ProblemRefused)
	}
	return nil
}

// strange reports whether a text that is no JSON is not the service's either.
func (c *httpChannel) strange(text string) bool {
	switch {
	case c.p.Yes != "":
		return text != c.p.Yes
	case len(c.p.OK) > 0:
		return true
	}
	return len(c.p.No) > 0 && text != ""
}

// taken reports whether an answer in JSON says that the message was taken.
func (c *httpChannel) taken(tree any) bool {
	for paths, want := range c.p.OK {
		some := false
		for path := range strings.SplitSeq(paths, "|") {
			got := at(tree, path)
			if got != "" && got != want {
				return false
			}
			some = some || got != ""
		}
		if !some {
			return false
		}
	}
	return !slices.ContainsFunc(c.p.No, func(path string) bool {
		got := at(tree, path)
		return got != "" && got != "0" && got != "false"
	})
}

func (c *httpChannel) after(resp *http.Response, tree any) time.Duration {
	for _, s := range []string{resp.Header.Get("Retry-After"), at(tree, c.p.Retry)} {
		if n, err := strconv.ParseFloat(s, 64); err == nil && n > 0 {
			return time.Duration(min(n, longestAsked.Seconds()) * float64(time.Second))
		}
		if t, err := http.ParseTime(s); err == nil {
			return min(max(0, t.Sub(c.now())), longestAsked)
		}
	}
	return 0
}

// first returns the first that says something of what stands at paths with |
// between them; one that says "0" says nothing.
func first(tree any, paths string) string {
	for path := range strings.SplitSeq(paths, "|") {
		if s := at(tree, path); s != "" && s != "0" {
			return s
		}
	}
	return ""
}

// at returns what stands at a path of keys with dots, as text.
func at(tree any, path string) string {
	for key := range strings.SplitSeq(path, ".") {
		m, ok := tree.(map[string]any)
		if !ok {
			return ""
		}
		tree = m[key]
	}
	if tree == nil {
		return ""
	}
	if f, ok := tree.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(tree)
}
