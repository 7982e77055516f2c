"""The frames on the wire, byte by byte against their RFCs."""

from __future__ import annotations

import struct
from socket import AF_INET6, AF_PACKET, SOCK_RAW, inet_pton, socket

import pytest

from netfail_hooks.kernel.announce import Announcer, checksum, frames
from netfail_hooks.policy.changes import Announce

MAC = "02:00:00:00:00:07"
RAW = bytes.fromhex(MAC.replace(":", ""))


def test_gratuitous_arp_is_what_linux_takes_for_one() -> None:
    ask, request, reply = frames(Announce("eth0", 4, "192.168.1.252", MAC, "192.168.1.1"))
    address, gateway = bytes([192, 168, 1, 252]), bytes([192, 168, 1, 1])
    for frame in (ask, request, reply):
        assert frame[:14] == b"\xff" * 6 + RAW + b"\x08\x06"
        assert frame[14:20] == struct.pack("!HHBB", 1, 0x0800, 6, 4)
        assert frame[22:32] == RAW + address
        assert len(frame) == 60
    assert ask[20:22] == b"\0\1"
    assert ask[38:42] == gateway
    assert request[20:22] == b"\0\1"
    assert request[38:42] == address
    assert reply[20:22] == b"\0\2"
    assert reply[32:42] == RAW + address


def test_neighbour_messages_pass_a_receivers_checks() -> None:
    advertisement, solicitation = frames(Announce("eth0", 6, "fd00::252", MAC, "fe80::aa:bbcc"))
    target, gateway = inet_pton(AF_INET6, "fd00::252"), inet_pton(AF_INET6, "fe80::aa:bbcc")
    assert advertisement[:6] == bytes.fromhex("333300000001")
    assert solicitation[:6] == bytes.fromhex("3333ffaabbcc")
    for frame, kind, about in ((advertisement, 136, target), (solicitation, 135, gateway)):
        ip, message = frame[14:54], frame[54:]
        assert frame[12:14] == b"\x86\xdd"
        assert ip[:7] == b"\x60\0\0\0\0\x20\x3a"
        assert ip[7] == 255, "RFC 4861, 7.1: anything else is dropped"
        assert ip[8:24] == target
        assert message[:2] == bytes([kind, 0])
        assert message[8:24] == about
        assert message[25:] == b"\x01" + RAW
        pseudo = ip[8:40] + struct.pack("!II", len(message), 58)
        assert checksum(pseudo + message) == 0
    assert advertisement[58:62] == b"\x20\0\0\0", "override, neither solicited nor router"
    assert solicitation[58:62] == bytes(4)
    assert (advertisement[78], solicitation[78]) == (2, 1), "of the target, of the source"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("0001f203f4f5f6f7", 0x220D),  # RFC 1071, section 3: the sum is ddf2
        ("450000730000400040110000c0a80001c0a800c7", 0xB861),
        ("0001", 0xFFFE),
        ("fffe", 1),
        ("fffe0001", 0),
        ("ffff" * 40, 0),
    ],
)
def test_the_checksum_is_the_internets(data: str, found: int) -> None:
    assert checksum(bytes.fromhex(data)) == found


def test_one_socket_sends_all_and_is_closed_last() -> None:
    announcements = [Announce("lo", 4, f"192.168.1.{host}", MAC, "") for host in (252, 25)]
    with socket(AF_PACKET, SOCK_RAW) as wire:
        wire.bind(("lo", 0x0806))
        wire.settimeout(2)
        with Announcer() as announcer:
            for one in announcements:
                announcer.send(one)
            sender = announcer._socket
        assert sender
        assert sender.fileno() == -1
        heard = [wire.recv(100) for _ in range(4)]
    assert heard == [frame for one in announcements for frame in frames(one)]


def test_who_announces_nothing_needs_no_socket() -> None:
    with Announcer() as announcer:
        assert announcer._socket is None


def test_no_gateway_no_question() -> None:
    assert len(frames(Announce("eth0", 4, "10.0.0.1", MAC, ""))) == 2
    assert len(frames(Announce("eth0", 6, "fd00::1", MAC, ""))) == 1


def test_a_router_of_the_other_family_is_asked_nothing() -> None:
    assert len(frames(Announce("eth0", 4, "10.0.0.1", MAC, "fe80::1"))) == 2


def test_a_link_without_ethernet_addresses_has_nothing_to_announce() -> None:
    assert frames(Announce("ppp0", 4, "10.0.0.1", "", "")) == []
