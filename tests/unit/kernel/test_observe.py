"""What is made of the kernel's answers, as pyroute2 would write them."""

from __future__ import annotations

import errno
import struct
import time
from pathlib import Path
from typing import Any, cast

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from netfail_hooks.kernel import addresses, apply, bond, foreign, observe, unchanged
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.policy.facts import FOREVER, NO_ROUTE, Address, Link, Route, Rule, Taken
from netfail_hooks.values import replace
from tests.support.messages import (
    CONFIG,
    ETH,
    KIND,
    LOWER_UP,
    MAC,
    OTHER,
    UP,
    WLAN,
    Kernel,
    address_of,
    body_of,
    link_of,
)

DORMANT = 0x20000  # linux/if.h


def _route(destination: str = "", length: int = 0, **more: Any) -> bytes:
    attributes: dict[str, Any] = {"RTA_DST": destination} if destination else {}
    attributes |= {name: more.pop(name) for name in list(more) if name.startswith("RTA_")}
    attributes = {"RTA_OIF": ETH, "RTA_PRIORITY": 100, **attributes}
    fields = {"family": 2, "table": 254, "proto": 4, "type": 1, "dst_len": length, **more}
    return body_of(rtmsg(), attributes, **fields)


def _neighbour(index: int, state: int, address: str = "192.168.1.1") -> bytes:
    kind = KIND[6 if ":" in address else 4]
    return body_of(ndmsg(), {"NDA_DST": address}, family=kind, ifindex=index, state=state)


# --- links --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "state", "up", "carrier"),
    [
        (UP | LOWER_UP, "UP", True, True),
        (UP | LOWER_UP, "DOWN", True, False),
        (UP | LOWER_UP | DORMANT, "DORMANT", True, False),
        (UP | LOWER_UP, "TESTING", True, False),
        (LOWER_UP, "NOTPRESENT", False, False),
        (0, "DOWN", False, False),
        (UP | LOWER_UP, "UNKNOWN", True, True),
        (UP, "UNKNOWN", True, False),
        (UP | LOWER_UP | DORMANT, "UNKNOWN", True, False),
        (LOWER_UP, "UNKNOWN", False, True),
    ],
)
def test_a_link_has_a_carrier_as_networkd_judges(
    flags: int, state: str, *, up: bool, carrier: bool
) -> None:
    kernel = Kernel()
    kernel.links["eth0"] = link_of("eth0", ETH, flags, state)
    assert kernel.observed().link("eth0") == Link("eth0", ETH, up, carrier, 7, MAC)


@pytest.mark.parametrize(
    ("flags", "address", "mac"),
    [(0, MAC, MAC), (0x80, MAC, ""), (0, "c0:a8:01:01", ""), (0, "", "")],
    ids=["ethernet", "IFF_NOARP", "a tunnel's IPv4 address", "raw ip"],
)
def test_a_hardware_address_is_one_that_neighbours_are_asked_for(
    flags: int, address: str, mac: str
) -> None:
    found = bytes.fromhex(address.replace(":", ""))
    assert observe._mac(UP | LOWER_UP | flags, found) == mac


def test_an_uplink_that_is_gone_is_not_seen_and_another_refusal_is_told() -> None:
    kernel = Kernel()
    del kernel.links["wlan0"]
    assert [one.name for one in kernel.observed().links] == ["eth0"]
    kernel.links["wlan0"] = b""
    with pytest.raises(rt.NetlinkError):
        kernel.observed()


def test_of_a_bond_the_bond_and_its_slaves_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bond, "with_bond", lambda _, __, observed: replace(observed, now=-1))
    kernel = Kernel()
    kernel.links["bond0"] = link_of("bond0", OTHER)
    found = kernel.observed(replace(CONFIG, mode="bond"))
    assert [one.name for one in found.links] == ["bond0", "eth0", "wlan0"]
    assert (found.now, found.sysctls) == (-1, ())


def test_settings_that_the_kernel_has_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "read_sysctl", lambda key: "1" if "/eth0/" in key else None)
    found = Kernel().observed().sysctls
    assert len(found) == 5 + 10  # of the watch
    assert {one.setting for one in found} == {"1"}


def test_time_is_told_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _: 5_000_000_000_999_999)
    assert observe.now() == 5_000_000_000


# --- addresses ----------------------------------------------------------------------------------

