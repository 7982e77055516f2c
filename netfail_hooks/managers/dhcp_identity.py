"""Who a DHCP client says it is, in networkd's words, so that the server knows the uplink again.

A server gives an address to a client identifier (RFC 2132, 9.14), or to a hardware address where
none is sent. networkd sends the last as an identifier, too (``ClientIdentifier=mac``): to a server
that has the lease by hardware address alone it is the same client.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from netfail_hooks.networkd.file import Section
from netfail_hooks.networkd.nic import Nic

# DUID-LLT, -EN, -LL, -UUID (RFC 8415, 11 and RFC 6355) as networkd.conf(5) calls them.
_TYPES = {1: "link-layer-time", 2: "vendor", 3: "link-layer", 4: "uuid"}
_OCTAL = re.compile(rb"\\([0-7]{1,3})|\\(.)", re.DOTALL)
_LEASED = re.compile(r'^default-duid\s+(?:"((?:[^"\\]|\\.)*)"|([0-9a-fA-F:]+))\s*;', re.MULTILINE)
_HARDWARE = 1  # ARPHRD_ETHER, in front of a hardware address in an identifier

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Duid:
    """A DHCP unique identifier, as it is sent."""

    octets: bytes

    def pairs(self) -> Pairs:
        """Return it in the words of [DHCPv4] and [DHCPv6]."""
        number = int.from_bytes(self.octets[:2], "big")
        return (
            ("DUIDType", _TYPES.get(number, str(number))),
            ("DUIDRawData", self.octets[2:].hex(":")),
        )


def from_hex(text: str) -> bytes:
    """Return the octets of "00:01:2a", b"" for what isn't so written."""
    if re.fullmatch(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2})*", text):
        return bytes(int(part, 16) for part in text.split(":"))
    return b""


def duid_of_leases(text: str) -> Duid | None:
    """Return the DUID that a lease file of dhclient has (dhclient.leases(5)), the last one."""
    found = [*_LEASED.finditer(text)]
    if not found:
        return None
    quoted, plain = found[-1].groups()
    octets = from_hex(plain) if plain else _unquoted(quoted)
    return Duid(octets) if len(octets) > 2 else None


def _unquoted(text: str) -> bytes:
    def octet(found: re.Match[bytes]) -> bytes:
        return bytes([int(found[1], 8) & 0xFF]) if found[1] else found[2]

    return _OCTAL.sub(octet, text.encode("utf-8", "surrogateescape"))


def iaid(nic: Nic) -> str:
    """Return the identity association that dhclient and dhcpcd have for a NIC, "" for unknown.

    Both take the last four octets of its hardware address (dhcpcd.conf(5), ``iaid``).
    """
    octets = from_hex(nic.mac)
    return str(int.from_bytes(octets[-4:], "big")) if len(octets) >= 4 else ""


def by_duid(duid: Duid | None, association: str) -> Pairs:
    """Return [DHCPv4] for an identifier of IAID and DUID (RFC 4361)."""
    known = [("IAID", association)] if association else []
    return (("ClientIdentifier", "duid"), *known, *(duid.pairs() if duid else ()))


def by_octets(octets: bytes, mac: str) -> Pairs | None:
    """Return [DHCPv4] for an identifier somebody has written, None for one networkd can't send.

    It sends hardware addresses and DUIDs.
    """
    if octets == bytes([_HARDWARE]) + from_hex(mac):
        return (("ClientIdentifier", "mac"),)
    if octets[:1] == b"\xff" and len(octets) > 7:
        return by_duid(Duid(octets[5:]), str(int.from_bytes(octets[1:5], "big")))
    return None


def with_lease_kept(sections: Iterable[Section]) -> list[Section]:
    """Return sections by which networkd gives no lease back.

    It could be anybody's before the client that had it asks again.
    """
    return [one.set("SendRelease", "no") if one.name == "DHCPv4" else one for one in sections]
