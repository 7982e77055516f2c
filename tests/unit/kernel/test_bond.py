"""A bond as the kernel tells it, and what the kernel is told of one."""

from __future__ import annotations

import errno
import struct
from typing import Any, cast

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from netfail_hooks.kernel import bond as bond_apply
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.bond import with_bond
from netfail_hooks.policy.changes import SetMonitor
from netfail_hooks.policy.facts import Bonding, Observation, Slave
from netfail_hooks.values import replace
from tests.support.messages import Kernel, body_of, said
from tests.unit.policy.test_bond import CONFIG, SEEN

BOND, ETH, WLAN = 2, 10, 11  # interface numbers in SEEN
MAC = "02:00:00:00:00:10"


def _nested(**attributes: bytes) -> bytes:
    """Return attributes by number: ``_30=b"x"``."""
    return b"".join(rt.attribute(int(name[1:]), data) for name, data in attributes.items())


def _four(number: int) -> bytes:
    return struct.pack("=I", number)


# linux/if_link.h, IFLA_BOND_ and IFLA_BOND_SLAVE_
BONDED = {
    "_1": b"\1",
    "_2": _four(ETH),
    "_3": _four(50),
    "_7": _four(100),
    "_9": _four(3),
    "_8": _nested(_0=bytes([192, 168, 1, 1]), _1=bytes([192, 168, 1, 2])),
    "_10": _four(1),
    "_11": _four(WLAN),
    "_12": b"\2",
    "_13": b"\1",
}
ENSLAVED = {"_1": b"\0", "_2": b"\2", "_3": _four(7), "_4": bytes.fromhex(MAC.replace(":", ""))}
WHOLE = Bonding(
    "bond0",
    "active-backup",
    "eth0",
    "wlan0",
    "failure",
    "active",
    50,
    100,
    ("192.168.1.1", "192.168.1.2"),
    3,
    1,
    asks_ipv6=False,
)


def _link(master: int = 0, **info: bytes) -> bytes:
    """Return a link with a master (IFLA_MASTER) and of a kind (IFLA_LINKINFO)."""
    return bytes(16) + _nested(**({"_10": _four(master)} if master else {}), _18=_nested(**info))


def _bond(kind: bytes = b"bond\0", **changed: bytes) -> bytes:
    return _link(_1=kind, _2=_nested(**{**BONDED, **changed}))


def _slave(master: int = BOND, kind: bytes = b"bond\0", **changed: bytes) -> bytes:
    return _link(master, _4=kind, _5=_nested(**{**ENSLAVED, **changed}))


def _look(bond: bytes = b"", eth: bytes = b"") -> Observation:
    answers = {BOND: bond, ETH: eth}

    class Links(Kernel):
        def get(self, kind: int, body: bytes) -> bytes:
            assert kind == rt.GETLINK
            for index in (BOND, ETH, WLAN):
                if body == body_of(ifinfmsg(), {}, index=index) and answers.get(index):
                    return answers[index]
            raise rt.NetlinkError(errno.ENODEV, "gone")

    return with_bond(CONFIG, cast("rt.Netlink", Links()), SEEN)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (_bond(), WHOLE),
        (_bond(_1=b"\0"), replace(WHOLE, mode="balance-rr")),
        (_bond(_1=b"\x63"), replace(WHOLE, mode="#99")),
        (_bond(_1=b"\7"), replace(WHOLE, mode="#7")),
        (_bond(_2=_four(77), _11=_four(0)), replace(WHOLE, active="", primary="")),
        (_bond(_30=b"\2"), replace(WHOLE, asks_ipv6=True)),
        (
            _bond(_31=_nested(_0=rt.packed(6, "fd00::1"))),
            replace(WHOLE, targets=(*WHOLE.targets, "fd00::1")),
        ),
        (_bond(b"bridge\0"), None),
        (b"", None),
    ],
)
def test_a_bond_as_the_kernel_tells_it(body: bytes, wanted: Bonding | None) -> None:
    assert _look(bond=body).bonds == ((wanted,) if wanted else ())


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (_slave(), Slave("eth0", "bond0", True, "down", 7, MAC)),  # noqa: FBT003 - active
        (_slave(_1=b"\1", _2=b"\0"), Slave("eth0", "bond0", False, "up", 7, MAC)),  # noqa: FBT003
        (_slave(77), Slave("eth0", "#77", True, "down", 7, MAC)),  # noqa: FBT003 - active
        (_slave(kind=b"bridge\0"), None),
        (_bond(), None),
        (b"", None),
    ],
)
def test_a_slave_as_the_kernel_tells_it(body: bytes, wanted: Slave | None) -> None:
    assert _look(eth=body).slaves == ((wanted,) if wanted else ())


