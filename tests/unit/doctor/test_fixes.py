"""What doctor would have a person do, word by word, where one word of it could be missing."""

from __future__ import annotations

import pytest

from netfail_hooks.doctor.facts import BondSeen, Facts, NetworkFile, OwnFile, Place, Unit
from netfail_hooks.doctor.rules import diagnose
from netfail_hooks.doctor.rules.shared import AGAIN
from netfail_hooks.install.units import TIMER
from netfail_hooks.policy.facts import Sysctl
from netfail_hooks.values import replace
from tests.support.world import World, config_of
from tests.unit.doctor.test_rules import BONDED, HEALTHY, but, routes

Case = tuple[dict[str, object], str, tuple[str, ...]]

_DRY_RUN = "netfail-hooks install --dry-run"
_FULL_UPGRADE = "apt full-upgrade  # of a newer release of the distribution"
_SEEN = World(config_of("eth0", "wlan0"), families=(4,)).look()
_RANKS = "--uplink eth0 --uplink wlan0"
_CHECK = "netfail-hooks check"
_ANEW = "netfail-hooks install --mode bond --primary eth0 --backup wlan0"
_WAY, _OTHER_WAY = ("eth0", 100, "192.168.1.1"), ("wlan0", 600, "192.168.1.1")
_OWN_WAY = NetworkFile("eth0", "/etc/eth0.network")
_NO_WAY = NetworkFile("wlan0", "/etc/my wlan0.network", has_default_route=False)
_CABLES = BondSeen("bond7", fail_over_mac="none", slaves=("eth0", "eth3"))
_BOTH = BondSeen("bond7", slaves=("eth0", "wlan0"))
_OURS = BondSeen("bond0", slaves=("eth0", "wlan0"))
_LONE = BondSeen("bond0", slaves=("eth0",))


def _lost(count: int) -> dict[str, object]:
    return {"own": tuple(OwnFile(f"/etc/{one}", "missing") for one in range(count))}


def _set_anew(name: str) -> tuple[str, ...]:
    return ("networkctl reload", f"networkctl reconfigure {name}", AGAIN)


def _managed(manager: str) -> dict[str, object]:
    return {"managed_elsewhere": ((manager, "eth0"), (manager, "wlan0"))}


def _unmanaged(*files: NetworkFile) -> dict[str, object]:
    return {"networks": files, "states": (("eth0", "off", "unmanaged"),)}


