"""What the kernel told everybody is read to its end, or known not to be known."""

from __future__ import annotations

import errno
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.kernel import heard
from netfail_hooks.kernel import netlink as rt

MESSAGE = st.tuples(
    st.integers(16, 120), st.integers(0, 2**32 - 1), st.binary(min_size=0, max_size=40)
)


class Told:
    """A socket with some buffers to read, and then nothing or a refusal."""

    def __init__(self, buffers: list[bytes], end: OSError) -> None:
        self.buffers = list(buffers)
        self.end = end

    def recv(self, _: int) -> bytes:
        if not self.buffers:
            raise self.end
        return self.buffers.pop(0)


def _encoded(message: tuple[int, int, bytes]) -> bytes:
    kind, port, body = message
    head = struct.pack("=IHHII", 16 + len(body), kind, 0, 7, port)
    return head + body + bytes(-len(body) % 4)


@given(st.lists(st.lists(MESSAGE, min_size=1, max_size=4), max_size=4))
def test_all_that_was_told_is_returned_with_who_had_it_done(
    buffers: list[list[tuple[int, int, bytes]]],
) -> None:
    told: Any = Told([b"".join(map(_encoded, one)) for one in buffers], BlockingIOError())
    assert heard.messages(told) == [message for one in buffers for message in one]


def test_more_than_the_socket_could_keep_is_not_nothing() -> None:
    told: Any = Told([_encoded((rt.NEWROUTE, 1, b""))], OSError(errno.ENOBUFS, "no room"))
    assert heard.messages(told) is None
