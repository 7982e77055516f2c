"""Neighbours that the kernel keeps asking: known by their marks, set and taken away."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel import watch
from netfail_hooks.policy.facts import Neighbour
from tests.support.messages import ETH, KIND, OTHER, Kernel, body_of, said

REACHABLE, PERMANENT, NOARP = 0x02, 0x80, 0x40
OURS, KERNELS = {"NDA_PROTOCOL": 157}, {"NDA_PROTOCOL": 2}
FOUR, SIX = "192.168.1.1", "fe80::1"


def _neighbour(index: int, address: str, state: int, more: dict[str, Any], flags: int = 0) -> bytes:
    attributes = {"NDA_DST": address, "NDA_LLADDR": "02:00:00:00:00:01", **more}
    kind = KIND[6 if ":" in address else 4]
    body = body_of(ndmsg(), attributes, family=kind, ifindex=index, state=state)
    return body + (rt.number(watch.NDA_FLAGS_EXT, flags) if flags else b"")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (_neighbour(ETH, FOUR, REACHABLE, OURS, 1), Neighbour("eth0", 4, FOUR)),
        (_neighbour(ETH, SIX, REACHABLE, OURS, 1), Neighbour("eth0", 6, SIX)),
        (_neighbour(OTHER, FOUR, REACHABLE, OURS, 1), Neighbour("#9", 4, FOUR)),
        (_neighbour(ETH, FOUR, REACHABLE, {}, 1), Neighbour("eth0", 4, FOUR, ours=False)),
        (_neighbour(ETH, FOUR, REACHABLE, KERNELS, 1), Neighbour("eth0", 4, FOUR, ours=False)),
        (_neighbour(ETH, FOUR, PERMANENT, {}), Neighbour("eth0", 4, FOUR, ours=False)),
        (_neighbour(ETH, FOUR, PERMANENT, OURS), Neighbour("eth0", 4, FOUR, ours=False)),
        (_neighbour(OTHER, FOUR, PERMANENT, {}), None),
        (_neighbour(OTHER, FOUR, REACHABLE, {}, 1), None),
        (_neighbour(ETH, FOUR, REACHABLE, OURS), None),
        (_neighbour(ETH, FOUR, NOARP, {}), None),
        (_neighbour(ETH, FOUR, REACHABLE, {}, 2), None),
        (body_of(ndmsg(), {}, family=7, ifindex=ETH, state=PERMANENT), None),
    ],
)
def test_they_are_known_by_their_marks(body: bytes, found: Neighbour | None) -> None:
    observed = Kernel(neighbours=[body]).observed()
    assert observed.neighbours == ((found,) if found else ())
    assert observed.watches == watch.can_watch()


@pytest.mark.parametrize(
    ("release", "can"),
    [
        ("6.0.0-1-amd64", True),
        ("6.18.44-fc-v669", True),
        ("10.1", True),
        ("5.19.17", False),
        ("5.4.0", False),
        ("6.1-rc3", True),
        ("7.0-next", True),
        ("odd", False),
        ("6", False),
        ("", False),
    ],
)
def test_the_release_tells_whether_the_kernel_can(
    release: str, monkeypatch: pytest.MonkeyPatch, *, can: bool
) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release))
    assert watch.can_watch() is can


@pytest.mark.parametrize(("address", "family"), [(FOUR, 4), (SIX, 6)])
def test_what_the_kernel_is_told(address: str, family: int) -> None:
    kernel = Kernel()
    one = Neighbour("eth0", family, address)
    watch.watch(cast("rt.Netlink", kernel), one, ETH)
    watch.unwatch(cast("rt.Netlink", kernel), one, ETH)
    (kind, flags, body), (gone, none, other) = kernel.changed
    assert (kind, flags) == (28, rt.F_CREATE | rt.F_REPLACE)
    where = {"family": KIND[family], "ifindex": ETH, "NDA_DST": address}
    managed = body[: body.index(rt.number(15, 1))] + body[body.index(rt.number(15, 1)) + 8 :]
    assert said(ndmsg, managed) == {**where, "NDA_PROTOCOL": 157}
    assert (gone, none, said(ndmsg, other)) == (29, 0, where)


@pytest.mark.parametrize(
    ("state", "ago", "whose", "flags", "has"),
    [
        (REACHABLE, 0, OURS, 1, True),
        (REACHABLE, 9, OURS, 1, True),
        (REACHABLE, 10, OURS, 1, False),  # it may be all but one tick older
        (REACHABLE, 500, OURS, 1, False),  # from before the fault
        (0x20, 0, OURS, 1, False),
        (0x01, 0, OURS, 1, False),
        (REACHABLE, 0, {}, 1, False),  # somebody else has it asked
        (REACHABLE, 0, KERNELS, 1, False),
        (REACHABLE, 0, OURS, 0, False),
    ],
)
def test_whether_an_answer_came_after_all_is_the_kernels_to_say(  # noqa: PLR0913
    state: int,
    ago: int,
    whose: dict[str, Any],
    flags: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    has: bool,
) -> None:
    asked: list[tuple[int, bytes]] = []
    ages = {"ndm_confirmed": ago, "ndm_used": 0, "ndm_updated": 0, "ndm_refcnt": 0}

    def get(kind: int, body: bytes) -> bytes:
        asked.append((kind, body))
        return _neighbour(ETH, FOUR, state, {"NDA_CACHEINFO": ages, **whose}, flags)

    monkeypatch.setattr(time, "monotonic", lambda: 7.5)
    netlink = cast("rt.Netlink", SimpleNamespace(get=get))
    ticks = os.sysconf("SC_CLK_TCK")
    since = 7.5 - 10.5 / ticks
    assert watch.answered(netlink, Neighbour("eth0", 4, FOUR), ETH, since) is has
    assert [kind for kind, _ in asked] == [rt.GETNEIGH]


def test_a_neighbour_that_is_forgotten_has_not_answered() -> None:
    with rt.Netlink() as netlink:
        assert not watch.answered(netlink, Neighbour("lo", 4, "203.0.113.9"), 1, 0)