# What differs from a healthy machine, what is told of it, and the commands that mend it.
_SETUP: list[Case] = [
    (
        {"config": None, "config_wrong": ("line 3: no uplinks",)},
        "line 3: no uplinks",
        ("editor /etc/netfail-hooks/config.toml", AGAIN),
    ),
    (
        {"config": None},
        "/etc/netfail-hooks/config.toml is gone",
        ("netfail-hooks install --primary IF --backup IF",),
    ),
    (
        {"own": (OwnFile("/etc/a", "new"), OwnFile("/etc/b", "stale"))},
        (
            "install would make or remove, by /etc/netfail-hooks/config.toml as it is now: "
            "/etc/a, /etc/b"
        ),
        (_DRY_RUN, "netfail-hooks install"),
    ),
    ({"hooks": (Place("/d/hook", None),)}, "no hook at /d/hook", (AGAIN,)),
    (
        {"hooks": (Place("/d", 0), Place("/d/my hook", 0o4755))},
        "networkd-dispatcher skips /d (mode 0000, owner 0:0), /d/my hook (mode 4755, owner 0:0)",
        ("chmod 0755 /d '/d/my hook'",),
    ),
    (
        {"hooks": (Place("/d", 0o777), Place("/d/hook", owner=(7, 0)))},
        "networkd-dispatcher skips /d (mode 0777, owner 0:0), /d/hook (mode 0755, owner 7:0)",
        ("chown root:root /d /d/hook", "chmod 0755 /d /d/hook"),
    ),
    ({"hook_lacks": "/opt/python"}, "the hooks start /opt/python, which is not there", (AGAIN,)),
    (_lost(1), "missing since install: /etc/0", (AGAIN,)),
    (_lost(3), "missing since install: /etc/0, /etc/1, /etc/2", (AGAIN,)),
    (_lost(4), "missing since install: /etc/0, /etc/1, /etc/2 and 1 more", (AGAIN,)),
    (
        {"own": (OwnFile("/etc/a", "changed"),)},
        "changed since install: /etc/a",
        (_DRY_RUN, AGAIN),
    ),
    (
        {"timer_interval_kept": False},
        "the timer is not the one for each 60 s that check.interval and check.quick ask for",
        (AGAIN,),
    ),
    # Of versions 0 alone is unknown, and each option is there from its own on.
    (
        {"networkd_version": 1},
        "systemd 1 does not know IgnoreCarrierLoss=, KeepConfiguration=, RouteMetric=; 249 does",
        (_FULL_UPGRADE,),
    ),
    (
        {"networkd_version": 242},
        "systemd 242 does not know KeepConfiguration=, RouteMetric=; 249 does",
        (_FULL_UPGRADE,),
    ),
    (
        {"networkd_version": 243},
        "systemd 243 does not know RouteMetric=; 249 does",
        (_FULL_UPGRADE,),
    ),
    ({"release": (0, 1)}, "Linux 0.1 is older than 5.18", (_FULL_UPGRADE,)),
    ({"release": (1, 0)}, "Linux 1.0 is older than 5.18", (_FULL_UPGRADE,)),
    (
        {"release": (5, 4), "programs": ("networkd-dispatcher", "pacman")},
        "Linux 5.4 is older than 5.18",
        ("pacman -Syu",),
    ),
]
_ROUTES: list[Case] = [
    (
        {"observed": routes(_WAY, _OTHER_WAY, ("wlan0", 50, ""))},
        "the IPv4 default route of wlan0 has metric 50, and ours 50: it comes first",
        ("ip -4 route delete default dev wlan0 metric 50",),
    ),
    (
        {"observed": routes(_WAY, ("wlan0", 50, "192.168.1.1"))},
        "the IPv4 default route of wlan0 has metric 50, and ours 50: it comes first",
        _set_anew("wlan0"),
    ),
    (
        {"observed": routes(_WAY, ("wlan0", 100, "192.168.1.1"))},
        "IPv4 default routes of eth0 and wlan0 both have metric 100",
        _set_anew("wlan0"),
    ),
    (
        {"observed": routes(("wlan0", 600, "192.168.1.1"), ("eth0", 600, "192.168.1.1"))},
        "IPv4 default routes of wlan0 and eth0 both have metric 600",
        _set_anew("eth0"),
    ),
    (
        {"observed": routes(_OTHER_WAY, ("eth0", 600, "192.168.1.1"), _WAY)},
        "IPv4 default routes of wlan0 and eth0 both have metric 600",
        ("ip -4 route delete default via 192.168.1.1 dev eth0 metric 600",),
    ),
    (
        {"observed": routes(("eth0", 300, "192.168.1.1"), ("wlan0", 300, "192.168.1.1"))},
        "IPv4 default routes of eth0 and wlan0 both have metric 300",
        _set_anew("wlan0"),
    ),
    (
        {"observed": routes(("eth0", 101, "192.168.1.1")), "states": ()},
        "the IPv4 default route of eth0 has metric 101, and the configuration 100",
        _set_anew("eth0"),
    ),
    (
        {
            "observed": routes(_WAY),
            "networks": (
                replace(_OWN_WAY, gateways=("192.168.1.1",)),
                NetworkFile("wlan0", gateways=("192.168.1.2", "192.168.1.3")),
            ),
        },
        "wlan0 has lost its default route via 192.168.1.2 and 192.168.1.3",
        ("networkctl reconfigure wlan0",),
    ),
    (
        {"observed": routes(_WAY), "networks": (replace(_NO_WAY, interface="eth0"),)},
        "wlan0 has no default route",
        (
            "networkctl status wlan0  # is there a Gateway= or a DHCP lease?",
            "networkctl reconfigure wlan0",
        ),
    ),
    (
        {
            "observed": routes(_WAY),
            "networks": (_OWN_WAY, replace(_NO_WAY, source="/etc/a b.network")),
        },
        "wlan0 is given neither a gateway nor DHCP by /etc/a b.network",
        ("editor '/etc/a b.network'  # add Gateway=IP to [Network]", AGAIN),
    ),
    (
        {"observed": routes(_WAY), "networks": (_OWN_WAY, _NO_WAY)},
        "wlan0 is given neither a gateway nor DHCP by /etc/my wlan0.network",
        (f"netfail-hooks install {_RANKS} --address wlan0=IP/LENGTH --gateway wlan0=IP",),
    ),
    # A bond of the user's own.
    (
        {"bonds": (replace(_BOTH, mode="balance-rr"),)},
        "bond7 is in mode balance-rr, not active-backup",
        (_ANEW,),
    ),
    (
        {"bonds": (_CABLES,), "wireless": ("eth3",)},
        "bond7 has fail_over_mac none, not active",
        (_ANEW,),
    ),
    ({"bonds": (replace(_BOTH, targets=()),)}, "bond7 has no ARP monitor", (_ANEW,)),
]
_UPLINKS: list[Case] = [
    (
        {"observed": replace(_SEEN, links=_SEEN.links[:1])},
        "there is no wlan0",
        ("networkctl list", "editor /etc/netfail-hooks/config.toml"),
    ),
    (
        _managed("NetworkManager"),
        "NetworkManager sets up eth0 and wlan0, too",
        (
            "nmcli device set eth0 managed no  # and in /etc/NetworkManager, for good",
            "nmcli device set wlan0 managed no  # and in /etc/NetworkManager, for good",
        ),
    ),
    (
        _managed("dhcpcd"),
        "dhcpcd sets up eth0 and wlan0, too",
        ("systemctl disable --now dhcpcd  # or 'denyinterfaces eth0 wlan0' in /etc/dhcpcd.conf",),
    ),
    (
        _managed("dhcpcd -n"),
        "dhcpcd -n sets up eth0 and wlan0, too",
        (
            "systemctl restart dhcpcd; networkctl reconfigure eth0  # somebody has run it",
            "systemctl restart dhcpcd; networkctl reconfigure wlan0  # somebody has run it",
        ),
    ),
    (
        _managed("my way"),
        "my way sets up eth0 and wlan0, too",
        ("systemctl disable --now 'my way'",),
    ),
    (
        {"networks": (NetworkFile("eth0", "/run/a.network", ours=False),)},
        "networkd reads /run/a.network for eth0, not ours",
        (AGAIN,),
    ),
    (
        _unmanaged(_OWN_WAY, NetworkFile("wlan0")),
        "networkd does not manage eth0",
        ("networkctl reload",),
    ),
    (
        _unmanaged(NetworkFile("eth0"), NetworkFile("wlan0", "/etc/wlan0.network")),
        "networkd does not manage eth0",
        (AGAIN,),
    ),
    (_unmanaged(replace(_OWN_WAY, unmanaged=True)), "networkd does not manage eth0", (AGAIN,)),
    (
        {"states": (("wlan0", "off", "failed"),)},
        "networkd could not set wlan0 up",
        ("networkctl status wlan0", "networkctl reconfigure wlan0"),
    ),
    (
        {"observed": replace(_SEEN, sysctls=(Sysctl("ipv4/conf/wlan0/arp_filter", "1"),))},
        "net.ipv4.conf.wlan0.arp_filter is 1, not 0",
        (_CHECK,),
    ),
    (
        {"arp_ignore": (("ipv4/conf/all/arp_ignore", 2),) * 2},
        "net.ipv4.conf.all.arp_ignore is 2",
        ("sysctl -w net/ipv4/conf/all/arp_ignore=0",),
    ),
    (
        {"dns": (("eth0", ("9.9.9.9", "1.1.1.1")),)},
        "systemd-resolved knows name servers of eth0 alone",
        (f"resolvectl dns wlan0 9.9.9.9 1.1.1.1  # and DNS= in its .network file, then {AGAIN}",),
    ),
]
_BOND: list[Case] = [
    ({"bonds": ()}, "there is no bond0", ("modprobe bonding", "networkctl reload", AGAIN)),
    ({"bonds": (_LONE,)}, "wlan0 is not in bond0", (_CHECK,)),
    (
        {"bonds": (replace(_OURS, fail_over_mac="none"),)},
        "bond0 has fail_over_mac none, not active",
        (_ANEW,),
    ),
    ({"bonds": (replace(_OURS, arp_interval=0),)}, "bond0 has no ARP monitor", (_CHECK,)),
]


