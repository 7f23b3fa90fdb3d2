#!/bin/sh
# Gets what "make test" needs beside Go: as root from Debian's packages, else it says what is missing.
set -eu

missing=""
need() { # PROGRAM PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need chromium chromium
need systemd-analyze systemd
need strace strace
need sqlite3 sqlite3 # the floor of the imports
need gcc gcc # the race detector's
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "missing; please install the packages:$missing" >&2
	exit 1
fi
echo "installing:$missing"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