def test_another_bond_is_none_of_ours() -> None:
    assert _look(bond=_slave(), eth=_bond()).bonds == ()
    assert _look(bond=_slave(), eth=_bond()).slaves == ()


# --- told ---------------------------------------------------------------------------------------


def _read(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a link's fields that are not zero and its attributes, and a bond's settings."""
    fields = said(ifinfmsg, body)
    info = fields.pop("IFLA_LINKINFO", None)
    if not info:
        return fields, {}
    assert info.get_attr("IFLA_INFO_KIND") == "bond"
    return fields, {name[10:]: told for name, told, *_ in info.get_attr("IFLA_INFO_DATA")["attrs"]}


def _told(kernel: Kernel) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    assert {(kind, flags) for kind, flags, _ in kernel.changed} == {(rt.NEWLINK, 0)}
    return [_read(body) for *_, body in kernel.changed]


def test_a_slave_is_made_the_active_one() -> None:
    kernel = Kernel()
    bond_apply.set_active(cast("rt.Netlink", kernel), BOND, ETH)
    assert _told(kernel) == [({"index": BOND}, {"ACTIVE_SLAVE": ETH})]


def test_an_interface_is_taken_down_and_enslaved() -> None:
    kernel = Kernel()
    bond_apply.enslave(cast("rt.Netlink", kernel), BOND, ETH)
    up = 1  # linux/if.h: it is to change, and the flag itself is not set
    assert _told(kernel) == [
        ({"index": ETH, "change": up}, {}),
        ({"index": ETH, "IFLA_MASTER": BOND}, {}),
    ]


@pytest.mark.parametrize(
    ("targets", "primary", "more"),
    [
        (("192.168.1.1", "192.168.1.2"), ETH, {"PRIMARY": ETH}),
        (("192.168.1.1",), 0, {}),
    ],
)
def test_a_monitor_is_set_up_as_a_whole(
    targets: tuple[str, ...], primary: int, more: dict[str, int]
) -> None:
    kernel = Kernel()
    change = SetMonitor("bond0", 100, targets, "eth0", "better")
    bond_apply.set_monitor(cast("rt.Netlink", kernel), change, BOND, primary)
    ((fields, settings),) = _told(kernel)
    assert fields == {"index": BOND}
    settings.pop("ARP_IP_TARGET")
    assert settings == {
        "ARP_INTERVAL": 100,
        "ARP_VALIDATE": 3,
        "ARP_ALL_TARGETS": 0,
        "PRIMARY_RESELECT": 1,
        **more,
    }
    found = bytes(kernel.changed[0][2])
    numbered = [struct.pack("=HH", 8, at) + rt.packed(4, one) for at, one in enumerate(targets)]
    assert rt.attribute(8, b"".join(numbered)) in found  # IFLA_BOND_ARP_IP_TARGET


def test_ipv6_targets_are_told_apart() -> None:
    kernel = Kernel()
    change = SetMonitor("bond0", 100, ("fd00::1",), "", "always")
    bond_apply.set_monitor(cast("rt.Netlink", kernel), change, BOND, 0)
    ((_, _, body),) = kernel.changed
    target = struct.pack("=HH", 20, 0) + rt.packed(6, "fd00::1")
    assert rt.attribute(31, target) in body  # IFLA_BOND_NS_IP6_TARGET
    assert "ARP_IP_TARGET" not in _read(body)[1]
