package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/ncatd/ncatd/internal/cli/text"
)

//go:embed static
var files embed.FS

// policy lets the pages use what the server itself gives them and nothing else.
// There is no inline code, no foreign address, and no way to turn a text into
// markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// textHeads are the beginnings of the catalogue's codes that the pages use.
var textHeads = []string{"console.", "state.", "reason.", "fault.", "hint.fault.", "login.failed.", "login.method.", "doctor.mark.", "plugin.", "alert.kind."}

// asset is one file, compressed when somebody first asks for it.
type asset struct {
	mime string
	load func() []byte

	once   sync.Once
	plain  []byte
	packed []byte
	tag    string
}

func (a *asset) prepare() {
	a.once.Do(func() {
		a.plain = a.load()
		sum := sha256.Sum256(a.plain)
		a.tag = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
		if strings.HasPrefix(a.mime, "image/png") {
			return
		}
		var b bytes.Buffer
		// Neither can fail: the level is a right one and the buffer grows.
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		_, _ = z.Write(a.plain)
		_ = z.Close()
		a.packed = b.Bytes()
	})
}

// Pages returns the handler of the pages: GET / and everything below /console/.
func Pages() http.Handler {
	assets := map[string]*asset{}
	_ = fs.WalkDir(files, "static", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimSuffix(p, ".gz")
		typ := mime.TypeByExtension(path.Ext(name))
		switch path.Ext(name) { // whatever the machine's own table says
		case ".js":
			typ = "text/javascript; charset=utf-8"
		case ".css":
			typ = "text/css; charset=utf-8"
		case ".html":
			typ = "text/html; charset=utf-8"
		case ".svg":
			typ = "image/svg+xml"
		case ".txt":
			typ = "text/plain; charset=utf-8"
		}
		assets["/console/"+strings.TrimPrefix(name, "static/")] = &asset{mime: typ, load: func() []byte { return embedded(p) }}
		return nil
	}) // an embedded tree is read without errors
	for _, l := range []text.Lang{text.English, text.Chinese} {
		assets["/console/texts."+string(l)+".json"] = &asset{mime: "application/json; charset=utf-8", load: func() []byte {
			b, _ := json.Marshal(text.Texts(l, textHeads...)) // strings by strings
			return b
		}}
	}
	assets["/"] = assets["/console/index.html"]
	delete(assets, "/console/index.html")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		Headers(h)
		a := assets[r.URL.Path]
		if a == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.NotFound(w, r)
			return
		}
		a.prepare()
		h.Set("Cache-Control", "no-cache") // asked for each time, sent when it changed
		h.Set("Content-Security-Policy", policy)
		h.Set("Content-Type", a.mime)
		h.Set("ETag", a.tag)
		h.Set("Vary", "Accept-Encoding")
		if r.Header.Get("If-None-Match") == a.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		body := a.plain
		if a.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = a.packed
		}
		if r.Method == http.MethodGet {
			_, _ = w.Write(body) // the reader has gone; nothing to tell it
		}
	})
}

// embedded returns a file of the tree. What is large is in it as .gz, as it would
// be a third of a percent of the program.
func embedded(p string) []byte {
	b, _ := files.ReadFile(p) // the tree has it
	if strings.HasSuffix(p, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err == nil {
			b, err = io.ReadAll(z)
		}
		if err != nil {
			panic("console: the embedded " + p + " does not unpack: " + err.Error())
		}
	}
	return b
}

// Headers sets what every answer to a browser has.
func Headers(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// IsPage reports whether a path is one of the pages' rather than of the API.
func IsPage(p string) bool { return p == "/" || strings.HasPrefix(p, "/console/") }
