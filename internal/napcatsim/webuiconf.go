package napcatsim

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// webuiConfig is webui.json: strict JSON, read once and kept in memory. Keys it
// does not know survive a write. Safe for concurrent use.
type webuiConfig struct {
	path string

	mu   sync.Mutex
	doc  map[string]any
	sent string // a weak token was replaced by this one, which the bot tells itself
}

// webuiDefaults is webui.json as NapCat writes it.
func webuiDefaults() map[string]any {
	return map[string]any{
		"host": "::", "port": 6099.0, "token": randomHex(6), "loginRate": 10.0, "autoLoginAccount": "",
		"theme":        map[string]any{"fontMode": "system", "dark": map[string]any{}, "light": map[string]any{}},
		"disableWebUI": false, "accessControlMode": "none", "ipWhitelist": []any{}, "ipBlacklist": []any{},
		"enableXForwardedFor": false, "enable2FA": false, "totpSecret": "",
	}
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// loadWebUIConfig reads webui.json in dir, creating it if it is not there, with
// all the surprises of the real one.
func loadWebUIConfig(dir, secretKey string, log *console) (*webuiConfig, error) {
	c := &webuiConfig{path: filepath.Join(dir, "webui.json"), doc: webuiDefaults()}
	b, err := os.ReadFile(c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := c.save(); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil || m == nil {
			log.raw("读取配置文件失败 " + errorText(err))
		} else {
			for k, v := range m {
				c.doc[k] = v
			}
		}
	}
	if secretKey != "" {
		c.doc["token"] = secretKey
		return c, c.save()
	}
	if t := c.str("token"); t == "napcat" || t == "" {
		c.sent = randomHex(4)
		c.doc["token"] = c.sent
		return c, c.save()
	}
	return c, nil
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// save writes what is in memory; whatever was on disk is lost.
func (c *webuiConfig) save() error {
	b, err := json.MarshalIndent(c.doc, "", "    ")
	if err != nil {
		return err
	}
	return writeFile(c.path, b)
}

// set changes keys in memory and on disk.
func (c *webuiConfig) set(kv map[string]any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, v := range kv {
		c.doc[k] = v
	}
	return c.save()
}

func (c *webuiConfig) get(k string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doc[k]
}

func (c *webuiConfig) str(k string) string   { s, _ := c.get(k).(string); return s }
func (c *webuiConfig) num(k string) float64  { f, _ := c.get(k).(float64); return f }
func (c *webuiConfig) boolean(k string) bool { b, _ := c.get(k).(bool); return b }
func (c *webuiConfig) strings(k string) []string {
	list, _ := c.get(k).([]any)
	out := []string{}
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
