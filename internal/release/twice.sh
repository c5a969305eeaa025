#!/bin/sh
# Makes the release of this commit twice, in different folders, with another umask,
# time zone and language, and compares every file:
#
#	twice.sh RELEASE KEY VERSION [PLATFORMS]
#
# RELEASE is the program of this package and KEY a signing key. The second one
# compiles everything anew unless TWICE_CACHE=shared.
set -eu
release=$(realpath "$1") key=$(realpath "$2") version=$3 platforms=${4:-}
commit=$(git rev-parse HEAD) # whatever is committed meanwhile
work=$(mktemp -d "${TMPDIR:-/tmp}/ncatd-twice.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

make_one() { # make_one FOLDER OUT
	mkdir -p "$(dirname "$1")"
	git clone -q --no-hardlinks --no-checkout . "$1"
	git -C "$1" checkout -q --detach "$commit"
	(cd "$1" && NCATD_SIGNING_KEY=$key "$release" build -version "$version" ${platforms:+-platforms "$platforms"} -out "$2")
	(cd "$2" && sha256sum -- *) >"$2.sums"
}
echo "--- one"
make_one "$work/a" "$work/one"
echo "--- two"
(
	umask 077
	export TZ=Asia/Shanghai LC_ALL=C LANG=zh_CN.UTF-8
	[ "${TWICE_CACHE:-}" = shared ] || export GOCACHE="$work/cache"
	make_one "$work/some/where/else with blanks" "$work/two"
)
if diff "$work/one.sums" "$work/two.sums"; then
	cat "$work/one.sums"
	echo "$(wc -l <"$work/one.sums") files, all the same"
else
	echo "FAIL: they differ"
	exit 1
fi
for deb in "$work"/one/*.deb; do
	size=$(wc -c <"$deb")
	echo "$(basename "$deb"): $size bytes, at most 12000000"
	[ "$size" -le 12000000 ] || exit 1
done
