#!/bin/bash
# Builds by hand, step by step, what an engine builds of a container file, and runs it:
#
#	run.sh CONTAINERFILE
#
# The file is read, not repeated here: FROM is a Debian by debootstrap (for the
# image with Go, with this machine's Go and its module cache mounted), RUN a
# chroot, COPY a copy of the context without what .dockerignore names, USER,
# ENV, ENTRYPOINT and CMD are those of the process. An instruction unknown here
# fails. The image's own program packs a simulated QQ and NapCat, and the container
# is started, looked at as its HEALTHCHECK does, stopped and started again. Needs
# root, debootstrap and the mirror that apt uses here. The Debian tree is kept in
# $NCATD_E2E_CACHE (default: ncatd-e2e in the user's cache folder). Exits with 0
# if all holds, 1 if something does not, 77 with a reason where it cannot be tried.
set -euo pipefail
file=$(realpath "$1")
context=$(dirname "$(dirname "$file")")
cache=${NCATD_E2E_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ncatd-e2e}
max_added=$((450 << 20)) # bytes that the image may have beyond its Debian

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
for tool in debootstrap:debootstrap apt-get:apt chroot:coreutils nsenter:util-linux unshare:util-linux ip:iproute2 pgrep:procps go:golang; do
	command -v "${tool%%:*}" >/dev/null || skip "needs ${tool%%:*} (package ${tool##*:})"
done
unshare -mpf true 2>/dev/null || skip "no namespaces may be made here"

mirror=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "main" { print $2; exit }')
[ -n "$mirror" ] || skip "apt has no mirror"

# base SUITE prints the folder with a bare Debian.
base() {
	local tree=$cache/base-$1-1 new
	if [ ! -e "$tree" ]; then
		mkdir -p "$cache"
		new=$(mktemp -d "$cache/new.XXXXXX")
		chmod 755 "$new"
		echo "--- debootstrap $1" >&2
		if ! timeout -k 10 600 debootstrap --variant=minbase "$1" "$new" "$mirror" >"$cache/debootstrap-$1.log" 2>&1; then
			rm -rf --one-file-system "$new"
			tail -3 "$cache/debootstrap-$1.log" >&2
			return 1
		fi
		mv "$new" "$tree"
	fi
	echo "$tree"
}

