#!/bin/bash
# Runs as root inside the container, once a boot; see run.sh. Every check prints
# "ok: WHAT" or "FAIL: WHAT"; the last line says that all were tried.
export NCATD_LANG=en HOME=/root LC_ALL=C.UTF-8
boot=first
[ -s /e2e-first ] && boot=second
exec >>/e2e-$boot 2>&1
trap 'systemctl --no-block poweroff' EXIT

home=/var/lib/ncatd # of the system's service
ops_home=/home/ops/.ncatd
as_root() { NCATD_HOME=$home "$@"; }
as_ops() { # as a login of ops would
	runuser -u ops -- env -i HOME=/home/ops USER=ops LOGNAME=ops PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 NCATD_LANG=en \
		XDG_RUNTIME_DIR="/run/user/$(id -u ops)" "$@"
}

check() { # check WHAT COMMAND...
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "ok: $what"
	else
		echo "FAIL: $what (status $?)"
		sed 's/^/    /' <<<"$out" | tail -20
	fi
}
until_ok() { # until_ok SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { "$@"; return 1; }
		sleep 0.1
	done
}
not() { ! "$@"; }
# example LINE runs a line that the help of ncatd shows as an example.
example() { $run bash -c "$1"; }
. /usr/local/sbin/e2e-strangers

# The two services are tried by the same words: run is as_root or as_ops, flag
# is empty or --user.
main() { $run systemctl $flag show -p MainPID --value ncatd; }
field() { $run ncatd status --json | grep -o "\"$1\": *[0-9]*" | grep -o '[0-9]*$' | head -1; }
another() { local p; p=$(main) && [ "$p" != 0 ] && [ "$p" != "$1" ]; }
online() { $run ncatd status; }
restarted() { another "$1" && online; }
answers() { $run ncatd status >/dev/null; [ $? -ne 3 ]; }
status_says() { $run systemctl $flag status ncatd --no-pager | tee /dev/stderr | grep -q "Status: \"$1"; }
starts_ready() { $run systemctl $flag start ncatd && answers; }
bot_answers() { $run ncatd sim say --home "$1" --user 3001000001 /ping; }
processes() { pgrep -u "$1" -a 'ncatd|qq|Xvfb'; }
nothing_left() { # nothing_left USER HOME
	! processes "$1" || return
	[ ! -e "$2/run" ] || ! find "$2/run" -type s -print | grep . || return
	! find /tmp /dev/shm -mindepth 1 -user "$1" | grep .
}
system_files() { # all that a service could leave, but the accounts of the system
	find /etc /usr /opt /srv /root /home/ops /run/systemd/system /var/lib/systemd -xdev \
		! -path '/home/ops/.ncatd*' ! -path '/var/lib/systemd/[cr]*' ! -name 'passwd*' ! -name 'shadow*' ! -name 'group*' ! -name 'gshadow*' ! -name 'subuid*' ! -name 'subgid*' ! -name .pwd.lock \
		! -type d -printf '%p %s\n' | sort
}
users() { getent passwd && getent group; }
config() { # config HOME
	cat <<YAML
napcat:
  source: file:///srv/packages/$napcat_zip
  qq_source: file:///srv/packages/$qq_deb
accounts:
  - name: main
    webui: {port: $2}
    onebot: {port: $3}
YAML
}