@pytest.mark.parametrize(("changes", "what", "fix"), _BOND)
def test_a_finding_of_a_bond_and_how_it_is_mended(
    changes: dict[str, object], what: str, fix: tuple[str, ...]
) -> None:
    (found,) = diagnose(but(BONDED, **changes))
    assert (found.what, found.fix) == (what, fix)


@pytest.mark.parametrize(("changes", "what", "fix"), [*_SETUP, *_ROUTES, *_UPLINKS])
def test_a_finding_and_how_it_is_mended(
    changes: dict[str, object], what: str, fix: tuple[str, ...]
) -> None:
    (found,) = diagnose(but(HEALTHY, **changes))
    assert (found.what, found.fix) == (what, fix)


def test_nobody_configured_an_order_of_equal_routes() -> None:
    equal = routes(("eth0", 0, "192.168.1.1"), ("wlan0", 0, "192.168.1.1"))
    found = diagnose(but(HEALTHY, config=None, installed=False, observed=equal))[1]
    assert found.what == "IPv4 default routes of eth0 and wlan0 both have metric 0"
    assert found.fix == (AGAIN,)


def test_a_file_that_leads_nowhere_is_named_before_anything_is_installed() -> None:
    bare = but(
        HEALTHY,
        config=None,
        installed=False,
        observed=routes(_WAY),
        networks=(_OWN_WAY, replace(_NO_WAY, ours=False, source="")),
    )
    found = diagnose(bare)[1]
    assert found.what == "wlan0 is given neither a gateway nor DHCP by /etc/my wlan0.network"
    assert found.fix[0].startswith("editor '/etc/my wlan0.network'  # ")


