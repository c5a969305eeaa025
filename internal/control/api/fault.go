package api

import (
	"fmt"
	"time"
)

// Code names a sentence of the catalogue (entry fault.CODE in each language),
// which the args of its [Fault] fill in their order. It is finer than a reason:
// several sentences explain one reason.
type Code string

// Fault says why something is as it is, without a sentence. The zero Fault says
// nothing.
type Fault struct {
	Code Code     `json:"code"`
	Args []string `json:"args,omitempty"`
	// Cause is what the sentence goes on with: what was waited for in vain, how
	// the process ended, its last line.
	Cause *Fault `json:"cause,omitempty"`
}

// Because returns a Fault with args as fmt.Sprint writes them. The catalogue's
// test reads its calls: code is one of the constants, and as many args follow
// as the sentence takes.
func Because(code Code, args ...any) Fault {
	f := Fault{Code: code}
	for _, a := range args {
		f.Args = append(f.Args, fmt.Sprint(a))
	}
	return f
}

// With returns f with causes behind its own last one; zero ones are left out.
func (f Fault) With(causes ...Fault) Fault {
	if f.Cause != nil {
		c := f.Cause.With(causes...)
		f.Cause = &c
		return f
	}
	for i, c := range causes {
		if c.Code != "" {
			c = c.With(causes[i+1:]...)
			f.Cause = &c
			break
		}
	}
	return f
}

// Degraded is one reason why an account that is online does not do all it
// should. Detail is the catalogue's English sentence.
type Degraded struct {
	Code   Code      `json:"code"`
	Args   []string  `json:"args,omitempty"`
	Cause  *Fault    `json:"cause,omitempty"`
	Detail string    `json:"detail"`
	Since  time.Time `json:"since"`
	// Count is how often it was reported since then.
	Count int `json:"count,omitempty"`
}

// Fault returns why, without a sentence.
func (d Degraded) Fault() Fault { return Fault{Code: d.Code, Args: d.Args, Cause: d.Cause} }

// LastCrash is how the daemon's own process last ended badly.
type LastCrash struct {
	Time  time.Time `json:"time"`
	Panic string    `json:"panic"` // its first line, "" if the process was killed
	// Fresh is true if it was the process before this one.
	Fresh bool   `json:"fresh,omitempty"`
	Stack string `json:"stack,omitempty"`
	// Account, Chat and MessageID name the message that was being handled.
	Account   string `json:"account,omitempty"`
	Chat      string `json:"chat,omitempty"`
	MessageID string `json:"message_id,omitempty"`
}

