"""Hostile packets: only the asked one's own answer counts, and none of them stops a probe."""

from __future__ import annotations

import struct
from socket import AF_INET, AF_INET6, IPPROTO_IPV6, inet_pton
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.config import Target
from netfail_hooks.probe.gateway import advertised, is_advertisement, is_reply
from netfail_hooks.probe.targets import Echo
from tests.conftest import Tried

pytestmark = pytest.mark.faults
fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

MINE, ROUTERS = bytes.fromhex("020000000010"), bytes.fromhex("020000000100")
GATEWAY, OWN = inet_pton(AF_INET, "192.168.1.1"), inet_pton(AF_INET, "192.168.1.252")
REPLY = MINE + ROUTERS + b"\x08\x06" + b"\0\1\x08\0\6\4\0\2" + ROUTERS + GATEWAY + MINE + OWN
# What of a frame says that it is the gateway's answer to us: everything but its own hardware
# address, and the address that it took for ours (none, in our first question).
TELLING = [*range(6), *range(14, 22), *range(28, 38)]

GATEWAY6 = inet_pton(AF_INET6, "fd00:1::1")
ADVERTISEMENT = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + GATEWAY6
HOPS = [(IPPROTO_IPV6, 52, struct.pack("=i", 255))]  # 52: IPV6_HOPLIMIT


def _changed(data: bytes, at: int, by: int) -> bytes:
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


@fuzz
@given(at=st.sampled_from(TELLING), by=st.integers(1, 255), more=st.binary(max_size=20))
def test_a_reply_with_any_telling_byte_changed_is_none(
    at: int, by: int, more: bytes, tried: Tried
) -> None:
    tried("fuzz inputs: packets", 1)
    assert is_reply(REPLY + more, MINE, GATEWAY)
    assert not is_reply(_changed(REPLY, at, by) + more, MINE, GATEWAY)


@fuzz
@given(cut=st.integers(0, len(REPLY) - 1), noise=st.binary(max_size=128))
def test_a_cut_reply_and_noise_are_none(cut: int, noise: bytes, tried: Tried) -> None:
    tried("fuzz inputs: packets", 2)
    assert not is_reply(REPLY[:cut], MINE, GATEWAY)
    assert not is_reply(noise, MINE, GATEWAY)


@fuzz
@given(at=st.sampled_from([0, *range(8, 24)]), by=st.integers(1, 255), hops=st.integers(0, 254))
def test_an_advertisement_is_the_gateways_own_and_from_our_link(
    at: int, by: int, hops: int, tried: Tried
) -> None:
    tried("fuzz inputs: packets", 2)
    assert is_advertisement(ADVERTISEMENT, HOPS, GATEWAY6)
    assert not is_advertisement(_changed(ADVERTISEMENT, at, by), HOPS, GATEWAY6)
    far = [(IPPROTO_IPV6, 52, struct.pack("=i", hops))]
    assert not is_advertisement(ADVERTISEMENT, far, GATEWAY6)
    assert not is_advertisement(ADVERTISEMENT, [], GATEWAY6)


@fuzz
@given(cut=st.integers(0, 23), noise=st.binary(max_size=256), options=st.binary(max_size=40))
def test_a_cut_advertisement_and_noise_are_none(
    cut: int, noise: bytes, options: bytes, tried: Tried
) -> None:
    tried("fuzz inputs: packets", 2)
    assert is_advertisement(ADVERTISEMENT + options, HOPS, GATEWAY6)
    assert not is_advertisement(ADVERTISEMENT[:cut], HOPS, GATEWAY6)
    assert not is_advertisement(noise, HOPS, GATEWAY6)


@fuzz
@given(before=st.lists(st.tuples(st.integers(3, 255), st.integers(1, 3)), max_size=3))
def test_an_advertisement_tells_the_hardware_address_among_other_options(
    before: list[tuple[int, int]], tried: Tried
) -> None:
    tried("fuzz inputs: packets", 1)
    others = b"".join(bytes([kind, length, *bytes(length * 8 - 2)]) for kind, length in before)
    own = b"\2\1" + bytes.fromhex("020000000100")
    assert advertised(ADVERTISEMENT + others + own) == "02:00:00:00:01:00"
    assert advertised(ADVERTISEMENT + others) == ""


