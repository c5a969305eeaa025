package napcatsim

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Limits of the real WebUI.
const (
	portTries     = 100
	bodyLimit     = 100 << 10
	gzipThreshold = 1 << 10
)

// webui is NapCat's WebUI: an HTTP server for people and launchers.
type webui struct {
	w      *worker
	conf   *webuiConfig
	auth   *authenticator
	routes map[string]route
	server *http.Server

	url string // http://host:port that it listens on, "" if it does not
	tls bool
}

// route is one endpoint below /api.
type route struct {
	method string // "" is any
	body   bool   // an absent body is an exception in the real handler
	do     func(*request) reply
	// stream takes the connection over, in place of do.
	stream func(http.ResponseWriter, *request)
}

// request is one call of an endpoint.
type request struct {
	*http.Request
	body map[string]any // never nil
	ip   string
	// waited says that the request came while the worker was frozen.
	waited bool
}

func (r *request) str(k string) string { s, _ := r.body[k].(string); return s }

// reply is NapCat's envelope. A nil reply is an exception in the real handler.
type reply map[string]any

// envelope fixes the key order: code, data, message.
func (r reply) bytes() []byte {
	var b bytes.Buffer
	b.WriteString(`{"code":` + string(jsonLine(r["code"])))
	if d, ok := r["data"]; ok {
		b.WriteString(`,"data":` + string(jsonLine(d)))
	}
	b.WriteString(`,"message":` + string(jsonLine(r["message"])) + "}")
	return b.Bytes()
}

// jsonLine is v as JavaScript would write it: no escapes for HTML.
func jsonLine(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("napcatsim: %T is not JSON: %v", v, err)) // our own values only
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func success(data any) reply   { return reply{"code": 0, "data": data, "message": "success"} }
func done() reply              { return reply{"code": 0, "message": "success"} }
func failure(msg string) reply { return reply{"code": -1, "message": msg} }

var exception = failure("An unknown error occurred.")

func newWebUI(w *worker, conf *webuiConfig) *webui {
	u := &webui{w: w, conf: conf}
	u.auth = newAuthenticator(conf, w.p.env["NAPCAT_WEBUI_JWT_SECRET_KEY"], func() {
		if err := w.store.change(func(s *servers) { s.WebUILogins++ }); err != nil {
			w.log.error(err.Error())
		}
	})
	u.routes = map[string]route{}
	for _, set := range []map[string]route{u.authRoutes(), u.loginRoutes(), u.configRoutes(), u.systemRoutes()} {
		for path, r := range set {
			u.routes[path] = r
		}
	}
	return u
}

// listen finds a port. The chosen one is seen only in the log.
func (u *webui) listen(ctx context.Context) (net.Listener, error) {
	host := u.conf.str("host")
	port := int(u.conf.num("port"))
	bind := host
	if host == "0.0.0.0" || host == "::" || host == "" {
		bind = "" // dual stack
	}
	try := func(port int) (net.Listener, error) {
		return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(bind, strconv.Itoa(port)))
	}
	if s := u.w.p.env["NAPCAT_WEBUI_PREFERRED_PORT"]; s != "" {
		if n, err := strconv.Atoi(s); err == nil && n > 0 {
			if l, err := try(n); err == nil {
				return l, nil
			}
		}
	}
	if port <= 0 || port > 65535 {
		return nil, errors.New("port " + strconv.Itoa(port))
	}
	var l net.Listener
	var err error
	for i := range portTries + 1 {
		if l, err = try(port + i); err == nil {
			return l, nil
		}
		if !inUse(err) {
			break
		}
	}
	return nil, err
}

// start opens the WebUI and prints its address; false if there is none.
func (u *webui) start(ctx context.Context) bool {
	log := u.w.log
	if u.conf.boolean("disableWebUI") {
		log.info("[NapCat] [WebUi] WebUI is disabled by configuration.")
		return false
	}
	if u.w.options().WebUIBusy && u.w.p.struck() {
		u.w.occupy(ctx, u.conf.str("host"), int(u.conf.num("port")))
	}
	l, err := u.listen(ctx)
	if err != nil {
		log.error("host或port不可用 " + err.Error())
		log.error("[NapCat] [WebUi] Current WebUi is not run.")
		return false
	}
	dir := filepath.Dir(u.conf.path)
	if cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")); err == nil {
		log.info("[NapCat] [WebUi] 找到SSL证书，将启用HTTPS模式")
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
		u.tls = true
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	u.server = &http.Server{Handler: u, ReadHeaderTimeout: time.Minute, ErrorLog: discardLog}
	u.w.tasks.Go(func() {
		if err := u.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.error("[NapCat] [Error] Unhandled Exception: " + err.Error())
		}
	})
	token, host := u.conf.str("token"), u.conf.str("host")
	u.url = "http://" + net.JoinHostPort("127.0.0.1", port)
	log.info("[NapCat] [WebUi] WebUi Token: " + token)
	log.info("[NapCat] [WebUi] WebUi User Panel Url: " + u.url + "/webui?token=" + token)
	log.info("[NapCat] [WebUi] WebUi User Panel Url: http://" + net.JoinHostPort(host, port) + "/webui?token=" + token)
	return true
}