first_life() { # first_life HOME USER
	local pid nap xvfb since
	check "${flag}systemctl start returned when it was ready" answers
	check "${flag}the account comes online" until_ok 40 online
	check "${flag}systemctl status has words" until_ok 10 status_says "1 account: 1 online"
	check "${flag}the bot answers" bot_answers "$1"

	pid=$(main) nap=$(field napcat) xvfb=$(field xvfb)
	check "${flag}NapCat runs on an Xvfb of its own ($nap, $xvfb)" [ -n "$nap" -a -n "$xvfb" -a "$xvfb" != 0 ]
	kill -9 "$pid"
	check "${flag}kill -9 of ncatd: restarted and online" until_ok 30 restarted "$pid"
	check "${flag}NapCat was taken over" [ "$(field napcat)" = "$nap" ]
	check "${flag}its Xvfb too" [ "$(field xvfb)" = "$xvfb" ]
	check "${flag}the bot answers" bot_answers "$1"

	check "${flag}reload" $run systemctl $flag reload ncatd
	cp "$1/ncatd.yaml" /tmp/good.yaml
	echo 'log: {level: loud}' >>"$1/ncatd.yaml"
	check "${flag}reload of a bad config fails" not $run systemctl $flag reload ncatd
	check "${flag}the old one stays in force" online
	cat /tmp/good.yaml >"$1/ncatd.yaml"
	rm /tmp/good.yaml
	check "${flag}reload of the mended one" $run systemctl $flag reload ncatd
	check "${flag}NapCat did not notice" [ "$(field napcat)" = "$nap" ]

	pid=$(main) since=@$(date +%s)
	kill -STOP "$pid"
	check "${flag}frozen: the watchdog restarts it" until_ok 75 restarted "$pid"
	check "${flag}it was the watchdog" until_ok 10 sh -c "journalctl --no-pager -t systemd --since $since | grep 'Watchdog timeout'"
	check "${flag}NapCat was taken over" [ "$(field napcat)" = "$nap" ]
	check "${flag}its Xvfb too" [ "$(field xvfb)" = "$xvfb" ]

	check "${flag}stop" $run systemctl $flag stop ncatd
	check "${flag}stop leaves nothing" nothing_left "$2" "$1"
	check "${flag}stopped in order" [ "$($run systemctl $flag show -p Result --value ncatd)" = success ]
	check "${flag}start returns when ready" starts_ready
	check "${flag}online again, without a scan" until_ok 30 online
}

