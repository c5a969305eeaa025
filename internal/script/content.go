package script

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// mediaSpec is a picture, voice message, video or file that a script sends.
type mediaSpec struct {
	sourceSpec
	Name    string      `json:"name"`
	Summary string      `json:"summary"`
	Sticker bool        `json:"sticker"`
	Thumb   *sourceSpec `json:"thumb"`
}

type sourceSpec struct {
	URL    string `json:"url"`
	Path   string `json:"path"`
	Base64 string `json:"base64"`
}

// content makes of what a script sends what the bot sends: texts, segments and
// media.
func (r *request) content(list []json.RawMessage) ([]any, error) { return r.nested(list, 0) }

// forwardDepth is how deep forwards nest.
const forwardDepth = 3

func (r *request) nested(list []json.RawMessage, depth int) ([]any, error) {
	var out []any
	for _, raw := range list {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			out = append(out, text)
			continue
		}
		var seg struct {
			Type  string          `json:"type"`
			Media *mediaSpec      `json:"media"`
			Data  json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(raw, &seg); err != nil || seg.Type == "" {
			return nil, &argumentError{text: fmt.Sprintf("%s is no content of a message", short(string(raw)))}
		}
		if seg.Media != nil {
			m, err := r.media(seg.Type, seg.Media)
			if err != nil {
				return nil, err
			}
			out = append(out, m)
			continue
		}
		if err := r.localFiles(seg.Data); err != nil {
			return nil, err
		}
		var msg onebot.Message
		if err := json.Unmarshal(append(append([]byte("["), raw...), ']'), &msg); err != nil {
			return nil, &argumentError{text: err.Error()}
		}
		for _, s := range msg {
			if n, ok := s.(*onebot.NodeSegment); ok && depth < forwardDepth {
				if err := r.fill(n, seg.Data, depth); err != nil {
					return nil, err
				}
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// fill gives a node what it holds, which may be media.
func (r *request) fill(n *onebot.NodeSegment, data json.RawMessage, depth int) error {
	var held struct {
		Content []json.RawMessage `json:"content"`
	}
	if json.Unmarshal(data, &held) != nil || len(held.Content) == 0 {
		return nil // a text, or an existing message
	}
	list, err := r.nested(held.Content, depth+1)
	if err != nil {
		return err
	}
	n.Content = nil
	for _, c := range list {
		switch c := c.(type) {
		case onebot.Segment:
			n.Content = append(n.Content, c)
		case string:
			n.Content = append(n.Content, onebot.Text(c))
		}
	}
	return nil
}

func (r *request) media(kind string, spec *mediaSpec) (*ncat.Media, error) {
	src, err := r.source(spec.sourceSpec)
	if err != nil {
		return nil, err
	}
	var m *ncat.Media
	switch kind {
	case "image":
		m = ncat.Image(src)
	case "record":
		m = ncat.Voice(src)
	case "video":
		m = ncat.Video(src)
	case "file":
		name := spec.Name
		if name == "" && spec.Path != "" {
			name = filepath.Base(spec.Path)
		}
		m = ncat.File(src, name)
	default:
		return nil, &argumentError{text: kind + " is no kind of media"}
	}
	if spec.Summary != "" {
		m = m.Summary(spec.Summary)
	}
	if spec.Sticker {
		m = m.Sticker()
	}
	if spec.Thumb != nil {
		t, err := r.source(*spec.Thumb)
		if err != nil {
			return nil, err
		}
		m = m.Thumb(t)
	}
	return m, nil
}

func (r *request) source(s sourceSpec) (ncat.Source, error) {
	switch {
	case s.URL != "":
		return ncat.URL(s.URL), nil
	case s.Base64 != "":
		b, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil {
			return ncat.Source{}, &argumentError{text: "the base64 of what is sent: " + err.Error()}
		}
		return ncat.Bytes(b), nil
	}
	b, err := r.m.info.readFile(s.Path)
	return ncat.Bytes(b), err
}

// maxFile bounds a file of the plugin that is sent.
const maxFile = 64 << 20

// readFile reads a file of the plugin's own folder, out of which no name leads.
func (p *pluginInfo) readFile(name string) ([]byte, error) {
	if p.Dir == "" {
		return nil, denied(api.Because(api.CodeScriptFileAlone, name))
	}
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // it was only read
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, denied(api.Because(api.CodeScriptFileOutside, name, err))
	}
	defer f.Close() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = overLimit("size", api.Because(api.CodeScriptFileSize, name, maxFile>>20))
	}
	return b, err
}

// localFiles refuses params that let NapCat read a file of its machine, unless
// the operator granted that: a script has no rights on the disk.
func (r *request) localFiles(raw json.RawMessage) error {
	if len(raw) == 0 || r.m.outer.granted().Files {
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return &argumentError{text: err.Error()}
	}
	if bad := localFile(v, ""); bad != "" {
		return denied(api.Because(api.CodeScriptFileGrant, short(bad), r.m.info.ID))
	}
	return nil
}

func localFile(v any, key string) string {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if bad := localFile(x, k); bad != "" {
				return bad
			}
		}
	case []any:
		for _, x := range v {
			if bad := localFile(x, key); bad != "" {
				return bad
			}
		}
	case string:
		low := strings.ToLower(strings.TrimSpace(v))
		if strings.HasPrefix(low, "file:") {
			return v
		}
		switch key {
		case "text", "content", "comment", "reason", "message", "raw_message", "name", "title", "summary", "folder", "folder_id", "parent_directory", "data":
			if strings.Contains(low, "[cq:") && strings.Contains(low, "file=/") {
				return v
			}
			return ""
		}
		if strings.HasPrefix(v, "/") || strings.HasPrefix(v, `\\`) || len(v) > 2 && v[1] == ':' && (v[2] == '\\' || v[2] == '/') {
			return v
		}
	}
	return ""
}
