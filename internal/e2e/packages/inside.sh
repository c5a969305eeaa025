#!/bin/bash
# Runs as root inside the container; see run.sh. After each step the service and
# the files of the system are listed and compared with what they should be.
export NCATD_LANG=en HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
. /usr/local/sbin/e2e-checks
home=/var/lib/ncatd
apt="apt-get -y -q --no-install-recommends -o Dpkg::Use-Pty=0"
ncatd_at() { ncatd --home $home "$@"; }

# What is there: the files outside the home that are not dpkg's, apt's or
# systemd's own notes.
files() {
	find /etc /usr /opt /root /var/lib /var/spool /var/cache -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache/apt -o -path /var/cache/ldconfig \
		-o -path /var/lib/systemd -o -path /var/cache/debconf -o -path "$home/*" \) -prune -o ! -type d -print -o -path $home -print |
		grep -v -E '^/etc/((passwd|shadow|group|gshadow|subuid|subgid)-?|\.pwd\.lock|ld\.so\.cache)$' | sort
}
users() { getent passwd | cut -d: -f1,6,7 | sort; getent group | cut -d: -f1 | sort; }
# service prints what systemd knows: unit file, enabled, active, its processes.
service() {
	printf '%s/%s/%s\n' "$(systemctl list-unit-files --no-legend ncatd.service | awk '{ print $1 }')" \
		"$(systemctl is-enabled ncatd 2>/dev/null | grep -v not-found)" "$(systemctl is-active ncatd)"
}
listed() { # listed STEP SERVICE: prints both, and compares the service
	local now
	now=$(service)
	echo "$1: service $now; user $(getent passwd ncatd | cut -d: -f6-7); home $(stat -c '%U %a' $home 2>/dev/null || echo none)"
	files >/run/files
	diff /run/files-last /run/files | grep '^[<>]' | grep -v /man1/ | sed 's/^/    /'
	echo "    $(grep -c /man1/ /run/files) man pages"
	cp /run/files /run/files-last
	check "$1: the service is $2" [ "$now" = "$2" ]
}
# whole: what came is what the package says it has, and the home.
whole() {
	diff <({ dpkg -L ncatd | while read -r f; do [ -d "$f" ] || echo "$f"; done; echo $home; } | sort) \
		<(comm -13 /run/files-before /run/files | grep -v '/multi-user.target.wants/ncatd.service$')
}
online() { ncatd_at status; }
json() { ncatd_at status --json | grep -o "\"$1\": *[^,}]*" | head -1 | sed 's/.*: *//; s/"//g'; }
qr_codes() { grep -c -i 'login_qr\|qr code' $home/logs/ncatd.log; }
processes() { pgrep -u "$uid" -a .; }
bot_answers() { ncatd_at sim say --user 3001000001 /ping | grep pong; }
socket() { ncatd_at status --json; }

upgrade_online() {
	local nap main qr silent
	nap=$(json napcat) main=$(systemctl show -p MainPID --value ncatd) qr=$(qr_codes)
	rm -f /run/upgraded
	silence socket /run/upgraded >/run/silence &
	check "upgraded" $apt install /srv/deb/new.deb
	check "upgraded: online" until_ok 30 online
	touch /run/upgraded
	wait $!
	silent=$(cat /run/silence)
	echo "upgraded: at most $silent ms without the control socket"
	listed upgraded ncatd.service/enabled/active
	check "upgraded: the files are the package's" whole
	check "upgraded: the daemon is the new one" [ "$(json version)" = "$(dpkg-query -W -f '${Version}' ncatd | sed 's/-1$//')" ]
	check "upgraded: in a new process" [ "$(systemctl show -p MainPID --value ncatd)" != "$main" ]
	check "upgraded: NapCat is the same ($nap)" [ -n "$nap" -a "$(json napcat)" = "$nap" ]
	check "upgraded: nobody had to scan" [ "$(qr_codes)" = "$qr" ]
	check "upgraded: the bot answers" bot_answers
	check "installed again over itself" $apt install --reinstall /srv/deb/new.deb
	check "installed again: online" until_ok 30 online
	check "installed again: NapCat is the same" [ "$(json napcat)" = "$nap" ]
	check "the older one comes back if that is wished" $apt install --allow-downgrades /srv/deb/old.deb
	check "older: online" until_ok 30 online
	check "older: NapCat is the same" [ "$(json napcat)" = "$nap" ]
}

