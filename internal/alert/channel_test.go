package alert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/alert/preset"
)

// testCert is valid for 127.0.0.1 only; TestMain makes it one that this process
// trusts.
var testCert tls.Certificate

func TestMain(m *testing.M) {
	if path := os.Getenv(envStore); path != "" {
		log.Fatal(child(path, os.Getenv(envWorld)))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	testCert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	dir, err := os.MkdirTemp("", "alert")
	if err != nil {
		log.Fatal(err)
	}
	roots := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		log.Fatal(err)
	}
	os.Setenv("SSL_CERT_FILE", roots)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// got is a request as a service saw it.
type got struct {
	method, path, contentType string
	query                     url.Values
	header                    http.Header
	body                      []byte
}

// service is a fake service over TLS that answers each request with the next of
// answers, the last one again and again.
func service(t *testing.T, answers ...func(http.ResponseWriter)) (base string, requests *[]got) {
	t.Helper()
	requests = new([]got)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		*requests = append(*requests, got{r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.URL.Query(), r.Header, b})
		answers[min(len(*requests), len(answers))-1](w)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{testCert}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, requests
}

func says(status int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// odd is what a nickname may do to a payload.
const odd = "a \"quoted\" \\ line\nof <b>two</b> & 😀 \u202e"

var png = []byte("\x89PNG\r\n\x1a\nnot really")

func channel(t *testing.T, kind string, fields map[string]string) *httpChannel {
	t.Helper()
	c, err := newHTTP(kind, fields)
	if err != nil {
		t.Fatal(err)
	}
	c.now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	return c
}

// presetCases are the services' documented requests.
var presetCases = map[string]struct {
	fields map[string]string
	answer string
	path   string
	query  string
	header map[string]string
	body   string // JSON; $T and $B are title and body as JSON strings' insides
}{
	"telegram":   {map[string]string{"token": "env:TOK", "chat_id": "-100"}, `{"ok":true}`, "/bots3cret:x/sendMessage", "", nil, `{"chat_id":"-100","text":"$T\n$B"}`},
	"bark":       {map[string]string{"key": "env:TOK"}, `{"code":200,"message":"success"}`, "/push", "", nil, `{"device_key":"s3cret:x","title":"$T","body":"$B","group":"ncatd","level":"active"}`},
	"serverchan": {map[string]string{"key": "env:TOK"}, `{"code":0}`, "/s3cret:x.send", "", nil, `{"title":"$T","desp":"$B"}`},
	"pushplus":   {map[string]string{"token": "env:TOK"}, `{"code":200}`, "/send", "", nil, `{"token":"s3cret:x","title":"$T","content":"$B","template":"txt"}`},
	"ntfy":       {map[string]string{"token": "env:TOK", "topic": "bots"}, `{"id":"x"}`, "/", "", map[string]string{"Authorization": "Bearer s3cret:x"}, `{"topic":"bots","title":"$T","message":"$B","priority":4,"tags":["warning"]}`},
	"gotify":     {map[string]string{"token": "env:TOK"}, `{"id":1}`, "/message", "", map[string]string{"X-Gotify-Key": "s3cret:x"}, `{"title":"$T","message":"$B","priority":8}`},
	"wecom":      {map[string]string{"key": "env:TOK"}, `{"errcode":0,"errmsg":"ok"}`, "/cgi-bin/webhook/send", "key=s3cret%3Ax", nil, `{"msgtype":"text","text":{"content":"$T\n$B"}}`},
	"feishu": {map[string]string{"token": "env:TOK", "secret": "env:SIG"}, `{"code":0}`, "/open-apis/bot/v2/hook/s3cret:x", "", nil,
		`{"timestamp":"1700000000","sign":"` + sign("1700000000\nsig", "") + `","msg_type":"text","content":{"text":"$T\n$B"}}`},
	"dingtalk": {map[string]string{"token": "env:TOK", "secret": "env:SIG"}, `{"errcode":0}`, "/robot/send",
		"access_token=s3cret%3Ax&sign=" + url.QueryEscape(sign("sig", "1700000000000\nsig")) + "&timestamp=1700000000000", nil, `{"msgtype":"text","text":{"content":"$T\n$B"}}`},
	"discord": {map[string]string{"url": "env:URL"}, `{"id":"1"}`, "/hook", "wait=true", nil, `{"content":"$T\n$B","allowed_mentions":{"parse":[]}}`},
	"slack":   {map[string]string{"url": "env:URL"}, "ok", "/hook", "", nil, ""},
	"webhook": {map[string]string{"url": "", "secret": "env:SIG"}, "", "/hook", "", nil, ""},
}

// ready is a channel of a kind whose service is at base, as presetCases
// configures it.
func ready(t *testing.T, kind, base string) *httpChannel {
	t.Helper()
	t.Setenv("TOK", "s3cret:x")
	t.Setenv("SIG", "sig")
	t.Setenv("URL", base+"/hook")
	fields := maps.Clone(presetCases[kind].fields)
	fields["base"] = base
	if url, ok := fields["url"]; ok && url == "" {
		fields["url"] = base + "/hook"
	}
	return channel(t, kind, fields)
}

func TestPresets(t *testing.T) {
	for _, kind := range preset.Kinds() {
		if preset.Builtin(kind) {
			continue
		}
		c, ok := presetCases[kind]
		if !ok {
			t.Errorf("preset %s has no case", kind)
			continue
		}
		t.Run(kind, func(t *testing.T) {
			base, requests := service(t, says(200, c.answer))
			title := "ncatd: main"
			if err := ready(t, kind, base).Send(t.Context(), Text{Title: title, Body: odd, Message: Message{Time: t0, Items: []Item{{Phase: Firing, Condition: Condition{Kind: KindTest}}}}}); err != nil {
				t.Fatal(err)
			}
			r := (*requests)[0]
			if r.method != "POST" || r.path != c.path || r.query.Encode() != c.query {
				t.Errorf("%s %s?%s, want POST %s?%s", r.method, r.path, r.query.Encode(), c.path, c.query)
			}
			for k, v := range c.header {
				if r.header.Get(k) != v {
					t.Errorf("%s: %q, want %q", k, r.header.Get(k), v)
				}
			}
			inside := func(s string) string { b, _ := json.Marshal(s); return string(b[1 : len(b)-1]) }
			if want := strings.NewReplacer("$T", inside(title), "$B", inside(odd)).Replace(c.body); want != "" {
				var x, y any
				if err := errors.Join(json.Unmarshal(r.body, &x), json.Unmarshal([]byte(want), &y)); err != nil {
					t.Fatalf("%v: %s", err, r.body)
				}
				bx, _ := json.Marshal(x)
				by, _ := json.Marshal(y)
				if !bytes.Equal(bx, by) {
					t.Errorf("sent %s\nwant %s", bx, by)
				}
			}
			switch kind {
			case "slack":
				if want := `{"text":"ncatd: main\na \"quoted\" \\ line\nof &lt;b&gt;two&lt;/b&gt; &amp; 😀 ` + "\u202e" + `"}`; string(r.body) != want {
					t.Errorf("sent %s\nwant %s", r.body, want)
				}
			case "webhook":
				mac := sign("sig", string(r.body))
				raw, _ := base64.StdEncoding.DecodeString(mac)
				if want := "sha256=" + hexOf(raw); r.header.Get("X-Signature") != want {
					t.Errorf("signature %q, want %q", r.header.Get("X-Signature"), want)
				}
				if !json.Valid(r.body) || !bytes.Contains(r.body, []byte(`"kind":"test"`)) {
					t.Errorf("sent %s", r.body)
				}
			}
		})
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}

func TestPictures(t *testing.T) {
	t.Setenv("TOK", "s3cret")
	text := Text{Title: "登录", Body: "扫码\n第二行", Image: png}
	form := func(t *testing.T, r got) map[string]string {
		_, params, err := mime.ParseMediaType(r.contentType)
		if err != nil {
			t.Fatal(err)
		}
		req := &http.Request{Method: "POST", Header: http.Header{"Content-Type": {r.contentType}}, Body: io.NopCloser(bytes.NewReader(r.body))}
		if params["boundary"] == "" || req.ParseMultipartForm(1<<20) != nil {
			t.Fatalf("no form: %s", r.contentType)
		}
		parts := map[string]string{}
		for k, v := range req.MultipartForm.Value {
			parts[k] = v[0]
		}
		for k, v := range req.MultipartForm.File {
			f, _ := v[0].Open()
			b, _ := io.ReadAll(f)
			parts[k] = string(b)
		}
		return parts
	}
	t.Run("telegram", func(t *testing.T) {
		base, requests := service(t, says(200, `{"ok":true}`))
		if err := channel(t, "telegram", map[string]string{"base": base, "token": "env:TOK", "chat_id": "7"}).Send(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		p := form(t, (*requests)[0])
		if (*requests)[0].path != "/bots3cret/sendPhoto" || p["photo"] != string(png) || p["caption"] != "登录\n扫码\n第二行" || p["chat_id"] != "7" {
			t.Errorf("%s %q", (*requests)[0].path, p)
		}
	})
	t.Run("discord", func(t *testing.T) {
		base, requests := service(t, says(200, `{}`))
		t.Setenv("URL", base+"/hook")
		if err := channel(t, "discord", map[string]string{"url": "env:URL"}).Send(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		if p := form(t, (*requests)[0]); p["files[0]"] != string(png) || !strings.Contains(p["payload_json"], `登录\n扫码`) {
			t.Errorf("%q", p)
		}
	})
	t.Run("ntfy", func(t *testing.T) {
		base, requests := service(t, says(200, `{}`))
		if err := channel(t, "ntfy", map[string]string{"base": base, "topic": "bots"}).Send(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		r := (*requests)[0]
		words, err := new(mime.WordDecoder).DecodeHeader(r.header.Get("Message"))
		if r.method != "PUT" || r.path != "/bots" || !bytes.Equal(r.body, png) || err != nil || words != text.Body {
			t.Errorf("%s %s %q %v", r.method, r.path, words, err)
		}
		if r.header.Get("Authorization") != "" {
			t.Error("an empty token was sent")
		}
	})
	t.Run("wecom", func(t *testing.T) {
		base, requests := service(t, says(200, `{"errcode":0}`))
		if err := channel(t, "wecom", map[string]string{"base": base, "key": "env:TOK"}).Send(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		if len(*requests) != 2 || !bytes.Contains((*requests)[1].body, []byte(base64.StdEncoding.EncodeToString(png))) {
			t.Errorf("%d requests", len(*requests))
		}
	})
}

// TestWordsAreToldOnce: where the picture is a message of its own and not taken, the
// next try is of the picture alone.
func TestWordsAreToldOnce(t *testing.T) {
	t.Setenv("TOK", "s3cret")
	yes, no := says(200, `{"errcode":0}`), says(502, "")
	base, requests := service(t, yes, no, no, yes)
	c := channel(t, "wecom", map[string]string{"base": base, "key": "env:TOK"})
	told := Text{Title: "title", Body: "body"}
	told.Image = png
	var e *Error
	if err := c.Send(t.Context(), told); !errors.As(err, &e) || !e.Told || e.Problem != ProblemServer {
		t.Fatalf("%+v", e)
	}
	told.Told = e.Told
	if err := c.Send(t.Context(), told); !errors.As(err, &e) || !e.Told {
		t.Fatalf("%+v", e)
	}
	if err := c.Send(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, r := range *requests {
		var m struct {
			Type string `json:"msgtype"`
		}
		if err := json.Unmarshal(r.body, &m); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, m.Type)
	}
	if !slices.Equal(kinds, []string{"text", "image", "image", "image"}) {
		t.Errorf("%v", kinds)
	}
}

// TestLongTextsAreCut: what each service is sent of a text that is longer than it
// takes is as much as it takes, whole characters, and escaped.
func TestLongTextsAreCut(t *testing.T) {
	for kind, c := range map[string]struct {
		limit, bytes int // of the text, of the whole request
		length       func(string) int
		text         string // where it stands
	}{
		"telegram":   {4096, 20_000, lengths["utf16"], "text"},
		"bark":       {2800, 4096, lengths["bytes"], "title+body"},
		"serverchan": {8000, 32_000, lengths[""], "title+desp"},
		"pushplus":   {8000, 1 << 20, lengths[""], "title+content"},
		"ntfy":       {4000, 1 << 20, lengths["bytes"], "title+message"},
		"gotify":     {8000, 1 << 20, lengths[""], "title+message"},
		"wecom":      {2048, 4096, lengths["bytes"], "text.content"},
		"feishu":     {8000, 20 << 10, lengths["bytes"], "content.text"},
		"dingtalk":   {8000, 20_000, lengths["bytes"], "text.content"},
		"discord":    {2000, 1 << 20, lengths["utf16"], "content"},
		"slack":      {8000, 1 << 20, lengths[""], "text"},
		"webhook":    {100_000, 1 << 20, lengths[""], "title+text"},
	} {
		for name, long := range map[string]string{
			"of all kinds": strings.Repeat("喵\"😀\n", 30_000),
			"of quotes":    strings.Repeat("\"", 120_000),
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				base, requests := service(t, says(200, presetCases[kind].answer))
				if err := ready(t, kind, base).Send(t.Context(), Text{Title: "登录", Body: long, Message: Message{Time: t0}}); err != nil {
					t.Fatal(err)
				}
				var m map[string]any
				if err := json.Unmarshal((*requests)[0].body, &m); err != nil {
					t.Fatal(err)
				}
				n, sent := 0, ""
				for part := range strings.SplitSeq(c.text, "+") {
					sent += at(m, part)
					n += c.length(at(m, part))
				}
				if n > c.limit || n < c.limit-8 || !strings.HasPrefix(sent, "登录") || !strings.HasSuffix(sent, "…") || strings.ContainsRune(sent, utf8.RuneError) {
					t.Errorf("%d of %d", n, c.limit)
				}
				if name == "of all kinds" && len((*requests)[0].body) > c.bytes {
					t.Errorf("%d bytes, at most %d", len((*requests)[0].body), c.bytes)
				}
			})
		}
	}
}

// TestTrouble wants each kind of trouble named, and the secret in none.
func TestTrouble(t *testing.T) {
	t.Setenv("TOK", "s3cret")
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		want   Problem
		after  time.Duration
		words  string
	}{
		"wrong token":   {says(401, `{"ok":false,"description":"Unauthorized s3cret"}`), ProblemToken, 0, "Unauthorized ***"},
		"gone":          {says(404, `{"ok":false,"description":"Not Found"}`), ProblemAddress, 0, "Not Found"},
		"refused":       {says(400, `{"ok":false,"description":"Bad Request: chat not found"}`), ProblemRefused, 0, "chat not found"},
		"a no in a 200": {says(200, `{"ok":false,"description":"no"}`), ProblemRefused, 0, "no"},
		"not its JSON":  {says(200, `<html>captive portal`), ProblemAnswer, 0, "captive portal"},
		"busy, header":  {says(429, `{}`, "Retry-After", "7"), ProblemBusy, 7 * time.Second, ""},
		"busy, JSON":    {says(429, `{"parameters":{"retry_after":9}}`), ProblemBusy, 9 * time.Second, ""},
		"broken":        {says(500, `oops`), ProblemServer, 0, "oops"},
		"a redirect":    {says(302, ``, "Location", "https://evil.invalid/"), ProblemRefused, 0, "302"},
	} {
		t.Run(name, func(t *testing.T) {
			base, requests := service(t, c.answer)
			err := channel(t, "telegram", map[string]string{"base": base, "token": "env:TOK", "chat_id": "1"}).Send(t.Context(), Text{Title: "x"})
			var e *Error
			if !errors.As(err, &e) || e.Problem != c.want || e.After != c.after || !strings.Contains(e.Detail, c.words) || strings.Contains(e.Error(), "s3cret") {
				t.Errorf("%v, want %s after %s with %q", err, c.want, c.after, c.words)
			}
			if len(*requests) != 1 {
				t.Errorf("%d requests", len(*requests))
			}
		})
	}
	send := func(base string) *Error {
		return problem(channel(t, "telegram", map[string]string{"base": base, "token": "env:TOK", "chat_id": "1"}).Send(t.Context(), Text{Title: "x"}))
	}
	base, _ := service(t, says(200, `{"ok":true}`))
	if e := send(strings.Replace(base, "127.0.0.1", "localhost", 1)); e == nil || e.Problem != ProblemCertificate {
		t.Errorf("a certificate of another name: %v", e)
	}
	if e := send("https://127.0.0.1:1"); e == nil || e.Problem != ProblemUnreachable || strings.Contains(e.Detail, "s3cret") {
		t.Errorf("nobody there: %v", e)
	}
	if e := send("ftp://127.0.0.1"); e == nil || e.Problem != ProblemConfig {
		t.Errorf("no http: %v", e)
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	good, open, empty := write("good", "k3y\n", 0o600), write("open", "k3y", 0o644), write("empty", "", 0o600)
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("K", " k3y\n")
	for from, want := range map[string]string{
		"env:K": "k3y", "file:" + good: "k3y", "credential:good": "k3y", "credential:../" + filepath.Base(dir) + "/good": "k3y",
		"env:NONE": "", "file:" + open: "", "file:" + empty: "", "file:/dev/zero": "", "k3y": "",
	} {
		v, err := secret(from)
		if v != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", from, v, err)
		}
		if err != nil && strings.Contains(err.Error(), "k3y") {
			t.Errorf("%s: the error tells the secret: %v", from, err)
		}
	}
}
