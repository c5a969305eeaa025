#!/bin/sh
# Installs ncatd for the user who runs it: to /usr/local/bin as root, else to
# ~/.local/bin. It needs a POSIX shell, awk, tar, gzip, base64, od and sha256sum or
# shasum; and curl, wget or apt to download with.
#
#   sh install.sh [--version 1.2.3] [--dir DIR] [--base URL]
#
# What is downloaded is checked before it is used: a root key that is written
# below signed the signing key, which signed the list of files with their digests.
# Nothing is run as another user and nothing is piped into a shell.
#
# 为运行本脚本的用户安装 ncatd：root 装到 /usr/local/bin，其他用户装到 ~/.local/bin。
# 需要 POSIX shell、awk、tar、gzip、base64、od，sha256sum 或 shasum，
# 以及用来下载的 curl、wget 或 apt。
#
#   sh install.sh [--version 1.2.3] [--dir 目录] [--base 网址]
#
# 下载的内容先校验再使用：下面写明的根密钥给签名密钥签名，签名密钥给带摘要的
# 文件清单签名。不会以其他用户身份运行任何程序，也不会把下载的内容直接交给 shell。
set -eu

ROOT_KEYS=''
# The release that this script came with; an older one is taken only by --version.
NEWEST=''
BASE=https://github.com/ncatd/ncatd/releases
PATIENCE=30 # seconds without an answer
WHOLE=3600 # seconds for the program, on the slowest line
MIRRORS='https://ghfast.top https://gh-proxy.com https://gh-proxy.net'

zh=
case "${NCATD_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}}" in zh*) zh=1 ;; esac
say() { if [ -n "$zh" ]; then printf 'ncatd: %s\n' "$2" >&2; else printf 'ncatd: %s\n' "$1" >&2; fi; }
die() {
	say "$1" "$2"
	exit 1
}

usage() {
	if [ -n "$zh" ]; then lines=12,19; else lines=2,10; fi
	sed -n "${lines}s/^# \\{0,1\\}//p" "$0"
}

wanted=
dir=
while [ $# -gt 0 ]; do
	case "$1" in
	--help | -h)
		usage
		exit 0
		;;
	--version | --dir | --base)
		[ $# -gt 1 ] || die "$1 needs a value" "$1 后面要有值"
		case "$1" in
		--version) wanted=${2#v} ;;
		--dir) dir=$2 ;;
		*)
			BASE=${2%/}
			MIRRORS=
			;;
		esac
		shift 2
		;;
	*) die "unknown argument $1; --help shows how" "不认识的参数 $1，用法见 --help" ;;
	esac
done
case "$wanted" in
*[!0-9A-Za-z.-]* | -*) die "no version: $wanted" "不是版本号：$wanted" ;;
esac

tmp=$(mktemp -d "${TMPDIR:-/tmp}/ncatd-install.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

platform() {
	case "$(uname -s)" in
	Linux) os=linux ;;
	Darwin) os=darwin ;;
	*) die "no program for $(uname -s)" "没有适合 $(uname -s) 的程序" ;;
	esac
	case "$(uname -m)" in
	x86_64 | amd64) arch=amd64 ;;
	aarch64 | arm64) arch=arm64 ;;
	armv7* | armv8l) arch=armv7 ;;
	riscv64) arch=riscv64 ;;
	loongarch64) arch=loong64 ;;
	*) die "no program for $(uname -m)" "没有适合 $(uname -m) 的程序" ;;
	esac
}

# get URL FILE BYTES SECONDS: by the first program that brings it, at most so much
# and for so long. One that is there may still break down: the wget of a statically
# linked busybox does where names are looked up.
get() {
	tools=
	limit=
	! command -v timeout >/dev/null 2>&1 || limit="timeout $4"
	why='cannot be reached' why_zh='连接不上'
	for tool in curl wget /usr/lib/apt/apt-helper; do
		command -v "$tool" >/dev/null 2>&1 || continue
		tools="$tools $tool"
		rm -f "$2"
		if (
			ulimit -f $(($3 / 512 + 8)) # in 512 bytes
			case $tool in
			curl) exec $limit curl -fsSL --max-redirs 10 --connect-timeout 10 --speed-limit 1000 --speed-time "$PATIENCE" --max-time "$4" -o "$2" "$1" ;;
			wget) exec $limit wget -q -T "$PATIENCE" -O "$2" "$1" ;;
			*) exec $limit "$tool" download-file "$1" "$2" >/dev/null ;;
			esac
		) 2>"$tmp/err"; then
			[ ! -s "$2" ] || return 0
			why='sent an empty file' why_zh='返回了空文件'
			return 1
		fi
		if [ -e "$2" ] && [ $(($(wc -c <"$2"))) -gt "$3" ]; then
			why="sent more than $3 bytes" why_zh="返回的内容超过 $3 字节"
			return 1
		fi
		# What the first one says is worth telling, not that the last one is none.
		cause=$(tail -n 1 "$tmp/err" | cut -c 1-200)
		case $why in *:*) ;; *) [ -z "$cause" ] || why="$why: $cause" why_zh="$why_zh：$cause" ;; esac
	done
	[ -n "$tools" ] || die 'install curl or wget first' '请先安装 curl 或 wget'
	return 1
}

