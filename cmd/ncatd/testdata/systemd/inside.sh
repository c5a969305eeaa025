#!/bin/bash
# Runs inside the container, once a boot; see e2e.sh.
export NCATD_LANG=en HOME=/root NCATD_HOME=/var/lib/ncatd
boot=first
[ -e /results-first ] && boot=second
exec >/results-$boot 2>&1
trap 'systemctl poweroff' EXIT

main() { systemctl show -p MainPID --value ncatd; }
napcat() { ncatd status --json | grep -o '"napcat": [0-9]*' | head -1; }
check() { # check WHAT COMMAND...
	local what=$1
	shift
	if "$@"; then echo "ok: $what"; else echo "FAIL: $what"; fi
}
until_ok() { # until_ok SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}
restarted() { [ "$(main)" != 0 ] && [ "$(main)" != "$1" ] && ncatd status; }
nothing_left() { ! pgrep -f "sim qq" && [ ! -e /var/lib/ncatd/run/ncatd.sock ]; }

if [ $boot = first ]; then
	mkdir -p /var/lib/ncatd
	printf 'display: none\n' >/var/lib/ncatd/ncatd.yaml
	check "service install" ncatd service install -- --sim
	check "start returns only when ready" systemctl is-active --quiet ncatd
	check "it answers then" sh -c 'ncatd status >/dev/null; test $? -ne 3'
	check "the account comes online" until_ok 30 ncatd status
	check "systemctl status has words" until_ok 10 sh -c 'systemctl status ncatd | grep -q "Status: \"1 account: 1 online"'
	check "the journal has fields" sh -c 'journalctl -u ncatd NCATD_ACCOUNT=main -n 1 --no-pager | grep -q state'

	pid=$(main) nap=$(napcat)
	kill -9 "$pid"
	check "kill -9 of ncatd: restarted and online" until_ok 30 restarted "$pid"
	check "NapCat was taken over ($nap)" test "$(napcat)" = "$nap"

	ncatd config set log.level debug
	check "reload" systemctl reload ncatd

	pid=$(main)
	kill -STOP "$pid"
	check "frozen: the watchdog restarts it" until_ok 70 restarted "$pid"
	check "NapCat was taken over ($nap)" test "$(napcat)" = "$nap"

	exposure=$(systemd-analyze security ncatd --no-pager | grep -o 'service: [0-9.]*' | grep -o '[0-9.]*$')
	check "systemd-analyze security: $exposure is at most 4.0" awk "BEGIN { exit !($exposure <= 4.0) }"

	check "stop" systemctl stop ncatd
	check "stop leaves nothing" nothing_left
	check "start again" systemctl start ncatd
	check "online again, without a scan" until_ok 30 ncatd status
	exit
fi
check "the reboot brings all back" until_ok 30 ncatd status
check "service uninstall" ncatd service uninstall
check "nothing runs" nothing_left
check "no trace in systemd" sh -c '! ls /etc/systemd/system /etc/systemd/system/*.wants | grep -q ncatd && ! systemctl list-unit-files | grep -q ncatd'
echo "all of the second boot"
