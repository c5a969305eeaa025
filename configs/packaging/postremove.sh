#!/bin/sh
# After removing. The home stays: it holds the logins. Only a purge (deb) may take
# it, and only if somebody says so: on the terminal, or by NCATD_PURGE=yes.
set -e
home=/var/lib/ncatd
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
[ "$1" = purge ] && [ -d "$home" ] || exit 0
answer=${NCATD_PURGE:-}
if [ -z "$answer" ] && [ -t 0 ] && [ -t 2 ]; then
	printf 'Remove %s with its accounts, logins and data? [y/N] ' "$home" >&2
	read -r answer || answer=
fi
case "$answer" in
y | Y | yes)
	rm -rf --one-file-system "$home"
	if command -v deluser >/dev/null 2>&1; then
		deluser --quiet --system ncatd || true
	elif command -v userdel >/dev/null 2>&1; then
		userdel ncatd || true
	fi
	;;
*)
	chown -R -h root:root "$home"
	chmod 0700 "$home"
	echo "ncatd: $home was kept; remove it with: rm -rf $home" >&2
	;;
esac
exit 0
