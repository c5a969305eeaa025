package napcatsim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// worker is everything of NapCat but the master: one process, one account.
type worker struct {
	p       *process
	log     *console
	store   *store
	core    *core
	shell   *shell
	conf    confDir
	webui   *webui
	sent    *journal
	calls   callLog
	control *controlServer
	gate    gate
	started time.Time
	tasks   sync.WaitGroup
	ipcOut  io.Writer // nil in a single process
	master  int       // pid of the parent at the start

	exit chan int // the first value ends the worker with that code

	optMu sync.Mutex
	opt   Options

	online
}

// online is what there is once an account is logged in.
type online struct {
	mu     sync.Mutex
	world  *world.World // nil until an account is logged in
	onebot *onebot      // nil until OneBot is up
	wedged bool
}

// worker plays the worker until it is told to end.
func (p *process) worker(ctx context.Context) int {
	ignorePipe()
	defaultSignals()
	w := newWorker(p)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if p.env["NAPCAT_WORKER_PROCESS"] == "1" {
		r, out := openIPC()
		w.ipcOut = out
		w.tasks.Go(func() { w.listenMaster(r) })
	}
	if err := w.prepare(); err != nil {
		p.print(p.stderr, "[NapCat] [Error] %v\n", err)
		return 1
	}
	if err := w.control.start(ctx); err != nil {
		p.print(p.stderr, "simulator control: %v\n", err)
		return 1
	}
	w.tasks.Go(func() { w.boot(ctx) })
	select {
	case code := <-w.exit:
		return code // as abruptly as process.exit
	case <-ctx.Done():
		return 0
	}
}

func newWorker(p *process) *worker {
	w := &worker{
		p: p, opt: p.opt, started: time.Now(), exit: make(chan int, 16), master: os.Getppid(),
		store: &store{root: p.dataRoot()},
	}
	w.log = newConsole(func(b []byte) error { _, err := p.stdout.Write(b); return err })
	w.log.broken = func(error) { w.wedge() }
	return w
}

// prepare builds the parts; nothing is started.
func (w *worker) prepare() error {
	dir := w.p.writePath()
	for _, d := range []string{"config", "logs", "cache"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	w.conf = confDir{dir: filepath.Join(dir, "config"), log: w.log}
	var err error
	if w.sent, err = openJournal(filepath.Join(Dir(w.p.home()), "sent.jsonl")); err != nil {
		return err
	}
	if _, err := w.store.mac(); err != nil {
		return err
	}
	asked := w.p.quick
	if asked == "" {
		asked = w.p.env["NAPCAT_QUICK_ACCOUNT"]
	}
	uin, err := strconv.ParseInt(asked, 10, 64)
	if err != nil {
		uin = 0 // nobody in particular
	}
	w.core = &core{store: w.store, opt: w.options, asked: uin}
	w.shell = &shell{
		p: w.p, log: w.log, core: w.core, begin: w.begin,
		setOnline:   w.setOnline,
		wentOffline: w.wentOffline,
	}
	w.core.onCode, w.core.onFailure, w.core.onLogin = w.shell.onCode, w.shell.onFailure, w.shell.onLogin
	w.control = &controlServer{w: w}
	return nil
}

// options are the options in force now.
func (w *worker) options() Options {
	w.optMu.Lock()
	defer w.optMu.Unlock()
	return w.opt
}

// listenMaster obeys the master.
func (w *worker) listenMaster(r io.Reader) {
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		var m message
		if json.Unmarshal(sc.Bytes(), &m) != nil || m.Type != "shutdown" && m.Type != "restart-prepare" {
			continue
		}
		if w.gate.closed() {
			continue // a worker that hangs hears nothing
		}
		time.Sleep(100 * time.Millisecond)
		w.end(0)
	}
}

// end ends the worker with a code.
func (w *worker) end(code int) {
	select {
	case w.exit <- code:
	default: // it is ending already
	}
}

// errNoMaster is what a single process says of a restart.
var errNoMaster = errors.New("重启功能未初始化")

// requestRestart asks the master for a new worker.
func (w *worker) requestRestart() error {
	if w.ipcOut == nil {
		return errNoMaster
	}
	w.mu.Lock()
	ui := w.webui
	w.mu.Unlock()
	b, err := json.Marshal(message{Type: "restart", SecretKey: ui.auth.key, Port: ui.port()})
	if err != nil {
		return err
	}
	if _, err := w.ipcOut.Write(append(b, '\n')); err != nil {
		return errors.New("无法与主进程通信")
	}
	return nil
}

