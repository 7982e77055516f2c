"""The filter of the socket that the service manager waits on, run by the kernel itself."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.kernel import ear
from netfail_hooks.kernel import netlink as rt

NEW, GONE = rt.NEWNEIGH, rt.DELNEIGH
FAILED, REACHABLE = 0x20, 0x02
MANAGED, OURS = (15, struct.pack("=I", 1)), (12, bytes([157]))
ADDRESS = (1, bytes([192, 168, 1, 1]))


def _message(kind: int, state: int, *attributes: tuple[int, bytes]) -> bytes:
    """Return what the kernel says of a neighbour (rtnetlink(7), struct ndmsg)."""
    body = struct.pack("=BBHiHBB", 2, 0, 0, 3, state, 0, 1)
    body += b"".join(rt.attribute(*one) for one in attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


class Ear:
    """A pair of sockets, the second of which has the filter."""

    def __init__(self) -> None:
        self.kernel, self.ear = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.settimeout(0)
        ear.listen(self.ear)

    def hears(self, message: bytes) -> bool:
        with contextlib.suppress(PermissionError):  # so a sender is told of the filter: unix(7)
            self.kernel.send(message)
        return ear.drain(self.ear)

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
    [((errno.EAGAIN,), False), ((0, errno.EAGAIN), True), ((errno.ENOBUFS, errno.EAGAIN), True)],
)
def test_what_got_lost_was_a_word_too(errors: tuple[int, ...], *, heard: bool) -> None:
    assert ear.drain(Flooded(*errors)) is heard  # type: ignore[arg-type]


def test_an_endless_flood_ends() -> None:
    assert ear.drain(Flooded())  # type: ignore[arg-type]


def test_what_else_fails_is_told() -> None:
    with pytest.raises(OSError, match="so it is"):
        ear.drain(Flooded(errno.EBADF))  # type: ignore[arg-type]
