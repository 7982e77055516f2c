"""Ask whether a router still gives addresses, before an uplink that lives on a lease is let go.

A lease is its manager's own: networkd asks anew, and so does the manager once it has the uplink
back. Where nobody answers by then, neither has an address for it. Such an install would fail after
all, so it is refused before anything is changed. DHCPDISCOVER alone takes nothing (RFC 2131, 3.1).
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Iterable, Mapping

from netfail_hooks.errors import Problem
from netfail_hooks.networkd.file import Section, asks_dhcp4, parse
from netfail_hooks.policy.facts import FOREVER, Address, Observation
from netfail_hooks.terminal.progress import doing

_IP = 0x0800  # ETH_P_IP, linux/if_ether.h
_BROADCAST = b"\xff" * 6
_UDP, _SERVER, _CLIENT = 17, 67, 68
_COOKIE = b"\x63\x82\x53\x63"  # RFC 2131, 3
_KIND, _IDENTITY, _END = 53, 61, 255  # RFC 2132
_DISCOVER, _OFFER = 1, 2
_DUIDS = {"link-layer-time": 1, "vendor": 2, "link-layer": 3, "uuid": 4}  # RFC 8415, 11
_HEAD = 240  # bytes before the options
_LEAST = 300  # bytes that a relay may want (RFC 1542, 2.1)
_TRIES = (0.0, 2.0, 5.0)  # seconds; a server may look first whether somebody has that address
_PATIENCE = 10.0  # seconds


def leased(observed: Observation, interface: str) -> str:
    """Return the IPv4 address by which an uplink is used, and which ends some day, "" for none."""
    link = observed.link(interface)
    if not (link and link.carrier and link.mac and observed.default_route(interface, 4)):
        return ""
    return next(
        (one.address for one in observed.addresses if _is_leased(one, interface)),
        "",
    )


def _is_leased(one: Address, interface: str) -> bool:
    ours = one.ours or one.foreign
    return one.interface == interface and one.family == 4 and one.valid != FOREVER and not ours


def refuse_unanswered(interface: str, observed: Observation, sections: Iterable[Section]) -> str:
    """Return which other address a leased uplink is offered, "" for the same. Raises Problem.

    ``sections`` are what networkd is to set it up by; what asks for no lease needs no offer.
    """
    sections = tuple(sections)
    now, link = leased(observed, interface), observed.link(interface)
    if not (now and link and asks_dhcp4(sections)):
        return ""
    try:
        mac = bytes.fromhex(link.mac.replace(":", ""))
        with doing(f"waiting for a DHCP server's offer to {interface}", _PATIENCE):
            offer = ask(interface, mac, identity(sections, mac))
    except OSError as error:
        raise Problem(
            f"nobody can be asked for an address by {interface}: {error}",
            hint=f"is it up? See 'ip link show {interface}'",
        ) from None
    if not offer:
        raise Problem(
            f"no DHCP server answers by {interface}, which would lose {now}",
            hint=f"have the router give addresses again, or add --address {now}/LENGTH --gateway "
            f"ADDRESS for {interface}",
        )
    return offer if offer != now else ""


def refuse_all_unanswered(observed: Observation, texts: Mapping[str, str]) -> None:
    """Refuse to give uplinks back where that would leave the machine without an address.

    ``texts`` are their ``.network`` files. One that is answered, or is used without a lease, is
    enough. Raises Problem.
    """
    lost = []
    for name, text in texts.items():
        useful = observed.link(name) and observed.default_route(name, 4)
        if useful and not leased(observed, name):
            return
        if not useful:
            continue
        try:
            refuse_unanswered(name, observed, parse(text))
        except Problem:
            lost.append(name)
        else:
            return
    if lost:
        raise Problem(
            f"no DHCP server answers by {' and '.join(lost)}: nobody would have an address",
            hint="have the router give addresses again; or add --no-live, then reboot",
        )


def identity(sections: Iterable[Section], mac: bytes) -> bytes:
    """Return the client identifier that networkd is told to send, b"" where it makes one itself.

    A DUID stands in it with its IAID (RFC 4361).
    """
    said = {item.key: item.setting for one in sections for item in one.items if _is_dhcp(one)}
    if said.get("ClientIdentifier") == "mac":
        return b"\1" + mac
    raw, iaid = said.get("DUIDRawData", ""), said.get("IAID", "")
    if raw and iaid and said.get("DUIDType") in _DUIDS:
        duid = struct.pack("!H", _DUIDS[said["DUIDType"]]) + bytes.fromhex(raw.replace(":", ""))
        return b"\xff" + struct.pack("!I", int(iaid)) + duid
    return b""


def _is_dhcp(one: Section) -> bool:
    return one.name == "DHCPv4"


def ask(interface: str, mac: bytes, client: bytes) -> str:
    """Return the address that somebody offers, "" for no answer. Raises OSError."""
    number = os.urandom(4)
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_PACKET, kind, 0) as wire:
        wire.bind((interface, _IP))
        began = time.monotonic()
        for at in (*_TRIES, _PATIENCE):
            while (left := began + at - time.monotonic()) > 0:
                if select.select([wire], [], [], left)[0] and (found := _heard(wire, number)):
                    return found
            if at != _PATIENCE:
                packet = discover(mac, number, client, int(at))
                wire.sendto(packet, (interface, _IP, 0, 0, _BROADCAST))
    return ""


def _heard(wire: socket.socket, number: bytes) -> str:
    try:
        return offered(wire.recv(2048), number)
    except BlockingIOError:
        return ""


def discover(mac: bytes, number: bytes, client: bytes, since: int = 0) -> bytes:
    """Return a DHCPDISCOVER to all, as an IPv4 packet; the answer is to come to all, too.

    It is asked ``since`` seconds: a server that stands by for another heeds that alone.
    """
    head = struct.pack("!BBBB4sHH16x6s10x192x4s", 1, 1, 6, 0, number, since, 0x8000, mac, _COOKIE)
    options = bytes([_KIND, 1, _DISCOVER])
    if client:
        options += bytes([_IDENTITY, len(client)]) + client
    message = (head + options + bytes([_END])).ljust(_LEAST, b"\0")
    # Without a checksum, as UDP over IPv4 may be (RFC 768).
    datagram = struct.pack("!HHHH", _CLIENT, _SERVER, 8 + len(message), 0) + message
    return _ip_head(len(datagram)) + datagram


def _ip_head(length: int) -> bytes:
    fields = (0x45, 0, 20 + length, 0, 0, 64, _UDP)
    bare = struct.pack("!BBHHHBBH4s4s", *fields, 0, bytes(4), b"\xff" * 4)
    total = sum(struct.unpack("!10H", bare))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHHBBH4s4s", *fields, ~total & 0xFFFF, bytes(4), b"\xff" * 4)


def offered(packet: bytes, number: bytes) -> str:
    """Return the address of a DHCPOFFER that answers ``number``, "" for any other packet."""
    if len(packet) < 20:
        return ""
    begin = (packet[0] & 0x0F) * 4
    datagram = packet[begin:]
    message = datagram[8:]
    if packet[9] != _UDP or datagram[2:4] != struct.pack("!H", _CLIENT):
        return ""
    if message[:1] != b"\2" or message[4:8] != number or message[_HEAD - 4 : _HEAD] != _COOKIE:
        return ""
    return socket.inet_ntoa(message[16:20]) if _kind(message[_HEAD:]) == _OFFER else ""


def _kind(options: bytes) -> int:
    """Return which message it is, 0 where nothing says so."""
    at = 0
    while at + 2 < len(options) and options[at] != _END:
        if options[at] == 0:  # padding
            at += 1
        elif options[at] == _KIND:
            return options[at + 2]
        else:
            at += 2 + options[at + 1]
    return 0
