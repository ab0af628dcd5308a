# Sourced by start.sh and start_adb.sh, with $qemu and $root: mounts what every board needs.
#
# Runs in user, mount and process namespaces of its own, where it may mount things and say how aarch64 programs
# are started (binfmt_misc is a namespace's own since Linux 6.7). Exit code 97: the platform cannot.
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
