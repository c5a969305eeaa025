#!/bin/sh
# After upgrading, where a package manager has a script of its own for that.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	if systemctl is-active --quiet ncatd.service; then
		ncatd --home /var/lib/ncatd stop --keep-napcat >/dev/null 2>&1 || systemctl kill --kill-who=main --signal=SIGKILL ncatd.service || true
		systemctl start ncatd.service || true
	fi
fi
exit 0
