package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ncatd/ncatd/onebot"
)

// maxPlaced is how many files one call may name.
const maxPlaced = 64

// errPrivate refuses a file that no app may send.
var errPrivate = errors.New("this file belongs to ncatd and is not sent")

// place brings the files that a call names by a path to where NapCat can read
// them: those in the app's folders, by stream upload (contract E.3). Other paths
// stay as they are, except that those of ncatd itself are refused. What names no
// file passes untouched.
func (a *App) place(ctx context.Context, acc *Account, r *request) ([]byte, error) {
	params := r.params
	if !slices.ContainsFunc([]string{"file:", `"/`, `\/`, "=/", "../", `\u`, `..\`}, func(s string) bool { return bytes.Contains(params, []byte(s)) }) {
		return params, nil
	}
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.UseNumber() // numbers stay as they are written
	var v any
	if dec.Decode(&v) != nil {
		return params, nil // NapCat says what is wrong with it
	}
	p := placer{app: a, ctx: ctx, acc: acc}
	if op, ok := v.(map[string]any); ok && quickly(r.action) {
		op["operation"] = p.walk("", op["operation"]) // beside it is what NapCat itself sent
	} else {
		v = p.walk("", v)
	}
	if p.err != nil {
		return nil, p.err
	}
	if p.changed == 0 {
		return params, nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

type placer struct {
	app     *App
	acc     *Account
	ctx     context.Context //nolint:containedctx // it lives as long as one call
	changed int
	err     error
}

// walk returns v with its files placed. Files stand under the keys of a segment's
// source (contract H.2).
func (p *placer) walk(key string, v any) any {
	switch x := v.(type) {
	case map[string]any:
		file, _ := x["file"].(string)
		for k, e := range x {
			x[k] = p.walk(k, e)
		}
		if placed, _ := x["file"].(string); placed != file && x["name"] == nil {
			path, _ := localPath(file)
			x["name"] = filepath.Base(path) // what people see
		}
	case []any:
		for i, e := range x {
			x[i] = p.walk(key, e)
		}
	case string:
		switch key {
		case "file", "url", "path", "thumb", "cover", "image":
			return p.source(x)
		case "message", "raw_message", "content", "reply":
			return p.codes(x)
		}
	}
	return v
}

// codes places the files of CQ codes in a text (contract H.3).
func (p *placer) codes(text string) string {
	var out strings.Builder
	for {
		i := strings.Index(text, "[CQ:")
		n := strings.IndexByte(text[max(i, 0):], ']')
		if i < 0 || n < 0 {
			break
		}
		parts := strings.Split(text[i:i+n], ",")
		name := ""
		for k, part := range parts[1:] {
			switch key, was, _ := strings.Cut(part, "="); key {
			case "file", "url", "path", "thumb":
				value := cqUnescape(was)
				if is := p.source(value); is != value {
					parts[k+1] = key + "=" + cqEscape(is)
					if path, _ := localPath(value); key == "file" {
						name = filepath.Base(path) // what people see
					}
				}
			}
		}
		if name != "" && !slices.ContainsFunc(parts, func(s string) bool { return strings.HasPrefix(s, "name=") }) {
			parts = append(parts, "name="+cqEscape(name))
		}
		out.WriteString(text[:i])
		out.WriteString(strings.Join(parts, ","))
		text = text[i+n:]
	}
	return out.String() + text
}

func cqUnescape(s string) string {
	return strings.NewReplacer("&#44;", ",", "&#91;", "[", "&#93;", "]", "&amp;", "&").Replace(s)
}

func cqEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", ",", "&#44;", "[", "&#91;", "]", "&#93;").Replace(s)
}

// source returns what NapCat is told in place of s.
func (p *placer) source(s string) string {
	path, ok := localPath(s)
	if p.err != nil {
		return s
	}
	if !ok { // NapCat looks for what has no scheme in its own folder, which is within ours
		if !strings.Contains(s, ":") && slices.Contains(strings.FieldsFunc(s, func(r rune) bool { return r == '/' || r == '\\' }), "..") {
			p.err = fmt.Errorf("%s: %w", s, errPrivate)
		}
		return s
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for _, dir := range p.app.c.Folders.Private {
		if within(path, dir) && !p.app.mine(path) && !p.app.told(path) {
			p.err = fmt.Errorf("%s: %w", s, errPrivate)
			return s
		}
	}
	if !p.app.mine(path) {
		return s
	}
	if p.changed++; p.changed > maxPlaced {
		p.err = fmt.Errorf("more than %d files in one call", maxPlaced)
		return s
	}
	up, link := p.acc.reach(p.app.c.Name)
	if up == nil {
		return s // the call itself fails for that
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	defer context.AfterFunc(link, cancel)()
	placed, err := upload(ctx, up, path)
	if err != nil {
		p.err = fmt.Errorf("%s: %w", s, err)
		return s
	}
	return placed
}

// mine reports whether a file lies in one of the app's folders.
func (a *App) mine(path string) bool {
	for _, dir := range a.c.Folders.Own {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
		if within(path, dir) {
			return true
		}
	}
	return false
}

// told reports whether a file lies in one of NapCat's folders that it tells apps of.
func (a *App) told(path string) bool {
	for _, pattern := range a.c.Folders.Open {
		dirs, _ := filepath.Glob(pattern) // one that is not well formed matches nothing
		for _, dir := range dirs {
			if real, err := filepath.EvalSymlinks(dir); err == nil && within(path, real) {
				return true
			}
		}
	}
	return false
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// localPath returns the path that a source names, in one of the forms that NapCat
// takes for one (contract H.2).
func localPath(s string) (string, bool) {
	if rest, ok := strings.CutPrefix(s, "file://"); ok {
		if p, err := url.PathUnescape(rest); err == nil {
			rest = p
		}
		return filepath.Clean(rest), filepath.IsAbs(rest)
	}
	return filepath.Clean(s), filepath.IsAbs(s)
}

// upload copies a file to where NapCat reads it.
func upload(ctx context.Context, up onebot.Streamer, path string) (string, error) {
	// Looked at before it is opened: opening a FIFO would wait for a writer, and the link
	// and a reload for that.
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", errors.New("no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	state, err := onebot.NewClient(up).Upload(ctx, f, onebot.Upload{Name: rand.Text() + filepath.Ext(path), Size: st.Size()})
	if err != nil {
		return "", err
	}
	return state.FilePath, nil
}
