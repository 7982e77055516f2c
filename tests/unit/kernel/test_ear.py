"""The filter of the socket that the service manager waits on, run by the kernel itself."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.kernel import ear
from netfail_hooks.kernel import netlink as rt
from tests.support.world import config_of

NEW, GONE = rt.NEWNEIGH, rt.DELNEIGH
FAILED, REACHABLE = 0x20, 0x02
MANAGED, OURS = (15, struct.pack("=I", 1)), (12, bytes([157]))
ADDRESS = (1, bytes([192, 168, 1, 1]))
UP, DOWN = 0x11043, 0x1003  # flags of a link with a carrier, and without
# One that is there, and one that was not when the filter was made.
ETH, USB = ear.Known("eth0", 3, UP & 0x30041), ear.Known("enx00e04c680001", 0, 0)


def _message(kind: int, state: int, *attributes: tuple[int, bytes]) -> bytes:
    """Return what the kernel says of a neighbour (rtnetlink(7), struct ndmsg)."""
    body = struct.pack("=BBHiHBB", 2, 0, 0, 3, state, 0, 1)
    body += b"".join(rt.attribute(*one) for one in attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def _link(kind: int, index: int, flags: int, name: str) -> bytes:
    """Return what the kernel says of a link (struct ifinfomsg)."""
    body = struct.pack("=BxHiII", 0, 1, index, flags, 0)
    body += rt.attribute(13, bytes(4)) + rt.attribute(rt.IFLA_IFNAME, name.encode() + b"\0")
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def _address(
    kind: int, index: int, *, proto: int = -1, created: int = 7, updated: int = 7
) -> bytes:
    """Return what the kernel says of an address (struct ifaddrmsg, struct ifa_cacheinfo)."""
    body = struct.pack("=BBBBI", 2, 24, 0, 0, index) + rt.attribute(1, bytes(4))
    body += rt.attribute(rt.IFA_PROTO, bytes([proto])) if proto >= 0 else b""
    body += rt.attribute(rt.IFA_CACHEINFO, struct.pack("=IIII", 9, 9, created, updated))
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


class Ear:
    """A pair of sockets, the second of which has the filter."""

    def __init__(self, uplinks: Sequence[ear.Known] = (ETH, USB)) -> None:
        self.kernel, self.ear = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.settimeout(0)
        ear.attach(self.ear, uplinks)

    def hears(self, message: bytes) -> bool:
        with contextlib.suppress(PermissionError):  # so a sender is told of the filter: unix(7)
            self.kernel.send(message)
        return ear.drain(self.ear) != ""

    def close(self) -> None:
        self.kernel.close()
        self.ear.close()


@pytest.fixture(scope="module")
def pair() -> Iterator[Ear]:
    both = Ear()
    yield both
    both.close()


@pytest.mark.parametrize(
    ("message", "heard"),
    [
        (_message(NEW, FAILED, ADDRESS, OURS, MANAGED), True),
        (_message(NEW, FAILED, ADDRESS, MANAGED, (5, b"x" * 9), OURS), True),
        (_message(NEW, FAILED, (1, bytes(16)), OURS, MANAGED), True),
        (_message(GONE, REACHABLE, ADDRESS, OURS, MANAGED), True),
        (_message(GONE, FAILED, ADDRESS, OURS), False),  # taken away by us, or somebody
        (_message(NEW, REACHABLE, ADDRESS, OURS, MANAGED), False),
        (_message(NEW, FAILED, ADDRESS, MANAGED), False),
        (_message(NEW, FAILED, ADDRESS, OURS), False),
        (_message(NEW, FAILED, ADDRESS, (12, bytes([158])), MANAGED), False),
        (_message(NEW, FAILED, ADDRESS, OURS, (15, struct.pack("=I", 2))), False),
        (_message(NEW, FAILED, ADDRESS), False),
        (_message(rt.GETNEIGH, FAILED, ADDRESS, OURS, MANAGED), False),
        (_message(rt.NEWROUTE, FAILED, ADDRESS, OURS, MANAGED), False),
        (_message(NEW, FAILED)[:20], False),
        (b"", False),
    ],
)
def test_only_the_end_of_what_we_watch_is_heard(pair: Ear, message: bytes, *, heard: bool) -> None:
    assert pair.hears(message) is heard


@pytest.mark.parametrize(
    ("message", "heard"),
    [
        (_link(rt.NEWLINK, 3, UP, "eth0"), False),  # as it was
        (_link(rt.NEWLINK, 3, UP | 0x100, "eth0"), False),  # promiscuous now
        (_link(rt.NEWLINK, 3, DOWN, "eth0"), True),
        (_link(rt.NEWLINK, 9, UP, "eth0"), True),
        (_link(rt.DELLINK, 3, UP, "eth0"), True),
        (_link(rt.NEWLINK, 9, UP, "enx00e04c680001"), True),
        (_link(rt.NEWLINK, 9, 0, "enx00e04c680001"), True),
        (_link(rt.NEWLINK, 9, UP, "enx00e04c680002"), False),
        *((_link(rt.DELLINK, 3, DOWN, name), False) for name in ("eth", "eth00", "veth0", "eth1")),
        (_link(rt.GETLINK, 3, DOWN, "eth0"), False),
        (_address(rt.NEWADDR, 3), True),
        (_address(rt.NEWADDR, 3, proto=3), True),
        (_address(rt.NEWADDR, 3, updated=8), False),  # a lifetime that was extended
        (_address(rt.NEWADDR, 3, proto=157), False),
        (_address(rt.DELADDR, 3, proto=157), False),
        (_address(rt.DELADDR, 3, updated=8), True),
        (_address(rt.DELADDR, 3, proto=158), True),
        (_address(rt.NEWADDR, 4), False),
        (_address(rt.DELADDR, 0), False),
        (_address(rt.NEWADDR, 3)[:24], False),
    ],
)
def test_of_links_and_addresses_only_our_uplinks_changes_are_heard(
    pair: Ear, message: bytes, *, heard: bool
) -> None:
    assert pair.hears(message) is heard


def test_every_uplink_of_many_is_heard() -> None:
    names = [f"uplink{number:04}xyz" for number in range(64)]
    many = Ear([ear.Known(name, number + 5, UP & 0x30041) for number, name in enumerate(names)])
    try:
        for number, name in enumerate(names):
            assert many.hears(_link(rt.NEWLINK, number + 5, DOWN, name))
            assert not many.hears(_link(rt.NEWLINK, number + 5, UP, name))
            assert many.hears(_address(rt.DELADDR, number + 5))
    finally:
        many.close()


def test_who_drains_is_told_what_it_was_of() -> None:
    both = Ear([ETH])
    gateway = _message(NEW, FAILED, ADDRESS, OURS, MANAGED)
    try:
        assert ear.drain(both.ear) == ""
        both.kernel.send(gateway)
        assert ear.drain(both.ear) == "gateway"
        for message in (gateway, _link(rt.DELLINK, 3, UP, "eth0"), gateway):
            both.kernel.send(message)
        assert ear.drain(both.ear) == "uplink"
    finally:
        both.close()


def test_links_are_looked_at_until_they_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [ETH, USB, ETH, ETH]
    attached: list[ear.Known] = []
    monkeypatch.setattr(ear, "_known", lambda *_: seen.pop(0))
    monkeypatch.setattr(ear, "attach", lambda _, known: attached.extend(known))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        ear.listen(own, config_of("eth0"))
    assert (attached, seen) == ([ETH, USB, ETH], [])


def test_a_link_is_known_by_its_number_and_carrier() -> None:
    with rt.Netlink() as netlink:
        lo = ear._known(netlink, "lo")
        assert (lo.index, lo.flags & ~0x30041) == (socket.if_nametoindex("lo"), 0)
        assert ear._known(netlink, "nosuch0") == ear.Known("nosuch0", 0, 0)


_ATTRIBUTES = st.lists(
    st.sampled_from(
        [MANAGED, OURS, ADDRESS, (12, b"\4"), (15, bytes(4)), (15, struct.pack("=I", 3)), (2, b"m")]
    ),
    max_size=6,
    unique_by=lambda attribute: attribute[0],
)


@settings(deadline=None)
@given(st.integers(24, 34), st.integers(0, 255), _ATTRIBUTES)
def test_any_message_is_judged_by_its_marks(
    pair: Ear, kind: int, state: int, attributes: list[tuple[int, bytes]]
) -> None:
    known = dict(attributes)
    marked = known.get(12) == OURS[1] and bool(known.get(15, bytes(4))[0] & 1)
    over = kind == GONE or (kind == NEW and bool(state & FAILED))
    assert pair.hears(_message(kind, state, *attributes)) is (marked and over)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_no_message_is_too_odd(pair: Ear, message: bytes) -> None:
    pair.hears(message)


class Flooded:
    """A socket to which more came than it holds."""

    def __init__(self, *errors: int) -> None:
        self.errors = [*errors]

    def recv(self, _: int) -> bytes:
        if not self.errors:
            return b"x"
        number = self.errors.pop(0)
        if number:
            raise OSError(number, "so it is")
        return b"x"


@pytest.mark.parametrize(
    ("errors", "heard"),
    [
        ((errno.EAGAIN,), ""),
        ((0, errno.EAGAIN), "gateway"),
        ((errno.ENOBUFS, errno.EAGAIN), "uplink"),
    ],
)
def test_what_got_lost_was_a_word_too(errors: tuple[int, ...], heard: str) -> None:
    assert ear.drain(Flooded(*errors)) == heard  # type: ignore[arg-type]


def test_an_endless_flood_ends() -> None:
    assert ear.drain(Flooded())  # type: ignore[arg-type]


def test_what_else_fails_is_told() -> None:
    with pytest.raises(OSError, match="so it is"):
        ear.drain(Flooded(errno.EBADF))  # type: ignore[arg-type]