FOUR = Address("eth0", 4, "192.168.1.252", 24, preferred=50, valid=60, metric=100)
SIX = Address("eth0", 6, "fd00::252", 64, preferred=50, valid=60, metric=0)
SECONDARY, DADFAILED, TENTATIVE, NOPREFIXROUTE = 0x01, 0x08, 0x40, 0x200  # linux/if_addr.h
OURS: dict[str, Any] = {"IFA_PROTO": 157}


@pytest.mark.parametrize(
    ("local", "lacking"),
    [
        ([], ("eth0",)),
        ([address_of("fe80::1", scope=253)], ()),
        ([address_of("fe80::1", scope=253, flags=TENTATIVE)], ("eth0",)),
        ([address_of("fe80::1", scope=253, flags=DADFAILED)], ("eth0",)),
        ([address_of("fe80::1", WLAN, scope=253)], ("eth0",)),
        ([address_of("fe80::1", OTHER, scope=253)], ("eth0",)),
        ([address_of("169.254.0.9", scope=253)], ("eth0",)),
    ],
)
def test_who_has_no_link_local_address_to_ask_by(
    local: list[bytes], lacking: tuple[str, ...]
) -> None:
    others = [address_of("10.0.0.1", WLAN), address_of("fd00::9", OTHER)]
    kernel = Kernel(addresses=[address_of("fd00::252"), *local, *others])
    assert kernel.observed().no_local == lacking


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (address_of(), FOUR),
        (address_of("fd00::252"), SIX),
        (address_of(IFA_ADDRESS="192.168.1.9"), FOUR),  # that is the peer's
        (address_of(scope=200), FOUR),
        (address_of(scope=201), None),
        (address_of(scope=253), None),
        (address_of(index=OTHER), None),
        (address_of(index=OTHER, **OURS), replace(FOUR, interface="#9", ours=True)),
        (address_of(**OURS), replace(FOUR, ours=True)),
        (address_of(IFA_PROTO=2), FOUR),
        (address_of(IFA_LABEL="netfail"), replace(FOUR, shared=True)),
        (address_of(IFA_LABEL="eth0"), FOUR),
        (address_of(flags=SECONDARY), replace(FOUR, metric=NO_ROUTE)),
        (address_of(flags=NOPREFIXROUTE), replace(FOUR, metric=NO_ROUTE)),
        (address_of(flags=0x80), FOUR),  # permanent
        (address_of("fd00::252", flags=DADFAILED), None),
        (address_of("fd00::252", flags=TENTATIVE), None),
        (address_of("fd00::252", WLAN, flags=TENTATIVE), replace(SIX, interface="wlan0")),
        (address_of("fd00::252", WLAN, flags=DADFAILED), None),
        (struct.pack("=BBBBI", 28, 24, 0, 0, ETH), None),  # AF_MPLS
    ],
)
def test_which_addresses_count_and_how(body: bytes, wanted: Address | None) -> None:
    kernel = Kernel(addresses=[body, address_of("10.0.0.1", WLAN)])
    kernel.links["wlan0"] = link_of("wlan0", WLAN, UP, "DOWN")
    *found, other = kernel.observed().addresses
    assert found == ([wanted] if wanted else [])
    assert other.address == "10.0.0.1"
    assert (rt.GETADDR, bytes(8)) in kernel.asked


# --- routes -------------------------------------------------------------------------------------

