"""How a dump is read: to its end, no further than asked for, or only where something is in it."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.netlink import CrowdedError, Netlink

MULTI, INTERRUPTED, FILTERED = 0x2, 0x10, 0x20  # linux/netlink.h
DONE, REFUSED = rt.NLMSG_DONE, rt.NLMSG_ERROR


class Scripted:
    """A socket that answers the first request with some buffers, and each further one alike."""

    def __init__(self, *buffers: bytes | OSError) -> None:
        self.buffers = buffers
        self.left: Iterator[bytes | OSError] = iter(())
        self.read = 0
        self.asked = 0
        self.closed = False

    def send(self, request: bytes) -> None:
        self.asked += 1
        sequence = request[8:12]
        self.left = iter(
            [
                one.replace(b"SEQ#", sequence) if isinstance(one, bytes) else one
                for one in self.buffers
            ]
        )

    def recv(self, _: int) -> bytes:
        found = next(self.left)
        if isinstance(found, OSError):
            raise found
        self.read += len(found)
        return found

    def settimeout(self, _: float) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def _message(body: bytes, kind: int = rt.NEWROUTE, flags: int = MULTI) -> bytes:
    head = struct.pack("=IHH", 16 + len(body), kind, flags) + b"SEQ#" + bytes(4)
    return head + body + bytes(-len(body) % 4)


END = _message(bytes(4), DONE)


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Any:
    def begin(*buffers: bytes | OSError) -> tuple[Netlink, Scripted]:
        scripted = Scripted(*buffers)
        monkeypatch.setattr(rt, "_connected", lambda _: scripted)
        return Netlink(), scripted

    return begin


def test_no_more_is_read_than_asked_for_and_the_next_question_has_a_socket_of_its_own(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netlink, scripted = talk(_message(b"aaaa") * 10, _message(b"bbbb") * 10, END)
    fresh = Scripted(_message(b"cccc"), END)
    monkeypatch.setattr(rt, "_connected", lambda _: fresh)
    with pytest.raises(CrowdedError) as crowded:
        netlink.dump(rt.GETROUTE, b"", most=100)
    assert crowded.value.bodies == [b"aaaa"] * 10
    assert scripted.read == 10 * len(_message(b"aaaa"))
    assert scripted.closed
    assert netlink.crowded == {rt.GETROUTE}
    assert netlink.dump(rt.GETROUTE, b"", most=100) == [b"cccc"]


def test_what_is_few_enough_is_read_to_its_end(talk: Any) -> None:
    netlink, _ = talk(_message(b"aaaa") * 10, END)
    assert netlink.dump(rt.GETROUTE, b"", most=200) == [b"aaaa"] * 10
    assert not netlink.crowded
    netlink, _ = talk(_message(b"aaaa") * 10 + END)
    assert netlink.dump(rt.GETROUTE, b"", most=1) == [b"aaaa"] * 10, "the end is there already"


bodies = st.lists(st.binary(min_size=4, max_size=40), max_size=6)


@given(buffers=st.lists(bodies, max_size=5), needle=st.binary(min_size=1, max_size=3), last=bodies)
def test_a_search_finds_what_reading_all_would(
    buffers: list[list[bytes]], needle: bytes, last: list[bytes]
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        chunks = [b"".join(map(_message, one)) for one in buffers if one]
        scripted = Scripted(*chunks, b"".join(map(_message, last)) + END)
        monkeypatch.setattr(rt, "_connected", lambda _: scripted)
        found = Netlink().dump(rt.GETROUTE, b"", needles=(needle, b"never there"))
    everything = [body for one in (*buffers, last) for body in one]
    assert found == [body for body in everything if needle in body]


@pytest.mark.parametrize("flags", [MULTI, MULTI | FILTERED])
def test_a_table_that_changed_meanwhile_is_searched_again(talk: Any, flags: int) -> None:
    torn = _message(b"aaaa", flags=flags | INTERRUPTED) + _message(b"bbbb")
    netlink, scripted = talk(torn, END)
    assert netlink.dump(rt.GETROUTE, b"", needles=(b"zz",)) == []
    assert scripted.asked > 1


def test_a_flag_is_read_in_the_order_of_bytes_that_the_machine_has(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the head of a buffer that is passed over is read so; the end is as this machine has it.
    monkeypatch.setattr(rt, "_is_passed_over", lambda data, _: len(data) > len(END))
    for order, name in (("<", "little"), (">", "big")):
        monkeypatch.setattr("sys.byteorder", name)
        torn = struct.pack(f"{order}IHH", 56, rt.NEWROUTE, MULTI | INTERRUPTED) + bytes(48)
        netlink, scripted = talk(torn, END)
        assert netlink.dump(rt.GETROUTE, b"", needles=(b"zz",)) == []
        assert scripted.asked > 1, name


def test_a_dump_that_fails_keeps_the_next_one_from_nothing(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netlink, scripted = talk(TimeoutError())
    fresh = Scripted(_message(b"cccc"), END)
    monkeypatch.setattr(rt, "_connected", lambda _: fresh)
    with pytest.raises(TimeoutError):
        netlink.dump(rt.GETROUTE, b"")
    assert scripted.closed, "till its end the kernel begins no other dump on that socket"
    assert netlink.dump(rt.GETROUTE, b"") == [b"cccc"]


def test_a_refusal_ends_a_search(talk: Any) -> None:
    netlink, _ = talk(_message(struct.pack("=i", -errno.EPERM) + bytes(16), REFUSED, 0))
    with pytest.raises(rt.NetlinkError) as refused:
        netlink.dump(rt.GETROUTE, b"", needles=(b"zz",))
    assert refused.value.errno == errno.EPERM


def test_an_interface_that_is_gone_has_nothing_and_another_refusal_is_told(talk: Any) -> None:
    netlink, _ = talk(_message(struct.pack("=i", -errno.ENODEV) + bytes(16), REFUSED, 0))
    assert rt.dumped(netlink, rt.GETROUTE, b"") == []
    netlink, _ = talk(_message(struct.pack("=i", -errno.EPERM) + bytes(16), REFUSED, 0))
    with pytest.raises(rt.NetlinkError):
        rt.dumped(netlink, rt.GETROUTE, b"")
