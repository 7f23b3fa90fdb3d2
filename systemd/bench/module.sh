#!/bin/bash
# Builds board/ for the machine's kernel; image.sh calls it.
#   module.sh WORK VERSION FOLDER     WORK/debs has the kernel's headers
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$1 version=$2 to=$3
cd "$work/debs"
apt-get -q -o APT::Sandbox::User=root download linux-kbuild-6.1 >/dev/null # programs of this machine, whatever the other is
mkdir "$work/headers" && cd "$work/headers"
for deb in ../debs/linux-headers-*.deb ../debs/linux-kbuild-*.deb; do dpkg-deb -x "$deb" .; done
tree=$PWD/usr/src/linux-headers-$version
# The packages find each other by absolute names; here they lie elsewhere.
sed -i "s#/usr/src/#$PWD/usr/src/#; s#/usr/lib/linux-kbuild#$PWD/usr/lib/linux-kbuild#" "$tree/Makefile"
find "$PWD/usr/src" -type l | while read -r link; do
	target=$(readlink "$link")
	case $target in /usr/*) ln -sfn "$PWD$target" "$link" ;; esac
done
cross=""
[ "$ARCH" = "$(dpkg --print-architecture)" ] || cross=aarch64-linux-gnu-
cp -r "$here/board" "$work/board"
make -s -C "$tree" M="$work/board" ARCH="${ARCH/amd64/x86}" CROSS_COMPILE=$cross CONFIG_DEBUG_INFO_BTF_MODULES= modules
mkdir -p "$to"
${cross}strip --strip-debug -o "$to/bench-board.ko" "$work/board/bench-board.ko"