CONNECTED = Route("eth0", 4, "192.168.1.0/24", 100, protocol=4)
DEFAULT = Route("eth0", 4, "default", 100, "192.168.1.1", protocol=4)
VIA: dict[str, Any] = {"RTA_GATEWAY": "192.168.1.1"}
BY_SIX: dict[str, Any] = {"family": 10, "addr": "fe80::1"}
DEAD, ONLINK, LINKDOWN = 0x1, 0x4, 0x10  # linux/rtnetlink.h, RTNH_F_


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (_route("192.168.1.0", 24), CONNECTED),
        (
            _route("192.168.1.0", 24, RTA_PREFSRC="192.168.1.252"),
            replace(CONNECTED, source="192.168.1.252"),
        ),
        (_route(**VIA), DEFAULT),
        (_route(**VIA, RTA_METRICS={"attrs": [("RTAX_MTU", 1400)]}), replace(DEFAULT, mtu=1400)),
        (_route(RTA_VIA=BY_SIX), replace(DEFAULT, gateway="fe80::1")),
        (_route(**VIA, flags=LINKDOWN), replace(DEFAULT, linkdown=True)),
        (_route(**VIA, flags=ONLINK), replace(DEFAULT, onlink=True)),
        (_route(**VIA, flags=DEAD), DEFAULT),
        (_route("192.168.1.0", 24, RTA_OIF=OTHER), None),
        (
            _route("192.168.1.0", 24, RTA_OIF=OTHER, proto=157),
            replace(CONNECTED, interface="#9", protocol=157),
        ),
        (_route(**VIA, RTA_OIF=OTHER), replace(DEFAULT, interface="#9")),
        (_route(**VIA, tos=16), None),
        (_route("192.168.1.0", 24, type=6), None),  # a blackhole
        (_route("fe80::", 64, family=10), None),
        (_route("fd00::", 64, family=10), replace(CONNECTED, family=6, destination="fd00::/64")),
    ],
)
def test_which_routes_count_and_how(body: bytes, wanted: Route | None) -> None:
    kernel = Kernel(routes=[body])
    assert kernel.observed().routes == ((wanted,) if wanted else ())
    for kind in KIND.values():
        assert (rt.GETROUTE, body_of(rtmsg(), {}, family=kind, table=254)) in kernel.asked


def _hop(index: int, flags: int = 0, gateway: str = "") -> bytes:
    inner = rt.attribute(5, rt.packed(6, gateway)) if gateway else b""
    return struct.pack("=HBBi", 8 + len(inner), flags, 0, index) + inner


def test_a_route_of_several_hops_is_several_routes() -> None:
    hops = [_hop(WLAN), _hop(ETH, LINKDOWN, "fd00::1"), _hop(WLAN, 0, "fd00::2"), _hop(OTHER)]
    body = struct.pack("=BBBBBBBBI", 10, 0, 0, 0, 254, 4, 0, 1, 0)
    body += rt.attribute(9, b"".join(hops)) + rt.number(6, 100)
    found = Kernel(routes=[body]).observed().routes
    assert [(one.interface, one.gateway, one.linkdown) for one in found] == [
        ("wlan0", "", False),
        ("eth0", "fd00::1", True),
        ("wlan0", "fd00::2", False),
        ("#9", "", False),
    ]


def test_a_hop_without_a_length_does_not_hold_us() -> None:
    body = struct.pack("=BBBBBBBBI", 10, 0, 0, 0, 254, 4, 0, 1, 0) + rt.attribute(9, bytes(16))
    assert len(Kernel(routes=[body]).observed().routes) == 2


def test_a_table_that_is_not_made_yet_is_empty_and_another_refusal_is_told() -> None:
    kernel = Kernel(routes=[_route(**VIA)])
    kernel.refuses = errno.ENOENT
    assert kernel.observed().routes == ()
    kernel.refuses = errno.EPERM
    with pytest.raises(rt.NetlinkError):
        kernel.observed()


# --- neighbours ---------------------------------------------------------------------------------

INCOMPLETE, REACHABLE, STALE, DELAY, PROBE = 0x01, 0x02, 0x04, 0x08, 0x10  # linux/neighbour.h
FAILED, NOARP, PERMANENT = 0x20, 0x40, 0x80


@pytest.mark.parametrize(
    ("state", "address", "resolved", "waiting"),
    [
        *(
            (state, "192.168.1.1", True, False)
            for state in (REACHABLE, STALE, DELAY, PROBE, FAILED)
        ),
        *((state, "192.168.1.1", False, False) for state in (NOARP, PERMANENT, 0)),
        (INCOMPLETE, "192.168.1.1", False, True),
        (REACHABLE, "fd00::1", False, False),
        (INCOMPLETE, "fd00::1", False, True),
    ],
)
def test_neighbours_that_are_in_the_way(
    state: int, address: str, *, resolved: bool, waiting: bool
) -> None:
    kernel = Kernel(neighbours=[_neighbour(ETH, state, address), _neighbour(OTHER, state, address)])
    found = kernel.observed()
    assert found.resolved == (("eth0",) if resolved else ())
    assert found.waiting == (("eth0",) if waiting else ())
    assert (rt.GETNEIGH, body_of(ndmsg(), {}, family=0)) in kernel.asked


