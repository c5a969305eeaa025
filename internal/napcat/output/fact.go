package output

// Kind says what a line of output means.
type Kind string

// The kinds of facts. The comments name what else of a [Fact] is set.
const (
	KindLoading       Kind = "loading"         // a worker begins to load
	KindVersion       Kind = "version"         // Text: NapCat's version
	KindWebUITLS      Kind = "webui_tls"       // the WebUI will speak TLS, whatever its URL says
	KindWebUIURL      Kind = "webui_url"       // Port; URL without the token; Text: the token, a secret
	KindWebUIDead     Kind = "webui_dead"      // no WebUI will come
	KindNetworkWait   Kind = "network_wait"    // no route to QQ yet; repeats every 500 ms
	KindNetworkUp     Kind = "network_up"      //
	KindQR            Kind = "qr"              // URL: the text to encode
	KindQRExpired     Kind = "qr_expired"      // the next code comes by itself
	KindLoginError    Kind = "login_error"     // Text: QQ's words
	KindQuickBegan    Kind = "quick_began"     // UIN
	KindQuickFailed   Kind = "quick_failed"    // Text: QQ's words
	KindCaptcha       Kind = "captcha"         // URL
	KindNewDevice     Kind = "new_device"      // URL
	KindLoggedIn      Kind = "logged_in"       //
	KindAdapters      Kind = "adapters"        // OneBot is being initialised
	KindOneBotReady   Kind = "onebot_ready"    //
	KindOneBotFailed  Kind = "onebot_failed"   // Text
	KindPortBusy      Kind = "port_busy"       // Port, 0 if not told; Text: what could not listen: onebot, webui, ""
	KindKicked        Kind = "kicked"          // Text: title and words of QQ
	KindOffline       Kind = "offline"         // status 20
	KindOnline        Kind = "online"          // back from status 20, if told
	KindWorkerExit    Kind = "worker_exit"     // Code
	KindWorkerAgain   Kind = "worker_again"    // Code: which of 3 exits within 10 s
	KindStartFailed   Kind = "start_failed"    // Text
	KindUnsupportedQQ Kind = "unsupported_qq"  // Text
	KindPacketOff     Kind = "packet_off"      // Text: actions that need packets will fail
	KindBadConfig     Kind = "bad_config"      // Text: a file of NapCat's is broken
	KindNoDisplay     Kind = "no_display"      // Text: QQ found no X server
	KindMissingLib    Kind = "missing_library" // Text: the library
	KindDiskFull      Kind = "disk_full"       // Text
	KindNotNapCat     Kind = "not_napcat"      // Text: the loader could not import NapCat
	KindOldLibrary    Kind = "old_library"     // Text: the version of the C or C++ library that QQ needs
	KindSandbox       Kind = "sandbox"         // Text: Chromium's sandbox refuses, as it does for root
	KindSmallShm      Kind = "small_shm"       // Text: /dev/shm is too small or not writable
	KindBadOption     Kind = "bad_option"      // Text: an option that node does not know; its exit code is 9 then
	KindNoMemory      Kind = "no_memory"       // Text
	KindIllegal       Kind = "illegal"         // Text: the processor lacks an instruction
	KindReadOnly      Kind = "read_only"       // Text
	KindDenied        Kind = "denied"          // Text: a file that QQ may not use
	KindLimit         Kind = "limit"           // Text: open files, threads or processes are used up
)

// Fact is what a line of output means.
type Fact struct {
	Kind Kind
	Text string
	URL  string
	Port int
	Code int
	UIN  int64
}

// Line is one line of output as [Parser] understood it.
type Line struct {
	// Text is the line without escape sequences and control characters.
	Text string
	// Level is debug, info, warn or error; lines that are no record of NapCat's
	// logger have the level info.
	Level string
	// Record says that the line begins a record of NapCat's logger.
	Record bool
	// Message is Text without its time and level; of a line that continues a
	// record it is all of Text.
	Message string
	// Noise says that QQ's own chatter need not be kept.
	Noise bool
	// Chat says that the line is, or continues, a chat message.
	Chat bool
	// Old says that the line was printed before its process was adopted.
	Old bool
	// Fact is what the line means, nil for most lines.
	Fact *Fact
}
