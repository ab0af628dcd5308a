"""What is ours on an emulated board: its first program, its second, and the settings of its sshd.

    kernel -> /init of the initramfs: modules, disk -> /sbin/init of the disk: network -> sshd, which stays

Guest time stands for instructions and runs ahead while the board waits for us, so nothing there may give up
after a time or do something now and then: no log-in limit, no keep-alive, no journal, no other service.
"""

from __future__ import annotations

ADDRESS, GATEWAY = "10.0.2.15", "10.0.2.2"  # what QEMU's user-mode network expects
HOST_NAME = "emulated-board"
# sshd says so on the console as soon as it can be reached.
LISTENING = "Server listening on"
# The kernel has ext4, but not the way to its disk and network. The last ones use those before them.
MODULES = ("virtio_mmio", "virtio_net", "virtio_blk")
# Busybox's programs that are called by name; more are behind "busybox NAME".
APPLETS = ("sh", "cat", "cp", "df", "dmesg", "free", "hostname", "ip", "kill", "ls", "mkdir", "mount", "ps")

INITRAMFS_INIT = """\
#!/busybox sh
/busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do /busybox insmod "$module" || exit; done
while [ ! -b /dev/vda ]; do /busybox sleep 0.05; done
/busybox mount -t ext4 -o noatime /dev/vda /disk && exec /busybox switch_root /disk /sbin/init
"""

INIT = f"""\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
for folder in /dev/shm /tmp /run; do mount -t tmpfs tmp "$folder"; done
mkdir -p /run/sshd /run/lock
hostname {HOST_NAME}
ip link set lo up
ip link set eth0 up
ip addr add {ADDRESS}/24 dev eth0
ip route add default via {GATEWAY}
cp /etc/ssh/host_key /run/host_key
exec /usr/sbin/sshd -D -e > /dev/console 2>&1
"""

SSHD_CONFIG = """\
HostKey /run/host_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
StrictModes no
PidFile none
PrintMotd no
LoginGraceTime 0
TCPKeepAlive no
ClientAliveInterval 0
"""

PASSWD = "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"
NSSWITCH = "passwd: files\ngroup: files\nhosts: files\n"


def content() -> list[str]:
    """All of the above that ends up in the image."""
    return [INITRAMFS_INIT, INIT, SSHD_CONFIG, PASSWD, GROUP, NSSWITCH, *MODULES, *APPLETS]