// port is the one that the WebUI listens on, 0 if it does not.
func (u *webui) port() int {
	x, err := url.Parse(u.url)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(x.Port()) // none without an address
	return n
}

// ServeHTTP answers like the express application of the real one.
func (u *webui) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	waited := u.w.gate.closed()
	if waited {
		// The request is in the frozen process already: it is carried out after
		// the thaw whether anybody still waits for the answer or not.
		b, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit+1))
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		u.w.gate.wait(context.WithoutCancel(r.Context())) // the process is what ends it
	}
	if o := r.Header.Get("Origin"); o != "" {
		h := rw.Header()
		h.Set("Access-Control-Allow-Origin", o)
		h.Set("Access-Control-Allow-Credentials", "true")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			rw.WriteHeader(http.StatusNoContent)
			return
		}
	}
	ip := u.clientIP(r)
	if msg := u.refusesIP(ip); msg != "" {
		writeJSON(rw, r, http.StatusForbidden, jsonLine(map[string]string{"error": msg}))
		return
	}
	path := r.URL.Path
	if path != "/api" && !strings.HasPrefix(path, "/api/") {
		u.static(rw, r)
		return
	}
	q := &request{Request: r, body: map[string]any{}, ip: ip, waited: waited}
	present, err := readBody(q)
	if err != nil {
		writeJSON(rw, r, http.StatusOK, exception.bytes())
		return
	}
	// The exemption compares the whole URL, query included.
	open := strings.TrimPrefix(r.RequestURI, "/api")
	if open != "/auth/login" && open != "/auth/passkey/generate-authentication-options" && open != "/auth/passkey/verify-authentication" {
		if !u.auth.valid(credential(r)) {
			writeJSON(rw, r, http.StatusOK, failure("Unauthorized").bytes())
			return
		}
	}
	rt, ok := u.routes[strings.TrimSuffix(path, "/")]
	if !ok || rt.method != "" && rt.method != r.Method {
		notFound(rw, r)
		return
	}
	switch {
	case rt.stream != nil:
		rt.stream(rw, q)
	case rt.body && !present:
		writeJSON(rw, r, http.StatusOK, exception.bytes())
	default:
		writeJSON(rw, r, http.StatusOK, rt.do(q).bytes())
	}
}

// readBody reads a JSON body as express does; an error is its exception.
func readBody(r *request) (present bool, err error) {
	if !strings.Contains(r.Header.Get("Content-Type"), "json") || r.ContentLength == 0 {
		return false, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit+1))
	if err != nil {
		return false, err
	}
	if len(b) > bodyLimit {
		return false, errors.New("request entity too large")
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return false, nil
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return false, err
	}
	switch v := v.(type) {
	case map[string]any:
		r.body = v
	case []any:
	default:
		return false, errors.New("not an object") // express is strict about it
	}
	return true, nil
}

// credential is what the request shows: the second word of Authorization, or
// the query.
func credential(r *http.Request) string {
	if h := r.Header.Get("Authorization"); h != "" {
		words := strings.Split(h, " ")
		if len(words) > 1 {
			return words[1]
		}
		return ""
	}
	return r.URL.Query().Get("webui_token")
}

func writeJSON(rw http.ResponseWriter, r *http.Request, code int, b []byte) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	writeBody(rw, r, code, b)
}

// writeBody writes b, compressed when that is worth it. A client that went away
// does not matter.
func writeBody(rw http.ResponseWriter, r *http.Request, code int, b []byte) {
	if len(b) > gzipThreshold && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		rw.Header().Set("Content-Encoding", "gzip")
		rw.Header().Add("Vary", "Accept-Encoding")
		rw.WriteHeader(code)
		zw := gzip.NewWriter(rw)
		_, _ = zw.Write(b)
		_ = zw.Close()
		return
	}
	rw.Header().Set("Content-Length", strconv.Itoa(len(b)))
	rw.WriteHeader(code)
	_, _ = rw.Write(b)
}

// notFound is express's page for what it has no route for.
func notFound(rw http.ResponseWriter, r *http.Request) {
	path := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(r.URL.EscapedPath())
	page := "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n<pre>Cannot " +
		r.Method + " " + path + "</pre>\n</body>\n</html>\n"
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	writeBody(rw, r, http.StatusNotFound, []byte(page))
}

// static is everything outside /api: the frontend.
func (u *webui) static(rw http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/":
		rw.Header().Set("Location", "/webui")
		rw.WriteHeader(http.StatusMovedPermanently)
	case path == "/webui" || strings.HasPrefix(path, "/webui/"):
		root := filepath.Join(u.w.p.binaryPath(), "static")
		file := filepath.Join(root, filepath.FromSlash(strings.TrimPrefix(path, "/webui")))
		if fi, err := os.Stat(file); err != nil || fi.IsDir() || !strings.HasPrefix(file, root) {
			file = filepath.Join(root, "index.html") // the frontend finds its own way
		}
		b, err := os.ReadFile(file)
		if err != nil {
			notFound(rw, r)
			return
		}
		http.ServeContent(rw, r, filepath.Base(file), time.Time{}, bytes.NewReader(b))
	default:
		notFound(rw, r)
	}
}
