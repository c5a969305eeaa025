#!/bin/bash
# Takes what `ncatd doctor` says at its word: in a Debian that has nothing but its
# base, it lists the libraries that a set of ELF files lacks, and the one command
# that brings them; that command is run, and doctor lists none.
#
#	run.sh NCATD FIXTURE
#
# NCATD is the program, statically linked; FIXTURE is a folder with an unpacked
# QQ, or whatever else has its ELF files. Needs root, Debian's debootstrap, and the
# mirror that apt uses here. The Debian tree is kept in $NCATD_E2E_CACHE (default:
# ncatd-e2e in the user's cache folder); E2E_SUITE asks for another release of the
# same mirror than this machine's own. Exits with 0 if all holds, 1 if something
# does not, 77 with a reason where it cannot be tried.
set -euo pipefail
ncatd=$(realpath "$1")
fixture=$(realpath "$2")
cache=${NCATD_E2E_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ncatd-e2e}

skip() {
	echo "skipped: $*"
	exit 77
}
fail() {
	echo "FAIL: $*"
	exit 1
}

[ "$(uname -s)" = Linux ] || skip "needs Linux"
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in debootstrap:debootstrap apt-get:apt chroot:coreutils; do
	command -v "${tool%%:*}" >/dev/null || skip "needs ${tool%%:*} (package ${tool##*:})"
done

# The tree: from the mirror that apt uses here.
here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
suite=${E2E_SUITE:-$here}
mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
	awk -v c="$here" '$1 == c && $2 == "main" { print $3; exit }')
[ -n "$mirror" ] || skip "apt has no mirror of $here"
tree=$cache/base-$suite-1
if [ ! -e "$tree" ]; then
	mkdir -p "$cache"
	new=$(mktemp -d "$cache/new.XXXXXX")
	chmod 755 "$new"
	echo "--- debootstrap $suite"
	if ! timeout -k 10 600 debootstrap --variant=minbase "$suite" "$new" "$mirror" >"$cache/debootstrap-$suite.log" 2>&1; then
		rm -rf --one-file-system "$new"
		tail -3 "$cache/debootstrap-$suite.log"
		skip "debootstrap did not get through"
	fi
	mv "$new" "$tree"
fi

# A fresh copy of it: an overlay, else a real copy.
work=$(mktemp -d /var/tmp/ncatd-e2e-XXXXXX)
root=$work/root
mkdir "$work/upper" "$work/work" "$root"
clean() {
	umount "$root/proc" 2>/dev/null || true
	if mountpoint -q "$root"; then umount "$root" 2>/dev/null || umount -l "$root"; fi
	rm -rf --one-file-system "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/work" "$root" 2>/dev/null ||
	cp -a --reflink=auto "$tree/." "$root"
mount -t proc proc "$root/proc" 2>/dev/null || true
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
install -m 755 "$ncatd" "$root/usr/local/bin/ncatd"
cp -a "$fixture" "$root/fixture"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no services are started
chmod 755 "$root/usr/sbin/policy-rc.d"

inside() {
	chroot "$root" env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"
}
doctor() { inside ncatd --lang en doctor --offline --qq-dir /fixture "$@"; }
# The value of a key on one line of the report.
value() { sed -n "s/^  \"$1\": //p" "$2"; }

doctor && fail "nothing is missing in a bare $suite" || [ $? -eq 1 ] || fail "doctor broke"
doctor --json >"$work/before" || true
command=$(value command "$work/before" | sed -e 's/^"//' -e 's/",\{0,1\}$//' -e 's/\\u0026/\&/g' -e "s/\\\\u0027/'/g")
case $command in
'') fail "doctor names no command" ;;
*'
'*) fail "doctor names more than one command" ;;
esac
echo "--- $command"
if ! inside sh -c "$command" >"$work/apt.log" 2>&1; then
	tail -5 "$work/apt.log"
	grep -q -E 'Unable to locate package|has no installation candidate' "$work/apt.log" && fail "the command names a package that $suite does not have"
	skip "apt did not get through"
fi
tail -1 "$work/apt.log"
doctor || [ $? -eq 1 ] || fail "doctor broke"
doctor --json >"$work/after" || true
grep -q '"missing_libraries": \[\]' "$work/after" || fail "libraries are missing still"
grep -q '"command"' "$work/after" && fail "there is a command still: $(value command "$work/after")"
echo "all of doctor in $suite"
