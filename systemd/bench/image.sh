#!/bin/bash
# Builds the machine: a small Debian with its own kernel, our board's module and the agent.
#   ARCH=amd64 image.sh FOLDER     leaves FOLDER/{kernel,initrd,root.ext4}
# Needs root and the packages that setup.sh names; AGENT is the agent's program for that machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1 suite=bookworm
: "${ARCH:?}" "${AGENT:?}"
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk -v s=$suite '$2 == s { sub("/$", "", $1); print $1; exit }')
mirror=${mirror:-http://deb.debian.org/debian}

# The tree is made in memory where that can be had: dpkg waits for the disk after every file.
mkdir -p "$out"
work=$(mktemp -d "$out/build.XXXXXX")
undo() { cd /; umount "$work" 2>/dev/null || true; rm -rf "$work"; [ -z "${binfmt:-}" ] || echo -1 >"$binfmt"; }
trap undo EXIT
mount -t tmpfs -o size=3g bench "$work" 2>/dev/null || true

if [ "$ARCH" != "$(dpkg --print-architecture)" ]; then # its programs run through qemu-user
	each=/proc/sys/fs/binfmt_misc
	[ -e $each/register ] || mount -t binfmt_misc none $each
	if [ ! -e $each/qemu-aarch64 ]; then
		printf '%s' ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:FP' >$each/register
		binfmt=$each/qemu-aarch64
	fi
fi

# The kernel's package and its headers are fetched with the tree's own apt, and only unpacked: a machine
# that is started with -kernel needs no boot loader and no initramfs of Debian's.
cat >"$work/fetch" <<'E2'
#!/bin/sh
set -e
export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
mkdir "$WORK/debs" && cd "$WORK/debs"
image=$(apt-cache depends "linux-image-$ARCH" | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -1)
version=${image#linux-image-}
apt-get -q -o APT::Sandbox::User=root download "$image" "linux-headers-$version" "linux-headers-${version%-*}-common" >/dev/null
echo "$version" >../version
E2
chmod +x "$work/fetch"
export WORK=$work ARCH
mmdebstrap --quiet --mode=root --arch="$ARCH" --variant=minbase --format=directory \
	--include=systemd-sysv,udev,kmod,busybox-static \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt=force-unsafe-io \
	--customize-hook="$work/fetch" \
	$suite "$work/root" "deb $mirror $suite main" "deb ${mirror%/debian}/debian-security $suite-security main"
root=$work/root version=$(cat "$work/version")

dpkg-deb -x "$work"/debs/linux-image-*.deb "$work/kernel"
modules=$root/usr/lib/modules
mkdir -p "$modules" && cp -a "$work/kernel/lib/modules/$version" "$modules/"
cp "$work/kernel/boot/vmlinuz-$version" "$out/kernel.new"
(cd "$modules/$version/kernel" && rm -rf sound drivers/{gpu,media,infiniband,isdn,staging,bluetooth,net/wireless,net/ethernet,scsi/*/} \
	fs/{btrfs,xfs,ocfs2,gfs2,ceph,cifs,nfs,nfsd,f2fs,jfs,reiserfs} net/{wireless,mac80211,bluetooth,openvswitch})
"$here/module.sh" "$work" "$version" "$modules/$version/updates"
depmod -b "$root" "$version"

# What the machine is like.
echo desk >"$root/etc/hostname"
: >"$root/etc/machine-id"
echo '/dev/vda / ext4 rw,relatime 0 1' >"$root/etc/fstab"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
install -m 755 "$AGENT" "$root/usr/local/sbin/bench-agent"
cat >"$root/etc/systemd/system/bench-agent.service" <<'E2'
[Unit]
Description=Does what the bench asks for; no part of the desk
DefaultDependencies=no
After=systemd-journald.socket
Conflicts=shutdown.target
[Service]
ExecStartPre=/sbin/modprobe virtio_net
ExecStartPre=/bin/busybox ip link set lo up
ExecStart=/usr/local/sbin/bench-agent
Restart=always
KillMode=process
OOMScoreAdjust=-1000
[Install]
WantedBy=sysinit.target
E2
cd "$root/etc/systemd/system"
for unit in modprobe@{drm,efi_pstore,fuse,loop,dm_mod}.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount \
	sys-kernel-tracing.mount sys-fs-fuse-connections.mount systemd-pcrphase{,-initrd,-sysinit}.service systemd-update-utmp.service \
	systemd-update-utmp-runlevel.service e2scrub_reap.service apt-daily{,-upgrade}.timer dpkg-db-backup.timer e2scrub_all.timer \
	fstrim.timer getty@tty1.service; do
	ln -sf /dev/null "$unit" # costs nothing but time at boot; and no getty runs on a desk's screen
done
mkdir -p sysinit.target.wants
ln -s ../bench-agent.service sysinit.target.wants/
ln -sf /lib/systemd/system/multi-user.target default.target

# The first programs: busybox and what leads to the disk.
early=$work/early
mkdir -p "$early"/{bin,modules,proc,sys,dev,root}
cp "$root/bin/busybox" "$early/bin/"
cp "$here/init" "$early/init" && chmod 755 "$early/init"
for m in virtio_pci virtio_blk ext4 crc32c_generic; do
	modprobe -d "$root" -S "$version" --show-depends $m 2>/dev/null | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' | while read -r file; do
	cp "$file" "$early/modules/"
	basename "$file" >>"$early/modules/order"
done
(cd "$early" && find . | cpio -o -H newc --quiet) >"$out/initrd.new"

rm -f "$out/root.ext4.new"
truncate -s 1200M "$out/root.ext4.new"
mke2fs -q -t ext4 -L desk -d "$root" "$out/root.ext4.new"
for file in kernel initrd root.ext4; do mv "$out/$file.new" "$out/$file"; done