sha() { # BITS, of stdin
	if command -v "sha$1sum" >/dev/null 2>&1; then
		"sha$1sum"
	else
		shasum -a "$1"
	fi | cut -d ' ' -f 1
}

hex() { od -An -v -tx1 | tr -d ' \n'; }

# ed25519 KEY R S H: all in hex; true if S·B = R + H·KEY (RFC 8032). Numbers modulo
# 2^255-19 are 15 limbs of 17 bits, whose products fit into awk's numbers.
ed25519() {
	awk -v key="$1" -v r="$2" -v s="$3" -v h="$4" '
	function bits(x, b,  i, v, j) {
		for (i = 0; i < length(x) / 2; i++) {
			v = (index(H, substr(x, 2*i+1, 1)) - 1) * 16 + index(H, substr(x, 2*i+2, 1)) - 1
			for (j = 0; j < 8; j++) { b[8*i+j] = v % 2; v = int(v / 2) }
		}
	}
	function limbs(f, b,  i, j, v) {
		for (i = 0; i < 15; i++) { v = 0; for (j = 16; j >= 0; j--) v = 2*v + b[17*i+j]; f[i] = v }
	}
	function set(f, x,  b) { bits(x, b); b[255] = 0; limbs(f, b) }
	function copy(f, a,  i) { for (i = 0; i < 15; i++) f[i] = a[i] }
	function small(f, n,  i) { for (i = 0; i < 15; i++) f[i] = 0; f[0] = n }
	function carry(f,  i, c, k) {
		for (k = 0; k < 2; k++) {
			c = 0
			for (i = 0; i < 15; i++) { f[i] += c; c = int(f[i] / M); if (c * M > f[i]) c--; f[i] -= c * M }
			f[0] += 19 * c
		}
	}
	function mul(f, a, b,  t, i, j, x, y) {
		for (i = 0; i < 15; i++) t[i] = 0
		for (i = 0; i < 15; i++) {
			x = a[i]; y = 19 * x
			for (j = 0; j < 15 - i; j++) t[i+j] += x * b[j]
			for (; j < 15; j++) t[i+j-15] += y * b[j]
		}
		carry(t); copy(f, t)
	}
	function add(f, a, b,  i) { for (i = 0; i < 15; i++) f[i] = a[i] + b[i]; carry(f) }
	function sub_(f, a, b,  i) { for (i = 0; i < 15; i++) f[i] = a[i] + 2 * P[i] - b[i]; carry(f) }
	function whole(f,  i, k, ge) {
		carry(f)
		for (k = 0; k < 2; k++) {
			ge = 1
			for (i = 14; i >= 0; i--) if (f[i] != P[i]) { ge = f[i] > P[i]; break }
			if (ge) { for (i = 0; i < 15; i++) { f[i] -= P[i]; if (f[i] < 0 && i < 14) { f[i] += M; f[i+1]-- } } }
		}
	}
	function same(a, b,  x, y, i) {
		copy(x, a); copy(y, b); whole(x); whole(y)
		for (i = 0; i < 15; i++) if (x[i] != y[i]) return 0
		return 1
	}
	# a to the power of 2^n - 1 - (the two bits z1 and z2)
	function power(f, a, n, z1, z2,  t, i) {
		small(t, 1)
		for (i = n - 1; i >= 0; i--) { mul(t, t, t); if (i != z1 && i != z2) mul(t, t, a) }
		copy(f, t)
	}
	function point(X, Y, Z, T, X2, Y2, Z2, T2,  A, B, C, D, E, F, G, K) {
		sub_(A, Y, X); sub_(B, Y2, X2); mul(A, A, B)
		add(B, Y, X); add(C, Y2, X2); mul(B, B, C)
		mul(C, T, T2); mul(C, C, D2); mul(D, Z, Z2); add(D, D, D)
		sub_(E, B, A); sub_(F, D, C); add(G, D, C); add(K, B, A)
		mul(X, E, F); mul(Y, G, K); mul(T, E, K); mul(Z, F, G)
	}
	BEGIN {
		H = "0123456789abcdef"; M = 131072
		for (i = 0; i < 15; i++) P[i] = M - 1
		P[0] = M - 19
		set(D1, "a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352"); add(D2, D1, D1)
		set(I1, "b0a00e4a271beec478e42fad0618432fa7d7fb3d99004d2b0bdfc14f8024832b")
		set(BX, "1ad5258f602d56c9b2a7259560c72c695cdcd6fd31e2a4c0fe536ecdd3366921")
		set(BY, "5866666666666666666666666666666666666666666666666666666666666666")
		small(ONE, 1); small(NUL, 0); mul(BT, BX, BY); copy(BZ, ONE)
		# The key: x from y, then its negative.
		bits(key, kb); sign = kb[255]; set(AY, key)
		mul(yy, AY, AY); sub_(u, yy, ONE); mul(v, yy, D1); add(v, v, ONE)
		mul(v3, v, v); mul(v3, v3, v); mul(v7, v3, v3); mul(v7, v7, v); mul(w, u, v7)
		power(w, w, 252, 1, 1); mul(AX, u, v3); mul(AX, AX, w)
		mul(w, AX, AX); mul(w, w, v); sub_(nu, NUL, u)
		if (!same(w, u)) { if (!same(w, nu)) exit 1; mul(AX, AX, I1) }
		whole(AX)
		if (AX[0] % 2 == sign) sub_(AX, NUL, AX)
		mul(AT, AX, AY); copy(AZ, ONE)
		# S must be below the order of the curve, H is taken modulo it.
		bits(s, sb); bits(h, hb)
		bits("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", lb)
		for (i = 255; i >= 0; i--) if (sb[i] != lb[i]) { if (sb[i] > lb[i]) exit 1; break }
		if (i < 0) exit 1
		for (i = 0; i < 16; i++) { L[i] = 0; for (j = 16; j >= 0; j--) L[i] = 2 * L[i] + lb[17*i+j]; q[i] = 0 }
		for (i = 511; i >= 0; i--) {
			c = hb[i]
			for (j = 0; j < 16; j++) { q[j] = 2 * q[j] + c; c = q[j] >= M; if (c) q[j] -= M }
			ge = 1
			for (j = 15; j >= 0; j--) if (q[j] != L[j]) { ge = q[j] > L[j]; break }
			if (ge) for (j = 0; j < 16; j++) { q[j] -= L[j]; if (q[j] < 0) { q[j] += M; q[j+1]-- } }
		}
		for (i = 0; i < 16; i++) { c = q[i]; for (j = 0; j < 17; j++) { hb[17*i+j] = c % 2; c = int(c / 2) } }
		# S·B - H·A, both in one pass.
		copy(CX, BX); copy(CY, BY); copy(CZ, BZ); copy(CT, BT); point(CX, CY, CZ, CT, AX, AY, AZ, AT)
		small(X, 0); small(Y, 1); small(Z, 1); small(T, 0)
		for (i = 252; i >= 0; i--) {
			copy(X2, X); copy(Y2, Y); copy(Z2, Z); copy(T2, T); point(X, Y, Z, T, X2, Y2, Z2, T2)
			if (sb[i] && hb[i]) point(X, Y, Z, T, CX, CY, CZ, CT)
			else if (sb[i]) point(X, Y, Z, T, BX, BY, BZ, BT)
			else if (hb[i]) point(X, Y, Z, T, AX, AY, AZ, AT)
		}
		power(Z2, Z, 255, 2, 4); mul(X, X, Z2); mul(Y, Y, Z2); whole(X); whole(Y)
		bits(r, rb)
		for (i = 0; i < 15; i++) { c = Y[i]; for (j = 0; j < 17; j++) { if (rb[17*i+j] != c % 2) exit 1; c = int(c / 2) } }
		exit rb[255] != X[0] % 2
	}' </dev/null
}

