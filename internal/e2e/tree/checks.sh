# Sourced by what runs as root inside a booted container. Every check prints
# "ok: WHAT" or "FAIL: WHAT"; the caller's last line is "all of it".
exec >>/var/tmp/results 2>&1
trap 'systemctl --no-block poweroff' EXIT

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
# silence COMMAND FILE: the longest time in ms in which COMMAND did not succeed,
# until FILE is there.
silence() {
	local last now most=0
	last=$(date +%s%3N)
	until [ -e "$2" ]; do
		if $1 >/dev/null 2>&1; then
			now=$(date +%s%3N)
			[ $((now - last)) -le $most ] || most=$((now - last))
			last=$now
		fi
	done
	echo $most
}
