"""By what a DHCP server knows the machine: as NetworkManager tells it, in networkd's words.

With the same identity the server gives the same address (RFC 2131, 4.3.1). What NetworkManager
sends: nm-settings(5), ``_prop_get_ipv4_dhcp_client_id()`` and its neighbours in nm-device.c,
nm-core-utils.c. What networkd can send is less: ClientIdentifier= is the hardware address, or a
DUID with an IAID before it (RFC 4361), never a word of one's own.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from netfail_hooks.errors import Misuse
from netfail_hooks.managers.nm.glib import printable

Pairs = list[tuple[str, str]]

# Of systemd, which NetworkManager took it from (HASH_KEY in sd-network/dhcp-identifier.c).
_HASH_KEY = bytes.fromhex("80118cc2fe4a03ee3ed60c6f36391409")
_SYSTEMD_PEN = 43793
_MASK = (1 << 64) - 1
_HEX = re.compile(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2})+", re.IGNORECASE)
# DUIDType= of networkd.conf(5), and what comes of it (RFC 8415, 11; RFC 6355).
_TYPES = {1: "link-layer-time", 2: "vendor", 3: "link-layer", 4: "uuid"}
_LENGTHS = {1: range(7, 129), 2: (12,), 3: range(3, 129), 4: (16,)}
_ETHERNET = b"\0\1"  # ARPHRD_ETHER, linux/if_arp.h


@dataclass(frozen=True, slots=True)
class Asked:
    """What a profile, or NetworkManager.conf in its place, says of identities; "" for nothing."""

    client_id: str = ""
    iaid4: str = ""
    iaid6: str = ""
    duid: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What identities are made of: a NIC's name, its hardware addresses, /etc/machine-id."""

    interface: str
    mac: str
    permanent_mac: str
    machine_id: str


def over_ipv4(asked: Asked, machine: Machine) -> Pairs:
    """Return assignments for [DHCPv4]. Raises Misuse for what networkd can't send."""
    known = asked.client_id
    # Nothing is "mac" to the client that NetworkManager brings along (nm-dhcp-nettools.c).
    if known in ("", "mac", "none"):
        return [("ClientIdentifier", "mac")]
    if known == "duid":
        vendor = _SYSTEMD_PEN.to_bytes(4, "big") + _systemd_hash(machine)
        return _by_duid(_iaid(asked.iaid4, machine), b"\0\2" + vendor)
    if known == "ipv6-duid":
        return _by_duid(_iaid(asked.iaid4 or asked.iaid6, machine), _duid(asked.duid, machine))
    sent = _sent(known, machine)
    if sent == b"\1" + _bytes(machine.mac):
        return [("ClientIdentifier", "mac")]
    if sent[:1] == b"\xff" and len(sent) > 7:
        return _by_duid(int.from_bytes(sent[1:5], "big"), sent[5:])
    raise Misuse(
        f"ipv4.dhcp-client-id={printable(known)}: networkd can send no such name, and the DHCP "
        "server would give another address",
        hint="have it give the address to the hardware address, then: "
        "sudo nmcli connection modify NAME ipv4.dhcp-client-id mac",
    )


def over_ipv6(asked: Asked, machine: Machine) -> Pairs:
    """Return assignments for [DHCPv6]. Raises Misuse for what can't be known."""
    iaid = ("IAID", str(_iaid(asked.iaid6, machine)))
    if asked.duid in ("", "lease") and not machine.machine_id:
        return [iaid]  # nor has networkd one to tell it by
    return [*_duid_pairs(_duid(asked.duid, machine)), iaid]


def _by_duid(iaid: int, duid: bytes) -> Pairs:
    return [("ClientIdentifier", "duid"), *_duid_pairs(duid), ("IAID", str(iaid))]