# asked ANSWER COMMAND: on a terminal where somebody answers.
asked() {
	rm -f /run/asked
	{ until [ -e /run/asked ]; do sleep 1; echo "$1"; done; } | {
		script -q -e -c "unset DEBIAN_FRONTEND; $2" /dev/null
		touch /run/asked
	} | tee /run/asked.out
	grep -q 'Remove /var/lib/ncatd' /run/asked.out
}

files >/run/files-before
cp /run/files-before /run/files-last
users >/run/users-before
check "installed" $apt install /srv/deb/old.deb
listed installed ncatd.service/disabled/inactive
check "installed: the files are the package's" whole
check "installed: the user has no shell" [ "$(getent passwd ncatd | cut -d: -f6-7)" = "$home:/usr/sbin/nologin" ]
check "installed: the home is the user's alone" [ "$(stat -c '%U %G %a' $home)" = "ncatd ncatd 700" ]
check "installed: the unit is well-formed" sh -c 'out=$(systemd-analyze verify ncatd.service 2>&1); echo "$out"; ! echo "$out" | grep ncatd'
check "installed: man pages in two languages" test -e /usr/share/man/man1/ncatd.1* -a -e /usr/share/man/zh_CN/man1/ncatd.1*

mkdir -p /srv/packages
NCATD_HOME=/srv ncatd sim pack /srv/packages --options <(echo '{"need_display": "on", "scan_after": "1s"}') >/dev/null
chmod -R a+rX /srv
cat >$home/ncatd.yaml <<YAML
napcat:
  source: file://$(ls /srv/packages/*.zip)
  qq_source: file://$(ls /srv/packages/*.deb)
accounts:
  - name: main
YAML
chown ncatd: $home/ncatd.yaml
check "started" systemctl enable --now ncatd
check "started: online" until_ok 60 online
check "started: the bot answers" bot_answers
listed started ncatd.service/enabled/active
upgrade_online

uid=$(id -u ncatd)
check "removed" $apt remove ncatd
listed removed //inactive
check "removed: nothing is left but the home" [ "$(comm -13 /run/files-before /run/files)" = $home ]
check "removed: nothing runs" not processes
check "removed: the login is in the home" sh -c "find $home/accounts -path '*QQ*' -type f | grep -q ."

check "installed after the removal" $apt install /srv/deb/new.deb
check "started again" systemctl enable --now ncatd
check "started again: online by the old login" until_ok 60 online
check "purged where nobody can answer" $apt purge ncatd
listed "purged unasked" //inactive
check "purged unasked: the home is kept, root's now" [ "$(stat -c '%U %a' $home)" = "root 700" ]
check "purged unasked: nothing runs" not processes

check "installed once more" $apt install /srv/deb/new.deb
check "installed once more: the home is the user's again" [ "$(stat -c '%U' $home) $(stat -c %U $home/secrets.json)" = "ncatd ncatd" ]
check "purge asks, and no is no" asked n "$apt purge ncatd"
check "no: the home is there" [ -e $home/secrets.json ]
check "installed once more" $apt install /srv/deb/new.deb
check "started once more" systemctl enable --now ncatd
check "started once more: online" until_ok 60 online
check "purge asks, and yes is yes" asked y "$apt purge ncatd"
listed purged //inactive
check "purged: the home is gone" not [ -e $home ]
check "purged: nothing runs" not processes
check "purged: no file is left" diff /run/files-before /run/files
users >/run/users-after
check "purged: no user is left" diff /run/users-before /run/users-after
echo "all of it"