def test_an_uplinks_ipv4_neighbours_are_forgotten_and_what_waits() -> None:
    gone = [
        (REACHABLE, "192.168.1.1"),
        (INCOMPLETE, "192.168.1.2"),
        (INCOMPLETE, "fd00::1"),
        (FAILED, "192.168.1.4"),
    ]
    kept = [(REACHABLE, "fd00::2"), (PERMANENT, "192.168.1.3"), (FAILED, "fd00::3")]
    kernel = Kernel(
        neighbours=[
            *(_neighbour(ETH, *one) for one in (*gone, *kept)),
            _neighbour(OTHER, REACHABLE, "10.0.0.1"),
            _neighbour(OTHER, INCOMPLETE, "10.0.0.2"),
        ]
    )
    apply.flush_neighbours(cast("rt.Netlink", kernel), ETH)
    wanted = [(rt.DELNEIGH, 0, _neighbour(ETH, 0, address)) for _, address in gone]
    assert kernel.changed == wanted


# --- rules, other tables, other people's places and addresses -----------------------------------


def _rule(family: int = 4, source: str = "", **more: Any) -> bytes:
    table = more.pop("table", 254)
    attributes: dict[str, Any] = {"FRA_SRC": source} if source else {}
    attributes |= {"FRA_PRIORITY": 100, "FRA_TABLE": table, **more}
    fields = {"src_len": 32 if source else 0, "table": table if table < 256 else 252, "action": 1}
    return body_of(fibmsg(), attributes, family=KIND[family], **fields)


KERNELS_OWN = [
    *(_rule(table=table) for table in (255, 254, 253)),
    *(_rule(6, table=table) for table in (255, 254)),
]


def test_rules_of_the_kernels_own_are_none_and_without_any_it_has_no_rules() -> None:
    observed = Kernel(rules=KERNELS_OWN).observed()
    assert (observed.rules, observed.tables, observed.ruled) == ((), (), 1)
    assert Kernel(rules=[]).observed().ruled == 0


