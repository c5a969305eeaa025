package napcatsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// QQ is the role in which the packed qq executable runs this program: args are
// the path of that executable and its arguments ("--no-sandbox", "-q UIN"), the
// environment is the process's own. It returns the exit code when QQ ends; ctx
// ends it like SIGTERM.
func QQ(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p, code := newProcess(args, stdout, stderr)
	if code != 0 {
		return code
	}
	in, err := FindInstallation(p.qq, p.getenv)
	switch {
	case errors.Is(err, errPlainQQ):
		return p.plain(ctx)
	case errors.Is(err, errBroken):
		p.electronError(stderr, "main.cc(1)", "Unable to find Electron app: "+err.Error())
		return 1
	case err != nil:
		// An import that fails rejects a promise that nobody handles; QQ's main
		// process lives on without a window.
		p.print(stderr, "(node:%d) UnhandledPromiseRejectionWarning: Error [ERR_MODULE_NOT_FOUND]: %v\n", os.Getpid(), err)
		return p.plain(ctx)
	}
	p.in = in
	if err := p.loadEnv(); err != nil {
		p.print(stderr, "%v\n", err)
		return 1
	}
	p.believeVersion()
	if p.opt, err = p.options(); err != nil {
		p.print(stderr, "%v\n", err)
		return 1
	}
	switch {
	case p.env["NAPCAT_WORKER_PROCESS"] == "1":
		return p.worker(ctx)
	case p.opt.ExitAtStart != nil && p.struck():
		return *p.opt.ExitAtStart
	}
	p.noise(stdout)
	if code := p.display(ctx, stderr); code != 0 {
		return code
	}
	if p.env["NAPCAT_DISABLE_MULTI_PROCESS"] == "1" || p.env["NAPCAT_DISABLE_MULTIPROCESSING"] == "1" {
		return p.worker(ctx)
	}
	return newMaster(p).run(ctx)
}

// process is what every role of the program knows of itself.
type process struct {
	qq             string   // path of the qq executable
	args           []string // its arguments
	quick          string   // value of -q or --qq
	env            map[string]string
	in             Installation
	opt            Options
	stdout, stderr io.Writer
}

// newProcess reads command line and environment; a code other than 0 ends the
// program.
func newProcess(args []string, stdout, stderr io.Writer) (*process, int) {
	p := &process{env: map[string]string{}, stdout: stdout, stderr: stderr}
	for _, kv := range os.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok {
			p.env[k] = v
		}
	}
	if len(args) == 0 {
		p.print(stderr, "qq: want the path of the executable\n")
		return nil, 2
	}
	p.qq, p.args = args[0], args[1:]
	for i, a := range p.args {
		if (a == "-q" || a == "--qq") && i+1 < len(p.args) {
			p.quick = p.args[i+1]
		}
	}
	return p, 0
}

func (p *process) getenv(k string) string { return p.env[k] }

// print writes to one of the program's own streams; a reader that closed it does not
// want to read it.
func (*process) print(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// home is the HOME of QQ, as Electron finds it.
func (p *process) home() string {
	if h := p.env["HOME"]; h != "" {
		return h
	}
	h, err := os.UserHomeDir()
	if err != nil {
		return "/"
	}
	return h
}

func (p *process) dataRoot() string   { return filepath.Join(p.home(), ".config", "QQ") }
func (p *process) binaryPath() string { return filepath.Dir(p.in.Main) }

// writePath is the root of config, logs, cache and plugins.
func (p *process) writePath() string {
	if d := p.env["NAPCAT_WORKDIR"]; d != "" {
		return d
	}
	return p.binaryPath()
}

// loadEnv applies config/.env beside napcat.mjs, which wins over the inherited
// environment.
func (p *process) loadEnv() error {
	b, err := os.ReadFile(filepath.Join(p.binaryPath(), "config", ".env"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if k, v, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			p.env[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return nil
}

// options merges everything that has a say, see the package documentation.
func (p *process) options() (Options, error) {
	all := layer{}
	for _, path := range []string{
		filepath.Join(p.in.QQDir, "resources", "app", "sim-options.json"),
		filepath.Join(p.binaryPath(), "sim-options.json"),
		filepath.Join(Dir(p.home()), "options.json"),
	} {
		next, err := readOptionFile(path)
		if err != nil {
			return Options{}, err
		}
		all = all.over(next)
	}
	o, err := all.options()
	if err != nil {
		return Options{}, err
	}
	if s := p.env[ScanAfterEnv]; s != "" {
		var d Duration
		if err := d.Set(s); err != nil {
			return Options{}, fmt.Errorf("%s: %w", ScanAfterEnv, err)
		}
		o.ScanAfter = &d
	}
	return o, nil
}

// believeVersion takes the QQ version from where NapCat takes it: a file that
// QQ's own updater leaves behind wins over the installed package.
func (p *process) believeVersion() {
	var pkg struct {
		Version string `json:"version"`
	}
	if f := p.env["NAPCAT_QQ_PACKAGE_INFO_PATH"]; f != "" && readJSON(f, &pkg) == nil && pkg.Version != "" {
		p.in.QQVersion = pkg.Version
	}
	file := p.env["NAPCAT_QQ_VERSION_CONFIG_PATH"]
	if file == "" {
		file = filepath.Join(p.dataRoot(), "versions", "config.json")
	}
	var cur struct {
		Version string `json:"curVersion"`
	}
	if readJSON(file, &cur) == nil && cur.Version != "" {
		p.in.QQVersion = cur.Version
	}
}

// The builds of QQ that the simulated NapCat knows.
const minBuild, maxBuild = 40768, 89999

// supportedQQ reports whether NapCat has tables for this version of QQ.
func (p *process) supportedQQ() bool {
	_, build, _ := strings.Cut(p.in.QQVersion, "-")
	n, err := strconv.Atoi(build)
	return err == nil && n >= minBuild && n <= maxBuild
}

// struck reports whether the faults of the options are meant for this version.
func (p *process) struck() bool {
	for _, v := range p.opt.Versions {
		if v == p.in.NapCatVersion {
			return true
		}
	}
	return len(p.opt.Versions) == 0
}

// noise prints what QQ itself says before NapCat has a word.
func (p *process) noise(w io.Writer) {
	p.print(w, "[preload] succeeded. %s\n", filepath.Join(p.in.QQDir, "resources", "app", "major.node"))
	p.print(w, "resourcesPath: %s\n", filepath.Join(p.in.QQDir, "resources"))
	p.print(w, "not mini app.\n")
	p.electronError(w, "bus.cc(407)", "Failed to connect to the bus: Could not parse server address: Unknown address type")
}

// plain is QQ without NapCat: it prints a little and lives until it is told to
// end.
func (p *process) plain(ctx context.Context) int {
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(sig)
	p.print(p.stdout, "[preload] succeeded.\nnot mini app.\n")
	select {
	case <-ctx.Done():
	case <-sig:
	}
	return 0
}

// electronError prints a line of Chromium's log.
func (p *process) electronError(w io.Writer, where, text string) {
	p.print(w, "[%d:%s:ERROR:%s] %s\n", os.Getpid(), time.Now().Format("0102/150405.000000"), where, text)
}
