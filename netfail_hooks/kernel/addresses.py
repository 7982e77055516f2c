"""Who set an address: networkd, or somebody else, as keepalived sets virtual ones.

Only addresses that networkd set follow the traffic. A virtual address has a protocol of its own
that decides where it is: if we moved or announced it, it would have two owners on the LAN.

The kernel can note who set an address (IFA_PROTO), but networkd does not tell it (systemd 252 to
257). So we know networkd's addresses by what it alone gives them: the uplink's metric (our
``.network`` files say so), a lifetime (a DHCP lease's or a router advertisement's), or the flag
for an address that it made of an advertised prefix. All that comes with the kernel's own answer
and costs nothing. Only an address without any of these is looked for in the files: a static one
whose metric networkd up to systemd 252 forgot, or a lease without an end
(``KeepConfiguration=dhcp``).
"""

from __future__ import annotations

import os

from netfail_hooks.kernel.netlink import packed

# systemd.network(5); networkd stores its leases below /run, by interface number
DIRECTORIES = (
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
)
LEASES = "/run/systemd/netif/leases/"
_WHOLE = 1 << 16  # bytes that are read of a file


def is_listed(address: str, index: int) -> bool:
    """Tell whether a ``.network`` file, or the lease of an interface, has an address."""
    family = 6 if ":" in address else 4
    wanted = packed(family, address)
    for text in _texts(index):
        for line in text.splitlines():
            key, _, listed = line.partition("=")
            if key.strip().lower() != "address":
                continue
            try:
                if packed(family, listed.strip().partition("/")[0]) == wanted:
                    return True
            except (OSError, ValueError):
                continue
    return False


def _texts(index: int) -> list[str]:
    paths = [f"{LEASES}{index}"]
    for directory in DIRECTORIES:
        for name in _names(directory):
            path = f"{directory}/{name}"
            if name.endswith(".network"):
                paths.append(path)
            elif name.endswith(".network.d"):
                paths += [f"{path}/{inner}" for inner in _names(path) if inner.endswith(".conf")]
    return [text for path in paths if (text := _read(path))]


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, _WHOLE).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
