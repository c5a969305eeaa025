// Package webui talks to NapCat's WebUI over HTTP and drives a login with it.
//
// [Client] has one typed method for each endpoint that logging in and
// configuring need; it keeps the credential that the WebUI issues and asks for
// a new one as seldom as it can, since NapCat counts successful logins against
// its rate limit too. [Classify] turns one look at the WebUI into a phase of
// the login. [Driver] leads one login of one account from "the WebUI answers"
// to an [Outcome]: quick login, password with its captcha and new-device steps,
// or a QR code that is renewed while nobody scans it.
//
// The package starts no process, reads no file and knows nothing of OneBot. It
// never logs a token, a credential, a password hash or a captcha ticket, and no
// error of it contains one.
package webui
