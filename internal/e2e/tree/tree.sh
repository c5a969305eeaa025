# Sourced by the scripts that try ncatd in a whole system: trees of Debian and
# Ubuntu, each fetched once, and fresh copies of them. The trees are kept in
# $NCATD_E2E_CACHE (default: ncatd-e2e in the user's cache folder); all else is
# below $work, which is removed at the end.
cache=${NCATD_E2E_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ncatd-e2e}

skip() { # for a reason that lies in this machine
	echo "skipped: $*"
	exit 77
}

# needs TOOL:PACKAGE...
needs() {
	local tool
	[ "$(uname -s)" = Linux ] || skip "needs Linux"
	[ "$(id -u)" = 0 ] || skip "needs root"
	for tool in "$@"; do
		command -v "${tool%%:*}" >/dev/null || skip "needs ${tool%%:*} (package ${tool##*:})"
	done
	unshare -mpf true 2>/dev/null || skip "no namespaces may be made here"
}

# mirror_of SUITE prints the mirror: Debian's is the one that apt uses here,
# Ubuntu's is looked for beside it.
mirror_of() {
	local debian
	debian=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "main" { print $2; exit }')
	case $1 in
	jammy | noble) echo "${debian%/debian/}/ubuntu/" ;;
	*) echo "$debian" ;;
	esac
}

# tree KIND SUITE [PACKAGE,PACKAGE...] makes $cache/KIND-SUITE, or says why not and
# returns 1. Two that make the same one do not meet: the last to finish wins.
tree() {
	local to=$cache/$1-$2 new components=main keyring= script=
	[ ! -e "$to" ] || return 0
	case $2 in
	jammy | noble)
		components=main,universe
		# Debian 13 has the keys, Debian 12 has not.
		keyring=$(ls {,"$cache/booted-trixie"}/usr/share/keyrings/ubuntu-archive-keyring.gpg 2>/dev/null | head -1) || true
		[ -n "$keyring" ] || { echo "skipped: $2 needs ubuntu-keyring" && return 1; }
		keyring=--keyring=$keyring
		script=/usr/share/debootstrap/scripts/gutsy # which all of Ubuntu's are links to
		;;
	esac
	mkdir -p "$cache"
	new=$(mktemp -d "$cache/new.XXXXXX")
	chmod 755 "$new"
	echo "--- debootstrap $2"
	if ! timeout -k 10 900 debootstrap --variant=minbase --components=$components $keyring ${3:+--include="$3"} \
		"$2" "$new" "$(mirror_of "$2")" $script >"$cache/debootstrap-$2.log" 2>&1; then
		rm -rf --one-file-system "$new"
		tail -3 "$cache/debootstrap-$2.log"
		echo "skipped: debootstrap of $2 did not get through"
		return 1
	fi
	rm -f "$new"/var/cache/apt/archives/*.deb
	mv -T "$new" "$to" 2>/dev/null || rm -rf --one-file-system "$new"
}

work=$(mktemp -d /var/tmp/ncatd-e2e-XXXXXX)
child= # a container that runs
clean() {
	local m
	if [ -n "$child" ] && kill -0 "$child" 2>/dev/null; then
		kill "$child" # timeout hands it on, and kills what does not heed it
		wait "$child" 2>/dev/null || true
	fi
	for m in "$work"/*/root; do
		if mountpoint -q "$m"; then umount -R "$m" 2>/dev/null || umount -R -l "$m"; fi
	done
	rm -rf --one-file-system "$work"
	rmdir "/run/systemd/nspawn/propagate/$(basename "$work")"-* 2>/dev/null || true
}
trap clean EXIT
trap 'exit 130' INT TERM

# fresh TREE NAME sets root to a copy of a tree below $work/NAME: an overlay, else a
# real copy.
fresh() {
	local at=$work/$2
	root=$at/root
	mkdir -p "$at/upper" "$at/work" "$root"
	mount -t overlay overlay -o "lowerdir=$cache/$1,upperdir=$at/upper,workdir=$at/work" "$root" 2>/dev/null ||
		cp -a --reflink=auto "$cache/$1/." "$root"
}

# boot INSIDE boots what lies at root and runs INSIDE in it (checks.sh says how it
# reports). It has loopback only, so it meets no ports or displays of the host. It
# returns 1 if a check failed, 77 if nothing boots here.
boot_limit=${boot_limit:-400} # seconds a boot with its tests may take
boot() {
	local rc out=$root/var/tmp/results here
	here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
	mkdir -p "$root/var/log/journal" "$root/etc/systemd/system/multi-user.target.wants"
	install -m 755 "$1" "$root/usr/local/sbin/e2e-inside"
	install -m 644 "$here/checks.sh" "$root/usr/local/sbin/e2e-checks"
	install -m 644 "$here/../systemd/e2e.service" "$root/etc/systemd/system/e2e.service"
	ln -s ../e2e.service "$root/etc/systemd/system/multi-user.target.wants/e2e.service"
	: >"$root/etc/machine-id"
	echo e2e >"$root/etc/hostname"
	: >"$out"
	timeout -k 20 "$boot_limit" systemd-nspawn --quiet --directory="$root" --machine="$(basename "$work")-1" \
		--register=no --keep-unit --private-network --boot </dev/null >"$work/console" 2>&1 &
	child=$!
	tail -n +1 --pid="$child" -s 0.2 -f "$out" &
	wait $! # which a signal interrupts, unlike a program in the foreground
	wait "$child" && rc=0 || rc=$?
	child=
	if [ ! -s "$out" ]; then
		tail -5 "$work/console"
		echo "skipped: nothing boots here (status $rc)"
		return 77
	fi
	tail -n 1 "$out" | grep -q '^all of it' && ! grep -q '^FAIL' "$out"
}
