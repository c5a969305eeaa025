package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Layout names what made an installation.
type Layout string

// The layouts that are known.
const (
	Shell    Layout = "shell"    // NapCat-Installer, rootful or rootless
	Docker   Layout = "docker"   // a compose file, or the folders of its volumes
	AppImage Layout = "appimage" // QQ and NapCat in one file
	Desktop  Layout = "desktop"  // NapCat-Desktop
	NcatBot  Layout = "ncatbot"  // NcatBot 3, 4 or 5
	GoCQHTTP Layout = "gocqhttp"
	Bare     Layout = "bare" // a NapCat.Shell folder
)

// Plan is what can be taken of one installation.
type Plan struct {
	Layout   Layout    `json:"layout"`
	Path     string    `json:"path"`
	Accounts []Account `json:"accounts"`
	// WebUIPort and WebUIToken are those of the WebUI; 0 and "" when not known.
	WebUIPort  int     `json:"webui_port,omitempty"`
	WebUIToken string  `json:"-"`
	Admins     []int64 `json:"admins,omitempty"`

	NapCatVersion string `json:"napcat_version,omitempty"`
	QQVersion     string `json:"qq_version,omitempty"`

	ConfigDir  string `json:"config_dir,omitempty"`  // NapCat's config folder
	PluginsDir string `json:"plugins_dir,omitempty"` // NapCat's plugins
	QQDir      string `json:"qq_dir,omitempty"`      // QQ's data, with the login tickets
	Container  string `json:"container,omitempty"`   // its name, of a compose file

	// Missing is what cannot be taken, and what that means.
	Missing []Missing `json:"missing,omitempty"`

	read bool // ConfigDir was read
}

// Account is one account of an installation.
type Account struct {
	Name   string `json:"name"`
	UIN    int64  `json:"uin"`
	Ticket bool   `json:"ticket"` // it can log in without a scan
	// Networks are its OneBot adapters by NapCat's kinds.
	Networks map[string][]map[string]any `json:"-"`
	Adapters []Adapter                   `json:"adapters,omitempty"`

	rest map[string]any // of its OneBot file, but for the adapters
}

// Adapter tells of one adapter what may be shown: not its token.
type Adapter struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Where string `json:"where"` // host:port or URL
	Token bool   `json:"token"` // it has one
}

// Missing is something that is not taken.
type Missing struct {
	// Code is a word: no_ticket, no_accounts, half_config, unreadable, no_plugins,
	// container_url, unpublished_port, named_volume, foreign_ticket, webui_host,
	// same_port, unknown_key, other_service, env_file, disabled, webui_settings.
	Code string `json:"code"`
	What string `json:"what"` // a path, an adapter, an account
}

func (p *Plan) miss(code, format string, args ...any) {
	m := Missing{Code: code, What: fmt.Sprintf(format, args...)}
	if !slices.Contains(p.Missing, m) {
		p.Missing = append(p.Missing, m)
	}
}

// ErrNothing is a folder with no installation of NapCat that is known.
var ErrNothing = errors.New("no installation of NapCat")

// usual are the places where the known ones lie, those below a user's home with ~.
var usual = []string{"~/Napcat", "/opt/QQ", "~/napcat", "~/NapCat", "~/NapCat.Shell", "~/docker-napcat", "/app/napcat", "~/.local/share/NapCatQQ-Desktop", "~/ncatbot", "~/go-cqhttp"}

// Find looks at an installation: at path, or with an empty one at the usual places
// on this system and in the homes, of which the first that holds an account is
// taken. The homes are those of the users whose it may be.
func Find(path string, homes ...string) (*Plan, error) {
	if path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		return examine(abs, homes)
	}
	var places []string
	for _, p := range usual {
		below, ok := strings.CutPrefix(p, "~/")
		if !ok {
			places = append(places, p)
			continue
		}
		for _, h := range homes {
			places = append(places, filepath.Join(h, filepath.FromSlash(below)))
		}
	}
	var half *Plan
	for _, p := range places {
		plan, err := examine(p, homes)
		switch {
		case err != nil:
		case len(plan.Accounts) > 0:
			return plan, nil
		case half == nil:
			half = plan
		}
	}
	if half == nil {
		return nil, ErrNothing
	}
	return half, nil
}

