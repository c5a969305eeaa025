#!/bin/bash
# Installs ncatd by install.sh in a Debian that has nothing but its base:
#
#	run.sh INSTALL.SH URL VERSION [BUSYBOX]
#
# The server at URL/NAME has a release of VERSION and lies in the way that NAME
# says (TestBareDebian); at URL/truth it does not lie. BUSYBOX is a statically linked
# one, whose shell is tried too. Needs root, debootstrap, systemd-container, and the
# first time the mirror that apt uses here. Exits with 0 if all holds, 1 if
# something does not, 77 with a reason where it cannot be tried.
set -euo pipefail
script=$(realpath "$1") url=$2 version=$3 busybox=${4:-}
here=$(dirname "$(realpath "$0")")
. "$here/../tree/tree.sh"
needs debootstrap:debootstrap systemd-nspawn:systemd-container apt-get:apt
tree base bookworm || exit 77
bad=0

within() {
	systemd-nspawn --quiet --register=no --keep-unit --as-pid2 --directory="$root" --pipe \
		--setenv=NCATD_LANG=en --setenv=LC_ALL=C.UTF-8 --setenv=HOME=/root "$@" </dev/null
}
fail() {
	echo "FAIL: $*"
	bad=1
}
refused() { # refused SHELL LIE CAUSE [ARGUMENT...]: with the cause, and nothing changes
	local shell=$1 lie=$2 cause=$3 out
	shift 3
	if out=$(within $shell /srv/install.sh --base "$url/$lie" "$@" 2>&1); then
		fail "$shell, $lie: installed: $out"
	elif ! grep -qF "$cause" <<<"$out" || ! grep -qF 'nothing was installed' <<<"$out"; then
		fail "$shell, $lie: the cause is not told: $out"
	elif [ -e "$root/usr/local/bin/ncatd" ] || [ -n "$(find "$root/usr/local" "$root/root" -newer "$root/srv/install.sh" -type f)" ]; then
		fail "$shell, $lie: something was installed"
	else
		echo "ok: $shell, $lie: $(grep -F "$cause" <<<"$out" | head -1)"
	fi
}

shells=(dash "bash --posix")
[ -z "$busybox" ] || shells+=("/srv/busybox sh")
for shell in "${shells[@]}"; do
	fresh base-bookworm "$(tr -dc a-z <<<"$shell")"
	[ -z "$busybox" ] || install -m 755 "$busybox" "$root/srv/busybox"
	install -m 644 "$script" "$root/srv/install.sh"
	echo "--- $shell"
	refused "$shell" byte "wrong digest"
	refused "$shell" half "wrong digest"
	refused "$shell" page "HTML page"
	refused "$shell" page-list "HTML page"
	refused "$shell" half-list "a signature is wrong"
	refused "$shell" signature "a signature is wrong"
	refused "$shell" certified "a signature is wrong"
	refused "$shell" newer "a signature is wrong"
	refused "$shell" empty "empty file"
	refused "$shell" loop "cannot be reached"
	refused "$shell" part "wrong digest"
	sed -i "s/^PATIENCE=30/PATIENCE=5/; s/^WHOLE=3600/WHOLE=20/" "$root/srv/install.sh"
	refused "$shell" silence "cannot be reached"
	refused "$shell" endless "more than"
	refused "$shell" truth "has $version, not 0.1.0" --version 0.1.0
	# To a script that came with a newer release, this one is a replay.
	sed "s/^NEWEST=.*/NEWEST='9.9.9'/" "$script" >"$root/srv/install.sh"
	refused "$shell" truth "older than 9.9.9"
	install -m 644 "$script" "$root/srv/install.sh"
	if out=$(within $shell /srv/install.sh --base "$url/truth" 2>&1) && grep -q '^ncatd: next: ncatd start' <<<"$out"; then
		echo "ok: $shell: $(head -1 <<<"$out")"
	else
		fail "$shell: not installed: $out"
		continue
	fi
	[ "$(within ncatd version --json | grep -o '"version": *"[^"]*"' | cut -d'"' -f4)" = "$version" ] || fail "$shell: another version"
	if out=$(within sh -c 'ncatd start -d --sim --scan-after 0s && ncatd status && ncatd stop' 2>&1) && grep -q online <<<"$out"; then
		echo "ok: $shell: started, online, stopped"
	else
		fail "$shell: it does not start: $out"
	fi
done
exit $bad
