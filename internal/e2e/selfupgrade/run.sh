#!/bin/bash
# Tries `ncatd self upgrade` on a service of a real systemd, in a booted container:
#
#	run.sh FOLDER
#
# FOLDER has ncatd, a program of version 1.0.0, and a folder with a signed release
# for each other version: good (1.1.0), and those that crash, hang, end as one
# with a wrong config does, or do not take the config (TestSelfUpgradeSystemd makes
# them). Needs root, debootstrap, systemd-container, and the first time the mirror
# that apt uses here. Exits with 0 if all holds, 1 if something does not, 77 with a
# reason where it cannot be tried.
set -euo pipefail
given=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
. "$here/../tree/tree.sh"
needs debootstrap:debootstrap systemd-nspawn:systemd-container apt-get:apt
tree booted bookworm systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,procps,sudo,xvfb,xauth || exit 77
fresh booted-bookworm system
cp -r "$given" "$root/srv/self"
chmod -R a+rX "$root/srv/self"
install -m 755 "$given/ncatd" "$root/usr/local/bin/ncatd"
boot "$here/inside.sh"