// The codes of why an account is in its state. Comments name the args.
const (
	CodeNotWanted     Code = "not_wanted"
	CodeStopAsked     Code = "stop_asked"
	CodeRestartAsked  Code = "restart_asked"
	CodeShutdown      Code = "shutdown"
	CodeStartGivenUp  Code = "start_given_up"
	CodeStarting      Code = "starting"       // version of NapCat, of QQ
	CodeProcessStarts Code = "process_starts" //
	CodeProcessRuns   Code = "process_runs"
	CodeProcessEnded  Code = "process_ended"
	CodeAdopted       Code = "adopted"
	CodeStateOnly     Code = "state_only" // state
	CodeBackoff       Code = "backoff"
	CodeNotReadyAfter Code = "not_ready_after" // duration; cause: what was waited for
	CodeOfflineAfter  Code = "offline_after"   // duration; cause
	CodeCrashLoop     Code = "crash_loop"      // cause: the last fault
	CodeSpawnFailed   Code = "spawn_failed"    // error
	CodeFetching      Code = "fetching"        // product, URL or path
	CodeDownloading   Code = "downloading"     // product, percent
	CodeUnpacking     Code = "unpacking"       // product
	CodeInstallFailed Code = "install_failed"  // cause: of install.Fault
	CodeNewPairFailed Code = "new_pair_failed" // version of NapCat, of QQ
	CodeNewNapCat     Code = "new_napcat"      // version, the one that runs
	CodeNewNcatd      Code = "new_ncatd"       // version, the one that runs
	CodeVersionLeft   Code = "version_left"    // version of ncatd, reason

	CodeWebUIWait      Code = "webui_wait"
	CodeLoginAsked     Code = "login_asked"
	CodeLoginQuick     Code = "login_quick"    // uin
	CodeLoginPassword  Code = "login_password" // uin
	CodeLoginQR        Code = "login_qr"
	CodeLoginQRLate    Code = "login_qr_late"
	CodeLoginQRExpired Code = "login_qr_expired"
	CodeLoginScanned   Code = "login_scanned" // the code of a new device
	CodeLoginCaptcha   Code = "login_captcha"
	CodeLoginNewDevice Code = "login_new_device"
	CodeLoginFailed    Code = "login_failed"
	CodeLoginAccepted  Code = "login_accepted"
	CodeLoginStuck     Code = "login_stuck"
	CodeWrongAccount   Code = "wrong_account"   // uin that logged in, uin wanted
	CodeWebUIToken     Code = "webui_token"     // the WebUI refuses our token
	CodeTwoFactor      Code = "two_factor"      //
	CodeWebUIForbidden Code = "webui_forbidden" //

	CodeOnline         Code = "online"
	CodeOneBotConnect  Code = "onebot_connect"
	CodeOneBotError    Code = "onebot_error" // why it could not be connected to
	CodeOneBotAsked    Code = "onebot_asked"
	CodeOneBotSetup    Code = "onebot_setup" // NapCat's words
	CodeOneBotToken    Code = "onebot_token"
	CodePortBusy       Code = "port_busy"       // key of the config, port, what holds it
	CodeHostNotHere    Code = "host_not_here"   // key of the config, host
	CodePortMoved      Code = "port_moved"      // port; another one is being set up
	CodeWebUIPort      Code = "webui_port_busy" //
	CodeLinkLost       Code = "link_lost"       // error
	CodeHeartbeatLost  Code = "heartbeat_lost"
	CodeNotResponding  Code = "not_responding"
	CodeQQOffline      Code = "qq_offline"
	CodeOneBotOffline  Code = "onebot_offline"
	CodeWebUILost      Code = "webui_lost"
	CodeNoNetwork      Code = "no_network"
	CodeNoNetworkEnded Code = "no_network_ended"
	CodeKicked         Code = "kicked"       // QQ's words
	CodeKickedQuiet    Code = "kicked_quiet" // without words
	CodeSendFailing    Code = "send_failing" // how many
	CodeHung           Code = "hung"         // pid
	CodeMemory         Code = "memory"       // MiB used, MiB allowed
	CodeScheduled      Code = "scheduled"

	CodeMissingLibrary    Code = "missing_library" // its name
	CodeOldLibrary        Code = "old_library"     // version needed
	CodeSandbox           Code = "sandbox"         // QQ's words
	CodeSmallShm          Code = "small_shm"       // /dev/shm
	CodeBadOption         Code = "bad_option"      // option
	CodePortInUse         Code = "port_in_use"     // port
	CodeOutOfMemory       Code = "out_of_memory"   //
	CodeIllegal           Code = "illegal_instruction"
	CodeReadOnly          Code = "read_only" // QQ's words
	CodeDenied            Code = "denied"    // QQ's words
	CodeLimit             Code = "limit"     // QQ's words
	CodeDiskFull          Code = "disk_full"
	CodeDiskError         Code = "disk_error" // error
	CodeNoDisplay         Code = "no_display"
	CodeDisplayFailed     Code = "display_failed" // error
	CodeDisplayLost       Code = "display_lost"
	CodeNotNapCat         Code = "not_napcat"
	CodeStartFailed       Code = "start_failed" // NapCat's words
	CodeNapCatConfig      Code = "napcat_config"
	CodeUnsupportedQQ     Code = "unsupported_qq"
	CodeCrashedModule     Code = "crashed_module"      // SIGSEGV
	CodeCrashedOldModule  Code = "crashed_unsupported" // SIGSEGV, and NapCat does not know this QQ
	CodeKilled            Code = "killed"              // by signal 9
	CodeWorkerDied        Code = "worker_died"         // exit code
	CodeWorkerDiedUnknown Code = "worker_died_unknown" //
	CodeWorkerBack        Code = "worker_back"         // the worker died and is being started again
	CodeWorkerLoop        Code = "worker_loop"         // how often, within what time
	CodeExit              Code = "exit"                // exit code
	CodeSignal            Code = "signal"              // signal's name
	CodeLastLine          Code = "last_line"           // a line of output
)

