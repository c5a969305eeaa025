package napcatsim

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// configRoutes is /api/OB11Config, /api/NapCatConfig and /api/WebUIConfig.
func (u *webui) configRoutes() map[string]route {
	sh := u.w.shell
	// in wraps what needs a logged-in account.
	in := func(do func(uin int64, r *request) reply) func(*request) reply {
		return func(r *request) reply {
			sh.mu.Lock()
			logged, uin := sh.logged, sh.uin
			sh.mu.Unlock()
			if !logged {
				return failure("Not Login")
			}
			return do(uin, r)
		}
	}
	// merge overlays a partial document of the request on a file.
	merge := func(name string, now *jsval.Object, r *request) reply {
		given, err := jsval.Parse(string(jsonLine(r.body)))
		if err != nil {
			return exception
		}
		for _, m := range given.(*jsval.Object).Members { // the body is one
			now.Set(m.Key, m.Value)
		}
		doc, err := napcatSchema.Parse(now)
		if err == nil {
			err = u.w.conf.write(name, doc.(*jsval.Object))
		}
		if err != nil {
			return failure("Error: " + err.Error())
		}
		return success(nil)
	}
	uinConfig := func(uin int64) *jsval.Object {
		doc, err := u.w.conf.byAccount("napcat", uin, napcatSchema)
		if err != nil {
			return defaults(napcatSchema)
		}
		return doc
	}
	routes := map[string]route{
		"/api/NapCatConfig/GetConfig": {method: "GET", do: func(*request) reply { return success(u.w.conf.global("napcat", napcatSchema)) }},
		"/api/NapCatConfig/SetConfig": {method: "POST", body: true, do: func(r *request) reply {
			return merge("napcat.json", u.w.conf.global("napcat", napcatSchema), r)
		}},
		"/api/NapCatConfig/GetUinConfig": {method: "GET", do: in(func(uin int64, _ *request) reply { return success(uinConfig(uin)) })},
		"/api/NapCatConfig/SetUinConfig": {method: "POST", body: true, do: in(func(uin int64, r *request) reply {
			return merge(accountFile("napcat", uin), uinConfig(uin), r)
		})},
	}
	maps.Copy(routes, u.onebotConfigRoutes(in))
	maps.Copy(routes, u.webuiConfigRoutes())
	return routes
}

// onebotConfigRoutes is /api/OB11Config; in wraps what needs a logged-in account.
func (u *webui) onebotConfigRoutes(in func(func(int64, *request) reply) func(*request) reply) map[string]route {
	return map[string]route{
		"/api/OB11Config/GetConfig": {method: "POST", do: in(func(uin int64, _ *request) reply {
			for _, name := range []string{accountFile("onebot11", uin), "onebot11.json"} {
				b, err := os.ReadFile(u.w.conf.path(name))
				if err != nil {
					continue
				}
				doc, err := adapter.ParseConfig(string(b))
				if err != nil {
					return failure("Config Get Error")
				}
				return success(json.RawMessage(doc.WithoutVerifyCertificate().JSON()))
			}
			return failure("Config Get Error")
		})},
		"/api/OB11Config/SetConfig": {method: "POST", body: true, do: in(func(_ int64, r *request) reply {
			if ob := u.w.net(); r.waited && ob != nil {
				defer ob.dropClients() // contract L.4
			}
			given, ok := r.body["config"]
			if !ok || given == nil || given == "" {
				return failure("config is empty")
			}
			text, ok := given.(string)
			if !ok {
				text = "[object Object]" // what JavaScript makes of it
			}
			cfg, err := adapter.ParseConfig(text)
			if err != nil {
				return failure("Error: " + jsError(err, text))
			}
			if err := u.w.applyOnebot(cfg.WithoutVerifyCertificate()); err != nil {
				return failure("Error: " + err.Error())
			}
			return success(nil)
		})},
	}
}

