#!/bin/sh
# Checks the files of this folder without a running systemd, and itself with faults planted on purpose.
# Exit status 0 if all is well. Needs systemd (250 or later), make and, to make files of other users, root.
set -eu
[ "$(id -u)" = 0 ] || { echo "check.sh: only root can make files of other users" >&2; exit 1; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
export SYSTEMD_LOG_LEVEL=notice
unit=usr/lib/systemd/system/kioskd.service

fail() { echo "check.sh: $*" >&2; exit 1; }

# stage installs everything below $root, with stand-ins for the programs.
stage() {
	rm -rf "$root"/* && mkdir "$root/bin"
	printf '#!/bin/sh\n' | tee "$root/bin/kioskd" >"$root/bin/kioskctl"
	make -s -f "$here/install.mk" install BIN="$root/bin" DESTDIR="$root"
}

# The checks. Each says what is wrong and fails.

verified() { # systemd-analyze only warns of words that it does not know
	said=$(systemd-analyze verify --man=no --recursive-errors=no --root="$root" kioskd.service 2>&1) || { echo "$said"; return 1; }
	[ -z "$said" ] || { echo "$said"; return 1; }
}

locked() { # exposure of at most 1.5 in 10
	systemd-analyze security --offline=true --threshold=15 --no-pager "$root/$unit" | grep 'exposure level' &&
		systemd-analyze security --offline=true --threshold=15 --no-pager "$root/$unit" >/dev/null
}

grouped() { # the user and groups that the unit asks for are made
	systemd-sysusers --root="$root" "$root/usr/lib/sysusers.d/circdesk.conf" >/dev/null 2>&1 || return 1
	for name in $(sed -n 's/^User=//p; s/^SupplementaryGroups=//p' "$root/$unit"); do
		grep -q "^$name:" "$root/etc/group" || { echo "nobody makes the group $name"; return 1; }
	done
}

foldered() { # the folders of the first start
	grouped || return 1
	systemd-tmpfiles --root="$root" --create "$root/usr/lib/tmpfiles.d/circdesk.conf" || return 1
	mode=$(stat -c %a "$root/var/lib/circdesk")
	owner=$(sed -n 's/^circdesk:x:\([0-9]*\):.*/\1/p' "$root/etc/passwd")
	[ "$mode $(stat -c %u "$root/var/lib/circdesk")" = "750 $owner" ] || { echo "/var/lib/circdesk has the mode $mode or a wrong owner"; return 1; }
}

ruled() { # udevadm can check rules since systemd 254
	! udevadm verify --help >/dev/null 2>&1 || udevadm verify --no-summary "$root/usr/lib/udev/rules.d/70-circdesk.rules"
}

kept() { # a second installation leaves the configuration alone
	echo '# mine' >"$root/etc/circdesk/policy.toml"
	make -s -f "$here/install.mk" install BIN="$root/bin" DESTDIR="$root"
	[ "$(cat "$root/etc/circdesk/policy.toml")" = '# mine' ] || { echo "policy.toml was overwritten"; return 1; }
}

stage
for check in verified locked grouped foldered ruled kept; do
	$check || fail "$check: see above"
done

# planted FILE SED-SCRIPT CHECK: with such a fault the check must go red.
planted() {
	stage
	before=$(cksum <"$root/$1")
	sed -i "$2" "$root/$1"
	[ "$before" != "$(cksum <"$root/$1")" ] || fail "'$2' plants no fault in $1"
	! $3 >/dev/null 2>&1 || fail "$3 does not see the fault '$2'"
}

planted $unit 's/^PrivateUsers=/PrivateUsres=/' verified
planted $unit 's,^ExecStart=.*,ExecStart=/usr/bin/kioskdd,' verified
planted $unit 's/^WatchdogSec=.*/WatchdogSec=soon/' verified
planted $unit '/^PrivateUsers=/d; /^ProtectClock=/d; /^PrivateMounts=/d' locked
planted usr/lib/sysusers.d/circdesk.conf '/^g spi/d' grouped
planted usr/lib/tmpfiles.d/circdesk.conf 's/0750/0755/' foldered

echo "check.sh: all is well, and every planted fault was seen"
