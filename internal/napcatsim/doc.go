// Package napcatsim is a stand-in for NapCat and QQ: an installation that is
// packed, installed, started, logged in and used like the real one, and that
// can be made to fail in every way the real one is known to fail. No network
// and no QQ account is needed.
//
// # What it is made of
//
// Pack writes the two archives that a publisher would offer: a Debian package
// of QQ and a flat NapCat.Shell.zip. The qq executable inside is a small shell
// script that runs this very binary again as "ncatd sim qq PATH ARGS", which is
// QQ. QQ is the master process; it reads resources/app/package.json beside the
// executable, follows "main" to a loader and the loader's import to an unpacked
// napcat.mjs. Only when that chain is whole does it become NapCat: it starts a
// worker (the same binary with NAPCAT_WORKER_PROCESS=1), copies its output,
// starts it again when it dies and gives up after three deaths in ten seconds.
// Without the chain it stays a plain QQ for ever.
//
// The worker is everything else: the log on stdout, the files under
// $NAPCAT_WORKDIR/config, the WebUI, the login state machine and the OneBot
// adapters on a small world of friends, groups and messages (packages world
// and adapter).
//
// A supervisor reaches it only as it would reach NapCat: command line,
// environment, signals, files, stdout, HTTP and WebSocket.
//
// # Playing the outside world
//
// What in reality is done by people, phones and QQ's servers is done through a
// loopback address that the worker writes to $HOME/.config/QQ/sim/control.json
// (HOME is the HOME of the QQ process). Control is the client; package simcmd
// has the "ncatd sim" commands on top of it:
//
//	ncatd sim say --user 3001000001 测试   a friend writes; prints the bot's answers
//	ncatd sim say --group 700000001 /ping  a member writes into a group
//	ncatd sim act DEED …                   somebody pokes, joins, recalls, asks to be a friend …
//	ncatd sim sent                         what the bot has sent so far
//	ncatd sim scan [--uin N]               the phone scans the login code and confirms
//	ncatd sim qr-expire                    the code expires; a new one comes
//	ncatd sim kick                         the account is logged out by QQ
//	ncatd sim offline | online             status 20 and back, without an event
//	ncatd sim crash [--code N|--signal S]  the worker dies
//	ncatd sim freeze [--for 45s|--off]     the worker answers nothing until it thaws
//	ncatd sim mute|unmute --group ID       the bot may not speak there
//	ncatd sim refuse [--code N --text T]   QQ refuses what the bot sends
//	ncatd sim drop [MODE]                  connections break, go dead, slow or mute, carry rubbish
//	ncatd sim fault KEY=VALUE …            any option below, at once
//	ncatd sim onebot [--port N --token T]  OneBot alone, without QQ and login, for bot authors
//	ncatd sim state | world                what it is doing; whom it knows
//	ncatd sim onebot                       the OneBot side alone, without QQ and login
//
// # Options
//
// At start the simulator merges, later ones winning: the built-in defaults,
// sim-options.json beside napcat.mjs and in resources/app of QQ (written by Pack,
// so that a release can be packed that never comes up), options.json in
// $HOME/.config/QQ/sim, and the environment variable NCATD_SIM_SCAN_AFTER.
// Options lists the keys; `sim fault` changes options.json and the running
// worker.
package napcatsim
