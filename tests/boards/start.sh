#!/bin/sh
# start.sh QEMU ROOT SEED SIZE COMMAND...: run COMMAND as an ordinary user of an aarch64 board.
#
# Runs in user, mount and process namespaces of its own, where it may mount things and say how aarch64 programs
# are started (binfmt_misc is a namespace's own since Linux 6.7). SEED is copied to the user's home, a file
# system of SIZE. Exit code 97: the platform cannot.
set -eu
qemu=$1 root=$2 seed=$3 size=$4
shift 4
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc || exit 97
# An ELF file, 64-bit, little-endian, executable or shared, for aarch64. F: the interpreter is opened now.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":evit-board:M::$magic:$mask:$qemu:FP" >/proc/sys/fs/binfmt_misc/register || exit 97
# Where a container hides parts of /proc, a new one may not be mounted; the old one does.
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -m 1777 "$root/tmp/home"
mount -t tmpfs -o "size=$size" tmpfs "$root/tmp/home"
cp -r "$seed/." "$root/tmp/home/"
chmod -R go-rwx "$root/tmp/home"
exec unshare --user --map-user=1000 --map-group=1000 --root="$root" --wd=/tmp/home "$@"