// The codes of why a channel of alerts failed: "alert_" and package alert's word
// for it.
const (
	CodeAlertChannel     Code = "alert_channel"     // channel, its words; a condition
	CodeAlertToken       Code = "alert_token"       // the service's words
	CodeAlertAddress     Code = "alert_address"     // the service's words
	CodeAlertRefused     Code = "alert_refused"     // the service's words
	CodeAlertBusy        Code = "alert_busy"        // the service's words
	CodeAlertServer      Code = "alert_server"      // the service's words
	CodeAlertTimeout     Code = "alert_timeout"     // how long
	CodeAlertCertificate Code = "alert_certificate" // what is wrong with it
	CodeAlertUnreachable Code = "alert_unreachable" // error
	CodeAlertAnswer      Code = "alert_answer"      // what came
	CodeAlertConfig      Code = "alert_config"      // what is missing
	CodeFlapping         Code = "flapping"
)

// The codes of why an app that ncatd runs is in its state.
const (
	CodeAppRuns   Code = "app_runs"
	CodeAppLink   Code = "app_link"   // its link is not up
	CodeAppWaits  Code = "app_waits"  // no account of it was online yet
	CodeAppMemory Code = "app_memory" // MiB used, MiB allowed
	CodeAppExit   Code = "app_exit"   // exit code
	CodeAppSignal Code = "app_signal" // signal's name
)

// The codes of why the console refuses something.
const (
	CodeDoorNoSession Code = "door_no_session"
	CodeDoorShort     Code = "door_short" // characters that a password needs
	CodeDoorLong      Code = "door_long"  // bytes that it may have
)

// The codes of why an account is degraded.
const (
	CodeStoreDamaged   Code = "store_damaged"   // file it was set aside as, when the backup was made that is in its place
	CodeStoreEmptied   Code = "store_emptied"   // file it was set aside as; there is no backup
	CodeStoreRewritten Code = "store_rewritten" // file it was set aside as; nothing is lost
	CodeStoreLocked    Code = "store_locked"    // file
	CodeStoreWrite     Code = "store_write"     // error
	CodeJournalWrite   Code = "journal_write"   // error
	CodeJournalGap     Code = "journal_gap"     // chat, how many are missing at least
	CodeStateWrite     Code = "state_write"     // error
	CodeDiskLow        Code = "disk_low"        // folder, MiB free
	CodeDiskReadOnly   Code = "disk_read_only"  // folder
	CodeLogLost        Code = "log_lost"        // log, lines
	CodePluginFailed   Code = "plugin_failed"   // plugin; cause: why
	CodePluginError    Code = "plugin_error"    // its words
	CodePermissions    Code = "permissions"     // error
	CodeScriptGrants   Code = "script_grants"   // error of plugins.lock
	CodePortReplaced   Code = "port_replaced"   // port, what holds it, port taken instead
	CodeNoPacket       Code = "no_packet"       // no packet back end
	CodeLeaseHeld      Code = "lease_held"      // host that has the account
	CodeLeaseLost      Code = "lease_lost"      // another host has the account now
	CodeLeaseMoving    Code = "lease_moving"    // host that the account is being moved to or from
	CodeLeaseUnheard   Code = "lease_unheard"   // the lease could not be renewed in time
	CodeLeaseUnasked   Code = "lease_unasked"   // the bus cannot be asked whose the account is; cause: why
	CodeLeaseCopy      Code = "lease_copy"      // a copy of this home runs the account on another machine
	CodeBusAway        Code = "bus_away"        // events that wait on disk, error
	CodeBusRefused     Code = "bus_refused"     // events that wait on disk, the servers' words
	CodeBusTLS         Code = "bus_tls"         // events that wait on disk, error
	CodeBusNoJetStream Code = "bus_no_streams"  // events that wait on disk, the servers' words
	CodeBusDenied      Code = "bus_denied"      // events that wait on disk, the servers' words
	CodeBusUnprepared  Code = "bus_unprepared"  // events that wait on disk, the servers' words
	CodeBusNewer       Code = "bus_newer"       // events that wait on disk, error
	CodeBusTwin        Code = "bus_twin"        // this host's name, which another host has
	CodeBusLost        Code = "bus_lost"        // events that had no room
	CodeConfigRejected Code = "config_rejected" // place and key of the first problem, or an error
	CodeCertNone       Code = "cert_none"       // file or folder, error
	CodeCertUnread     Code = "cert_unread"     // file or folder, error
	CodeCertEnds       Code = "cert_ends"       // file or folder, when
	CodeCertEnded      Code = "cert_ended"      // file or folder, when
)

