"""For how long an uplink must have all that it had, before networkd is believed to be done."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.networkd import settling
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import Address, Link, Observation, Route


def seen(names: str) -> Observation:
    """Return two links, and those of ``names`` with a way out."""
    return Observation(
        now=0,
        links=tuple(
            Link(name, ord(name), up=True, carrier=True, down_count=0, mac="") for name in "ab"
        ),
        addresses=tuple(Address(name, 4, f"10.0.0.{ord(name)}", 24) for name in names),
        routes=tuple(Route(name, 4, "default", 0, "10.0.0.1", protocol=4) for name in names),
    )


AWAY = struct.pack("=BBBBI", 2, 24, 0, 0, ord("a")) + rt.attribute(rt.IFA_LOCAL, b"\x0a\0\0\x61")


@pytest.mark.parametrize(
    ("told", "soon"),
    [
        ([(rt.DELADDR, 0, AWAY)], True),
        ([(rt.NEWADDR, 0, AWAY)], False),
        ([(rt.DELADDR, 0, AWAY.replace(b"a\0\0\0", b"b\0\0\0", 1))], False),
        ([], False),
        (None, False),
    ],
)
@pytest.mark.parametrize("names", ["ab", "b"])
def test_only_what_was_away_is_believed_soon_to_be_back(
    monkeypatch: pytest.MonkeyPatch,
    told: list[tuple[int, int, bytes]] | None,
    names: str,
    *,
    soon: bool,
) -> None:
    before = seen(names)
    uplink = settling.Return("a", before, lambda: before, Paths("/nowhere"))
    assert uplink.is_complete()
    ears: Any = object()
    monkeypatch.setattr(settling, "messages", lambda _: told)
    first = uplink.steady_for(ears)
    monkeypatch.setattr(settling, "messages", lambda _: [])
    assert uplink.steady_for(ears) == first, "what was told once is not told again"
    had = "a" in names
    assert (first < 0.5) == (soon and had), "where there was nothing, nothing shows that it is over"
