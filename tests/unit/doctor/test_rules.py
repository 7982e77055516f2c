"""The rules of doctor as a table: a machine that differs in one thing from a healthy one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.config import Order
from netfail_hooks.doctor.facts import (
    DISPATCHER,
    NETWORKD,
    WAIT_ONLINE,
    BondSeen,
    Facts,
    Files,
    Kernel,
    NetworkFile,
    OwnFile,
    Place,
    Process,
    Services,
    Unit,
)
from netfail_hooks.doctor.rules import BROKEN, RULES, WEAK, diagnose, is_lasting, uplinks
from netfail_hooks.doctor.rules import routes as routes_rules
from netfail_hooks.doctor.rules.shared import AGAIN
from netfail_hooks.install.layout import HOOK
from netfail_hooks.install.units import ONLINE_FILE, SERVICE, SOCKET, TIMER, WANTED
from netfail_hooks.policy.facts import (
    Address,
    Crowd,
    Endpoint,
    Neighbour,
    Observation,
    Route,
    Sysctl,
    Taken,
)
from netfail_hooks.recorder.drills import FAILED, Outcome
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.values import fields, replace
from tests.support import ROOT
from tests.support.world import World, config_of

_CONFIG = config_of("eth0", "wlan0")
_BONDED = replace(_CONFIG, mode="bond")
_D = "/etc/networkd-dispatcher"
_UNITS = {name: Unit(name) for name in (NETWORKD, DISPATCHER, TIMER, SOCKET)} | {
    SERVICE: Unit(SERVICE, active="inactive", enabled="static"),
    WAIT_ONLINE: Unit(WAIT_ONLINE, command="/lib/wait-online --any --interface=eth0"),
}
_DRILLED = Outcome(1, FAILED, "gateway", "silence", "eth0", 20, True, reasons=("eth0 did not",))  # noqa: FBT003
_ALONE = replace(_CONFIG, dispatcher=False)
_SEEN = World(_CONFIG, families=(4,)).look()
_SHARED = World(_CONFIG, families=(4,), shares=True).look()
_BOND = BondSeen("bond0", slaves=("eth0", "wlan0"))
_OURS = "/etc/systemd/network/10-netfail-eth0.network"
_YAML = "/etc/netplan/50-my own.yaml"
_SYSCTL_FILE = "/etc/sysctl.d/60-netfail-hooks.conf"
_ALL = tuple(
    NetworkFile(name, f"/etc/systemd/network/10-netfail-{name}.network", gateways=("192.168.1.1",))
    for name in ("eth0", "wlan0")
)

HEALTHY = Facts(
    uplinks=("eth0", "wlan0"),
    config=_CONFIG,
    services=Services(
        units=tuple(_UNITS.values()),
        processes=(Process("systemd-networkd", 1), Process("networkd-dispatcher", 2)),
        programs=("networkd-dispatcher", "wpa_supplicant"),
        networkd_version=252,
        states=(("eth0", "routable", "configured"), ("wlan0", "routable", "configured")),
        dns=(("", ()), ("eth0", ("192.168.1.1",)), ("wlan0", ("192.168.1.1",))),
    ),
    files=Files(hooks=(Place(f"{_D}/routable.d"), Place(f"{_D}/routable.d/{HOOK}")), networks=_ALL),
    kernel=Kernel(
        observed=_SEEN,
        release=(6, 1),
        arp_ignore=(("ipv4/conf/all/arp_ignore", 0), ("ipv4/conf/wlan0/arp_ignore", 1)),
    ),
)


def but(facts: Facts, **changes: object) -> Facts:
    """Return facts with these changed, each in the group that has it."""
    for group in ("services", "files", "kernel"):
        inside = getattr(facts, group)
        here = {name: changes.pop(name) for name in fields(inside) if name in changes}
        facts = replace(facts, **{group: replace(inside, **here)})
    return replace(facts, **changes)


BONDED = but(HEALTHY, config=_BONDED, bonds=(_BOND,), networks=())
BARE = Facts(uplinks=(), installed=False, services=Services(programs=("networkd-dispatcher",)))


def _unit(name: str, **changes: object) -> tuple[Unit, ...]:
    return tuple(replace(u, **changes) if u.name == name else u for u in _UNITS.values())


def routes(*metrics: tuple[str, int, str], family: int = 4) -> object:
    """Return what is seen with these default routes: interface, metric, gateway."""
    ways = tuple(
        Route(name, family, "default", metric, gateway, protocol=4)
        for name, metric, gateway in metrics
    )
    rest = tuple(route for route in _SEEN.routes if route.destination != "default")
    return replace(_SEEN, routes=ways + rest)


def links(**changes: object) -> object:
    """Return what is seen where wlan0 is otherwise."""
    found = tuple(
        replace(link, **changes) if link.name == "wlan0" else link for link in _SEEN.links
    )
    return replace(_SEEN, links=found)


def _without_ipv6(*names: str, addresses: bool = False) -> Observation:
    """Return what is seen where these lack an IPv6 gateway, with ``addresses`` nothing else."""
    seen = World(_CONFIG).look()

    def stays(one: Route | Address, kind: bool) -> bool:  # noqa: FBT001 - one of two lists
        return kind or (one.interface, one.family) not in [(name, 6) for name in names]

    return replace(
        seen,
        routes=tuple(r for r in seen.routes if stays(r, r.destination != "default")),
        addresses=tuple(a for a in seen.addresses if stays(a, addresses)),
    )


_WAY, _OTHER_WAY = ("eth0", 100, "192.168.1.1"), ("wlan0", 600, "192.168.1.1")
_STRICT = replace(_SEEN, sysctls=(Sysctl("ipv4/conf/eth0/rp_filter", "1"),))
_DARK = replace(links(carrier=False), routes=())
_TIMER_KEY = "ipv4/neigh/eth0/base_reachable_time_ms"
_LOST = OwnFile(_SYSCTL_FILE, "missing")
_CHANGED = OwnFile(_OURS, "changed")

# The rule, whether --fix mends it, the fact that differs, and words of what is said.
_CASES: list[tuple[str, bool, dict[str, object], str]] = [
    ("config-wrong", False, {"config": None, "config_wrong": ("uplink: no",)}, "uplink: no"),
    ("manager-silent", False, {"waits": "once who had eth0 answers"}, "who had eth0"),
    ("config-wrong", False, {"config": None}, "config.toml is gone"),
    ("config-not-installed", False, {"own": (OwnFile(_OURS, "new"),)}, _OURS),
    ("config-not-installed", False, {"own": (OwnFile(_OURS, "stale"),), "networks": ()}, _OURS),
    ("networkd-stopped", True, {"networkd_runs": False}, "systemd-networkd is not running"),
    ("networkd-stopped", False, {"networkd_runs": False, "units": None}, "not running"),
    (
        "networkd-stopped",
        False,
        {"networkd_runs": False, "units": _unit(NETWORKD, load="masked")},
        "not running",
    ),
    ("dispatcher-missing", False, {"programs": ()}, "not installed"),
    (
        "dispatcher-stopped",
        True,
        {"processes": (), "units": _unit(DISPATCHER, active="inactive")},
        "not running",
    ),
    ("dispatcher-stopped", False, {"processes": (), "units": None}, "not running"),
    ("hook-broken", True, {"config": _ALONE, "hook_lacks": "/py"}, "our units start /py"),
    ("hook-missing", True, {"hooks": (Place(f"{_D}/off.d/{HOOK}", None),)}, f"{_D}/off.d/{HOOK}"),
    (
        "hook-missing",
        False,
        {"hooks": (Place(f"{_D}/off.d/{HOOK}", None),), "compared": False},
        "no hook",
    ),
    ("hook-skipped", True, {"hooks": (Place(f"{_D}/off.d", 0o775),)}, "mode 0775, owner 0:0"),
    ("hook-skipped", True, {"hooks": (Place(f"{_D}/off.d", owner=(0, 5)),)}, "owner 0:5"),
    ("hook-broken", True, {"hook_lacks": "/usr/bin/python3.9"}, "/usr/bin/python3.9"),
    ("venv-outdated", True, {"outdated_venv": "/opt/venv"}, "the Python of /opt/venv"),
    ("venv-outdated", False, {"outdated_venv": "/opt/v", "compared": False}, "/opt/v"),
    ("file-missing", True, {"own": (_LOST,)}, _SYSCTL_FILE),
    (
        "file-missing",
        False,
        {"own": (OwnFile("/etc/10-netfail-bond0.netdev", "missing"),)},
        "bond0",
    ),
    (
        "disabled-by-hand",
        False,
        {"config": replace(_CONFIG, orders=(Order("disable", "wlan0"),))},
        "wlan0 is disabled by hand",
    ),
    (
        "drill-failed",
        False,
        {"drill": _DRILLED},
        "eth0 did not",
    ),
    (
        "foreign-manager",
        False,
        {"managed_elsewhere": (("NetworkManager", "wlan0"),)},
        "NetworkManager sets up wlan0",
    ),
    (
        "foreign-manager",
        False,
        {"managed_elsewhere": (("dhcpcd", "eth0"), ("dhcpcd", "wlan0"))},
        "dhcpcd sets up eth0 and wlan0",
    ),
    ("foreign-manager", False, {"managed_elsewhere": (("odd", "eth0"),)}, "odd sets up eth0"),
    (
        "file-shadowed",
        False,
        {"networks": (NetworkFile("eth0", "/run/a.network", ours=False),)},
        "/run/a.network for eth0",
    ),
    ("uplink-unmanaged", True, {"states": (("eth0", "off", "unmanaged"),)}, "not manage eth0"),
    (
        "uplink-unmanaged",
        True,
        {"states": (("eth0", "off", "unmanaged"),), "networks": ()},
        "not manage eth0",
    ),
    (
        "uplink-unmanaged",
        True,
        {"states": (("eth0", "off", "unmanaged"),), "compared": False},
        "not manage eth0",
    ),
    (
        "uplink-unmanaged",
        False,
        {"states": (("eth0", "off", "unmanaged"),), "compared": False, "networks": ()},
        "not manage eth0",
    ),
    ("uplink-enslaved", False, {"masters": (("eth0", "br0"),)}, "eth0 is a part of br0"),
    (
        "uplink-enslaved",
        False,
        {"config": _BONDED, "bonds": (_BOND,), "networks": (), "masters": (("eth0", "br0"),)},
        "eth0 is a part of br0",
    ),
    ("uplink-failed", False, {"states": (("wlan0", "off", "failed"),)}, "not set wlan0 up"),
    (
        "wifi-no-supplicant",
        False,
        {"wireless": ("wlan0",), "observed": links(carrier=False)},
        "for wlan0",
    ),
    (
        "wifi-no-supplicant",
        True,
        {"wireless": ("wlan0",), "observed": links(carrier=False), "wifi_config": ("wlan0",)},
        "for wlan0",
    ),
    (
        "wifi-no-supplicant",
        False,
        {
            "wireless": ("wlan0",),
            "observed": links(carrier=False),
            "programs": ("networkd-dispatcher",),
        },
        "for wlan0",
    ),
    (
        "metric-too-low",
        False,
        {"observed": routes(_WAY, _OTHER_WAY, ("wlan0", 0, "192.168.1.9"))},
        "of wlan0 has metric 0",
    ),
    (
        "metric-too-low",
        False,
        {"observed": routes(_WAY, ("wlan0", 50, "192.168.1.1"))},
        "metric 50",
    ),
    (
        "metric-equal",
        False,
        {"observed": routes(_WAY, ("wlan0", 100, "192.168.1.1"))},
        "eth0 and wlan0 both have metric 100",
    ),
    (
        "way-blocked",
        False,
        {"observed": replace(_SEEN, taken=(Taken(4, "default", 300),))},
        "refuses packets has metric 300: it comes before that of wlan0",
    ),
    (
        "way-blocked",
        False,
        {"observed": replace(_SEEN, taken=(Taken(4, "default", 100),))},
        "before that of eth0 and wlan0",
    ),
    ("way-blocked", False, {"unreached": ("1.1.1.1",)}, "no way out for IPv4"),
    (
        "metric-wrong",
        False,
        {"observed": routes(_WAY, ("wlan0", 601, "192.168.1.1"))},
        "metric 601, and the configuration 600",
    ),
    ("metric-wrong", False, {"observed": routes(_WAY, ("wlan0", 51, "192.168.1.1"))}, "metric 51"),
    ("no-gateway", False, {"observed": routes(_WAY)}, "wlan0 has lost its default route"),
    ("no-gateway", False, {"observed": routes(_WAY), "networks": ()}, "wlan0 has no default route"),
    ("sysctl", True, {"observed": _STRICT}, "net.ipv4.conf.eth0.rp_filter is 1, not 2"),
    (
        "dns-dead-link",
        False,
        {
            "dns": (("wlan0", ("9.9.9.9",)),),
            "observed": replace(links(carrier=False), routes=_SEEN.routes),
        },
        "of wlan0 alone",
    ),
    (
        "portal",
        False,
        {"portals": (("wlan0", "http://login.example/a"),)},
        "wlan0 is behind a portal at http://login.example/a",
    ),
    (
        "no-ipv6-gateway",
        False,
        {"observed": _without_ipv6("wlan0"), "settled": ("wlan0",)},
        "wlan0 has no IPv6 gateway, and eth0 has one",
    ),
    (
        "not-probed",
        False,
        {"observed": routes(_WAY, ("wlan0", 600, "")), "networks": ()},
        "wlan0 has neither a gateway to ask nor a target in IPv4",
    ),
    ("not-probed", False, {"observed": links(mac="")}, "wlan0 has neither"),
    (
        "crowded",
        False,
        {"observed": replace(_SEEN, crowds=(Crowd("eth0", 6, 4000, 4002),))},
        "eth0 has 4000 IPv6 addresses and 4002 routes",
    ),
    ("dns-one-uplink", False, {"dns": (("eth0", ("9.9.9.9",)),)}, "of eth0 alone"),
    ("timer-stopped", True, {"units": _unit(TIMER, active="inactive", enabled="disabled")}, TIMER),
    ("check-failed", False, {"units": _unit(SERVICE, active="failed")}, SERVICE),
    ("old-systemd", False, {"networkd_version": 241}, "IgnoreCarrierLoss=, KeepConfiguration="),
    ("old-systemd", False, {"networkd_version": 248}, "systemd 248 does not know RouteMetric="),
    ("networkd-not-enabled", True, {"units": _unit(NETWORKD, enabled="disabled")}, "at boot"),
    ("dispatcher-not-enabled", True, {"units": _unit(DISPATCHER, enabled="disabled")}, "at boot"),
    (
        "timer-not-enabled",
        True,
        {"units": _unit(TIMER, enabled="disabled"), "own": (OwnFile(WANTED, "missing"),)},
        "at boot",
    ),
    ("arp-ignore", False, {"arp_ignore": (("ipv4/conf/all/arp_ignore", 2),)}, "arp_ignore is 2"),
    ("arp-ignore", True, {"arp_ignore": (("ipv4/conf/eth0/arp_ignore", 8),)}, "arp_ignore is 8"),
    (
        "rules-elsewhere",
        False,
        {"ruled": (Ruled("192.168.1.51", "1.1.1.1", "wlan0", "192.168.1.1", "no carrier"),)},
        "by wlan0",
    ),
    (
        "rules-elsewhere",
        False,
        {"ruled": (Ruled("192.168.1.50", "1.1.1.1", "", "", "no way out"),)},
        "nowhere",
    ),
    ("masquerade", False, {"masquerades": True, "observed": _SHARED}, "masqueraded"),
    ("interface-gone", False, {"observed": replace(_SEEN, links=_SEEN.links[:1])}, "no wlan0"),
    ("wait-online", False, {"units": _unit(WAIT_ONLINE, command="/lib/wait-online")}, "every"),
    ("file-outdated", False, {"drifted": ("20-eth0.network has changed",)}, "has changed"),
    (
        "wait-online",
        True,
        {"units": _unit(WAIT_ONLINE, command="/lib/wait-online", stale=True)},
        "every",
    ),
    (
        "wait-online",
        True,
        {
            "units": _unit(WAIT_ONLINE, command="/lib/wait-online"),
            "own": (OwnFile(ONLINE_FILE, "missing"),),
        },
        "every",
    ),
    (
        "wait-online",
        False,
        {"units": _unit(WAIT_ONLINE, command="/lib/w -i eth0:degraded -i wlan0\n/lib/w --any")},
        "every",
    ),
    (
        "wait-online",
        False,
        {"units": (*_UNITS.values(), Unit("systemd-networkd-wait-online@eth0.service"))},
        "for eth0 alone",
    ),
    ("units-stale", True, {"units": _unit(TIMER, stale=True)}, TIMER),
    ("units-stale", True, {"units": _unit(SOCKET, stale=True)}, SOCKET),
    ("timer-outdated", True, {"timer_interval_kept": False}, "each 60 s"),
    ("file-changed", False, {"own": (_CHANGED,)}, _OURS),
    ("old-kernel", False, {"release": (5, 17)}, "5.17"),
    ("watch-stopped", True, {"units": _unit(SOCKET, active="inactive")}, "is not listening"),
    ("watch-stopped", True, {"units": _unit(SOCKET, active="failed")}, "is not listening"),
    ("watch-stopped", True, {"units": _unit(SOCKET, enabled="disabled")}, "after a boot"),
    (
        "watch-stopped",
        False,
        {"units": _unit(SOCKET, active="inactive", load="masked")},
        "is not listening",
    ),
    ("watch-old-kernel", False, {"release": (5, 19)}, "Linux 5.19 cannot watch a gateway; 6.0 can"),
    (
        "no-multipath",
        False,
        {"multipath": "net.mptcp.enabled is 0: the kernel lets nobody use Multipath TCP"},
        "net.mptcp.enabled is 0",
    ),
    (
        "foreign-endpoint",
        False,
        {
            "config": replace(_CONFIG, multipath_tcp=True),
            "observed": replace(
                _SEEN, endpoints=(Endpoint(1, 4, "192.168.1.51", ours=False), Endpoint(2, 4, "1.1"))
            ),
        },
        "of wlan0's 192.168.1.51 is not ours",
    ),
    (
        "watch-fixed-address",
        False,
        {"observed": replace(_SEEN, neighbours=(Neighbour("eth0", 4, "192.168.1.1", ours=False),))},
        "eth0's gateway 192.168.1.1 has a fixed hardware address",
    ),
    (
        "watch-no-local",
        False,
        {
            "observed": replace(
                _SEEN,
                routes=(*_SEEN.routes, Route("eth0", 6, "default", 100, "fd00:1::1", protocol=4)),
                no_local=("eth0",),
            )
        },
        "eth0 has no link-local address, by which alone the kernel asks fd00:1::1",
    ),
    (
        "sysctl",
        True,
        {"observed": replace(_SEEN, sysctls=(Sysctl(_TIMER_KEY, "30000"),))},
        "base_reachable_time_ms is 30000, not 400",
    ),
]
_BOND_CASES: list[tuple[str, bool, BondSeen | None, str]] = [
    ("bond-missing", False, None, "no bond0"),
    ("bond-mode", False, replace(_BOND, mode="balance-rr"), "balance-rr"),
    ("bond-mac", False, replace(_BOND, fail_over_mac="none"), "fail_over_mac none"),
    ("bond-slave", True, replace(_BOND, slaves=("eth0",)), "wlan0 is not in bond0"),
    ("bond-monitor", True, replace(_BOND, arp_interval=0), "no ARP monitor"),
    ("bond-monitor", True, replace(_BOND, targets=()), "no ARP monitor"),
]


@pytest.mark.parametrize("facts", [HEALTHY, BONDED], ids=["routes", "bond"])
def test_a_healthy_machine_is_called_so(facts: Facts) -> None:
    assert diagnose(facts) == ()


@pytest.mark.parametrize(("code", "safe", "changes", "told"), _CASES)
def test_one_thing_wrong_is_one_finding(
    code: str,
    safe: bool,  # noqa: FBT001
    changes: dict[str, object],
    told: str,
) -> None:
    (found,) = diagnose(but(HEALTHY, **changes))
    assert (found.code, found.safe) == (code, safe), found
    assert told in found.what
    assert found.fix


@pytest.mark.parametrize(("code", "safe", "bond", "told"), _BOND_CASES)
def test_one_thing_wrong_with_a_bond(
    code: str,
    safe: bool,  # noqa: FBT001
    bond: BondSeen | None,
    told: str,
) -> None:
    (found,) = diagnose(but(BONDED, bonds=(bond,) if bond else ()))
    assert (found.code, found.safe) == (code, safe), found
    assert told in found.what


@pytest.mark.parametrize(("times", "interval", "slower"), [(6, 100, "250"), (90, 250, "500")])
def test_a_monitor_that_loses_a_slave_again_and_again_may_be_too_quick(
    times: int, interval: int, slower: str
) -> None:
    config = replace(_BONDED, bond=replace(_BONDED.bond, arp_interval=interval))
    bonded = replace(BONDED, config=config)
    assert diagnose(replace(bonded, unheard=(("eth0", 5), ("wlan0", 1)))) == ()
    (found,) = diagnose(replace(bonded, unheard=(("eth0", times),)))
    assert (found.code, found.severity) == ("bond-flaps", WEAK)
    assert f"eth0 gave bond0's monitor no answer {times} times in the last hour" in found.what
    assert found.fix[0].endswith(f"[bond] arp_interval = {slower}")


# What a healthy machine may look like, too.
_FINE: list[dict[str, object]] = [
    {"units": None, "unknown": ("systemd",)},
    {"config": replace(_CONFIG, interval=0), "units": _unit(TIMER, active="inactive")},
    {"units": _unit(TIMER, load="not-found", active="inactive", enabled="")},
    {"units": _unit(WAIT_ONLINE, command="/lib/wait-online", enabled="disabled")},
    {
        "units": (
            *_UNITS.values(),
            Unit("systemd-networkd-wait-online@eth0.service", enabled="disabled"),
        )
    },
    {"networkd_version": 249},
    {"networkd_version": 0, "release": (0, 0)},
    {"release": (6, 0)},
    {"release": (5, 18), "config": replace(_CONFIG, watch="off")},
    {
        "states": (("eth0", "routable", "configuring"), ("wlan0", "off", "configuring")),
        "observed": routes(_WAY),
    },
    {"observed": routes(_WAY, _OTHER_WAY, ("wg0", 0, ""))},
    {"observed": routes(_WAY, _OTHER_WAY, ("eth0", 100, "192.168.1.9"))},
    {"observed": replace(_SEEN, routes=(*_SEEN.routes, Route("wlan0", 4, "default", 50)))},
    {"observed": _DARK, "networks": (), "states": ()},
    {"dns": None},
    {"dns": (("", ("9.9.9.9",)), ("eth0", ("192.168.1.1",)))},
    {"dns": (("wg0", ("10.0.0.1",)), ("eth0", ("192.168.1.1",)))},
    {"dns": (("", ()),)},
    {"wireless": ("wlan0",)},
    {
        "wireless": ("wlan0",),
        "observed": links(carrier=False),
        "states": (),
        "processes": (
            *HEALTHY.services.processes,
            Process("wpa_supplicant", 9, ("x", "-i", "wlan0")),
        ),
    },
    {
        "wireless": ("wlan0",),
        "observed": links(carrier=False),
        "states": (),
        "processes": (
            *HEALTHY.services.processes,
            Process("wpa_supplicant", 9, ("x", "-B", "-iwlan0")),
        ),
    },
    {
        "wireless": ("wlan0",),
        "observed": links(carrier=False),
        "processes": (*HEALTHY.services.processes, Process("iwd", 9)),
    },
    {
        "wireless": ("wlan0",),
        "observed": links(carrier=False),
        "units": (*_UNITS.values(), Unit("wpa_supplicant@wlan0.service")),
    },
    {"wireless": ("wlx9",)},
    {"arp_ignore": (("ipv4/conf/eth0/arp_ignore", 1),)},
    {
        "config": replace(_CONFIG, follow_addresses=False),
        "arp_ignore": (("ipv4/conf/eth0/arp_ignore", 2),),
    },
    {"bonds": (BondSeen("bond7", mode="balance-rr", slaves=("eth3",)),)},
    {"observed": None},
]


@pytest.mark.parametrize("changes", _FINE)
def test_what_is_no_fault_is_not_called_one(changes: dict[str, object]) -> None:
    assert diagnose(but(HEALTHY, **changes)) == ()


def test_a_bond_of_the_users_own_is_judged_where_an_uplink_is_in_it() -> None:
    howto = BondSeen("bond0", "balance-rr", "none", 0, (), ("eth0", "wlan0"))
    found = diagnose(but(HEALTHY, bonds=(howto,)))
    assert [(one.code, one.safe) for one in found] == [("bond-mode", False)]
    assert "--mode bond --primary eth0 --backup wlan0" in found[0].fix[0]


@pytest.mark.parametrize(
    ("uplinks", "fix"),
    [
        ((), "--primary IF --backup IF"),
        (("enp1s0", "wlp2s0", "eth9"), "--primary enp1s0 --backup wlp2s0 --backup eth9"),
    ],
)
def test_not_installed_comes_first_and_nothing_is_mended(
    uplinks: tuple[str, ...], fix: str
) -> None:
    found = diagnose(
        but(
            HEALTHY,
            config=None,
            installed=False,
            uplinks=uplinks,
            networks=(),
            networkd_runs=False,
            processes=(),
            states=(),
        )
    )
    assert found[0].code == "not-installed"
    assert fix in found[0].fix[1]
    assert not any(one.safe for one in found)
    # What install sets up is silent: done by hand beside another manager, it does harm.
    assert not any("enable" in command for one in found for command in one.fix), found


@pytest.mark.parametrize(
    ("uplinks", "nics", "names", "told"),
    [
        ((), ("enp3s0", "wlp2s0"), ("enp3s0", "wlp2s0"), "this machine"),
        ((), ("end0", "wlan1", "enx00e04c680001", "wlan2"), ("end0", "wlan1"), "this machine"),
        ((), ("enp1s0", "enp2s0"), ("enp1s0", "enp2s0"), "this machine"),
        (("wlp2s0",), ("enp3s0", "wlp2s0"), ("enp3s0", "wlp2s0"), "this machine"),
        (("br0",), ("enp3s0",), ("enp3s0", "br0"), "this machine"),
        (("b", "a", "c"), ("a", "b", "c"), ("b", "a", "c"), "this machine"),
        (
            (),
            ("wlp2s0",),
            ("wlp2s0", "IF"),
            "only wlp2s0 is to be seen, 'ip link' lists all there is",
        ),
        (("eth7",), (), ("eth7", "IF"), "only eth7 is to be seen, 'ip link' lists all there is"),
        ((), (), ("IF", "IF"), "none is to be seen, 'ip link' lists all there is"),
    ],
)
def test_the_command_that_installs_names_the_machines_own_nics(
    uplinks: tuple[str, ...], nics: tuple[str, ...], names: tuple[str, ...], told: str
) -> None:
    (found,) = diagnose(but(BARE, uplinks=uplinks, nics=nics))
    first, *others = names
    ranks = " ".join([f"--primary {first}", *(f"--backup {name}" for name in others)])
    install = f"netfail-hooks install {ranks}"
    assert found.fix == (f"{install} --dry-run", install)
    assert found.what.endswith(told)


@pytest.mark.parametrize(
    ("install_sh", "command"),
    [
        ("", "netfail-hooks install"),
        ("./install.sh", "./install.sh"),
        ("/home/a b/install.sh", "'/home/a b/install.sh'"),
    ],
)
def test_in_a_checkout_the_command_is_that_of_the_checkout(install_sh: str, command: str) -> None:
    facts = but(BARE, nics=("eth0", "wlan0"), install_sh=install_sh)
    (found,) = [one for one in diagnose(facts) if one.code == "not-installed"]
    install = f"{command} --primary eth0 --backup wlan0"
    assert found.fix == (f"{install} --dry-run", install)


def test_an_uninstalled_machine_with_how_tos_two_files() -> None:
    observed = routes(("eth0", 0, "192.168.1.1"), ("wlan0", 0, "192.168.1.1"))
    facts = but(HEALTHY, config=None, installed=False, observed=observed)
    assert [one.code for one in diagnose(facts)] == ["not-installed", "metric-equal"]
    assert [one.code for one in diagnose(BARE)] == ["not-installed"]


_TUNNEL = ("wg0", 50, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"observed": replace(_SEEN, taken=(Taken(4, "default", 700), Taken(6, "default", 1)))},
        {"observed": replace(_SEEN, taken=(Taken(4, "default", 1, 7), Taken(4, "10.0.0.0/8", 1)))},
        {"observed": replace(routes(_WAY, _OTHER_WAY, _TUNNEL), taken=(Taken(4, "default", 60),))},
        {
            "observed": routes(_WAY, ("eth0", 101, "192.168.1.9"), _OTHER_WAY),
            "networks": (replace(_ALL[0], metrics=(100, 101)), _ALL[1]),
        },
    ],
    ids=["behind", "elsewhere", "behind a tunnel's", "a second router"],
)
def test_routes_that_are_meant_so_are_no_fault(changes: dict[str, object]) -> None:
    assert diagnose(but(HEALTHY, **changes)) == ()


@given(
    lacking=st.sets(st.sampled_from(["eth0", "wlan0"])),
    settled=st.sets(st.sampled_from(["eth0", "wlan0"])),
    meant=st.sets(st.sampled_from(["eth0", "wlan0"])),
    addresses=st.booleans(),
    setup=st.sampled_from(["configured", "configuring"]),
    dark=st.booleans(),
)
def test_ipv6_that_cannot_fail_over_is_told_once_that_is_sure_and_unless_it_is_meant(  # noqa: PLR0913
    *,
    lacking: set[str],
    settled: set[str],
    meant: set[str],
    addresses: bool,
    setup: str,
    dark: bool,
) -> None:
    """Not right after a boot or a carrier, nor of an uplink that is lost for another reason."""
    seen = _without_ipv6(*lacking, addresses=addresses)
    if dark:
        seen = replace(seen, links=tuple(replace(link, carrier=False) for link in seen.links))
    networks = tuple(
        replace(file, families=(4,) if file.interface in meant else (4, 6)) for file in _ALL
    )
    states = tuple((name, "routable", setup) for name in ("eth0", "wlan0"))
    facts = but(HEALTHY, observed=seen, settled=tuple(settled), networks=networks, states=states)
    told = [one.what for one in diagnose(facts) if one.code == "no-ipv6-gateway"]
    sure = (lacking & settled) - meant if setup == "configured" else set()
    wanted = [f"{name} has no IPv6 gateway" for name in sorted(sure)]
    if len(lacking) == 2 or dark:  # no other one has one, or nobody knows
        wanted = []
    assert [one.partition(",")[0] for one in told] == wanted
    assert not list(routes_rules.no_ipv6_gateway(but(facts, config=_BONDED)))


def test_dhcps_route_that_a_file_keeps_away_is_not_sought_by_reconfiguring() -> None:
    file = replace(
        _ALL[1], has_default_route=False, gateways=(), withheld="UseRoutes=no", source="/etc/x"
    )
    ill = but(HEALTHY, observed=routes(_WAY), networks=(_ALL[0], file))
    found = next(one for one in diagnose(ill) if one.code == "no-gateway")
    assert found.fix == ("editor /etc/x  # take UseRoutes=no out", AGAIN)


@pytest.mark.parametrize(
    ("withheld", "says"),
    [
        ("", "add routes: [{to: default, via: IP}]"),
        ("UseRoutes=no", "so that UseRoutes=no does not come of it"),
    ],
)
def test_what_netplan_makes_is_mended_in_its_yaml(withheld: str, says: str) -> None:
    """What is in /run it writes anew at each boot."""
    made = "/run/systemd/network/10-netplan-wlan0.network"
    file = replace(
        _ALL[1],
        has_default_route=False,
        gateways=(),
        withheld=withheld,
        source=made,
        yaml=_YAML,
    )
    ill = but(HEALTHY, observed=routes(_WAY), networks=(_ALL[0], file))
    found = next(one for one in diagnose(ill) if one.code == "no-gateway")
    assert found.fix == (f"editor '{_YAML}'  # {says}", "netplan generate", AGAIN)
    assert (made in found.what) == (not withheld)


@pytest.mark.parametrize("manager", [*uplinks._STOP, "odd"])
def test_who_has_uplinks_is_not_stopped_before_networkd_can_have_them(manager: str) -> None:
    ill = but(HEALTHY, managed_elsewhere=((manager, "eth0"),), networkd_runs=False)
    (symptom,) = uplinks.foreign_manager(ill)
    assert symptom.what == f"{manager} has eth0, and systemd-networkd does not run"
    assert symptom.fix == (AGAIN,)
    (symptom,) = uplinks.foreign_manager(but(ill, networkd_runs=True))
    assert AGAIN not in symptom.fix


def test_the_manual_of_troubles_tells_to_stop_nobody_before_networkd_runs() -> None:
    text = ROOT.joinpath("docs/use/troubleshooting.md").read_text("utf-8")
    stop, again = re.findall(r"^\|[^|]*\| `foreign-manager` \|(.*)\|$", text, re.MULTILINE)
    assert "once systemd-networkd runs: stop" in stop
    assert "`sudo netfail-hooks install` again, and stop nobody" in again


def test_the_cause_is_told_and_what_follows_from_it_is_not() -> None:
    ours = but(
        HEALTHY,
        networks=(NetworkFile("eth0", "/etc/a", ours=False),),
        own=(OwnFile(_OURS, "missing"),),
    )
    assert [one.code for one in diagnose(ours)] == ["file-missing"]
    off = but(HEALTHY, networkd_runs=False, states=(("eth0", "", "unmanaged"),))
    assert [one.code for one in diagnose(off)] == ["networkd-stopped"]
    unmanaged = NetworkFile("eth0", "/etc/a", ours=False, unmanaged=True)
    shadowed = but(HEALTHY, networks=(unmanaged,), states=(("eth0", "", "unmanaged"),))
    assert [one.code for one in diagnose(shadowed)] == ["file-shadowed"]


def test_networkd_is_not_started_beside_another_manager() -> None:
    names = ("eth0", "wlan0")
    both = but(
        HEALTHY,
        managed_elsewhere=tuple(("NetworkManager", name) for name in names),
        states=tuple((name, "routable", "unmanaged") for name in names),
    )
    assert [one.code for one in diagnose(both)] == ["foreign-manager"]
    off = but(
        both, networkd_runs=False, units=_unit(NETWORKD, active="inactive", enabled="disabled")
    )
    found = [*diagnose(off), *diagnose(but(off, networkd_runs=True))]
    assert [(one.code, one.safe) for one in found] == [
        ("foreign-manager", False),
        ("networkd-stopped", False),
        ("foreign-manager", False),
        ("networkd-not-enabled", False),
    ]
    # An install that lost its power: taken from NetworkManager by hand, nobody had the uplinks.
    assert found[0].fix == ("netfail-hooks install --yes",)
    assert "managed no" in found[2].fix[0]


@pytest.mark.parametrize(
    ("there", "manager", "not_there"),
    [
        ((), "apt ", "pacman"),
        (("apt-get",), "apt ", "pacman"),
        (("pacman",), "pacman -S", "apt"),
        (("apt-get", "pacman"), "apt ", "pacman"),
    ],
)
def test_packages_come_from_where_install_sh_takes_them(
    there: tuple[str, ...], manager: str, not_there: str
) -> None:
    ill = but(
        HEALTHY,
        programs=there,
        networkd_version=241,
        release=(5, 4),
        wireless=("wlan0",),
        observed=links(carrier=False),
    )
    found = {one.code: one.fix[0] for one in diagnose(ill)}
    assert list(found) == ["dispatcher-missing", "wifi-no-supplicant", "old-systemd", "old-kernel"]
    assert all(fix.startswith(manager) and not_there not in fix for fix in found.values())


@pytest.mark.parametrize(
    "other",
    [
        Process("wpa_supplicant", 9, ("x", "-i", "wlan01", "-c", "/etc/wlan0.conf")),
        Process("wpa_supplicant", 9, ("x", "-iwlan01")),
        Process("wpa_supplicant", 9, ("x", "-u", "wlan0")),
        Process("hostapd", 9, ("x", "-i", "wlan0")),
    ],
)
def test_who_serves_another_wifi_is_nobody_for_this_one(other: Process) -> None:
    (found,) = diagnose(
        but(
            HEALTHY,
            wireless=("wlan0",),
            observed=links(carrier=False),
            processes=(*HEALTHY.services.processes, other),
        )
    )
    assert found.what == "no wpa_supplicant or iwd runs for wlan0"


@pytest.mark.parametrize("programs", [HEALTHY.services.programs, ("networkd-dispatcher",)])
@pytest.mark.parametrize("configured", [(), ("wlan0",)])
def test_wifi_gets_all_that_it_lacks_and_nobody_reads_its_passphrase(
    programs: tuple[str, ...], configured: tuple[str, ...]
) -> None:
    (found,) = diagnose(
        but(
            HEALTHY,
            wireless=("wlan0",),
            observed=links(carrier=False),
            programs=programs,
            wifi_config=configured,
        )
    )
    steps = {
        "apt install wpasupplicant": "wpa_supplicant" not in programs,
        "(umask 077; wpa_passphrase SSID >/etc/wpa_supplicant/wpa_supplicant-wlan0.conf)"
        "  # then type the passphrase, and Enter": not configured,
        "systemctl enable --now wpa_supplicant@wlan0.service": True,
    }
    assert found.fix == tuple(step for step, wanted in steps.items() if wanted)
    assert found.safe is (len(found.fix) == 1)


@pytest.mark.parametrize(
    ("other", "fix"),
    [
        (NetworkFile("eth0", "/run/systemd/network/05-net plan.network", ours=False), (AGAIN,)),
        (
            NetworkFile("eth0", "/etc/systemd/network/05-x.network", ours=False, unmanaged=True),
            ("editor /etc/systemd/network/05-x.network  # take Unmanaged=yes out", AGAIN),
        ),
        (
            NetworkFile(
                "eth0",
                "/run/systemd/network/05-netplan-eth0.network",
                ours=False,
                unmanaged=True,
                yaml=_YAML,
            ),
            (
                f"editor '{_YAML}'  # so that Unmanaged=yes does not come of it",
                "netplan generate",
                AGAIN,
            ),
        ),
        (
            NetworkFile("eth0", "/etc/systemd/network/00-a b.network", ours=False),
            (AGAIN,),
        ),
        (
            NetworkFile("eth0", "/etc/systemd/network/0--a b.network", ours=False),
            (
                (
                    "mv '/etc/systemd/network/0--a b.network' "
                    "'/etc/systemd/network/0--a b.network'.off"
                ),
                "networkctl reload",
            ),
        ),
        (
            NetworkFile("eth0", "/run/0--netfail-eth0.network", ours=False),
            (
                "mv /run/0--netfail-eth0.network /run/0--netfail-eth0.network.off",
                "networkctl reload",
            ),
        ),
    ],
)
def test_a_file_is_moved_away_only_where_ours_can_not_go_ahead(
    other: NetworkFile, fix: tuple[str, ...]
) -> None:
    (found,) = diagnose(but(HEALTHY, networks=(other,)))
    assert (found.code, found.fix) == ("file-shadowed", fix)


def test_what_is_broken_comes_before_what_is_weak() -> None:
    ill = but(
        HEALTHY, release=(5, 4), own=(_CHANGED, _LOST), programs=(), timer_interval_kept=False
    )
    found = diagnose(ill)
    assert [one.code for one in found] == [
        "dispatcher-missing",
        "file-missing",
        "timer-outdated",
        "file-changed",
        "old-kernel",
    ]
    assert [one.severity == BROKEN for one in found] == [True, True, False, False, False]
    # Somebody has edited a file: to install again is then for a person to decide.
    assert not any(one.safe for one in found)


def test_a_superfluous_route_is_deleted_and_the_only_one_is_set_anew() -> None:
    (extra,) = diagnose(but(HEALTHY, observed=routes(_WAY, _OTHER_WAY, ("wlan0", 7, "192.0.2.1"))))
    assert extra.fix == ("ip -4 route delete default via 192.0.2.1 dev wlan0 metric 7",)
    (only,) = diagnose(but(HEALTHY, observed=routes(_WAY, ("wlan0", 7, "192.168.1.1"))))
    assert only.fix[:2] == ("networkctl reload", "networkctl reconfigure wlan0")


def test_who_needs_no_dispatcher_is_not_told_of_it() -> None:
    gone = but(HEALTHY, programs=("wpa_supplicant",), processes=HEALTHY.services.processes[:1])
    for unit in (None, Unit(DISPATCHER, active="inactive", enabled="disabled")):
        units = tuple({**_UNITS, DISPATCHER: unit}.values())
        known = tuple(one for one in units if one)
        assert diagnose(but(gone, config=_ALONE, hooks=(), units=known)) == ()
        assert diagnose(but(gone, hooks=(), units=known)) != ()


def test_many_paths_are_counted() -> None:
    many = tuple(Place(f"/d/{number}", None) for number in range(5))
    (found,) = diagnose(but(HEALTHY, hooks=many))
    assert found.what == "no hook at /d/0, /d/1, /d/2 and 2 more"


# Each cause that hides something, with what would follow from it were it not there.
_CHAINS: list[tuple[dict[str, object], list[str]]] = [
    ({"hook_lacks": "/py", "units": _unit(SERVICE, active="failed")}, ["hook-broken"]),
    ({"hook_lacks": "/py", "outdated_venv": "/opt/venv"}, ["hook-broken"]),
    (
        {"programs": (), "processes": (), "units": _unit(DISPATCHER, enabled="disabled")},
        ["dispatcher-missing"],
    ),
    (
        {"programs": (), "processes": (), "units": _unit(DISPATCHER, active="inactive")},
        ["dispatcher-missing"],
    ),
    (
        {"processes": (), "units": _unit(DISPATCHER, active="inactive", enabled="disabled")},
        ["dispatcher-stopped"],
    ),
    ({"config": None, "units": _unit(DISPATCHER, enabled="disabled")}, ["config-wrong"]),
    (
        {"networkd_runs": False, "units": _unit(NETWORKD, enabled="disabled")},
        ["networkd-stopped"],
    ),
    # Of another uplink than the cause's it is shown all the same.
    (
        {
            "managed_elsewhere": (("dhcpcd", "eth0"),),
            "states": (("eth0", "", "unmanaged"), ("wlan0", "", "unmanaged")),
        },
        ["foreign-manager", "uplink-unmanaged"],
    ),
    (
        {
            "own": (OwnFile(_OURS, "new"),),
            "networks": (NetworkFile("eth0", "/run/a", ours=False), NetworkFile("wlan0")),
            "states": (("eth0", "", "unmanaged"), ("wlan0", "", "unmanaged")),
        },
        ["config-not-installed", "uplink-unmanaged"],
    ),
    (
        {"observed": routes(_WAY, _OTHER_WAY, ("wlan0", 50, ""), ("eth0", 600, ""))},
        ["metric-too-low", "metric-equal"],
    ),
    (
        {"bonds": (BondSeen("bond7", "balance-rr", "none", 0, (), ("wlan0",)),)},
        ["bond-mode"],
    ),
]


@pytest.mark.parametrize(("changes", "codes"), _CHAINS)
def test_one_cause_is_one_finding(changes: dict[str, object], codes: list[str]) -> None:
    assert [finding.code for finding in diagnose(but(HEALTHY, **changes))] == codes


def test_a_rule_comes_after_those_that_it_names() -> None:
    codes = [rule.code for rule in RULES]
    for rule in RULES:
        assert set(rule.after) <= set(codes[: codes.index(rule.code)]), rule.code


_LASTING = {
    "not-installed",
    "config-wrong",
    "hook-skipped",
    "old-systemd",
    "disabled-by-hand",
    "portal",
    "drill-failed",
    "masquerade",
    "old-kernel",
    "watch-old-kernel",
    "no-multipath",
}


@given(first=st.sampled_from(_CASES), second=st.sampled_from(_CASES))
def test_what_is_wrong_for_a_moment_only_is_no_fault(
    first: tuple[str, bool, dict[str, object], str],
    second: tuple[str, bool, dict[str, object], str],
) -> None:
    """Whatever it is, while traffic moves back, say: but for what cannot be so for a moment."""
    ill, otherwise = but(HEALTHY, **first[2]), but(HEALTHY, **second[2])
    assert diagnose(ill, ill) == diagnose(ill)
    assert diagnose(HEALTHY, ill) == ()
    assert {one.code for one in diagnose(ill, HEALTHY)} <= _LASTING
    assert is_lasting(ill) == ({one.code for one in diagnose(ill)} <= _LASTING)
    then = {rule.code for rule in RULES if list(rule.symptoms(otherwise))}
    assert {one.code for one in diagnose(ill, otherwise)} <= then | _LASTING


def test_of_two_uplinks_that_are_in_a_change_by_turns_nothing_is_told() -> None:
    def silent(name: str) -> Facts:
        return but(HEALTHY, arp_ignore=((f"ipv4/conf/{name}/arp_ignore", 8),))

    first = silent("eth0")
    assert [one.code for one in diagnose(first, first)] == ["arp-ignore"]
    assert diagnose(silent("eth1"), first) == ()


def test_every_rule_has_a_case_and_a_row_in_the_manual_of_troubles() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))
    tried = {case[0] for case in (*_CASES, *_BOND_CASES)} | {"not-installed", "bond-flaps"}
    assert tried == set(codes)
    text = ROOT.joinpath("docs/use/troubleshooting.md").read_text("utf-8")
    assert set(re.findall(r"^\|[^|]*\| `([a-z0-9-]+)` \|", text, re.MULTILINE)) == set(codes)


@pytest.mark.parametrize(
    "changes",
    [
        {"observed": _SEEN},
        {"translated_to": ("192.168.1.50",)},
        {"masquerades": False},
        {"config": _BONDED},
    ],
    ids=["nothing shared", "translated already", "not masqueraded", "a bond"],
)
def test_masquerading_is_told_where_a_shared_address_would_serve(
    changes: dict[str, object],
) -> None:
    facts = but(HEALTHY, **{"masquerades": True, "observed": _SHARED, **changes})
    assert "masquerade" not in {one.code for one in diagnose(facts)}


def test_the_line_that_mends_masquerading() -> None:
    (found,) = diagnose(but(HEALTHY, masquerades=True, observed=_SHARED))
    assert found.fix[0].startswith(
        "for nic in eth0 wlan0; do iptables -t nat -I POSTROUTING -o $nic ! -s 192.168.1.0/24 "
        "-j SNAT --to-source 192.168.1.50; done"
    )
