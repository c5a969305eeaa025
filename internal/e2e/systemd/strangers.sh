# Part of inside.sh: what root does in a home that is another user's, which home
# sudo finds, and a bot that ends its process.

# A message whose handler ends the process, under the unit that starts ncatd again
# each second: it is delivered once more and then never again.
poisoned() {
	local before deaths
	install -m 755 /usr/local/bin/ncatd /run/ncatd.good
	install -m 755 /usr/local/sbin/poison /usr/local/bin/ncatd.new
	mv /usr/local/bin/ncatd.new /usr/local/bin/ncatd
	systemctl restart ncatd
	check "poison: a bot with a bad handler comes online" until_ok 30 online
	before=$(systemctl show -p NRestarts --value ncatd)
	ncatd sim say --home $home --user 3001000001 --wait 0s /poison
	check "poison: the process dies" until_ok 20 dies_more_than "$before"
	# It answers only after what was missed was delivered, and given up.
	check "poison: and answers in the end" until_ok 40 sh -c "NCATD_HOME=$home ncatd sim say --home $home --user 3001000001 /ping | grep pong"
	deaths=$(($(systemctl show -p NRestarts --value ncatd) - before))
	check "poison: $deaths deaths are at most two" [ $deaths -ge 1 -a $deaths -le 2 ]
	check "poison: it stays online" until_ok 30 online
	check "poison: status names the panic" sh -c "NCATD_HOME=$home ncatd status | tee /dev/stderr | grep -q 'soak: this message is poison'"
	check "poison: and the message" sh -c "NCATD_HOME=$home ncatd status --json | tee /dev/stderr | grep -A9 last_crash | grep -qE '\"message_id\": \"-?[0-9]+\"'"
	check "poison: the journal too" sh -c "journalctl -u ncatd --no-pager | grep -q 'ended in a panic'"
	mv /run/ncatd.good /usr/local/bin/ncatd
	systemctl restart ncatd
	check "poison: the good program comes online" until_ok 30 online
}
dies_more_than() { [ "$(systemctl show -p NRestarts --value ncatd)" -gt "$1" ]; }

# sudo_ops is how ops calls sudo: with an environment of its own.
sudo_ops() { runuser -u ops -- env -i HOME=/home/ops USER=ops LOGNAME=ops PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 sudo "$@"; }

# The documented way: sudo ncatd COMMAND, without --home.
roots_way() {
	check "sudo ncatd status finds the service" sh -c "runuser -u ops -- env -i HOME=/home/ops PATH=/usr/local/bin:/usr/bin:/bin sudo ncatd status --json | grep -F '\"home\": \"$home\"'"
	check "sudo ncatd login too" sh -c "runuser -u ops -- env -i HOME=/home/ops PATH=/usr/local/bin:/usr/bin:/bin sudo ncatd login --lang en --timeout 20s | tee /dev/stderr | grep -qi online"
	check "without sudo the service's home is out of reach, and said to be" not as_ops ncatd status
	check "sudo ncatd config set" sudo_ops ncatd config set log.level debug
	check "what it wrote is the service's" [ "$(stat -c %U $home/ncatd.yaml)" = ncatd ]
	check "sudo ncatd config set back" sudo_ops ncatd config set log.level info
	check "nothing in it is root's" nobody_elses $home ncatd
	check "no home of root's own" not [ -e /root/.ncatd ]
	mkdir -m 700 /root/.ncatd
	check "a second home is named" sh -c "runuser -u ops -- env -i HOME=/home/ops PATH=/usr/local/bin:/usr/bin:/bin sudo -H ncatd status --lang en 2>&1 | tee /dev/stderr | grep -F '$home' | grep -qF /root/.ncatd"
	rmdir /root/.ncatd
}

# nobody_elses DIR USER: all of it belongs to USER.
nobody_elses() { ! find "$1" ! -user "$2" | grep .; }

# as_thief is as_ops without the variables that say which display and bus.
thief=/home/ops/planted
as_thief() { runuser -u ops -- env -i HOME=/home/ops USER=ops PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 NCATD_LANG=en NCATD_HOME=$thief "$@"; }

