#!/bin/sh
# Gets what "make machine" needs beside Go; as root, on Debian 12.
set -eu
missing=""
need() { # PROGRAM PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need mmdebstrap mmdebstrap
need mke2fs e2fsprogs
need cpio cpio
need modprobe kmod
need make make
need xz xz-utils
need qemu-img qemu-utils
need gcc-12 gcc-12
case $ARCH in
amd64) need qemu-system-x86_64 qemu-system-x86 ;;
arm64)
	need qemu-system-aarch64 qemu-system-arm
	[ "$(dpkg --print-architecture)" = arm64 ] || {
		need qemu-aarch64-static qemu-user-static
		need arch-test arch-test
		need aarch64-linux-gnu-gcc-12 gcc-12-aarch64-linux-gnu
		need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
	}
	;;
*) echo "ARCH is amd64 or arm64, not \"$ARCH\"" >&2 && exit 1 ;;
esac
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "missing; please install the packages:$missing" >&2 && exit 1; }
echo "installing:$missing"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