def test_a_kernel_with_rules_for_one_of_its_families_alone_is_one_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its only IPv6 table is the main one, whatever number it is given (fib6_new_table())."""
    multicast = _rule().replace(b"\x02", b"\x80", 1)
    kernel = Kernel(rules=[*KERNELS_OWN[:3], multicast])
    assert kernel.observed().ruled == 0
    monkeypatch.setattr("os.path.exists", lambda path: path != "/proc/sys/net/ipv6")
    assert kernel.observed().ruled == 1


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (_rule(table=100), Rule(4, 100, 100, protocol=0)),
        (
            _rule(source="10.0.1.25", table=15702, FRA_PROTOCOL=157),
            Rule(4, 100, 15702, "10.0.1.25/32"),
        ),
        (
            _rule(source="10.0.1.25", FRA_SUPPRESS_PREFIXLEN=0, FRA_PROTOCOL=157),
            Rule(4, 100, 254, "10.0.1.25/32", whole=False),
        ),
        (_rule(source="10.0.1.25", FRA_PROTOCOL=4), None),  # main, and not ours
        (_rule(6, table=70_000), Rule(6, 100, 70_000, protocol=0)),
        (_rule(table=100).replace(b"\x02", b"\x1c", 1), None),  # AF_MPLS
    ],
)
def test_which_rules_count_and_how(body: bytes, wanted: Rule | None) -> None:
    kernel = Kernel(rules=[*KERNELS_OWN, body])
    assert kernel.observed().rules == ((wanted,) if wanted else ())
    asked = [one for one in kernel.asked if one[0] == rt.GETRULE]
    assert asked == [(rt.GETRULE, bytes(12))]


def test_tables_that_rules_look_up_are_looked_at_once_each_and_not_without_end() -> None:
    rules = [_rule(table=100), _rule(source="10.0.0.9", table=100), _rule(table=15701)]
    kernel = Kernel(rules=rules, routes=[_route(**VIA)])
    assert {one.table for one in kernel.observed().tables} == {100, 15701}
    requests = [body for kind, body in kernel.asked if kind == rt.GETROUTE]
    assert len(requests) == 4
    assert struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 100, 0, 0, 0, 0) in requests
    assert struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0) + rt.number(15, 15701) in requests
    ours = _rule(source="10.0.0.9", table=15702, FRA_PROTOCOL=157)
    many = Kernel(
        rules=[*(_rule(table=one) for one in range(1, 100)), ours], routes=[_route(**VIA)]
    )
    assert 15702 in {one.table for one in many.observed().tables}, "ours among all the others"
    assert len([1 for kind, _ in many.asked if kind == rt.GETROUTE]) == 2 + 16


def test_other_peoples_places_are_seen_beside_ours_and_a_few_elsewhere() -> None:
    foreign: dict[str, Any] = {"RTA_OIF": OTHER, "RTA_PRIORITY": 50}
    bodies = [
        _route("10.9.0.0", 16, **VIA),
        _route("10.9.0.0", 16, **foreign),
        _route("10.9.0.0", 16, type=6, RTA_PRIORITY=7),  # a blackhole has a place as well
        _route("172.17.0.0", 16, **foreign, proto=2),  # a container's LAN
        *(_route(f"10.{n}.0.0", 16, **foreign) for n in range(100, 200)),
    ]
    observed = Kernel(routes=bodies).observed()
    assert len(observed.routes) == 1
    assert observed.taken[:2] == (Taken(4, "10.9.0.0/16", 50), Taken(4, "10.9.0.0/16", 7))
    assert len(observed.taken) == 2 + 64
    assert not [one for one in observed.taken if one.destination.startswith("172.")]


FOREVER_LEFT = {"ifa_preferred": FOREVER, "ifa_valid": FOREVER, "cstamp": 1, "tstamp": 2}
LASTING: dict[str, Any] = {"IFA_CACHEINFO": FOREVER_LEFT, "IFA_RT_PRIORITY": 0}
VIRTUAL = address_of("192.168.1.200", **LASTING)


@pytest.mark.parametrize(
    ("body", "foreign"),
    [
        (VIRTUAL, True),
        (address_of("192.168.1.200", **{**LASTING, "IFA_RT_PRIORITY": 100}), False),
        (address_of("192.168.1.200", **{**LASTING, "IFA_RT_PRIORITY": 600}), True),
        (address_of("192.168.1.200", IFA_RT_PRIORITY=0), False),  # it ends some time
        (address_of("fd00::200", **LASTING), True),
        (address_of("fd00::200", flags=0x100 | NOPREFIXROUTE, **LASTING), False),
        (address_of("192.168.1.200", **LASTING, **OURS), False),
        (address_of("192.168.1.200", **LASTING, IFA_LABEL="netfail"), False),
        (
            address_of("192.168.1.200", flags=SECONDARY, **{**LASTING, "IFA_RT_PRIORITY": 100}),
            False,
        ),
    ],
)
def test_whose_an_address_is(
    body: bytes, *, foreign: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(addresses, "DIRECTORIES", (str(tmp_path),))
    (found,) = Kernel(addresses=[body]).observed().addresses
    assert found.foreign is foreign


@pytest.mark.parametrize(
    ("name", "text", "listed"),
    [
        ("20-eth0.network", "[Network]\nAddress=192.168.1.200/24\n", True),
        ("20-eth0.network", "[Address]\n address = 192.168.1.200/24\n", True),
        ("20-eth0.network", "[Network]\nAddress=192.168.1.20/24\n", False),
        ("20-eth0.network", "[Network]\nAddress=fd00::1/64\nAddress=nonsense\n", False),
        ("20-eth0.network", "#Address=192.168.1.200/24\n", False),
        ("20-eth0.network.bak", "[Network]\nAddress=192.168.1.200/24\n", False),
        ("20-eth0.network.d/more.conf", "[Network]\nAddress=192.168.1.200/24\n", True),
        ("20-eth0.network.d/more.bak", "[Network]\nAddress=192.168.1.200/24\n", False),
    ],
)
def test_a_static_address_without_its_metric_is_sought_in_the_files(
    name: str, text: str, *, listed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(addresses, "DIRECTORIES", (str(tmp_path / "none"), str(tmp_path)))
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    (found,) = Kernel(addresses=[VIRTUAL]).observed().addresses
    assert found.foreign is not listed


def test_a_lease_without_an_end_and_what_the_config_names_follow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(addresses, "DIRECTORIES", ())
    first, second = CONFIG.uplinks
    named = replace(CONFIG, uplinks=(replace(first, follow=("192.168.1.200",)), second))
    (found,) = Kernel(addresses=[VIRTUAL]).observed(named).addresses
    assert not found.foreign
    monkeypatch.setattr(addresses, "LEASES", f"{tmp_path}/")
    (tmp_path / str(ETH)).write_text("# private\nADDRESS=192.168.1.200\nNETMASK=255.255.255.0\n")
    (found,) = Kernel(addresses=[VIRTUAL]).observed().addresses
    assert not found.foreign
    (found,) = Kernel(addresses=[address_of("192.168.1.200", WLAN, **LASTING)]).observed().addresses
    assert found.foreign, "that lease is another interface's"


class Picky(Kernel):
    """Shows the routes of one family and table not, and has more than are read at once."""

    crowded = frozenset({rt.GETROUTE, rt.GETADDR})

    def __init__(self, refused: int, table: int, **dumps: list[bytes]) -> None:
        super().__init__(**dumps)
        self.refused = rt.FAMILIES[refused], table

    def dump(self, kind: int, body: bytes, **more: object) -> list[bytes]:
        if kind == rt.GETROUTE and (body[0], body[4]) == self.refused:
            raise rt.NetlinkError(errno.EIO, "refused")
        found = super().dump(kind, body, **more)
        return [one for one in found if kind != rt.GETROUTE or one[4] == body[4]]


def _rule_of(family: int, table: int) -> bytes:
    return body_of(fibmsg(), {"FRA_TABLE": table}, family=KIND[family], table=table, action=1)


@pytest.mark.parametrize("table", [254, 100])
@pytest.mark.parametrize("refused", [4, 6])
def test_whichever_table_of_a_family_is_not_shown_the_other_family_is_whole(
    refused: int, table: int
) -> None:
    routes = [_route(family=KIND[four], table=t) for four in (4, 6) for t in (254, 100)]
    rules = [_rule_of(family, 100) for family in (4, 6)]
    observed = Picky(refused, table, routes=routes, rules=rules).observed()
    assert observed.unseen == (refused,)
    assert [(r.family, r.table) for r in observed.routes] == [(10 - refused, 254)]
    assert [(r.family, r.table) for r in observed.tables] == [(10 - refused, 100)]


@pytest.mark.parametrize("refused", [4, 6])
def test_what_one_family_does_not_show_a_second_time_is_not_decided_and_the_other_is(
    refused: int,
) -> None:
    ours = [_route(family=KIND[f], proto=157, RTA_OIF=OTHER, RTA_PRIORITY=5) for f in (4, 6)]
    sparing = Kernel().observed()
    kernel = cast("rt.Netlink", Picky(refused, 254, routes=ours))
    observed = foreign.completed(CONFIG, kernel, sparing, (), left=True, lookup=True)
    assert observed.unseen == (refused,)
    assert [(r.family, r.interface) for r in observed.routes] == [(10 - refused, f"#{OTHER}")]
    neither = replace(sparing, unseen=(10 - refused,))
    with pytest.raises(OSError, match="refused"):
        foreign.completed(CONFIG, kernel, neither, (), left=True, lookup=True)


def test_what_was_not_seen_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for unseen in ((), (6,)):
        look = replace(Kernel().observed(), unseen=unseen)
        monkeypatch.setattr(unchanged, "observe", lambda *_, look=look, **__: look)
        monkeypatch.setattr(unchanged, "_observe_unannounced", lambda *_, look=look: look)
        monkeypatch.setattr(unchanged, "_GROUPS", 0)  # nobody else's changes are heard
        with unchanged.Unchanged(CONFIG) as first, rt.Netlink() as netlink:
            assert first.again(netlink) == (None if unseen else look)


@pytest.mark.parametrize("error", [errno.ENOBUFS, errno.EIO])
@pytest.mark.parametrize("refused", [4, 6])
def test_one_familys_routes_are_seen_where_the_kernel_does_not_show_the_others(
    refused: int, error: int
) -> None:
    class Failing(Kernel):
        def dump(self, kind: int, body: bytes, **_: object) -> list[bytes]:
            if kind == rt.GETROUTE and body[0] == rt.FAMILIES[refused]:
                raise rt.NetlinkError(error, "refused")
            return super().dump(kind, body)

    routes = [_route(RTA_OIF=ETH, RTA_PRIORITY=100, family=rt.FAMILIES[four]) for four in (4, 6)]
    observed = Failing(routes=routes).observed()
    assert observed.unseen == (refused,)
    assert [route.family for route in observed.routes] == [10 - refused]
    both = Failing(routes=routes)
    both.refuses = error
    with pytest.raises(OSError, match="refused"):
        both.observed()
