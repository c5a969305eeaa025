package output

// Kind says what a line of output means.
type Kind string

// The kinds of facts. The comments name what else of a [Fact] is set.
const (
	KindLoading       Kind = "loading"         // a worker begins to load
	KindVersion       Kind = "version"         // Text: NapCat's version
	KindWebUIToken    Kind = "webui_token"     // Text: the token, a secret
	KindWebUITLS      Kind = "webui_tls"       // the WebUI will speak TLS, whatever its URL says
	KindWebUIURL      Kind = "webui_url"       // Port; URL without the token; Text: the token, a secret
	KindWebUIDead     Kind = "webui_dead"      // no WebUI will come
	KindNetworkWait   Kind = "network_wait"    // no route to QQ yet; repeats every 500 ms
	KindNetworkUp     Kind = "network_up"      //
	KindQR            Kind = "qr"              // URL: the text to encode
	KindQRSaved       Kind = "qr_saved"        // Text: path of the picture
	KindQRExpired     Kind = "qr_expired"      // the next code comes by itself
	KindLoginError    Kind = "login_error"     // Text: QQ's words
	KindAlreadyOnline Kind = "already_online"  // Text: uid; the account is logged in in another process
	KindNoQuick       Kind = "no_quick"        // started without -q: QR login
	KindQuickBegan    Kind = "quick_began"     // UIN
	KindQuickOK       Kind = "quick_ok"        // UIN
	KindQuickUnknown  Kind = "quick_unknown"   // the account has no history here
	KindQuickFailed   Kind = "quick_failed"    // Text: QQ's words
	KindNoPassword    Kind = "no_password"     // UIN; no password to fall back to
	KindPasswordBegan Kind = "password_began"  // UIN
	KindPasswordOK    Kind = "password_ok"     // UIN
	KindCaptcha       Kind = "captcha"         // URL
	KindNewDevice     Kind = "new_device"      // URL
	KindPasswordBad   Kind = "password_failed" // Text: QQ's words
	KindLoggedIn      Kind = "logged_in"       //
	KindTimeSynced    Kind = "time_synced"     //
	KindAdapters      Kind = "adapters"        // OneBot is being initialised
	KindListening     Kind = "listening"       // Text: host:port, "" if not told; Port 0 then
	KindOneBotReady   Kind = "onebot_ready"    //
	KindOneBotFailed  Kind = "onebot_failed"   // Text
	KindPortBusy      Kind = "port_busy"       // Port, 0 if not told; Text: who could not listen: onebot, webui, ""
	KindKicked        Kind = "kicked"          // Text: title and words of QQ
	KindOffline       Kind = "offline"         // status 20
	KindOnline        Kind = "online"          // back from status 20, if told
	KindWorkerExit    Kind = "worker_exit"     // Code
	KindWorkerAgain   Kind = "worker_again"    // Code: which of 3 exits within 10 s
	KindCrashLoop     Kind = "crash_loop"      // the master gives up
	KindStartFailed   Kind = "start_failed"    // Text
	KindUnhandled     Kind = "unhandled"       // Text: an exception that only was logged
	KindUnsupportedQQ Kind = "unsupported_qq"  // Text
	KindPacketOff     Kind = "packet_off"      // Text: actions that need packets will fail
	KindBadConfig     Kind = "bad_config"      // Text: a file of NapCat's is broken
	KindNoDisplay     Kind = "no_display"      // Text: QQ found no X server
	KindMissingLib    Kind = "missing_library" // Text: the library
	KindDiskFull      Kind = "disk_full"       // Text
	KindNotNapCat     Kind = "not_napcat"      // Text: the loader could not import NapCat
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
