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

Of an IPv6 address its flags and lifetimes tell how it came, whoever set it (``addresses6``).
"""

from __future__ import annotations

import os
import struct
from _socket import AF_INET6

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.netlink import packed
from netfail_hooks.policy.facts import FOREVER, PROTOCOL
from netfail_hooks.values import value

# systemd.network(5); networkd stores its leases below /run, by interface number
DIRECTORIES = (
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
)
LEASES = "/run/systemd/netif/leases/"
_WHOLE = 1 << 16  # bytes that are read of a file
_SCOPE_LINK = 253  # linux/rtnetlink.h
# linux/if_addr.h: of an IPv6 address the first is IFA_F_TEMPORARY.
_TEMPORARY, _DADFAILED, _TENTATIVE = 0x01, 0x08, 0x40
_RENEWED = rt.IFA_F_MANAGETEMPADDR | rt.IFA_F_NOPREFIXROUTE


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


@value
class Address6:
    """An address. ``temporary``: one of the privacy extensions' (RFC 8981); ``local`` to its link.

    ``renewed``: whoever set it renews it or takes it away, as is so of a lease and of what is made
    of a prefix that a router advertises; ``preferred``: what is new may begin with it. ``usable``:
    no other host may have it. ``ours``: it is another uplink's, by a detour or a failover.
    """

    address: str
    length: int
    temporary: bool = False
    local: bool = False
    renewed: bool = True
    preferred: bool = True
    usable: bool = True
    ours: bool = False


def addresses6(netlink: rt.Netlink, index: int) -> tuple[Address6, ...]:
    """Return the IPv6 addresses of an interface. Raises OSError."""
    found = []
    for body in rt.dumped(netlink, rt.GETADDR, struct.pack("=BBBBI", AF_INET6, 0, 0, 0, 0)):
        kind, length, _, scope, its = struct.unpack_from("=BBBBI", body)
        if (kind, its) != (AF_INET6, index):
            continue
        attributes = rt.attributes(body, 8)
        flags = rt.whole(attributes.get(rt.IFA_FLAGS))
        preferred, valid = struct.unpack_from("=II", attributes[rt.IFA_CACHEINFO])
        found.append(
            Address6(
                # Of a tunnel IFA_ADDRESS is the other end.
                address=rt.text(6, attributes.get(rt.IFA_LOCAL) or attributes.get(rt.IFA_ADDRESS)),
                length=length,
                temporary=bool(flags & _TEMPORARY),
                local=scope == _SCOPE_LINK,
                # Who takes infinite lifetimes from a router marks the address all the same: the
                # kernel by the first flag, who does it in its place by the second, or by both.
                renewed=valid != FOREVER or bool(flags & _RENEWED),
                preferred=bool(preferred),
                usable=not flags & (_DADFAILED | _TENTATIVE),
                ours=rt.whole(attributes.get(rt.IFA_PROTO)) == PROTOCOL,
            )
        )
    return tuple(found)
