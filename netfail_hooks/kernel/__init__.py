"""What talks to the kernel: netlink, raw sockets, /proc/sys."""