// examine finds out what a folder holds.
func examine(root string, homes []string) (*Plan, error) {
	fi, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	named := ""
	if !fi.IsDir() {
		// A compose file, or NcatBot's config.
		named, root = root, filepath.Dir(root)
	}
	p := &Plan{Path: root}
	found, err := survey(root)
	if err != nil {
		return nil, err
	}
	if isYAML(named) {
		// That one, whatever it is called and whatever else lies beside it.
		found.compose, found.ncatbot, found.gocqhttp = "", "", ""
		if err := found.document(named); err != nil {
			return nil, err
		}
		if found.compose+found.ncatbot+found.gocqhttp == "" {
			return nil, fmt.Errorf("%s: %w", named, ErrNothing)
		}
	}
	switch {
	case found.compose != "":
		p.Layout = Docker
		err = p.compose(found.compose, found)
	case found.ncatbot != "":
		p.Layout = NcatBot
		err = p.ncatbot(found.ncatbot, found, homes)
	case found.gocqhttp != "":
		p.Layout = GoCQHTTP
		err = p.gocqhttp(found.gocqhttp)
	case found.config != "":
		p.ConfigDir, p.QQDir = found.config, found.qq
		p.Layout = found.layout(root)
	default:
		return nil, fmt.Errorf("%s: %w", root, ErrNothing)
	}
	if err != nil {
		return nil, err
	}
	p.versions(found)
	if p.QQDir == "" && p.Layout != GoCQHTTP && p.Layout != Docker {
		p.QQDir = p.dataOfUser(homes)
	}
	if err := p.napcat(); err != nil {
		return nil, err
	}
	for _, dir := range found.unreadable {
		p.miss("unreadable", "%s", dir)
	}
	p.finish()
	return p, nil
}

// dataOfUser is QQ's data in the home of who runs it (contract A.7): the one that
// the installation lies in, whoever asks, else one of the homes.
func (p *Plan) dataOfUser(homes []string) string {
	var tries []string
	for _, d := range []string{p.ConfigDir, p.Path} {
		for d != "" && filepath.Dir(d) != d {
			d = filepath.Dir(d)
			tries = append(tries, d)
		}
	}
	for _, h := range append(tries, homes...) {
		if d := filepath.Join(h, ".config", "QQ"); h != "" && isDir(filepath.Join(d, "nt_qq")) {
			return d
		}
	}
	return ""
}

// finish names the accounts and what is missing.
func (p *Plan) finish() {
	sort.Slice(p.Accounts, func(i, j int) bool { return p.Accounts[i].UIN < p.Accounts[j].UIN })
	ticket, denied := hasTicket(p.QQDir)
	if denied != "" {
		p.miss("unreadable", "%s", denied)
	}
	if p.QQDir != "" && !ticket && isDir(filepath.Join(p.QQDir, "Tencent Files")) {
		p.miss("foreign_ticket", "%s", p.QQDir) // Windows binds tickets to its own user
	}
	for i := range p.Accounts {
		a := &p.Accounts[i]
		a.Name, a.Ticket = "main", ticket
		if i > 0 {
			a.Name = "qq" + strconv.FormatInt(a.UIN, 10)
		}
		if !ticket {
			p.miss("no_ticket", "%d", a.UIN)
		}
	}
	p.prune()
	if len(p.Accounts) == 0 {
		p.miss("no_accounts", "%s", p.Path)
	}
	if p.ConfigDir != "" {
		if env := filepath.Join(p.ConfigDir, ".env"); !missing(env) {
			p.miss("env_file", "%s", env)
		}
	}
	if p.ConfigDir != "" && p.PluginsDir == "" {
		if d := filepath.Join(filepath.Dir(p.ConfigDir), "plugins"); isDir(d) {
			p.PluginsDir = d
		}
	}
}

// hasTicket reports whether QQ keeps logins there (contract A.7). denied is a folder
// of its that may not be read, "" if there is none.
func hasTicket(qq string) (has bool, denied string) {
	for _, d := range []string{"nt_qq", "nt_qq/global/nt_data/Login", "nt_qq/global/nt_data/mmkv", "nt_qq/global/nt_data/msf"} {
		p := filepath.Join(qq, filepath.FromSlash(d))
		entries, err := os.ReadDir(p)
		if qq == "" || d == "nt_qq" && err == nil {
			continue
		}
		if errors.Is(err, fs.ErrPermission) {
			return false, p
		}
		if len(entries) > 0 {
			return true, ""
		}
	}
	return false, ""
}

// account returns the account with this number, which is made if need be.
func (p *Plan) account(uin int64) *Account {
	i := slices.IndexFunc(p.Accounts, func(a Account) bool { return a.UIN == uin })
	if i < 0 {
		p.Accounts = append(p.Accounts, Account{UIN: uin, Networks: map[string][]map[string]any{}})
		i = len(p.Accounts) - 1
	}
	return &p.Accounts[i]
}

// add gives an adapter to an account, under a name that no other has.
func (a *Account) add(kind string, entry map[string]any) {
	name, _ := entry["name"].(string)
	if name == "" || slices.Contains([]string{"ncatd", "plugin_manager", "debug-primary"}, name) {
		name = strings.TrimSuffix(kind, "s")
	}
	taken := func(n string) bool {
		return slices.ContainsFunc(a.Adapters, func(x Adapter) bool { return x.Name == n })
	}
	unique := name
	for n := 2; taken(unique); n++ {
		unique = fmt.Sprintf("%s-%d", name, n)
	}
	entry["name"] = unique
	a.Networks[kind] = append(a.Networks[kind], entry)
	where, _ := entry["url"].(string)
	if where == "" {
		where = fmt.Sprintf("%v:%v", entry["host"], entry["port"])
	}
	token, _ := entry["token"].(string)
	a.Adapters = append(a.Adapters, Adapter{Kind: kind, Name: unique, Where: where, Token: token != ""})
}