# A home whose owner waits for root: a qq of its own, links in the place of files.
strangers() {
	local qq name cmd
	as_thief mkdir -m 700 $thief
	config $thief 6103 3103 | as_thief tee $thief/ncatd.yaml >/dev/null
	check "planted: installed by its owner" as_thief ncatd install --yes
	mkdir -m 777 /srv/ran
	chmod 777 /srv/ran
	qq=$(find $thief/releases -type f -name qq | head -1)
	cat >/run/qq <<-'QQ'
		#!/bin/sh
		id -u >>/srv/ran/$(id -u)
		exec sleep 2
	QQ
	install -o ops -m 755 /run/qq "$qq"
	check "planted: root logs in" sh -c "timeout -k 5 60 ncatd login --home $thief --timeout 10s; [ \$? -ne 124 ]"
	check "planted: qq ran, and not as root" sh -c "ls /srv/ran; [ \"\$(ls /srv/ran)\" = \"\$(id -u ops)\" ]"
	check "planted: nothing in it is root's" nobody_elses $thief ops

	mkdir -m 700 /root/victims
	for name in run/ncatd.pid logs/ncatd.log secrets.json ncatd.yaml.lock accounts/main/state.json releases/current releases/install.lock run/xvfb.json run/home.json ncatd.db logs/last-crash.json logs/crash.txt; do
		echo precious >"/root/victims/${name//\//-}"
		as_thief mkdir -p "$thief/${name%/*}" 2>/dev/null
		as_thief rm -rf "${thief:?}/$name"
		as_thief ln -s "/root/victims/${name//\//-}" "$thief/$name"
	done
	(cd /root/victims && sha256sum ./* && stat -c '%n %U %a' ./*) >/run/victims
	for cmd in "login --timeout 3s" "login --list" "install --yes" "upgrade --yes" "rollback" "rollback --yes" \
		"config set log.level debug" "config check" "init --force" "init" "start --yes" "start -d --yes" "stop" "logs" "doctor" "doctor --json" \
		"versions" "logout --yes" "backup /tmp/stolen" "restore /tmp/stolen" "import --yes $thief" "sim status" "plugin list" "uninstall --yes" "uninstall --purge --yes"; do
		timeout -k 2 10 ncatd $cmd --home $thief </dev/null >/run/out 2>&1
		[ $? -lt 124 ] || echo "    ($cmd went on for 10 s)"
		pkill -u ops ncatd
	done
	check "planted: no link was followed" sh -c "cd /root/victims && sha256sum ./* >/run/now && stat -c '%n %U %a' ./* >>/run/now && diff /run/victims /run/now"
	check "planted: nothing was left for root" nobody_elses $thief ops
	rm -f /tmp/stolen
	rm -rf /root/victims /srv/ran /run/qq /run/victims /run/now "$thief"

	as_thief mkdir -m 700 $thief
	config $thief 6103 3103 | as_thief tee $thief/ncatd.yaml >/dev/null
	check "a version is a name" not ncatd config set napcat.version ../../../../etc/systemd/system --home $thief
	check "and no path on the command line" not ncatd install --yes --home $thief --napcat-version ../../../etc/systemd/system/e2e.service.d
	chmod 777 $thief
	check "a home others can write to: refused" not as_thief ncatd start --yes
	check "with the chmod that mends it" sh -c "runuser -u ops -- env NCATD_HOME=$thief NCATD_LANG=en ncatd start --yes 2>&1 | tee /dev/stderr | grep -qF 'chmod go-w $thief'"
	check "root is refused there too" sh -c "ncatd login --home $thief 2>&1 | tee /dev/stderr | grep -qF 'chmod go-w $thief'"
	check "and mends it" sh -c "chmod go-w $thief && runuser -u ops -- env NCATD_HOME=$thief ncatd config check"
	rm -rf $thief
}

# A copy of a home whose NapCat runs.
copied() {
	local first=/home/ops/first second=/home/ops/second nap
	echo '{"need_display": "on", "scan_after": "off"}' >/srv/patient.json
	NCATD_HOME=/srv ncatd sim pack /srv/patient --options /srv/patient.json >/dev/null
	chmod -R a+rX /srv
	as_ops mkdir -m 700 $first
	config $first 6104 3104 | sed 's,/srv/packages/,/srv/patient/,' | as_ops tee $first/ncatd.yaml >/dev/null
	as_ops NCATD_HOME=$first ncatd start -d --yes >/dev/null 2>&1
	as_ops NCATD_HOME=$first ncatd sim scan --home $first >/dev/null 2>&1
	check "copied: the first is online" until_ok 40 as_ops NCATD_HOME=$first ncatd status
	nap=$(napcat_of $first)
	as_ops cp -a $first $second
	# It shall not log in: QQ would send the first one's session away.
	as_ops sed -i 's/6104/6105/; s/3104/3105/; s/- name: main/&\n    login: {order: [qr]}/' $second/ncatd.yaml
	as_ops rm -f $second/run/*.sock
	as_ops NCATD_HOME=$second ncatd start -d --yes >/dev/null 2>&1
	check "copied: the second runs" until_ok 20 there $second
	check "copied: with a NapCat of its own" until_ok 40 own_napcat $second "$nap"
	check "copied: the first kept its own" own_napcat $first 0 "$nap"
	as_ops NCATD_HOME=$second ncatd stop >/dev/null 2>&1
	check "copied: stopping the second left the first alone" own_napcat $first 0 "$nap"
	check "copied: it is online" until_ok 20 as_ops NCATD_HOME=$first ncatd status
	as_ops NCATD_HOME=$first ncatd stop >/dev/null 2>&1
	check "copied: nothing runs" not processes ops
	rm -rf $first $second /srv/patient /srv/patient.json
}
# own_napcat HOME NOT [PID]: the daemon's NapCat runs, is not NOT, and is PID.
own_napcat() {
	local pid
	pid=$(napcat_of "$1")
	[ -n "$pid" ] && [ "$pid" != 0 ] && [ "$pid" != "$2" ] && [ "${3:-$pid}" = "$pid" ] && kill -0 "$pid"
}
there() { as_ops NCATD_HOME="$1" ncatd status >/dev/null; [ $? -ne 3 ]; } # somebody may have to log in
napcat_of() { as_ops NCATD_HOME="$1" ncatd status --json | grep -o '"napcat": *[0-9]*' | grep -o '[0-9]*$' | head -1; }
