#!/bin/sh
# After installing and after upgrading. Its argument is configure (deb), how many
# versions there are (rpm), or a version (apk, Arch).
set -e

make_user() {
	if command -v systemd-sysusers >/dev/null 2>&1; then
		systemd-sysusers ncatd.conf
	elif ! grep -q '^ncatd:' /etc/passwd; then
		if command -v useradd >/dev/null 2>&1; then
			useradd --system --user-group --home-dir /var/lib/ncatd --no-create-home --shell /usr/sbin/nologin ncatd
		else
			addgroup -S ncatd 2>/dev/null || true
			adduser -S -D -H -h /var/lib/ncatd -s /sbin/nologin -G ncatd ncatd
		fi
	fi
}

make_home() {
	if command -v systemd-tmpfiles >/dev/null 2>&1; then
		systemd-tmpfiles --create ncatd.conf
	else
		mkdir -p /var/lib/ncatd
		chown ncatd:ncatd /var/lib/ncatd
		chmod 0700 /var/lib/ncatd
	fi
}

case "$1" in
abort-*) exit 0 ;;
esac
make_user
# A home that a removal left has whatever owner number ncatd had then; one that a
# purge kept is root's. Asked before the folder itself is made ncatd's.
if [ -d /var/lib/ncatd ] && [ "$(stat -c %U /var/lib/ncatd)" != ncatd ]; then
	chown -R -h ncatd:ncatd /var/lib/ncatd
fi
make_home
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# The new program takes the running NapCat over: nobody has to log in again.
	if systemctl is-active --quiet ncatd.service; then
		ncatd --home /var/lib/ncatd stop --keep-napcat >/dev/null 2>&1 || systemctl kill --kill-who=main --signal=SIGKILL ncatd.service || true
		systemctl start ncatd.service || true
	fi
fi
if [ "$1" = configure ] && [ -z "$2" ] || [ "$1" = 1 ]; then
	cat <<-'END'
	ncatd is installed. Start it, then scan the QR code:
	  sudo systemctl enable --now ncatd
	  sudo ncatd --home /var/lib/ncatd login
	END
fi
exit 0