work=$(mktemp -d /var/tmp/ncatd-e2e-XXXXXX)
pid=
clean() {
	# The first process of a pid namespace takes the others with it.
	if [ -n "$pid" ]; then
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	awk -v w="$work/" 'index($2, w) == 1 { print $2 }' /proc/self/mounts | sort -r | xargs -r -n 1 umount -l
	rm -rf --one-file-system "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

# One instruction a line: comments and continuations taken out.
awk '
	/^[ \t]*#/ { next }
	/^[ \t]*$/ && !more { next }
	{ sub(/[ \t]+$/, ""); more = sub(/\\$/, ""); printf "%s%s", $0, more ? " " : "\n" }
' "$file" >"$work/steps"

declare -A roots=() envs=() args=()
root= stage= workdir=/ user=root entrypoint= cmd= health= volume= slim= stopsignal=TERM
# expand replaces the build arguments and the environment in a word of a step.
expand() {
	local s=$1 k
	for k in "${!args[@]}"; do s=${s//\$\{$k\}/${args[$k]}}; done
	for k in "${!envs[@]}"; do s=${s//\$\{$k\}/${envs[$k]}}; done
	echo "$s"
}
# json prints the words of ["a", "b"], one a line.
json() { tr -d '[]\n' <<<"$1" | tr ',' '\n' | sed -e 's/^ *"//' -e 's/" *$//' && echo; }
environment() {
	local k
	printf '%s\n' PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	[ -z "$slim" ] && printf '%s\n' "PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" GOTOOLCHAIN=local HOME=/root
	for k in "${!envs[@]}"; do printf '%s=%s\n' "$k" "${envs[$k]}"; done
}

from() {
	local image=${1##*/} suite lower k
	roots[-]=
	envs=() args=() workdir=/ user=root
	slim=
	case $image in
	golang:*-*) suite=${image##*-} ;;
	debian:*-slim) suite=${image#debian:} suite=${suite%-slim} slim=yes ;;
	*) fail "FROM $1 is not known here" ;;
	esac
	stage=${3:-${#roots[@]}}
	lower=$(base "$suite") || skip "debootstrap did not get through"
	root=$work/$stage/root
	mkdir -p "$root" "$work/$stage/upper" "$work/$stage/work"
	mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/$stage/upper,workdir=$work/$stage/work" "$root" 2>/dev/null ||
		skip "no overlay may be mounted here"
	roots[$stage]=$root
	mount -t proc proc "$root/proc"
	for k in resolv.conf hosts; do cp "/etc/$k" "$root/etc/$k" 2>/dev/null || true; done
	# What Debian's images have: packages are not kept once they are installed.
	printf 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\nDir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n' >"$root/etc/apt/apt.conf.d/docker-clean"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	if [ -n "$slim" ]; then
		printf 'path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\npath-exclude /usr/share/locale/*\n' >"$root/etc/dpkg/dpkg.cfg.d/docker"
		du -sxB1 "$root" 2>/dev/null | cut -f1 >"$work/before"
	else
		mkdir -p "$root/usr/local/go" "$root/root/go/pkg/mod" "$root/root/.cache/go-build"
		mount --bind -o ro "$(go env GOROOT)" "$root/usr/local/go"
		mount --bind "$(go env GOMODCACHE)" "$root/root/go/pkg/mod"
		mount --bind "$(go env GOCACHE)" "$root/root/.cache/go-build"
		mkdir -p "$root/etc/ssl/certs"
		mount --bind -o ro /etc/ssl/certs "$root/etc/ssl/certs"
	fi
}

run() {
	local env
	mapfile -t env < <(environment)
	for k in "${!args[@]}"; do env+=("$k=${args[$k]}"); done
	chroot "$root" env -i "${env[@]}" ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		GOPROXY="$(go env GOPROXY)" GOSUMDB="$(go env GOSUMDB)" \
		sh -c "cd $workdir && $1" >"$work/run.log" 2>&1 && return
	tail -8 "$work/run.log"
	grep -q -E 'Failed to fetch|Could not resolve|Unable to fetch' "$work/run.log" && skip "apt did not get through"
	fail "RUN $1"
}

copy() {
	local source=$context words=() to
	if [[ $1 == --from=* ]]; then
		source=${roots[${1#--from=}]:?no such stage}
		shift
	fi
	words=("$@")
	to=${words[-1]}
	unset 'words[-1]'
	[[ $to == /* ]] || to=$workdir/$to
	if [ "${words[*]}" = . ]; then
		mkdir -p "$root$to"
		sed 's|^\*\*/||' "$context/.dockerignore" | tar -C "$context" --exclude-from=- -cf - . | tar -C "$root$to" --no-same-owner -xf -
		return
	fi
	[[ $to == */ ]] && mkdir -p "$root$to"
	for k in "${words[@]}"; do cp -a --no-preserve=ownership "$source/${k#/}" "$root$to"; done
}

while read -r word rest; do
	echo "--- $word ${rest:0:100}"
	case $word in
	FROM) from $rest ;;
	WORKDIR) workdir=$rest && mkdir -p "$root$workdir" ;;
	RUN) run "$rest" ;;
	COPY) copy $rest ;;
	ARG) args[${rest%%=*}]=${rest#*=} ;;
	ENV) for k in $rest; do envs[${k%%=*}]=$(expand "${k#*=}"); done ;;
	USER) user=$rest ;;
	VOLUME) volume=$rest ;;
	STOPSIGNAL) stopsignal=$rest ;;
	HEALTHCHECK) health=${rest#*CMD } ;;
	ENTRYPOINT) entrypoint=$rest ;;
	CMD) cmd=$rest ;;
	*) fail "the instruction $word is not known here" ;;
	esac
done <"$work/steps"

# What the image is.
[ "$user" != root ] && [ "$user" != 0 ] || fail "it runs as root"
uid=$(awk -F: -v u="$user" '$1 == u { print $3 }' "$root/etc/passwd")
gid=$(awk -F: -v u="$user" '$1 == u { print $4 }' "$root/etc/passwd")
[ "${uid:-0}" != 0 ] || fail "the user $user is root or nobody's"
[ "$(stat -c '%u:%g:%a' "$root$volume")" = "$uid:$gid:700" ] || fail "$volume is not of the user alone: $(stat -c '%u:%g:%a' "$root$volume")"
[ -z "$(find "$root/var/lib/apt/lists" -type f)" ] || fail "apt's lists are left in the image"
size=$(($(du -sxB1 "$root" 2>/dev/null | cut -f1) - $(cat "$work/before")))
echo "the image has $((size >> 20)) MiB beyond its Debian, of which ncatd $(($(stat -c %s "$root/usr/local/bin/ncatd") >> 20)) MiB"
[ $size -le $max_added ] || fail "that is more than $((max_added >> 20)) MiB"
[ -z "$(find "$root/usr/local/bin" "$root$volume" -newer "$work/steps" -writable -not -type l ! -user root ! -user "$user" 2>/dev/null)" ] || fail "somebody else owns a part of it"

