"""Interface names: what the kernel takes for one, and what we refuse."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, if_indextoname, if_nametoindex, inet_pton

IFNAMSIZ = 16  # linux/if.h, the end of the string included
_SPECIAL = frozenset('/: %*?[]!"\\')


FAMILIES = (4, 6)


def is_interface_name(name: str) -> bool:
    """Tell whether the kernel would take ``name`` (``dev_valid_name()`` in net/core/dev.c).

    We are stricter: printable ASCII only, since a name goes into file names, sysctl paths and
    the journal, and nothing that means something in a [Match] (systemd.network(5): ``eth*`` would
    be all of them) or in TOML's strings.
    """
    return (
        0 < len(name) < IFNAMSIZ
        and name not in (".", "..")
        and name.isascii()
        and name.isprintable()
        and not any(character in _SPECIAL for character in name)
    )


def kernel_name(name: str) -> str:
    """Return the name that events and /proc/sys have for an interface, given any of its names.

    An alternative name (ip-link(8), ``altname``) serves as well wherever the kernel is asked, but
    nowhere does it answer with it. What no interface has is returned as it is.
    """
    try:
        return if_indextoname(if_nametoindex(name))
    except OSError:
        return name


def is_address(family: int, address: str) -> bool:
    """Tell whether that is an address of a family, as the kernel takes it."""
    try:
        inet_pton(AF_INET if family == 4 else AF_INET6, address)
    except (OSError, ValueError):
        return False
    return family in FAMILIES


def is_router(family: int, address: str) -> bool:
    """Tell whether packets of a family can be sent to an address: IPv4's may go to an IPv6 router.

    So a link needs no IPv4 addresses but those of its hosts (RFC 5549).
    """
    return any(is_address(one, address) for one in {family, 6})


def family_of_address(address: str) -> int:
    """Return the family of what is an address."""
    return 6 if ":" in address else 4


def contains(prefix: str, address: str) -> bool:
    """Tell whether an address lies in a prefix of the same family."""
    network, _, length = prefix.partition("/")
    if (":" in network) != (":" in address):
        return False
    bits, first = numeric(network)
    behind = bits - (int(length) if length else bits)
    return first >> behind == numeric(address)[1] >> behind


def numeric(address: str) -> tuple[int, int]:
    """Return how many bits an address of its family has, and the address as a number."""
    if ":" in address:
        return 128, int.from_bytes(inet_pton(AF_INET6, address), "big")
    return 32, int.from_bytes(inet_pton(AF_INET, address), "big")
