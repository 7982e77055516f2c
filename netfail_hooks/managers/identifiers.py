"""Which IPv6 addresses an uplink keeps when networkd has it in its manager's place.

A router advertises prefixes, and the machine puts an interface identifier behind each (RFC 4862).
NetworkManager and dhcpcd make theirs of secrets of their own (RFC 7217), so networkd would make
others, and whoever came in by such an address would be cut off. networkd can be told one
(``Token=static:`` in systemd.network(5)), for all prefixes: of several each prefix gets all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv6Address, IPv6Interface, ip_interface

from netfail_hooks.errors import Problem
from netfail_hooks.kernel import snapshot
from netfail_hooks.kernel.addresses import Address6, addresses6
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.networkd.file import (
    Section,
    is_no,
    is_yes,
    last,
    listed,
    section,
    settings,
)
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths

_ADVERTISED = "IPv6AcceptRA"
_STATIC = "static:"
_PREFIX = 64  # bits in front of an identifier (RFC 4291, 2.5.1)
_BEHIND = (1 << _PREFIX) - 1
_WHOLE = 128  # the length of a leased address, which has no prefix (RFC 8415, 18.2.10.1)


def to_keep(found: Iterable[Address6], sections: Sequence[Section], mac: str) -> tuple[str, ...]:
    """Return the identifiers that networkd is to be told, () where it makes the same by itself.

    ``found`` are an uplink's addresses, ``sections`` how it is to be set up, as its manager says.
    """
    if not _takes_advertised(sections):
        return ()
    own = _own(sections)
    now = {
        _identifier(one.address)
        for one in found
        if _is_made(one) and one.preferred and IPv6Address(one.address) not in own
    }
    return () if now <= _made(sections, mac) else tuple(sorted(now))


def told(sections: Iterable[Section]) -> tuple[str, ...]:
    """Return the identifiers that a file tells networkd."""
    tokens = settings(sections, _ADVERTISED, "Token")
    return tuple(one.removeprefix(_STATIC) for one in tokens if one.startswith(_STATIC))


def is_unknown(sections: Sequence[Section]) -> bool:
    """Tell whether networkd would make identifiers that nobody knows beforehand."""
    tokens = settings(sections, _ADVERTISED, "Token")
    return _takes_advertised(sections) and any(one.startswith("prefixstable") for one in tokens)


def messages(
    found: Iterable[Address6], kept: Sequence[str], manager: str, *, unknown: bool
) -> Iterator[str]:
    """Yield what people are to know of the IPv6 addresses that an uplink has, or gets later."""
    if len(kept) > 1:
        yield (
            f"each IPv6 prefix gets {len(kept)} addresses: networkd puts the same identifiers "
            f"behind all, and {manager} had one for each"
        )
    if unknown and not kept:
        yield f"no IPv6 address is known that it could keep: it gets others than by {manager}"
    if going := [one.address for one in found if one.temporary]:
        yield f"temporary IPv6 addresses are replaced by new ones: {', '.join(sorted(going))}"


def with_identifiers(sections: Sequence[Section], kept: Sequence[str]) -> list[Section]:
    """Return sections that tell networkd identifiers, in place of how to make some."""
    tokens = [("Token", f"{_STATIC}{one}") for one in kept]
    rest = [one.without("Token") if one.name == _ADVERTISED else one for one in sections]
    return [*rest, section(_ADVERTISED, *tokens)]


def stays(one: Address6, sections: Sequence[Section], mac: str) -> bool:
    """Tell whether an uplink will have an address again once it is set up by ``sections``."""
    if one.local:
        return True  # networkd leaves it, and the kernel makes another only when the link comes up
    if IPv6Address(one.address) in _own(sections):
        return True
    if not one.renewed:
        return False
    if one.length == _WHOLE:
        return _asks_dhcp6(sections)
    return _takes_advertised(sections) and _identifier(one.address) in _made(sections, mac)


def addresses_of(interface: str) -> tuple[Address6, ...]:
    """Return the IPv6 addresses that an uplink has now, none for one that is not there."""
    index = snapshot.index_of(interface)
    with Netlink() as netlink:
        return addresses6(netlink, index) if index else ()


def refuse_lost(interface: str, server: str, sections: Sequence[Section]) -> None:
    """Refuse to go on where the address by which somebody came in would go. Raises Problem.

    ``sections`` are how networkd is to set the uplink up.
    """
    plain = server.partition("%")[0]
    mac = read_nic(interface, Paths()).mac
    here = addresses_of(interface)
    if all(stays(one, sections, mac) for one in here if one.address == plain):
        return
    lasting = [one.address for one in here if not one.local and stays(one, sections, mac)]
    instead = f"come in by {lasting[0]}" if lasting else "come in by another address"
    raise Problem(
        f"you came in by {server}, which {interface} would have no longer",
        hint=f"{instead}, or install from the machine itself",
    )


def _is_made(one: Address6) -> bool:
    """Tell whether an address is made of a prefix and an identifier that stays."""
    lasting = one.renewed and not (one.temporary or one.local or one.ours)
    return lasting and one.length == _PREFIX


def _made(sections: Sequence[Section], mac: str) -> set[str]:
    """Return the identifiers that networkd would put behind a prefix, as far as anybody knows."""
    tokens = settings(sections, _ADVERTISED, "Token")
    known = {_identifier(one) for one in told(sections)}
    by_hardware = not tokens or "eui64" in tokens
    return known | ({_by_hardware(mac)} if by_hardware and mac else set())


def _by_hardware(mac: str) -> str:
    """Return the identifier that is made of a hardware address (RFC 4291, appendix A)."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 2
    return _identifier(str(IPv6Address(bytes(8) + octets[:3] + b"\xff\xfe" + octets[3:])))


def _identifier(address: str) -> str:
    return str(IPv6Address(int(IPv6Address(address)) & _BEHIND))


def _takes_advertised(sections: Sequence[Section]) -> bool:
    autonomous = settings(sections, _ADVERTISED, "UseAutonomousPrefix")
    return not is_no(last(sections, "IPv6AcceptRA")) and not any(map(is_no, autonomous[-1:]))


def _asks_dhcp6(sections: Sequence[Section]) -> bool:
    """Tell whether networkd asks for an address: told to, or where an advertisement says so."""
    asked = last(sections, "DHCP")
    if asked == "ipv6" or is_yes(asked):
        return True
    client = settings(sections, _ADVERTISED, "DHCPv6Client")
    return not is_no(last(sections, "IPv6AcceptRA")) and not any(map(is_no, client[-1:]))


def _own(sections: Sequence[Section]) -> set[IPv6Address]:
    """Return the addresses that stand in a file."""
    texts = [*listed(sections, "Address")]
    texts += [one.get("Address") for one in sections if one.name == "Address"]
    found = set()
    for text in texts:
        try:
            own = ip_interface(text)
        except ValueError:
            continue
        if isinstance(own, IPv6Interface):
            found.add(own.ip)
    return found
