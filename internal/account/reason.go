package account

import "github.com/ncatd/ncatd/internal/supervisor"

// The reasons of an account's states and faults, beyond those of supervisor.
// People script against these words.
const (
	ReasonQR            supervisor.Reason = "qr"
	ReasonCaptcha       supervisor.Reason = "captcha"
	ReasonNewDevice     supervisor.Reason = "new_device"
	ReasonQuickLogin    supervisor.Reason = "quick_login"
	ReasonLoginFailed   supervisor.Reason = "login_failed"
	ReasonPasswordLogin supervisor.Reason = "password_login"
	ReasonWebUI         supervisor.Reason = "webui"           // waiting for the host's control page
	ReasonLogin         supervisor.Reason = "login"           // the login has begun
	ReasonAccepted      supervisor.Reason = "accepted"        // QQ accepted, OneBot is being set up
	ReasonOneBot        supervisor.Reason = "onebot"          // connecting to OneBot
	ReasonLinkLost      supervisor.Reason = "link_lost"       // the connection to OneBot broke
	ReasonHeartbeatLost supervisor.Reason = "heartbeat_lost"  // no heartbeat, and no answer to a probe
	ReasonNotResponding supervisor.Reason = "not_responding"  // neither the WebUI nor OneBot answers
	ReasonHung          supervisor.Reason = "hung"            // a signal stopped one of the processes
	ReasonKicked        supervisor.Reason = "kicked"          //
	ReasonCrash         supervisor.Reason = "crash"           //
	ReasonPortBusy      supervisor.Reason = "port_busy"       //
	ReasonBadToken      supervisor.Reason = "bad_token"       //
	ReasonUnsupportedQQ supervisor.Reason = "unsupported_qq"  //
	ReasonNoNetwork     supervisor.Reason = "no_network"      //
	ReasonDiskFull      supervisor.Reason = "disk_full"       //
	ReasonMissingLib    supervisor.Reason = "missing_library" //
	ReasonNoDisplay     supervisor.Reason = "no_display"      //
	ReasonDisplayLost   supervisor.Reason = "display_lost"    //
	ReasonNotNapCat     supervisor.Reason = "not_napcat"      // QQ runs without NapCat
	ReasonBadConfig     supervisor.Reason = "bad_config"      //
	ReasonWrongAccount  supervisor.Reason = "wrong_account"   //
	ReasonSendFailing   supervisor.Reason = "send_failing"    //
	ReasonMemory        supervisor.Reason = "memory"          //
	ReasonScheduled     supervisor.Reason = "scheduled"       //
	ReasonInstall       supervisor.Reason = "install"         //
	ReasonOnline        supervisor.Reason = "online"          //
	ReasonWebUILost     supervisor.Reason = "webui_lost"      //
	ReasonTwoFactor     supervisor.Reason = "two_factor"      // the WebUI asks for a code that we cannot give
	ReasonForbidden     supervisor.Reason = "webui_forbidden" // the WebUI's address rules shut us out
	ReasonAdopted       supervisor.Reason = "adopted"         // found running, started by an earlier ncatd
	ReasonLeased        supervisor.Reason = "leased"          // another host of the fleet has the account
	ReasonShutdown      supervisor.Reason = "shutdown"        // ncatd is stopping
)
