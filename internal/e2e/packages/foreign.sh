# Part of run.sh: the packages of other systems, on a Debian without systemd. Each is
# unpacked as its manager would, its scripts are run with the arguments that it
# would give them, and its files are removed again.

check() { # check WHAT COMMAND...
	local what=$1 rc=0
	shift
	"$@" >"$work/check" 2>&1 || rc=$?
	if [ $rc = 0 ]; then
		echo "ok: $what"
	else
		echo "FAIL: $what (status $rc)"
		tail -20 "$work/check" | sed 's/^/    /'
		bad=1
	fi
}
# within COMMAND...: in the copied system, which has loopback only.
within() {
	systemd-nspawn --quiet --register=no --keep-unit --private-network --as-pid2 --directory="$root" --machine="$(basename "$work")-2" --pipe \
		--setenv=NCATD_LANG=en --setenv=LC_ALL=C.UTF-8 "$@" </dev/null
}
present() { (cd "$root" && find . -xdev \( -path ./var/lib/ncatd/\* -o -path ./var/log -o -path ./run -o -path ./tmp -o -path ./S \) -prune -o ! -type d -print -o -path ./var/lib/ncatd -print) | grep -v -E '^\./etc/(passwd|shadow|group|gshadow|subuid|subgid)-?$|^\./etc/\.pwd\.lock$|^\./etc/resolv.conf$' | sort; }

# What each manager does, by hand. KIND_unpack FILE, KIND_scripts FILE (to $root/S).
# rpm2cpio reports a failure where the header's size of the payload is another one
# than it counts, after it wrote all of it. The names in it are absolute.
rpm_unpack() { { rpm2cpio "$1" || true; } | (cd "$root" && cpio --quiet -idmu --no-absolute-filenames); }
rpm_scripts() { # one file for each: postinstall, preuninstall, postuninstall
	rpm -qp --scripts "$1" 2>/dev/null |
		awk -v to="$root/S/" '/^[a-z]+ (scriptlet|program)/ { f = to $1; next } f { print >f }'
}
rpm_install() { within sh /S/postinstall 1; }
rpm_upgrade() { within sh /S/postinstall 2 && within sh /S/preuninstall 1 && within sh /S/postuninstall 1; }
rpm_remove() { within sh /S/preuninstall 0; }
rpm_removed() { within sh /S/postuninstall 0; }

apk_unpack() { tar --warning=no-unknown-keyword -xzf "$1" -C "$root" --exclude='.[A-Zp]*'; }
apk_scripts() { tar --warning=no-unknown-keyword -xzf "$1" -C "$root/S" --wildcards '.p*'; }
apk_install() { within sh /S/.post-install 0.9.0-r1; }
apk_upgrade() { within sh /S/.post-upgrade 0.9.1-r1 0.9.0-r1; }
apk_remove() { within sh /S/.pre-deinstall 0.9.1-r1; }
apk_removed() { within sh /S/.post-deinstall 0.9.1-r1; }

arch_unpack() { tar --zstd -xf "$1" -C "$root" --exclude='.[A-Z]*'; }
arch_scripts() { tar --zstd -xf "$1" -C "$root/S" .INSTALL .PKGINFO .MTREE; }
arch_install() { within bash -c '. /S/.INSTALL; post_install 0.9.0-1'; }
arch_upgrade() { within bash -c '. /S/.INSTALL; post_upgrade 0.9.1-1 0.9.0-1'; }
arch_remove() { within bash -c '. /S/.INSTALL; pre_remove 0.9.1-1'; }
arch_removed() { within bash -c '. /S/.INSTALL; post_remove 0.9.1-1'; }

life='set -e
cd /; export NCATD_HOME=/var/lib/ncatd HOME=/var/lib/ncatd
ncatd start -d --sim --scan-after 0s
ncatd status
ncatd stop'
home_is() { [ "$(within stat -c '%U %G %a' /var/lib/ncatd)" = "$1" ]; }

for kind in rpm:.rpm apk:.apk arch:.pkg.tar.zst; do
	ending=${kind#*:} kind=${kind%%:*}
	echo "--- $kind"
	fresh base-bookworm "$kind"
	mkdir "$root/S"
	within true # what a container's first start makes
	present >"$work/before"
	"${kind}_scripts" "$(one "$old" "$ending")"
	check "$kind: unpacked" "${kind}_unpack" "$(one "$old" "$ending")"
	present >"$work/unpacked"
	comm -13 "$work/before" "$work/unpacked" | sed 's,^\.,,' >"$work/$kind-files"
	# The .deb has the same files; its own are listed by dpkg.
	dpkg-deb --fsys-tarfile "$(one "$old" .deb)" | tar -t | grep -v '/$' | sed 's,^\.,,' | sort >"$work/deb-files"
	check "$kind: has the files of the .deb" diff "$work/deb-files" "$work/$kind-files"
	check "$kind: its script after installing" "${kind}_install"
	check "$kind: the home is the user's alone" home_is "ncatd ncatd 700"
	check "$kind: an account comes online, as the user" within runuser -u ncatd -- sh -c "$life"
	rm -rf "$root/S"/.[A-Zp]* "$root/S"/*
	"${kind}_scripts" "$(one "$new" "$ending")"
	"${kind}_unpack" "$(one "$new" "$ending")"
	check "$kind: its scripts at an upgrade" "${kind}_upgrade"
	check "$kind: the home is still the user's" home_is "ncatd ncatd 700"
	check "$kind: its script before removing" "${kind}_remove"
	(cd "$root" && sed 's,^/,,' "$work/$kind-files" | xargs -d '\n' rm -f)
	check "$kind: its script after removing" "${kind}_removed"
	present >"$work/after"
	check "$kind: nothing is left but the home" [ "$(comm -13 "$work/before" "$work/after")" = ./var/lib/ncatd ]
	check "$kind: with the login in it" [ -e "$root/var/lib/ncatd/secrets.json" ]
	umount "$root" 2>/dev/null || umount -l "$root" 2>/dev/null || true
done
