#!/bin/sh
# start.sh QEMU ROOT SEED SIZE COMMAND...: run COMMAND as an ordinary user of an aarch64 board.
#
# Runs in user, mount and process namespaces of its own, where it may mount things and say how aarch64 programs
# are started (binfmt_misc is a namespace's own since Linux 6.7). SEED is copied to the user's home, a file
# system of SIZE. Exit code 97: the platform cannot.
set -eu
qemu=$1 root=$2 seed=$3 size=$4
shift 4
. "${0%/*}/mounts.sh"
mkdir -m 1777 "$root/tmp/home"
mount -t tmpfs -o "size=$size" tmpfs "$root/tmp/home"
cp -r "$seed/." "$root/tmp/home/"
chmod -R go-rwx "$root/tmp/home"
exec unshare --user --map-user=1000 --map-group=1000 --root="$root" --wd=/tmp/home "$@"