if [ $boot = first ]; then
	useradd --create-home --shell /bin/bash ops
	echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops
	mkdir -p /srv/packages $home
	echo '{"need_display": "on", "scan_after": "1s"}' >/srv/options.json
	NCATD_HOME=/srv ncatd sim pack /srv/packages --options /srv/options.json >/dev/null
	qq_deb=$(cd /srv/packages && ls *.deb) napcat_zip=$(cd /srv/packages && ls *.zip)
	chmod -R a+rX /srv
	config $home 6101 3101 >$home/ncatd.yaml
	system_files >/var/tmp/before
	users >/var/tmp/users-before

	run=as_root flag=
	check "the unit is well-formed" sh -c 'ncatd service unit >/run/ncatd.service && out=$(systemd-analyze verify /run/ncatd.service 2>&1); echo "$out"; ! echo "$out" | grep ncatd.service'
	rm -f /run/ncatd.service
	check "service install" example 'sudo ncatd service install'
	first_life $home ncatd
	check "the journal has fields" sh -c 'journalctl -u ncatd NCATD_ACCOUNT=main -n 1 --no-pager | grep -q state'
	check "service status" example 'ncatd service status'
	check "service status --json" sh -c 'ncatd service status --json | tee /dev/stderr | grep -q "\"status\": \"1 account: 1 online"'
	example 'ncatd service status --json' >/dev/null
	check "QQ can write where it must, and no more" nsenter -t "$(main)" -m setpriv --reuid ncatd --regid ncatd --clear-groups --no-new-privs sh -ec '
		for d in /tmp /dev/shm /var/lib/ncatd; do f=$(mktemp -p $d); rm "$f"; done
		for d in /var/tmp /run /usr/local /home; do ! mktemp -p $d; done 2>/dev/null'
	systemctl stop ncatd
	cp $home/ncatd.yaml /run/good.yaml
	echo 'log: {level: loud}' >>$home/ncatd.yaml
	check "a bad config fails the start" not systemctl start ncatd
	check "and is not tried again" sh -c '[ "$(systemctl show -p NRestarts,ActiveState --value ncatd | xargs)" = "0 failed" ]'
	cat /run/good.yaml >$home/ncatd.yaml
	rm /run/good.yaml
	check "the mended one starts" starts_ready
	systemd-analyze security ncatd --no-pager >/var/tmp/security
	exposure=$(grep -o 'service: [0-9.]*' /var/tmp/security | grep -o '[0-9.]*$')
	check "systemd-analyze security: $exposure is at most 2.0" awk "BEGIN { exit !($exposure <= 2.0) }"
	for item in $(grep -o '✗ [^ ]*' /var/tmp/security | cut -c5-); do
		word=${item#*~} # such as @resources of SystemCallFilter=~@resources
		word=${word%%=*}
		word=${word//[()]/}
		check "the unit explains $item" sh -c "ncatd service unit | grep '^#' | grep -wF -e '${word%%|*}'"
	done

	poisoned
	roots_way
	strangers
	copied

	loginctl enable-linger ops
	if until_ok 20 as_ops systemctl --user is-system-running --wait; then
		run=as_ops flag="--user "
		as_ops mkdir -m 700 $ops_home
		config $ops_home 6102 3102 | as_ops tee $ops_home/ncatd.yaml >/dev/null
		check "--user service install" example 'ncatd service install --user'
		first_life $ops_home ops
		touch /var/tmp/lingers
	else
		echo "skipped: --user, no lingering here"
	fi
	echo "all of the first boot"
	exit
fi

run=as_root flag=
check "the reboot brings it back" until_ok 40 online
check "it is quiet about it" status_says "1 account: 1 online"
uid=$(id -u ncatd)
cp $home/ncatd.yaml /run/good.yaml
check "service uninstall" example 'sudo ncatd service uninstall'
check "nothing runs" nothing_left "$uid" $home
check "its user is gone" not getent passwd ncatd
check "the home stays, for root" [ "$(stat -c '%U %a' $home) $(stat -c %U $home/secrets.json)" = "root 700 root" ]
check "no trace in systemd" sh -c '! systemctl list-unit-files --all | grep -F ncatd.service && ! systemctl list-units --all | grep -F ncatd.service'
check "a second uninstall says so" not ncatd service uninstall
check "installed again" ncatd service install
check "it is online in the old home, without a scan" until_ok 30 online
check "uninstall --purge asks where nobody can answer" sh -c '! ncatd service uninstall --purge </dev/null && systemctl is-active ncatd'
uid=$(id -u ncatd)
check "service uninstall --purge" example 'sudo ncatd service uninstall --purge --yes'
check "nothing runs" nothing_left "$uid" $home
check "the home is gone" not [ -e $home ]
if [ -e /var/tmp/lingers ]; then
	run=as_ops flag="--user "
	check "--user the reboot brings it back" until_ok 40 online
	check "--user service uninstall" as_ops ncatd service uninstall --user --purge --yes
	check "--user the home is gone" not [ -e $ops_home ]
	check "--user nothing runs" nothing_left ops $ops_home
	check "--user no trace in systemd" sh -c "! runuser -u ops -- env XDG_RUNTIME_DIR=/run/user/$(id -u ops) systemctl --user list-unit-files --all | grep -F ncatd.service"
	loginctl disable-linger ops
fi
mv /usr/local/bin/ncatd /root/program # out of the service's reach
other="/srv/my home"
check "service install --home, from a program out of reach" /root/program service install --no-start --home "$other"
check "the program was copied" cmp /root/program /usr/local/bin/ncatd
check "the home is the service's own" [ "$(stat -c '%U %a' "$other")" = "ncatd 700" ]
check "it was not started" not systemctl is-active ncatd
install -o ncatd -m 600 /run/good.yaml "$other/ncatd.yaml"
check "it starts" systemctl start ncatd
check "and comes online there" until_ok 40 env NCATD_HOME="$other" ncatd status
uid=$(id -u ncatd)
check "installed over itself, it still knows what it made" ncatd service install --no-start --home "$other"
check "service uninstall takes the program away" /root/program service uninstall --purge --yes
check "it is away" not [ -e /usr/local/bin/ncatd ]
check "nothing runs" nothing_left "$uid" "$other"
check "that home is gone" not [ -e "$other" ]
mv /root/program /usr/local/bin/ncatd
system_files >/var/tmp/after
check "no file is left" diff /var/tmp/before /var/tmp/after
users >/var/tmp/users-after
check "no user is left" diff /var/tmp/users-before /var/tmp/users-after
echo "all of the second boot"