# signed FILE KEY: FILE.minisig is by KEY, in minisign's base64.
signed() {
	printf '%s' "$2" | base64 -d >"$tmp/key" 2>/dev/null || return 1
	sed -n 2p "$1.minisig" | base64 -d >"$tmp/sig" 2>/dev/null || return 1
	k=$(hex <"$tmp/key")
	g=$(hex <"$tmp/sig")
	[ ${#k} -eq 84 ] && [ ${#g} -eq 148 ] || return 1
	case "$g" in 4564*) ;; *) return 1 ;; esac
	[ "$(printf '%s' "$k" | cut -c 5-20)" = "$(printf '%s' "$g" | cut -c 5-20)" ] || return 1
	h=$({
		tail -c +11 "$tmp/sig" | head -c 32
		tail -c +11 "$tmp/key"
		cat "$1"
	} | sha 512)
	ed25519 "$(printf '%s' "$k" | cut -c 21-)" "$(printf '%s' "$g" | cut -c 21-84)" "$(printf '%s' "$g" | cut -c 85-)" "$h"
}

# older A B: version A comes before B.
older() {
	awk -v a="$1" -v b="$2" 'BEGIN {
		split(a, x, /[.-]/); split(b, y, /[.-]/)
		for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) exit !(x[i] + 0 < y[i] + 0)
		p = index(a, "-"); q = index(b, "-")
		if (p && q) exit !(substr(a, p) "" < substr(b, q) "")
		exit !(p && !q)
	}' </dev/null
}