// without takes adapters away.
func (a *Account) without(names []string) {
	for kind := range a.Networks {
		a.Networks[kind] = slices.DeleteFunc(a.Networks[kind], func(e map[string]any) bool { return slices.Contains(names, text(e["name"])) })
	}
	a.Adapters = slices.DeleteFunc(a.Adapters, func(x Adapter) bool { return slices.Contains(names, x.Name) })
}

func isDir(p string) bool {
	fi, err := os.Stat(p)
	return err == nil && fi.IsDir()
}

// maxSurvey bounds how many folders are looked into, and how deep.
const (
	maxSurvey = 4000
	maxDepth  = 9
)

// surveyed is what a look around found, each the shallowest of its kind.
type surveyed struct {
	config, qq, mjs, app       string
	compose, ncatbot, gocqhttp string
	appImage                   string

	unreadable []string
}

// survey looks around below root, folders nearer to it first.
func survey(root string) (surveyed, error) {
	var s surveyed
	type dir struct {
		path  string
		depth int
	}
	queue, looked, been := []dir{{root, 0}}, 0, map[string]bool{}
	for len(queue) > 0 && looked < maxSurvey {
		d := queue[0]
		queue = queue[1:]
		entries, err := os.ReadDir(d.path)
		if err != nil {
			if d.depth == 0 {
				return s, err
			}
			if errors.Is(err, fs.ErrPermission) {
				s.unreadable = append(s.unreadable, d.path)
			}
			continue
		}
		looked++
		for _, e := range entries {
			p := filepath.Join(d.path, e.Name())
			if e.IsDir() || e.Type()&fs.ModeSymlink != 0 && isDir(p) {
				s.folder(d.path, e.Name())
				if d.depth < maxDepth && !skipped(e.Name()) && !seen(been, p) {
					queue = append(queue, dir{p, d.depth + 1})
				}
				continue
			}
			s.file(d.path, e.Name(), d.depth)
		}
	}
	return s, nil
}

// seen reports whether a folder was seen before, and notes it: links may lead in
// circles.
func seen(been map[string]bool, path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil || been[real] {
		return true
	}
	been[real] = true
	return false
}

// skipped are folders in which nothing is looked for.
func skipped(name string) bool {
	return slices.Contains([]string{"node_modules", "native", "static", "logs", "cache", "nt_qq", "proc", "sys", ".git", "locales"}, name)
}

func first(at *string, path string) {
	if *at == "" {
		*at = path
	}
}

func (s *surveyed) folder(parent, name string) {
	if name == "nt_qq" {
		first(&s.qq, parent)
	}
}

func (s *surveyed) file(parent, name string, depth int) {
	p := filepath.Join(parent, name)
	switch {
	case name == "webui.json" || perAccount.MatchString(name) || name == "onebot11.json":
		first(&s.config, parent)
	case name == "napcat.mjs":
		first(&s.mjs, p)
	case strings.HasSuffix(name, ".AppImage"):
		first(&s.appImage, p)
	case name == "package.json" && strings.HasSuffix(filepath.ToSlash(parent), "resources/app"):
		first(&s.app, p)
	case depth > 1:
	case slices.Contains([]string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}, name):
		if s.document(p) != nil {
			first(&s.compose, p) // what is wrong with it is said by who reads it
		}
	case name == "config.yaml" || name == "config.yml":
		_ = s.document(p) // a broken one may be any program's
	}
}

// document notes what a YAML file is, if it is of any use. The error says why one
// that seems to be about NapCat cannot be read.
func (s *surveyed) document(p string) error {
	b, err := readSmall(p)
	if err != nil {
		return nil
	}
	var doc map[string]any
	if err := yaml.Unmarshal(b, &doc); err != nil {
		if strings.Contains(string(b), "napcat") {
			return fmt.Errorf("%s: %w", p, err)
		}
		return nil
	}
	switch {
	case doc["bt_uin"] != nil || doc["bot_uin"] != nil:
		first(&s.ncatbot, p)
	case doc["servers"] != nil && doc["account"] != nil:
		first(&s.gocqhttp, p)
	case len(napcatServices(doc)) > 0:
		first(&s.compose, p)
	}
	return nil
}

func isYAML(name string) bool {
	return slices.Contains([]string{".yml", ".yaml"}, strings.ToLower(filepath.Ext(name)))
}

// layout tells by the paths what made it.
func (s surveyed) layout(root string) Layout {
	c := filepath.ToSlash(s.config)
	switch {
	case strings.Contains(c, "app_launcher/napcat"):
		return Shell
	case s.appImage != "":
		return AppImage
	case strings.Contains(c, "runtime/NapCatQQ"):
		return Desktop
	case strings.HasPrefix(c, "/app/"), s.mjs == "" && s.qq != "":
		return Docker // the folders that its volumes are bound to
	}
	return Bare
}

// maxFile bounds a file that is read whole.
const maxFile = 4 << 20

func readSmall(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxFile {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("no file of a sensible size")}
	}
	return os.ReadFile(path)
}