func (u *webui) webuiConfigRoutes() map[string]route {
	conf := u.conf
	return map[string]route{
		"/api/WebUIConfig/GetConfig": {method: "GET", do: func(*request) reply {
			return success(struct {
				Host      any `json:"host"`
				Port      any `json:"port"`
				LoginRate any `json:"loginRate"`
				Disable   any `json:"disableWebUI"`
				Mode      any `json:"accessControlMode"`
				White     any `json:"ipWhitelist"`
				Black     any `json:"ipBlacklist"`
				Forwarded any `json:"enableXForwardedFor"`
			}{
				conf.get("host"), conf.get("port"), conf.get("loginRate"), conf.get("disableWebUI"),
				conf.get("accessControlMode"), conf.get("ipWhitelist"), conf.get("ipBlacklist"), conf.get("enableXForwardedFor"),
			})
		}},
		"/api/WebUIConfig/UpdateConfig": {method: "POST", body: true, do: func(r *request) reply {
			set := map[string]any{}
			for k, v := range r.body {
				switch k {
				case "port":
					if f, ok := v.(float64); !ok || f != math.Trunc(f) || f < 1 || f > 65535 {
						return failure("port must be an integer between 1 and 65535")
					}
				case "loginRate":
					if f, ok := v.(float64); !ok || f < 1 {
						return failure("loginRate must be at least 1")
					}
				case "host", "disableWebUI", "accessControlMode", "ipWhitelist", "ipBlacklist", "enableXForwardedFor":
				default:
					continue
				}
				set[k] = v
			}
			if err := conf.set(set); err != nil {
				return failure(err.Error())
			}
			return success(nil)
		}},
		"/api/WebUIConfig/GetDisableWebUI": {method: "GET", do: func(*request) reply { return success(conf.boolean("disableWebUI")) }},
		"/api/WebUIConfig/UpdateDisableWebUI": {method: "POST", body: true, do: func(r *request) reply {
			disable, ok := r.body["disable"].(bool)
			if !ok {
				return failure("disable must be a boolean")
			}
			if err := conf.set(map[string]any{"disableWebUI": disable}); err != nil {
				return failure(err.Error())
			}
			return success(nil)
		}},
		"/api/WebUIConfig/GetClientIP": {method: "GET", do: func(r *request) reply { return success(map[string]any{"ip": r.ip}) }},
	}
}

var logName = regexp.MustCompile(`^[0-9_.-]+$`)

// systemRoutes is /api/base, /api/Log, /api/Process and /api/Debug.
func (u *webui) systemRoutes() map[string]route {
	call := func(r *request, adapter string) reply {
		if adapter != "" && adapter != debugAdapter {
			return failure("调试适配器不存在")
		}
		action := r.str("action")
		params, err := json.Marshal(r.body["params"])
		if err != nil {
			return exception
		}
		out, known, err := u.w.debugCall(r.Context(), action, params)
		switch {
		case err != nil:
			return failure(err.Error())
		case !known:
			return failure("不支持的 API: " + action)
		}
		return success(out)
	}
	routes := map[string]route{
		"/api/test": {do: func(*request) reply { return done() }},
		"/api/base/QQVersion": {method: "GET", do: func(*request) reply {
			if sh := u.w.shell; sh.phase() == "starting" || sh.phase() == "login" || sh.phase() == "accepted" {
				return success("unknown")
			}
			return success(u.w.p.in.QQVersion)
		}},
		"/api/base/GetNapCatVersion": {method: "GET", do: func(*request) reply {
			return success(map[string]any{"version": u.w.p.in.NapCatVersion})
		}},
		"/api/base/getLatestTag": {method: "GET", do: func(*request) reply { return success("v" + u.w.p.in.NapCatVersion) }},
		"/api/base/getMirrors":   {method: "GET", do: func(*request) reply { return success(map[string]any{"mirrors": []string{}}) }},
		"/api/base/Theme":        {method: "GET", do: func(*request) reply { return success(u.conf.get("theme")) }},
		"/api/base/SetTheme": {method: "POST", body: true, do: func(r *request) reply {
			if err := u.conf.set(map[string]any{"theme": r.body["theme"]}); err != nil {
				return failure(err.Error())
			}
			return done()
		}},
		"/api/base/GetNapCatFileHash": {method: "GET", do: func(*request) reply {
			b, err := os.ReadFile(u.w.p.in.Main)
			if err != nil {
				return failure(err.Error())
			}
			sum := sha512.Sum512(b)
			return success(map[string]any{"hash": hex.EncodeToString(sum[:]), "file": "napcat.mjs", "algorithm": "sha512"})
		}},
		"/api/base/GetSysStatusRealTime": {method: "GET", stream: u.sysStatus},
		"/api/Process/Restart":           {method: "POST", do: func(*request) reply { return u.restart("") }},
		"/api/Debug/create": {method: "POST", do: func(*request) reply {
			if u.w.net() == nil {
				return failure("OneBot 未初始化，无法创建调试适配器")
			}
			return success(map[string]any{"adapterName": debugAdapter, "token": randomHex(16), "message": "调试适配器已就绪"})
		}},
		"/api/Debug/call":                  {method: "POST", body: true, do: func(r *request) reply { return call(r, "") }},
		"/api/Debug/call/" + debugAdapter:  {method: "POST", body: true, do: func(r *request) reply { return call(r, debugAdapter) }},
		"/api/Debug/close/" + debugAdapter: {method: "POST", do: func(*request) reply { return done() }},
	}
	maps.Copy(routes, u.logRoutes())
	return routes
}

