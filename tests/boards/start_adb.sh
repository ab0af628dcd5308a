#!/bin/sh
# start_adb.sh QEMU ROOT SIZE PATH: run adbd as an aarch64 board's root, on port 5555 of the namespace's own loopback.
#
# Also in a network namespace of its own: adbd listens on every address and asks nobody who they are. /data is a
# file system of SIZE, PATH that of the board's programs; /data/local/tmp/bin has all but Python.
set -eu
qemu=$1 root=$2 size=$3 path=$4
. "${0%/*}/mounts.sh"
ip link set lo up
mount -t tmpfs -o "size=$size" tmpfs "$root/data"
mkdir -p "$root/data/local/tmp/bin"
for program in "$root"/usr/bin/*; do
  case $program in *python*) ;; *) ln -s "/usr/bin/${program##*/}" "$root/data/local/tmp/bin/" ;; esac
done
exec chroot "$root" /usr/bin/env -i "PATH=$path" SHELL=/bin/sh HOME=/tmp QEMU_CPU=cortex-a76 /usr/sbin/adbd
