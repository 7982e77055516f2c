"""The questions themselves: whom a socket hears, and what of that is a sign of life."""

from __future__ import annotations

import errno
import socket
import struct
import time
from typing import Any

import pytest

from netfail_hooks.config import Target, Uplink
from netfail_hooks.probe import ProbeTarget, results
from netfail_hooks.probe.gateway import _only
from netfail_hooks.probe.measure import measured
from netfail_hooks.probe.targets import Connection, Echo, target_wire
from tests.unit.probe.test_fuzz_packets import FOUR, HEAD, _echo, _reply

LOOPBACK = [(4, "127.0.0.1"), (6, "::1")]


@pytest.mark.parametrize("kind", [0, 31, 32, 128, 129, 136, 255])
def test_of_all_icmpv6_types_one_alone_is_heard(kind: int) -> None:
    words = struct.unpack("=8I", _only(kind))
    assert [one for one in range(256) if not words[one // 32] & 2 ** (one % 32)] == [kind]


def _is_heard(wire: Echo | Connection) -> bool:
    until = time.monotonic() + 2
    while time.monotonic() < until:
        if wire.answered():
            return True
    return False


@pytest.mark.parametrize(("family", "address"), LOOPBACK)
def test_an_echo_is_answered_by_a_real_kernel(family: int, address: str) -> None:
    wire = target_wire(Target(family, address), "lo")
    assert not wire.answered()
    wire.ask()
    assert _is_heard(wire)
    wire.close()


def test_an_echo_is_asked_as_often_as_a_line_is_measured() -> None:
    target = Target(4, "127.0.0.1")
    uplink = Uplink("lo", 100, targets=(target,), loss_max=10)
    (result,) = results(measured([ProbeTarget(uplink, 4, [target_wire(target, "lo")])]))
    assert (result.asked, result.answered) == (10, 10)


def test_a_reply_need_not_bring_our_data_back() -> None:
    assert _echo(FOUR, (HEAD + _reply(0)[:8], FOUR.address)).answered()


def test_a_flood_does_not_hold_us() -> None:
    wire = _echo(FOUR, *[(HEAD + _reply(8), FOUR.address)] * 200, (HEAD + _reply(0), FOUR.address))
    looks = 1
    while not wire.answered():
        looks += 1
    assert looks > 2


@pytest.mark.parametrize("listens", [True, False])
@pytest.mark.parametrize(("family", "address"), LOOPBACK)
def test_accepted_and_refused_are_answers_both(family: int, address: str, *, listens: bool) -> None:
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with socket.socket(kind, socket.SOCK_STREAM) as server:
        server.bind((address, 0))
        if listens:
            server.listen()
        wire = target_wire(Target(family, address, server.getsockname()[1]), "lo")
        wire.ask()
        assert _is_heard(wire)
        if listens:
            server.accept()[0].close()
        wire.close()


def test_a_connection_that_cannot_even_begin_is_no_answer() -> None:
    """poll(2) wakes for it as for one that is there, and the kernel keeps no error of it."""
    wire = Connection(Target(6, "2001:db8::1", 9), "lo")
    with pytest.raises(OSError, match="not connected"):
        wire.answered()
    with pytest.raises(OSError, match=r"E[A-Z]+"):
        wire.ask()
    with pytest.raises(OSError, match=r"E[A-Z]+"):
        wire.answered()
    uplink = Uplink("lo", 100, timeout=100)
    (result,) = results([ProbeTarget(uplink, 6, [wire])])
    assert not result.healthy
    assert "tcp:[2001:db8::1]:9: E" in result.reason


@pytest.mark.parametrize(
    ("codes", "begins"),
    [
        ([errno.ECONNABORTED, errno.EINPROGRESS], True),
        ([errno.ECONNABORTED, errno.EHOSTUNREACH], False),
        ([errno.ECONNABORTED, errno.ECONNABORTED], False),
    ],
)
def test_one_that_has_failed_is_begun_anew(codes: list[int], *, begins: bool) -> None:
    wire = _connection(0)
    found: Any = wire._socket
    found.connect_ex = lambda _: codes.pop(0)
    if begins:
        wire.ask()
    else:
        with pytest.raises(OSError, match=errno.errorcode[codes[1]]):
            wire.ask()
    assert codes == []


class Socket:
    """A socket that brings one error number."""

    def __init__(self, code: int) -> None:
        self.code = code

    def connect_ex(self, _: object) -> int:
        return self.code

    def getsockopt(self, *_: object) -> int:
        return self.code


def _connection(code: int) -> Connection:
    wire = Connection(Target(4, "127.0.0.1", 9), "lo")
    wire.close()
    found: Any = Socket(code)
    wire._socket = found
    return wire


@pytest.mark.parametrize(
    "code", [0, errno.EINPROGRESS, errno.EALREADY, errno.EISCONN, errno.ECONNREFUSED]
)
def test_a_connection_that_is_under_way_is_asked(code: int) -> None:
    _connection(code).ask()


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENETUNREACH, errno.EHOSTUNREACH, 9999])
def test_an_error_is_no_answer(code: int) -> None:
    told = errno.errorcode.get(code, "9999")
    with pytest.raises(OSError, match=told):
        _connection(code).ask()
    with pytest.raises(OSError, match=told):
        _connection(code).answered()
