"""Whole machines: Debian with systemd, a wired NIC and real Wi-Fi, in QEMU. See docs/dev/vm.md."""
