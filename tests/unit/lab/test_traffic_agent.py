"""What the traffic's own programs note (netfail_hooks.lab.traffic_agent)."""

from __future__ import annotations

import socket
import time

import pytest

from netfail_hooks.lab.traffic_agent import Counter, Sender

_HELD_UP = 0.3  # seconds in which nobody reads


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_what_is_read_late_has_arrived_in_time(address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    counter = Counter({"name": "out", "at": address, "port": port})
    task = {"name": "out", "to": address, "port": port, "source": ""}
    sender = Sender(task, lambda *_: None)
    try:
        # The first one that asks for it has the kernel begin to note when a datagram came, by a
        # work queue (net_enable_timestamp() in net/core/dev.c).
        time.sleep(_HELD_UP)
        sender.due(time.monotonic())
        time.sleep(_HELD_UP)
        counter.ready()
        time.sleep(_HELD_UP)
        sender.ready()
    finally:
        counter.socket.close()
        if sender._socket:
            sender._socket.close()
    (sent,) = sender.times
    assert 0 <= counter.got[0] - sent < _HELD_UP / 2
    assert _HELD_UP <= sender.answers[0] - sent < 1.5 * _HELD_UP