@fuzz
@given(noise=st.binary(max_size=256))
def test_of_noise_no_more_than_a_hardware_address_is_read(noise: bytes, tried: Tried) -> None:
    tried("fuzz inputs: packets", 1)
    assert len(advertised(noise)) in (0, 17)
    assert advertised(ADVERTISEMENT + b"\2\0" + noise) == ""
    assert advertised(ADVERTISEMENT + b"\2\1\0\0\0\0\0") == ""


class ProbeSocket:
    """What a socket brings, one packet after another, as icmplib reads it."""

    def __init__(self, *packets: tuple[bytes, str]) -> None:
        self.packets = list(packets)

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        """Return the next packet and its sender."""
        if not self.packets:
            raise BlockingIOError
        data, sender = self.packets.pop(0)
        return data[:size], (sender, 0)

    def sendto(self, *_: Any) -> None:
        """Lose what is sent."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None  # what icmplib sets, and closes


def _echo(target: Target, *packets: tuple[bytes, str]) -> Echo:
    echo = Echo(target, "lo")
    echo.close()
    wire = ProbeSocket(*packets)
    wire.family, wire.type = (AF_INET if target.family == 4 else AF_INET6), 3  # type: ignore[attr-defined]
    echo._socket._sock = wire
    echo._identifier = 0x1234
    echo.ask()
    echo.ask()
    return echo


def _reply(kind: int, identifier: int = 0x1234, sequence: int = 1) -> bytes:
    return struct.pack("!BBHHH", kind, 0, 0, identifier, sequence) + bytes(56)


FOUR, SIX = Target(4, "198.51.100.1"), Target(6, "2001:db8::1")
HEAD = b"\x45" + bytes(19)  # an IPv4 raw socket shows the IP header, too


@pytest.mark.parametrize("sequence", [0, 1])
def test_a_target_answers_any_of_our_requests(sequence: int) -> None:
    assert _echo(FOUR, (HEAD + _reply(0, sequence=sequence), "198.51.100.1")).answered()
    long = b"\x46" + bytes(23)  # with options
    assert _echo(FOUR, (long + _reply(0, sequence=sequence), "198.51.100.1")).answered()
    assert _echo(SIX, (_reply(129, sequence=sequence), "2001:db8:0::1")).answered()


@pytest.mark.parametrize(
    ("packet", "sender"),
    [
        (HEAD + _reply(0), "198.51.100.2"),
        (HEAD + _reply(0, 0x1235), "198.51.100.1"),
        (HEAD + _reply(0, sequence=2), "198.51.100.1"),
        (HEAD + _reply(8), "198.51.100.1"),
        (HEAD + bytes([3, 1, 0, 0, 0, 0, 0, 0]) + HEAD + _reply(8), "198.51.100.1"),
        (HEAD + _reply(0)[:7], "198.51.100.1"),
        (b"\x4f" + bytes(19) + _reply(0), "198.51.100.1"),
        (b"", "198.51.100.1"),
    ],
    ids=["sender", "identifier", "sequence", "question", "unreachable", "cut", "options", "empty"],
)
def test_nobody_elses_echo_counts_nor_hides_the_right_one(packet: bytes, sender: str) -> None:
    assert not _echo(FOUR, (packet, sender)).answered()
    assert _echo(FOUR, (packet, sender), (HEAD + _reply(0), "198.51.100.1")).answered()


@fuzz
@given(noise=st.lists(st.binary(max_size=120), max_size=4), six=st.booleans())
def test_no_packet_stops_an_echo(noise: list[bytes], six: bool, tried: Tried) -> None:  # noqa: FBT001
    tried("fuzz inputs: packets", len(noise))
    target = SIX if six else FOUR
    right = _reply(129) if six else HEAD + _reply(0)
    packets = [(one, "2001:db8::9" if six else "203.0.113.9") for one in noise]
    assert not _echo(target, *packets).answered()
    assert _echo(target, *packets, (right, target.address)).answered()