page() { case "$(head -c 64 "$1" | LC_ALL=C tr -d ' \t\r\n' | head -c 1)" in '<') return 0 ;; esac; return 1; }

# release URL: fetches what describes the release there and checks it.
release() {
	for f in ncatd-release.txt ncatd-release.txt.minisig ncatd-signing.pub ncatd-signing.pub.minisig; do
		get "$1/$f" "$tmp/$f" 1048576 $((PATIENCE * 2)) || return 1
		if page "$tmp/$f"; then
			why='sent an HTML page' why_zh='返回了网页'
			return 1
		fi
	done
	why='a signature is wrong' why_zh='签名不对'
	good=
	for root in $ROOT_KEYS; do
		if signed "$tmp/ncatd-signing.pub" "$root"; then
			good=1
			break
		fi
	done
	[ -n "$good" ] || return 1
	head -n 1 "$tmp/ncatd-signing.pub" | grep -q '^untrusted comment: ncatd signing key [0-9]*$' || return 1
	signed "$tmp/ncatd-release.txt" "$(sed -n 2p "$tmp/ncatd-signing.pub")" || return 1
	[ "$(sed -n 1p "$tmp/ncatd-release.txt")" = 'ncatd release 1' ] || return 1
	version=$(sed -n '2s/^version //p' "$tmp/ncatd-release.txt")
	if [ -n "$wanted" ]; then
		why="has $version, not $wanted" why_zh="给的是 $version，不是 $wanted"
		[ "$version" = "$wanted" ] || return 1
	elif [ -n "$NEWEST" ]; then
		why="has only $version, older than $NEWEST" why_zh="只有 $version，比 $NEWEST 旧"
		! older "$version" "$NEWEST" || return 1
	fi
}

# program URL: fetches the archive and checks it.
program() {
	name=ncatd_${version}_${os}_$arch.tar.gz
	line=$(grep " $os/$arch $name\$" "$tmp/ncatd-release.txt") || die "release $version has no program for $os/$arch" "版本 $version 没有 $os/$arch 的程序"
	get "$1/$name" "$tmp/$name" "$(printf '%s' "$line" | cut -d ' ' -f 3)" "$WHOLE" || return 1
	if page "$tmp/$name"; then
		why='sent an HTML page' why_zh='返回了网页'
		return 1
	fi
	why="sent $(($(wc -c <"$tmp/$name"))) bytes with a wrong digest" why_zh="下载内容的摘要不对"
	[ "$(sha 256 <"$tmp/$name")" = "$(printf '%s' "$line" | cut -d ' ' -f 2)" ]
}

[ -n "$ROOT_KEYS" ] || die 'this is the script of the sources, without keys; take the one of a release' '这是源码中的脚本，没有公钥；请用发布版中的脚本'
platform
path=latest/download
[ -z "$wanted" ] || path=download/v$wanted
done=
for m in '' $MIRRORS; do
	url=${m:+${m%/}/}$BASE/$path
	if release "$url" && program "${m:+${m%/}/}$BASE/download/v$version"; then
		done=1
		break
	fi
	say "$url: $why" "$url：$why_zh"
done
[ -n "$done" ] || die 'nothing was installed' '没有安装任何东西'

mkdir "$tmp/new"
if ! (ulimit -f 262144 && tar -xzf "$tmp/$name" -C "$tmp/new" ncatd) 2>/dev/null || [ -L "$tmp/new/ncatd" ] || [ ! -f "$tmp/new/ncatd" ]; then
	die 'there is no program in the archive, or a far too large one; nothing was installed' '包里没有程序，或者程序大得离谱，没有安装任何东西'
fi
"$tmp/new/ncatd" version >/dev/null || die 'the program does not run here; nothing was installed' '程序在这台机器上运行不了，没有安装任何东西'
if [ -z "$dir" ]; then
	dir=$HOME/.local/bin
	[ "$(id -u)" != 0 ] || dir=/usr/local/bin
fi
mkdir -p "$dir"
cp "$tmp/new/ncatd" "$dir/.ncatd.new.$$"
chmod 0755 "$dir/.ncatd.new.$$"
mv -f "$dir/.ncatd.new.$$" "$dir/ncatd"
say "ncatd $version is in $dir/ncatd" "ncatd $version 已装到 $dir/ncatd"
case ":$PATH:" in
*":$dir:"*) run=ncatd ;;
*)
	run=$dir/ncatd
	say "$dir is not in PATH" "$dir 不在 PATH 里"
	;;
esac
say "next: $run start    (scan the QR code; moving in from another NapCat: $run import)" "接下来：$run start（扫码登录；从已有的 NapCat 迁入：$run import）"