func (u *webui) logRoutes() map[string]route {
	logs := filepath.Join(u.w.p.writePath(), "logs")
	return map[string]route{
		"/api/Log/GetLogList": {method: "GET", do: func(*request) reply { return success(logFiles(logs)) }},
		"/api/Log/GetLog": {method: "GET", do: func(r *request) reply {
			id := r.URL.Query().Get("id")
			switch {
			case id == "":
				return failure("ID不能为空")
			case !logName.MatchString(id) || strings.Contains(id, ".."):
				return failure("ID不合法")
			}
			b, err := os.ReadFile(filepath.Join(logs, id+".log"))
			if err != nil {
				return failure("日志文件不存在")
			}
			return success(string(b))
		}},
		"/api/Log/GetLogRealTime": {method: "GET", stream: u.liveLog},
	}
}

// debugAdapter is the name of the WebUI's own adapter.
const debugAdapter = "debug-primary"

// events writes server-sent events until the client or the program goes away.
func (u *webui) events(rw http.ResponseWriter, r *request, next func(ctx context.Context) (any, bool)) {
	h := rw.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "keep-alive")
	rw.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(rw)
	_ = flush.Flush() // a client that is gone is seen below
	for {
		v, ok := next(r.Context())
		if !ok {
			return
		}
		if !u.w.gate.wait(r.Context()) {
			return
		}
		if _, err := fmt.Fprintf(rw, "data: %s\n\n", jsonLine(v)); err != nil {
			return
		}
		if flush.Flush() != nil {
			return
		}
	}
}

// liveLog repeats the last records and follows.
func (u *webui) liveLog(rw http.ResponseWriter, r *request) {
	past, live, end := u.w.log.follow()
	defer end()
	u.events(rw, r, func(ctx context.Context) (any, bool) {
		if len(past) > 0 {
			v := past[0]
			past = past[1:]
			return v, true
		}
		select {
		case <-ctx.Done():
			return nil, false
		case v := <-live:
			return v, true
		}
	})
}

// sysStatus reports load every three seconds.
func (u *webui) sysStatus(rw http.ResponseWriter, r *request) {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	first := true
	u.events(rw, r, func(ctx context.Context) (any, bool) {
		if !first {
			select {
			case <-ctx.Done():
				return nil, false
			case <-tick.C:
			}
		}
		first = false
		rss := strconv.FormatFloat(float64(residentBytes())/(1<<20), 'f', 2, 64)
		return map[string]any{
			"cpu":    map[string]any{"core": 2, "model": "simulated", "speed": "2.40", "usage": map[string]string{"system": "1.00", "qq": "0.10"}},
			"memory": map[string]any{"total": "2048.00", "usage": map[string]string{"system": "512.00", "qq": rss}},
			"arch":   platform() + " x64",
		}, true
	})
}

// residentBytes is the memory of this process, where the system tells it
// cheaply.
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt(string(f[1]), 10, 64) // the kernel's own number
	return n * int64(os.Getpagesize())
}
