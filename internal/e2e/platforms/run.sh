#!/bin/bash
# Runs the programs of other platforms as far as this machine can stand for them:
#
#	run.sh FOLDER
#
# FOLDER has ncatd-linux-arm64, -arm (version 7), -riscv64 and ncatd-windows-amd64.exe, or
# some of them. qemu-user runs those of Linux through version, doctor and
# `start --sim` until the account is online; wine runs that of Windows through
# version, doctor and config check. The kernel is told of qemu within a user
# namespace, so that nothing of this machine changes. Exits with 0 if all holds, 1
# if something does not, 77 with a reason where it cannot be tried.
set -euo pipefail
folder=$(realpath "$1")
bad=0 tried=0 prng=

if [ -z "${E2E_BINFMT:-}" ]; then
	unshare --user --map-root-user --mount true 2>/dev/null || {
		echo "skipped: no user namespace may be made here"
		exit 77
	}
	E2E_BINFMT=1 exec unshare --user --map-root-user --mount "$0" "$folder"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/ncatd-platforms.XXXXXX")
program=
# shellcheck disable=SC2317 # the trap calls it
finish() {
	[ -z "$program" ] || "$program" stop >/dev/null 2>&1 || true
	[ -z "${WINEPREFIX:-}" ] || wineserver -k || true
	umount "$work/binfmt" 2>/dev/null || true
	rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# check WHAT PATTERN CODES COMMAND...: it ends with one of the codes and says what
# fits the pattern.
check() {
	local what=$1 pattern=$2 codes=$3 out rc=0
	shift 3
	out=$(timeout -k 5 300 "$@" 2>"$work/stderr" </dev/null) || rc=$?
	if [[ " $codes " != *" $rc "* ]] || ! grep -qE "$pattern" <<<"$out"; then
		echo "FAIL: $what: exit $rc: $out"
		tail -5 "$work/stderr"
		bad=1
		return
	fi
	echo "ok: $what (exit $rc)"
}

linux() { # linux NAME CPU GOARCH
	export HOME=$work/$1 NCATD_LANG=en
	mkdir "$HOME"
	program=$folder/ncatd-linux-$1
	tried=$((tried + 1))
	echo "--- linux $1"
	check "version" "\"linux/$3\"" 0 "$program" version --json
	# 1: doctor looks at a machine that lacks what QQ needs.
	check "doctor" "architecture: $3|no QQ for $3" "0 1" "$program" doctor --json
	check "start --sim" '' 0 "$program" start -d --sim --scan-after 0s --wait 4m
	check "online" '"online"' 0 "$program" status --json
	check "stop" '' 0 "$program" stop
	program=
}

mkdir "$work/binfmt"
if mount -t binfmt_misc none "$work/binfmt" 2>/dev/null; then
	while read -r name cpu goarch; do
		[ -e "$folder/ncatd-linux-$name" ] || continue
		if [ ! -e "/usr/lib/binfmt.d/qemu-$cpu.conf" ]; then
			echo "skipped: linux $name needs qemu-$cpu (packages qemu-user, qemu-user-binfmt)"
			continue
		fi
		cat "/usr/lib/binfmt.d/qemu-$cpu.conf" >"$work/binfmt/register"
		linux "$name" "$cpu" "$goarch"
	done <<-'END'
		arm64 aarch64 arm64
		arm arm arm
		riscv64 riscv64 riscv64
	END
else
	echo "skipped: the kernel has no binfmt_misc of its own for a user namespace (Linux 6.7)"
fi

exe=$folder/ncatd-windows-amd64.exe
if [ ! -e "$exe" ]; then
	:
elif ! command -v wine >/dev/null; then
	echo "skipped: windows needs wine (package wine64)"
else
	echo "--- windows amd64"
	export WINEPREFIX=$work/wine WINEDEBUG=-all NCATD_LANG=en
	wineboot -i >/dev/null 2>&1 || true
	# Windows has this library since version 7, wine since 9; Go takes its random numbers from it.
	prng=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
	if [ ! -e "$prng" ] && command -v x86_64-w64-mingw32-gcc >/dev/null; then
		printf '#include <windows.h>\n#include <ntsecapi.h>\n__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n) { return RtlGenRandom(p, n); }\n' >"$work/prng.c"
		x86_64-w64-mingw32-gcc -shared -o "$prng" "$work/prng.c" -ladvapi32
	fi
fi
if [ ! -e "$prng" ]; then
	[ -z "$prng" ] || echo "skipped: this wine lacks bcryptprimitives.dll; wine 9, or gcc-mingw-w64-x86-64-win32 to make one"
else
	tried=$((tried + 1))
	check "version" 'windows/amd64' 0 wine "$exe" version --json
	check "doctor" '"findings"' "0 1" wine "$exe" doctor --json
	check "start --sim says where it runs" '' 1 wine "$exe" start --sim --yes
	grep -q 'runs on Linux only' "$work/stderr" || { echo "FAIL: $(tail -3 "$work/stderr")" && bad=1; }
	printf 'accounts:\n  - name: main\n' >"$work/ncatd.yaml"
	check "config check" '' 0 wine "$exe" config check --config "$work/ncatd.yaml"
fi

[ $tried -gt 0 ] || exit 77
exit $bad
