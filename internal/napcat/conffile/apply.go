package conffile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// ServerName is the name of ncatd's own entry among NapCat's adapters. Names
// are shared by adapters of all kinds, so no other may have it.
const ServerName = "ncatd"

// WebUI is what ncatd sets in webui.json.
type WebUI struct {
	Host      string
	Port      int
	Token     string
	LoginRate int // logins per minute; 0: NapCat's default of 10
}

// Server is the forward WebSocket server by which ncatd reaches OneBot.
type Server struct {
	Host              string
	Port              int
	Token             string
	Heartbeat         time.Duration
	ReportSelfMessage bool
}

// Settings is what the files of one account shall say.
type Settings struct {
	UIN    int64 // 0: not known
	WebUI  WebUI
	OneBot Server
	// Networks are further adapters by NapCat's kinds (httpServers …), each kind
	// a list of entries, as the user wrote them.
	Networks map[string]any
	// Managed are the names of the entries that an earlier Apply took from
	// Networks; those that are no longer in it are removed.
	Managed []string
	// NapCat is the shipped napcat.json, the origin of an absent one; "" for none.
	NapCat string
}

// Result is what [Apply] did.
type Result struct {
	Changed []string // names of the files that were written
	Aside   []Aside  // broken files that were replaced
	Managed []string // for the Settings of the next Apply
}

// Kinds are NapCat's kinds of adapters.
var Kinds = []string{"httpServers", "httpSseServers", "httpClients", "websocketServers", "websocketClients", "plugins"}

var perAccount = regexp.MustCompile(`^onebot11_([1-9][0-9]*)\.json$`)

// Apply writes the files in dir, NapCat's config folder, which is made if need
// be. NapCat must not be running: it reads them only at its start, and the
// OneBot file at the login.
func Apply(dir string, s Settings) (Result, error) {
	var r Result
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, fmt.Errorf("make NapCat's config folder: %w", err)
	}
	do := func(name string, f func(Object)) error {
		// Of NapCat's files this one is no JSON5 (contract B): it would take its
		// defaults, which listen on all interfaces.
		changed, aside, err := patch(filepath.Join(dir, name), name == "webui.json", f)
		if aside != nil {
			r.Aside = append(r.Aside, *aside)
		}
		if changed && err == nil {
			r.Changed = append(r.Changed, name)
		}
		return err
	}
	if err := do("webui.json", func(o Object) { webui(o, s.WebUI, s.UIN) }); err != nil {
		return r, err
	}
	if err := r.napcat(dir, s.NapCat); err != nil {
		return r, err
	}
	network := func(o Object) { r.Managed = Network(o, s.OneBot, s.Networks, s.Managed) }
	if err := do("onebot11.json", network); err != nil {
		return r, err
	}
	// The per-account file is copied from onebot11.json at the first login only,
	// so those that exist must be patched too, whichever account logs in.
	names := []string{}
	if s.UIN > 0 {
		names = append(names, "onebot11_"+strconv.FormatInt(s.UIN, 10)+".json")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return r, fmt.Errorf("list NapCat's config folder: %w", err)
	}
	for _, e := range entries {
		if perAccount.MatchString(e.Name()) && !slices.Contains(names, e.Name()) {
			names = append(names, e.Name())
		}
	}
	template, err := Read(filepath.Join(dir, "onebot11.json"))
	if err != nil {
		return r, err
	}
	for _, n := range names {
		if err := do(n, func(o Object) {
			if len(o) == 0 {
				for k, v := range template {
					o[k] = v
				}
			}
			network(o)
		}); err != nil {
			return r, err
		}
	}
	return r, nil
}

// napcat copies the shipped napcat.json into a folder that has none.
func (r *Result) napcat(dir, shipped string) error {
	path := filepath.Join(dir, "napcat.json")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || shipped == "" {
		return nil
	}
	if doc, err := Read(shipped); err == nil { // otherwise NapCat's defaults will do
		if err := Write(path, doc); err != nil {
			return err
		}
		r.Changed = append(r.Changed, "napcat.json")
	}
	return nil
}

func webui(o Object, w WebUI, uin int64) {
	o["host"], o["port"], o["token"] = w.Host, w.Port, w.Token
	if w.LoginRate > 0 {
		o["loginRate"] = w.LoginRate
	} else if _, ok := o["loginRate"]; !ok {
		o["loginRate"] = 10
	}
	// It would log another account in than ours.
	if v, ok := o["autoLoginAccount"].(string); ok && v != "" && uin > 0 && v != strconv.FormatInt(uin, 10) {
		o["autoLoginAccount"] = ""
	}
	if v, ok := o["disableWebUI"]; ok && v != false {
		o["disableWebUI"] = false
	}
}

// Network sets ncatd's server and the entries of networks in o, a onebot11
// document. Entries of the same name are replaced, whatever their kind; those
// named in managed and no longer in networks are removed; all others stay. It
// returns the names of the entries taken from networks.
func Network(o Object, s Server, networks map[string]any, managed []string) []string {
	network, ok := o["network"].(Object)
	if !ok {
		network = Object{}
		o["network"] = network
	}
	ours := clone(networks)
	used := map[string]bool{ServerName: true}
	var names []string
	for _, kind := range Kinds {
		list, _ := ours[kind].([]any)
		for i, v := range list {
			entry, ok := v.(Object)
			if !ok {
				continue
			}
			name, _ := entry["name"].(string)
			if name == "" {
				name = kind + "-" + strconv.Itoa(i+1)
			}
			for base, n := name, 2; used[name]; n++ {
				name = base + "-" + strconv.Itoa(n)
			}
			used[name] = true
			entry["name"] = name
			names = append(names, name)
		}
	}
	drop := func(v any) bool {
		entry, ok := v.(Object)
		if !ok {
			return false
		}
		name, _ := entry["name"].(string)
		return used[name] || slices.Contains(managed, name)
	}
	for _, kind := range Kinds {
		old, _ := network[kind].([]any)
		list := []any{}
		if kind == "websocketServers" {
			list = append(list, server(s, old))
		}
		for _, v := range old {
			if !drop(v) {
				list = append(list, v)
			}
		}
		more, _ := ours[kind].([]any)
		network[kind] = append(list, more...)
	}
	return names
}

// server returns ncatd's entry, with the keys that the old one had besides.
func server(s Server, old []any) Object {
	e := Object{}
	for _, v := range old {
		if o, ok := v.(Object); ok && o["name"] == ServerName {
			for k, v := range o {
				e[k] = v
			}
		}
	}
	e["name"], e["enable"] = ServerName, true
	e["host"], e["port"], e["token"] = s.Host, s.Port, s.Token
	e["messagePostFormat"] = "array"
	e["reportSelfMessage"] = s.ReportSelfMessage
	e["heartInterval"] = s.Heartbeat.Milliseconds()
	if _, ok := e["debug"]; !ok {
		e["debug"] = false
	}
	if _, ok := e["enableForcePushEvent"]; !ok {
		e["enableForcePushEvent"] = true
	}
	return e
}