// sleep waits for d while the worker lives.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// boot is NapCat's start, from the first line to the login.
func (w *worker) boot(ctx context.Context) {
	o := w.options()
	struck := w.p.struck()
	if struck {
		w.startFaults(ctx)
	}
	w.log.raw("NapCat Shell App Loading...")
	if struck && o.NeverReady {
		return
	}
	if !sleep(ctx, duration(o.StartDelay, 0)) {
		return
	}
	if !w.p.supportedQQ() {
		w.log.warn("[QQ版本兼容性检测] 获取Appid异常 请检测NapCat/QQNT是否正常")
		w.log.warn("[QQ版本兼容性检测] " + w.p.in.QQVersion + " 版本兼容性不佳，可能会导致一些功能无法正常使用")
	}
	w.log.info("[PacketHandler] 加载成功")
	w.log.info("[Napi2NativeLoader] 加载成功")
	w.log.info("[FFmpeg] 使用内置 ffmpeg")
	w.log.info("[PacketHandler] 初始化成功")
	w.log.info("[NapCat] [Core] NapCat.Core Version: " + w.p.in.NapCatVersion)
	conf, err := loadWebUIConfig(w.conf.dir, w.p.env["NAPCAT_WEBUI_SECRET_KEY"], w.log)
	if err != nil {
		w.log.error("[NapCat] [Error] Unhandled Exception: " + err.Error())
		return
	}
	ui := newWebUI(w, conf)
	w.mu.Lock()
	w.webui = ui
	w.mu.Unlock()
	up := ui.start(ctx)
	if w.p.env["NAPCAT_PROXY_PORT"] != "" && w.p.env["NAPCAT_PROXY_CLOSE"] == "" {
		w.log.info("已设置代理")
	}
	w.log.info("等待网络连接...")
	w.log.info("网络已连接")
	w.shell.login()
	if up {
		w.shell.autoLogin(conf.str("autoLoginAccount"))
	}
}

// begin starts the session of an account: config, then OneBot.
func (w *worker) begin(a Account, uid string) {
	o := w.options()
	doc, err := w.conf.byAccount("napcat", a.UIN, napcatSchema)
	if err != nil {
		doc = defaults(napcatSchema)
	}
	if err := w.log.loggedIn(a.Nick, logConfigOf(doc), filepath.Join(w.p.writePath(), "logs")); err != nil {
		w.log.error(err.Error())
	}
	if _, err := w.conf.byAccount("napcat_protocol", a.UIN, protocolSchema); err != nil {
		w.log.error(err.Error())
	}
	w.log.info("[ServerTime] 时间同步完成，偏差 3ms")
	if w.packetError() == "" {
		w.log.info("[Core] [Packet] 使用 NativePacketClient 作为后端")
	} else {
		w.log.error("[Core] [Packet] PacketBackend 不支持当前QQ版本架构：" + w.p.in.QQVersion + "-x64，请参照 https://github.com/NapNeko/NapCatQQ/releases 安装对应版本QQ")
		w.log.warn("[Core] [Packet] 已禁用PacketBackend，NapCat.Packet将不会加载！")
	}
	w.control.displaceOther(a.UIN)
	time.Sleep(max(duration(o.OneBotDelay, 200*time.Millisecond), 0))
	wd := w.openWorld(a)
	w.mu.Lock()
	w.world = wd
	w.mu.Unlock()
	w.recordSent(wd)
	w.log.info("[AdapterManager] 开始初始化协议适配器...")
	ob, err := w.startOnebot(a, wd)
	if err != nil {
		w.log.error("[AdapterManager] OneBot11 适配器初始化失败: " + err.Error())
		w.shell.onebotReady(selfInfo{Online: true})
	} else {
		w.mu.Lock()
		w.onebot = ob
		w.mu.Unlock()
		w.shell.onebotReady(selfInfo{UIN: strconv.FormatInt(a.UIN, 10), UID: uid, Nick: a.Nick, Online: true})
		w.log.info("[AdapterManager] OneBot11 适配器初始化完成")
	}
	w.log.info("[AdapterManager] NapCat Protocol 适配器未启用，跳过初始化")
	w.log.info("[AdapterManager] 协议适配器初始化完成，已加载 2 个适配器")
	w.announceToken(wd, a.UIN)
	if w.p.struck() {
		w.onlineFaults()
	}
}

// setOnline passes QQ's status on to the world.
func (w *worker) setOnline(on bool) {
	if wd := w.theWorld(); wd != nil {
		wd.SetOnline(on)
	}
}

// wentOffline tells the adapters of a kick.
func (w *worker) wentOffline(title, text string) {
	if wd := w.theWorld(); wd != nil {
		wd.KickOffline(title, text)
	}
}

func (w *worker) theWorld() *world.World {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.world
}

// net is the running OneBot, nil if there is none.
func (w *worker) net() *onebot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.onebot
}

// announceToken lets the bot tell itself a WebUI token that NapCat had to
// replace.
func (w *worker) announceToken(wd *world.World, uin int64) {
	w.mu.Lock()
	token := w.webui.conf.sent
	w.mu.Unlock()
	if token == "" {
		return
	}
	text := fmt.Sprintf("[NapCat] 温馨提示:\nWebUI密码为默认密码，已进行强制修改\n新密码: %s", token)
	if _, err := wd.Send(world.Chat{Type: world.Private, Peer: uin}, 0, []world.Segment{world.Text(text)}, nil); err != nil {
		w.log.error(err.Error())
	}
}

// wedge is what becomes of a worker whose stdout is not read any more: it
// answers nothing, keeps its ports and burns a processor, for a while.
func (w *worker) wedge() {
	w.mu.Lock()
	if w.wedged {
		w.mu.Unlock()
		return
	}
	w.wedged = true
	w.mu.Unlock()
	w.hang(true)
	const span, share = 60 * time.Second, 5 // of a core, one part in five
	for end := time.Now().Add(span); time.Now().Before(end); {
		for spin := time.Now(); time.Since(spin) < 10*time.Millisecond; {
		}
		time.Sleep(10 * (share - 1) * time.Millisecond)
	}
}

// hang stops everything that answers, or lets it go on.
func (w *worker) hang(on bool) {
	if on {
		w.gate.close()
	} else {
		w.gate.release()
	}
	if ob := w.net(); ob != nil {
		ob.freeze(on)
	}
}
