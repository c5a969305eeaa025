#!/bin/sh
# Runs the fuzz targets of the module one after the other and stops at the first
# finding.
#
#	tools/fuzz.sh TIME [PATTERN]	TIME for each target, those whose name matches
#
# Minimising is cut short: on targets that unpack archives it would eat all the
# time. Go's fuzzer sometimes ends a run in which nothing was found with "context
# deadline exceeded", when the time is up while an input runs; that is no
# finding, which always has a failing input written to testdata.
set -u
go=${GO:-go}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
count=0
for dir in $($go list -f '{{.Dir}}' ./...); do
	for name in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | sed 's/func //' | grep -E "${2:-.}"); do
		echo "== $dir $name"
		(cd "$dir" && $go test -run '^$' -fuzz "^$name\$" -fuzztime "$1" -fuzzminimizetime 2s . 2>&1; echo "exit $?") | tee "$out"
		if ! grep -q '^exit 0$' "$out"; then
			grep -q '^    context deadline exceeded$' "$out" && ! grep -q 'Failing input' "$out" || exit 1
		fi
		count=$((count + 1))
	done
done
echo "$count targets, no finding"