def _duid_pairs(duid: bytes) -> Pairs:
    number = int.from_bytes(duid[:2], "big")
    # Of another length networkd takes none, and then sets the NIC up not at all
    # (``dhcp_validate_duid_len()`` in sd-network/dhcp-identifier.c).
    if len(duid) - 2 not in _LENGTHS.get(number, ()):
        raise Misuse(
            "a DUID that networkd can't send",
            hint="sudo nmcli connection modify NAME ipv6.dhcp-duid ''",
        )
    return [("DUIDType", _TYPES[number]), ("DUIDRawData", duid[2:].hex(":"))]


def _duid(asked: str, machine: Machine) -> bytes:
    if asked in ("", "lease"):
        # RFC 6355; with another client than NetworkManager's own a lease may know a better one.
        identity = hashlib.sha256(bytes.fromhex(machine.machine_id)).digest()[:16]
        return b"\0\4" + identity
    if asked == "ll":
        return b"\0\3" + _ETHERNET + _bytes(machine.mac)
    if _HEX.fullmatch(asked) and len(_bytes(asked)) > 2:
        return _bytes(asked)
    raise Misuse(
        f"ipv6.dhcp-duid={printable(asked)}: made of a secret of NetworkManager's, and the DHCP "
        "server would give another address",
        hint="sudo nmcli connection modify NAME ipv6.dhcp-duid ''",
    )


def _iaid(asked: str, machine: Machine) -> int:
    if asked == "mac":
        return int.from_bytes(_bytes(machine.mac)[-4:], "big")
    if asked == "perm-mac":
        return int.from_bytes(_bytes(machine.permanent_mac or machine.mac)[-4:], "big")
    if asked in ("", "ifname"):
        number = siphash24(_HASH_KEY, machine.interface.encode())
        return number & 0xFFFFFFFF ^ number >> 32
    try:
        if _HEX.fullmatch(asked):
            return int.from_bytes(_bytes(asked)[-4:], "big")
        number = int(asked, 0)
    except ValueError:
        number = -1
    if 0 <= number < 1 << 32:
        return number
    raise Misuse(
        f"dhcp-iaid={printable(asked)}: made of a secret of NetworkManager's, and the DHCP server "
        "would give another address",
        hint="sudo nmcli connection modify NAME ipv4.dhcp-iaid '' ipv6.dhcp-iaid ''",
    )


def _sent(client_id: str, machine: Machine) -> bytes:
    """Return the bytes of a client identifier, its type first (RFC 2132, 9.14)."""
    if client_id == "perm-mac":
        return b"\1" + _bytes(machine.permanent_mac or machine.mac)
    if _HEX.fullmatch(client_id):
        return _bytes(client_id)
    return b"\0" + client_id.encode(errors="surrogateescape")


def _systemd_hash(machine: Machine) -> bytes:
    number = siphash24(_HASH_KEY, bytes.fromhex(machine.machine_id))
    return number.to_bytes(8, "little")


def _bytes(text: str) -> bytes:
    return bytes(int(part, 16) for part in text.split(":")) if text else b""


def siphash24(key: bytes, data: bytes) -> int:
    """Return SipHash-2-4 of some bytes (Aumasson, Bernstein, 2012)."""
    one, two = (int.from_bytes(key[at : at + 8], "little") for at in (0, 8))
    state = [
        one ^ 0x736F6D6570736575,
        two ^ 0x646F72616E646F6D,
        one ^ 0x6C7967656E657261,
        two ^ 0x7465646279746573,
    ]
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        state[3] ^= word
        state = _round(_round(state))
        state[0] ^= word
    state[2] ^= 0xFF
    for _ in range(4):
        state = _round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _round(state: list[int]) -> list[int]:
    one, two, three, four = state
    one = one + two & _MASK
    two = _turned(two, 13) ^ one
    one = _turned(one, 32)
    three = three + four & _MASK
    four = _turned(four, 16) ^ three
    one = one + four & _MASK
    four = _turned(four, 21) ^ one
    three = three + two & _MASK
    two = _turned(two, 17) ^ three
    return [one, two, _turned(three, 32), four]


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _MASK
