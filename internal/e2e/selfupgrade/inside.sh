#!/bin/bash
# Runs as root inside the container; see run.sh.
export NCATD_LANG=en HOME=/root LC_ALL=C.UTF-8
. /usr/local/sbin/e2e-checks
home=/var/lib/ncatd
online() { ncatd --home $home status; }
socket() { ncatd --home $home status --json; }
json() { socket | grep -o "\"$1\": *[^,}]*" | head -1 | sed 's/.*: *//; s/"//g'; }
version() { [ "$(json version)" = "$1" ]; }
fails_saying() { # fails_saying TEXT COMMAND...
	local text=$1 out
	shift
	out=$("$@" 2>&1) && echo "it succeeded: $out" && return 1
	echo "$out"
	grep -qF "$text" <<<"$out"
}

mkdir -p /srv/packages $home
NCATD_HOME=/srv ncatd sim pack /srv/packages --options <(echo '{"need_display": "on", "scan_after": "1s"}') >/dev/null
chmod -R a+rX /srv/packages
cat >$home/ncatd.yaml <<YAML
napcat:
  source: file://$(ls /srv/packages/*.zip)
  qq_source: file://$(ls /srv/packages/*.deb)
accounts:
  - name: main
YAML
check "the service is installed" ncatd service install
check "online" until_ok 60 online
nap=$(json napcat) pid=$(json pid)

rm -f /run/done
silence socket /run/done >/run/silence &
check "self upgrade" ncatd self upgrade --source /srv/self/good
check "online" until_ok 30 online
touch /run/done
wait $!
silent=$(cat /run/silence)
check "the control socket was away for $silent ms, at most ${E2E_SILENT:=2000}" [ "$silent" -le "$E2E_SILENT" ]
check "the daemon is 1.1.0" version 1.1.0
check "NapCat is the same ($nap)" [ -n "$nap" -a "$(json napcat)" = "$nap" ]
check "the daemon's process too ($pid)" [ "$(systemctl show -p MainPID --value ncatd)" = "$pid" ]
check "systemd saw no restart" [ "$(systemctl show -p NRestarts,ActiveState --value ncatd | xargs)" = "0 active" ]
check "self rollback" ncatd self rollback
check "the daemon is 1.0.0" version 1.0.0
check "NapCat is the same" [ "$(json napcat)" = "$nap" ]

# bad NAME VERSION TEXT [OPTION...]: the version is left for the old one by itself.
bad() {
	local name=$1 version=$2 text=$3
	shift 3
	check "$name: self upgrade fails and says why" fails_saying "$text" ncatd self upgrade --source "/srv/self/$name" "$@"
	check "$name: the old one is back" version 1.0.0
	check "$name: online" until_ok 30 online
	check "$name: NapCat is the same" [ "$(json napcat)" = "$nap" ]
	check "$name: status says why" sh -c "ncatd --home $home status | tee /dev/stderr | grep 'ncatd $version was left again' | grep -qF '$text'"
	check "$name: systemd has it active" [ "$(systemctl is-active ncatd)" = active ]
}
bad crash 1.2.0 "ended right after its start"
bad hang 1.3.0 "did not answer in time" --wait 10s
bad hang 1.3.0 "ended right after its start" # the watchdog looks before the limit is over
bad refuse 1.4.0 "ended right after its start" # ends as for a wrong config: systemd does not try again
before=$(sha256sum </usr/local/bin/ncatd)
check "config: not swapped, and the cause is told" fails_saying "no such key" ncatd self upgrade --source /srv/self/config
check "config: the program is as it was" [ "$(sha256sum </usr/local/bin/ncatd)" = "$before" ]
check "config: NapCat is the same" [ "$(json napcat)" = "$nap" ]
check "a good one still works" ncatd self upgrade --source /srv/self/good
check "the daemon is 1.1.0" version 1.1.0
check "status is silent about those that were left" sh -c "! ncatd --home $home status | grep 'left again'"
check "NapCat is the same" [ "$(json napcat)" = "$nap" ]
echo "all of it"