# inside runs a program as HEALTHCHECK and exec do: as the container's user, in
# its namespaces.
mapfile -t env < <(environment)
as=(env -i "${env[@]}" setpriv --reuid="$uid" --regid="$gid" --clear-groups --inh-caps=-all --no-new-privs --)
inside() { nsenter -t "$child" -m -p -n chroot "$root" "${as[@]}" "$@"; }
# the health as an engine sees it, with the exit code of status besides.
health() {
	local rc=0
	inside ncatd status >"$work/status" 2>&1 || rc=$?
	if inside sh -c "$health" 2>/dev/null; then echo "$rc healthy"; else echo "$rc unhealthy"; fi
}
# await WANT waits until the health is as wanted; NapCat tells this script nothing
# when it is.
await() {
	local got= end=$((SECONDS + 60))
	until got=$(health) && [ "$got" = "$1" ]; do
		[ -e "/proc/$child" ] || { cat "$work/log" && fail "it has ended"; }
		[ $SECONDS -lt $end ] || { cat "$work/log" "$work/status" && fail "status is $got, not $1"; }
		read -r -t 0.2 <>"$work/never" || true
	done
	echo "status $got"
}

# What --yes would fetch is simulated, packed by the image's own program, which
# is the one that the packed qq runs.
chroot "$root" "${as[@]}" ncatd sim pack "$volume/packed" >/dev/null
cat >"$root$volume/ncatd.yaml" <<-END
	napcat:
	  source: $volume/packed/NapCat.Shell.zip
	  qq_source: $volume/packed/$(basename "$root$volume"/packed/*.deb)
	  update: off
END
chown "$uid:$gid" "$root$volume/ncatd.yaml"
mkfifo "$work/never"
mapfile -t words < <(json "$entrypoint" && json "$cmd")
echo "--- ${words[*]}"
unshare -mpnf --mount-proc="$root/proc" sh -c 'ip link set lo up; exec chroot "$@"' - "$root" "${as[@]}" "${words[@]}" >"$work/log" 2>&1 </dev/null &
pid=$!
child=$pid
end=$((SECONDS + 10))
until child=$(pgrep -P "$pid" -x ncatd); do
	[ $SECONDS -lt $end ] || { cat "$work/log" && fail "the first process is not ncatd"; }
	read -r -t 0.1 <>"$work/never" || true
done
[ "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$child/status")" = "$uid $uid $uid $uid" ] || fail "the first process is not of $user"
[ "$(awk '/^CapEff:/ { print $2 }' "/proc/$child/status")" = 0000000000000000 ] || fail "the first process has capabilities"
[ "$(awk '/^NSpid:/ { print $3 }' "/proc/$child/status")" = 1 ] || fail "ncatd is not the first process"

await '4 healthy'
grep -q '█' "$work/log" || fail "the code to scan is not in the container's log"
inside ncatd sim scan --home "$volume" >/dev/null
await '0 healthy'
inside ps -eo uid= 2>/dev/null | grep -v "^ *$uid$" && fail "something runs as another user"
inside ncatd sim offline --home "$volume" >/dev/null
await '1 unhealthy'
inside ncatd stop --keep-napcat >/dev/null 2>&1 & # what ends the first process ends the container with NapCat in it
wait $! || true
if wait "$pid"; then rc=0; else rc=$?; fi
pid=
[ $rc = 0 ] || { cat "$work/log" && fail "it ended with $rc"; }

# A container is started again with its volume, and stopped by its signal.
unshare -mpnf --mount-proc="$root/proc" sh -c 'ip link set lo up; exec chroot "$@"' - "$root" "${as[@]}" "${words[@]}" >"$work/log" 2>&1 </dev/null &
pid=$!
end=$((SECONDS + 10))
until child=$(pgrep -P "$pid" -x ncatd); do
	[ $SECONDS -lt $end ] || { cat "$work/log" && fail "it does not start again"; }
	read -r -t 0.1 <>"$work/never" || true
done
await '0 healthy'
kill -s "$stopsignal" "$child"
if wait "$pid"; then rc=0; else rc=$?; fi
pid=
[ $rc = 0 ] || { cat "$work/log" && fail "$stopsignal ended it with $rc"; }
grep -q 'ncatd: stopped' "$work/log" || { cat "$work/log" && fail "it did not stop in order"; }
echo "all of the container file"
