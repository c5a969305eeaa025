#!/bin/sh
# Before removing; an upgrade passes here too and must leave the service alone.
set -e
case "$1" in
upgrade | failed-upgrade | deconfigure | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now ncatd.service 2>/dev/null || true
fi
exit 0