// The codes of why a fleet does not do what it was asked for.
const (
	CodeNoFleet     Code = "no_fleet"     // this host is in none
	CodeHostUnknown Code = "host_unknown" // host, those that can be reached
	CodeHostSilent  Code = "host_silent"  // host, how long ago it was heard
	CodeHostLost    Code = "host_lost"    // host that fell silent; a condition
	CodeMoveHere    Code = "move_here"    // account, host where it is
	CodeMoveBusy    Code = "move_busy"    // account, host that it is being moved to or from
	CodeMoveNumber  Code = "move_number"  // account whose number is not known yet
	CodeMoveNever   Code = "move_never"   // account that never ran in the fleet
	CodeMoveName    Code = "move_name"    // host, name that another account has there
	CodeMoveConfig  Code = "move_config"  // host, error of its config
	CodeMoveNone    Code = "move_none"    // account that was not moved
	CodeMoveThere   Code = "move_there"   // host, why it could not take the account
	CodeMoveLate    Code = "move_late"    // host that did not fetch the files in time, error
	CodeMoveUnsure  Code = "move_unsure"  // host from which nothing was heard of the account
	CodeTakeAlive   Code = "take_alive"   // host that has the account, how long ago it was heard
	CodeNoDead      Code = "no_dead"      // number that no dead event has
)

// The codes of why a request is refused.
const (
	CodeNoAccount        Code = "no_account"          // name, those that there are
	CodeNoApp            Code = "no_app"              // name
	CodeAppForeign       Code = "app_foreign"         // name
	CodeNoPlugin         Code = "no_plugin"           // id
	CodePluginBuiltIn    Code = "plugin_built_in"     // id
	CodePluginNotLoaded  Code = "plugin_not_loaded"   // id; cause: why
	CodePluginNotSet     Code = "plugin_not_set"      // id; cause: why
	CodeNoAlerts         Code = "no_alerts"           // none are configured
	CodeNoChannel        Code = "no_channel"          // name, those that there are
	CodeConfigChanged    Code = "config_changed"      // on disk, since it was read
	CodeReloadNone       Code = "reload_none"         // the daemon has no config to load
	CodeReloadPanicked   Code = "reload_panicked"     // what the panic said
	CodeNotOnline        Code = "not_online"          // account; cause: why
	CodeNotLoggedIn      Code = "not_logged_in"       // account
	CodeLoginDone        Code = "login_done"          // account, uin that is logged in
	CodeLoginStopped     Code = "login_stopped"       // account, which is stopped
	CodeLoginEarly       Code = "login_early"         // account, whose NapCat is not ready for a login
	CodeLoginNoCaptcha   Code = "login_no_captcha"    // account, whose login waits for none
	CodeLoginNoUIN       Code = "login_no_uin"        // account whose number is not known
	CodeLoginOther       Code = "login_other"         // account, uin that it is configured as
	CodeLoginRefused     Code = "login_refused"       // QQ said no, without a word
	CodeLoginTooOften    Code = "login_too_often"     // the WebUI is asked too often
	CodeLoginTooOftenFor Code = "login_too_often_for" // for how long yet
	CodeConsoleNoTLS     Code = "console_no_tls"      // nobody is served without it
	CodeConsoleNoCert    Code = "console_no_cert"     // error
	CodeConsoleOff       Code = "console_off"
)

// The codes of why a package could not be installed. Those of one source among
// several are "source_" and package fetch's word for it; their args are the source
// and what else is known, in parentheses.
const (
	CodeNotFetched      Code = "not_fetched"      // file; causes: one for each source
	CodeFetchDead       Code = "fetch_dead"       // file, which is not there any more
	CodePackageArch     Code = "package_arch"     // product, processor it is for, this machine's
	CodePackageDigest   Code = "package_digest"   // product, its digest, the one of the config
	CodePackageOther    Code = "package_other"    // product, what it lacks
	CodePackageRefused  Code = "package_refused"  // product, entry
	CodePackageFormat   Code = "package_format"   // product, file
	CodePackageDamaged  Code = "package_damaged"  // product, error
	CodePackageMissing  Code = "package_missing"  // product, error
	CodePackageUnlisted Code = "package_unlisted" // QQ's version, processor, versions that are known
	CodePackageNone     Code = "package_none"     // processor for which there is no QQ
	CodeInstallBusy     Code = "install_busy"     //
	CodeInstallError    Code = "install_error"    // error
	CodeCatalogueBroken Code = "catalogue_broken" // address or file, error
	CodeNoSpace         Code = "no_space"         // folder, MiB needed, MiB free
)