def test_of_routes_ahead_of_ours_it_is_not_told_that_they_are_equal() -> None:
    low = routes(("eth0", 50, "192.168.1.1"), ("wlan0", 50, "192.168.1.1"))
    found = diagnose(but(HEALTHY, observed=low))
    assert [one.code for one in found] == ["metric-too-low", "metric-too-low"]


@pytest.mark.parametrize(
    ("facts", "changes"),
    [
        # Of the slaves' own routes failover makes no use.
        (BONDED, {"observed": routes(("eth0", 7, "192.168.1.1"), ("wlan0", 601, "192.168.1.1"))}),
        (BONDED, {"observed": None, "bonds": (_LONE,)}),
        # A router's advertisement may lead out where the file does not.
        (HEALTHY, {"networks": (_OWN_WAY, _NO_WAY)}),
        (
            HEALTHY,
            {
                "networks": (replace(_OWN_WAY, gateways=("192.168.1.1",)), NetworkFile("wlan0")),
                "observed": routes(_WAY, ("wlan0", 600, "192.168.1.2")),
            },
        ),
        # Two cables may have one hardware address; and bond0 is not ours where none is configured.
        (HEALTHY, {"bonds": (_CABLES,), "wireless": ("wlan0",)}),
        (HEALTHY, {"bonds": (_LONE,)}),
    ],
)
def test_what_is_no_fault(facts: Facts, changes: dict[str, object]) -> None:
    assert diagnose(but(facts, **changes)) == ()


@pytest.mark.parametrize(
    ("file", "codes"),
    [
        (OwnFile("/etc/10-netfail-bond0.netdev", "new"), ["config-not-installed"]),
        (OwnFile("/etc/10-netfail-bond0.network", "new"), ["config-not-installed", "bond-missing"]),
        (OwnFile("/etc/10-netfail-bond0.netdev", "missing"), ["file-missing", "bond-missing"]),
    ],
)
def test_a_bond_that_was_never_made_is_not_missed(file: OwnFile, codes: list[str]) -> None:
    found = diagnose(but(BONDED, bonds=(), own=(file,)))
    assert [one.code for one in found] == codes


@pytest.mark.parametrize(
    ("name", "state", "codes"),
    [
        ("eth0", "missing", ["file-missing"]),
        ("wlan0", "missing", ["file-missing", "file-shadowed"]),
        ("eth0", "changed", ["file-shadowed", "file-changed"]),
    ],
)
def test_no_other_file_is_in_our_way_where_ours_is_gone(
    name: str, state: str, codes: list[str]
) -> None:
    shadowed = but(HEALTHY, networks=(NetworkFile("eth0", "/run/a", ours=False),))
    found = diagnose(but(shadowed, own=(OwnFile(f"/e/1-netfail-{name}.network", state),)))
    assert [one.code for one in found] == codes


def test_names_are_found_while_one_uplink_of_several_with_name_servers_lives() -> None:
    names = ("eth0", "wlan0", "wwan0")
    world = World(config_of(*names), families=(4,))
    world.event("eth0", "no-carrier")
    dns = (("eth0", ("9.9.9.9",)), ("wlan0", ("1.1.1.1", "9.9.9.9")))
    facts = but(HEALTHY, uplinks=names, config=world.config, observed=world.look(), dns=dns)
    (found,) = diagnose(facts)
    assert found.code == "dns-one-uplink"
    assert found.what == "systemd-resolved knows name servers of eth0 and wlan0 alone"
    assert found.fix[0].startswith("resolvectl dns wwan0 9.9.9.9 1.1.1.1  # ")


def _with(unit: Unit) -> Facts:
    others = [one for one in HEALTHY.services.units or () if one.name != unit.name]
    return but(HEALTHY, units=(*others, unit))


def test_a_stopped_timer_is_read_again_and_started() -> None:
    stopped = Unit(TIMER, active="inactive", enabled="disabled")
    (found,) = diagnose(_with(stopped))
    assert found.fix == ("systemctl daemon-reload", f"systemctl enable --now {TIMER}")
    (found,) = diagnose(_with(replace(stopped, load="masked")))
    assert found.fix[1:] == (f"systemctl unmask {TIMER}", f"systemctl enable --now {TIMER}")
