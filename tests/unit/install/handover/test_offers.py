"""Before an uplink that lives on a lease is let go, somebody has to offer it one."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from netfail_hooks.errors import Problem
from netfail_hooks.install.handover import offers
from netfail_hooks.managers.nm.identity import Asked, Machine, over_ipv4
from netfail_hooks.networkd.file import Section, parse, section
from netfail_hooks.policy.facts import FOREVER, Observation
from netfail_hooks.values import replace
from tests.support.world import World, config_of

_MAC = bytes.fromhex("020000000001")
_NUMBER = b"\1\2\3\4"
_DHCP = "[Network]\nDHCP=ipv4\n"
_MACHINE = Machine("eth0", _MAC.hex(":"), _MAC.hex(":"), "0123456789abcdef0123456789abcdef")


def _answer(kind: int = 2, number: bytes = _NUMBER, port: int = 68, options: bytes = b"") -> bytes:
    """Return what a server sends: a packet of its own making, not one of ours turned round."""
    message = struct.pack("!BBBB4sHH4s4s4s4s16s192x", 2, 1, 6, 0, number, 0, 0x8000, *_ADDRESSES)
    message += b"\x63\x82\x53\x63" + options + bytes([53, 1, kind, 255])
    datagram = struct.pack("!HHHH", 67, port, 8 + len(message), 0) + message
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0, *_ENDS)
    return head + datagram


_ADDRESSES = (bytes(4), b"\xc0\xa8\1\x19", bytes(4), bytes(4), _MAC)
_ENDS = (b"\xc0\xa8\1\1", b"\xff" * 4)


def test_an_offer_is_told_from_all_else() -> None:
    assert offers.offered(_answer(), _NUMBER) == "192.168.1.25"
    padded = _answer(options=bytes(3) + bytes([54, 4]) + _ENDS[0])
    assert offers.offered(padded, _NUMBER) == "192.168.1.25"
    for other in (
        _answer(kind=5),
        _answer(number=b"other"[:4]),
        _answer(port=67),
        offers.discover(_MAC, _NUMBER, b""),
    ):
        assert offers.offered(other, _NUMBER) == ""


@given(st.binary(max_size=400), st.integers(0, 320))
def test_no_packet_is_too_odd(junk: bytes, length: int) -> None:
    assert offers.offered(junk, _NUMBER) == ""
    assert offers.offered(_answer()[:length] + junk[:0], _NUMBER) in ("", "192.168.1.25")
    offers.offered(_answer(options=junk), _NUMBER)


@pytest.mark.parametrize("asked", [Asked(), Asked("duid"), Asked("ipv6-duid", iaid4="mac")])
def test_we_ask_as_the_one_that_networkd_will_be(asked: Asked) -> None:
    told = section("DHCPv4", *over_ipv4(asked, _MACHINE), ("UseDNS", "yes"))
    client = offers.identity([told], _MAC)
    packet = offers.discover(_MAC, _NUMBER, client)
    assert sum(struct.unpack("!10H", packet[:20])) % 0xFFFF == 0  # RFC 1071
    assert struct.unpack("!HHHH", packet[20:28]) == (68, 67, len(packet) - 20, 0)
    message = packet[28:]
    assert (message[:4], message[28:34]) == (b"\1\1\6\0", _MAC)
    assert message[240:245] == bytes([53, 1, 1, 61, len(client)])
    assert message[245:].startswith(client + b"\xff")
    kinds = {"": b"\1" + _MAC, "duid": b"\xff", "ipv6-duid": b"\xff" + _MAC[2:] + b"\0\4"}
    assert client.startswith(kinds[asked.client_id])


def test_where_networkd_makes_one_itself_we_send_none() -> None:
    assert offers.identity(parse(_DHCP), _MAC) == b""
    assert bytes([61]) not in offers.discover(_MAC, _NUMBER, b"")[268:]


def _observed(valid: int) -> Observation:
    observed = World(config_of("eth0", "wlan0")).look()
    return replace(
        observed, addresses=tuple(replace(one, valid=valid) for one in observed.addresses)
    )


@pytest.mark.parametrize(
    ("valid", "text", "offer", "is_asked"),
    [
        (3600, _DHCP, "192.168.1.252", True),
        (3600, _DHCP, "192.168.1.7", True),
        (3600, _DHCP, "", True),
        (3600, "[Network]\nAddress=192.168.1.252/24\n", "", False),
        (FOREVER, _DHCP, "", False),
    ],
)
def test_who_lives_on_a_lease_is_asked_for(
    mocker: MockerFixture, valid: int, text: str, offer: str, *, is_asked: bool
) -> None:
    observed, sections = _observed(valid), tuple(parse(text))
    (now,) = {
        one.address for one in observed.addresses if (one.interface, one.family) == ("eth0", 4)
    }
    asking = mocker.patch.object(offers, "ask", return_value=offer and _same(offer, now))
    if is_asked and not offer:
        with pytest.raises(Problem, match=f"by eth0, which would lose {now}"):
            _refuse(observed, sections)
    else:
        assert _refuse(observed, sections) == ("192.168.1.7" if offer.endswith(".7") else "")
    assert asking.called == is_asked


def _same(offer: str, now: str) -> str:
    return now if offer.endswith(".252") else offer


def _refuse(observed: Observation, sections: tuple[Section, ...]) -> str:
    return offers.refuse_unanswered("eth0", observed, sections)


_STATIC = "[Network]\nAddress=192.168.1.252/24\n"


@pytest.mark.parametrize(
    ("answered", "used", "why"),
    [
        ({"eth0", "wlan0"}, {"eth0", "wlan0"}, ""),
        ({"wlan0"}, {"eth0", "wlan0"}, ""),
        (set(), {"eth0", "wlan0"}, "by eth0 and wlan0"),
        (set(), {"wlan0"}, "by wlan0"),
        (set(), set(), ""),
    ],
)
def test_all_are_not_given_back_to_nobody(
    mocker: MockerFixture, answered: set[str], used: set[str], why: str
) -> None:
    observed = _observed(3600)
    routes = tuple(one for one in observed.routes if one.interface in used)
    observed = replace(observed, routes=routes)

    def ask(interface: str, *_: object) -> str:
        return "192.168.1.7" if interface in answered else ""

    mocker.patch.object(offers, "ask", ask)
    texts = {"eth0": _DHCP, "wlan0": _DHCP}
    if why:
        with pytest.raises(Problem, match=f"{why}: nobody would have an address"):
            offers.refuse_all_unanswered(observed, texts)
        offers.refuse_all_unanswered(observed, texts | dict.fromkeys(used, _STATIC))
    else:
        offers.refuse_all_unanswered(observed, texts)
