"""What we read from and write to the kernel's own tables, in a network of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home

PRELUDE = f"""
import json, sys
sys.path.insert(0, {package_home()!r})
from netfail_hooks.kernel.announce import Announcer
from netfail_hooks.kernel.apply import apply
from netfail_hooks.policy.changes import *
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.policy.facts import *
from netfail_hooks.kernel.observe import observe
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.values import plain

config = Config(uplinks=default_metrics(("eth0", "wlan0", "usb9")))
netlink = Netlink()

def make(*changes):
    with Announcer() as announcer:
        return [str(e) for _, e in apply(changes, observe(config, netlink), netlink, announcer)[0]]

def show(*told):
    print(json.dumps(told or plain(observe(config, netlink))))
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(unmanaged=True) as lab:
        lab.start()
        yield lab


def _python(lab: Lab, code: str) -> Any:
    done = lab.run(sys.executable, "-c", PRELUDE + code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_observation_tells_what_the_kernel_has(lab: Lab) -> None:
    observed = _python(lab, "show()")
    links = {link["name"]: link for link in observed["links"]}
    assert set(links) == {"eth0", "wlan0"}
    assert links["eth0"]["carrier"]
    assert {a["address"] for a in observed["addresses"]} >= {"192.168.1.252", "192.168.1.25"}
    lab.cable_out("eth0")
    observed = _python(lab, "show()")
    assert {link["name"]: link["carrier"] for link in observed["links"]} == {
        "eth0": False,
        "wlan0": True,
    }


def test_a_network_that_never_had_a_route_has_none(lab: Lab) -> None:
    done = lab.run("unshare", "--net", sys.executable, "-c", PRELUDE + "show()")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["routes"] == []


def test_a_label_makes_an_address_shared(lab: Lab) -> None:
    shared = [
        (a["interface"], a["address"]) for a in _python(lab, "show()")["addresses"] if a["shared"]
    ]
    assert shared == [("eth0", "192.168.1.25"), ("wlan0", "192.168.1.252")]


ROUTES = """
routes = [
    Route("wlan0", 4, "default", 50, "192.168.1.1", source="192.168.1.25", mtu=1400),
    Route("wlan0", 4, "10.9.0.0/16", 50),
    Route("wlan0", 6, "default", 50, "fe80::1", onlink=False),
    Route("wlan0", 6, "fd00:9::/64", 50),
]
addresses = [
    Address("wlan0", 4, "192.168.1.77", 32, ours=True),
    Address("wlan0", 6, "fd00:1::77", 128, ours=True, preferred=0, valid=900),
]
"""


def test_what_we_write_is_what_we_read_and_twice_is_once(lab: Lab) -> None:
    failed, same, left = _python(
        lab,
        ROUTES
        + """
new = [SetRoute(r) for r in routes] + [AddAddress(a) for a in addresses]
failed = make(*new) + make(*new)
seen = observe(config, netlink)
ours = [r for r in seen.routes if r.ours]
moved = [(a.address, a.length, a.preferred) for a in seen.addresses if a.ours]
same = sorted(map(repr, ours)) == sorted(map(repr, routes)) and moved == [
    ("192.168.1.77", 32, FOREVER), ("fd00:1::77", 128, 0)]
old = [DropRoute(r) for r in routes] + [DropAddress(a) for a in addresses]
failed += make(*old) + make(*old)
seen = observe(config, netlink)
show(failed, same, [str(x) for x in (*seen.routes, *seen.addresses) if x.ours])
""",
    )
    assert (failed, same, left) == ([], True, [])


def test_the_next_default_route_takes_over_in_one_step(lab: Lab) -> None:
    with lab.watch() as watch:
        _python(
            lab,
            ROUTES
            + """
for old, new in ((routes[0], Route("eth0", 4, "default", 51, "192.168.1.1")),
                 (routes[2], Route("eth0", 6, "default", 51, "fe80::1"))):
    make(SetRoute(old))
    make(SetRoute(new), DropRoute(old))
show([])
""",
        )
    for family in ("-4", "-6"):
        shown = lab.run("ip", family, "route", "show", "default", "proto", "157").stdout
        assert shown.count("default") == 1
        assert "dev eth0" in shown
    assert watch.gaps(4) == []


def test_a_place_that_somebody_took_meanwhile_stays_theirs(lab: Lab) -> None:
    lab.run(
        "sh",
        "-ec",
        """
        ip route add default dev eth0 metric 50
        ip -6 route add default via fe80::9 dev eth0 metric 50
        ip route add 10.9.0.0/16 via 192.168.1.1 dev eth0
    """,
    ).check_returncode()
    failed = _python(
        lab,
        ROUTES
        + """
beside = Route("wlan0", 4, "10.9.0.0/16", 0, "192.168.1.1")
show(make(*(SetRoute(r) for r in (routes[0], routes[2], beside))))
""",
    )
    assert failed == [[]], "the next look decides anew"
    told = {
        family: lab.run("ip", family, "route", "show", "default").stdout for family in ("-4", "-6")
    }
    assert "default dev eth0 scope link metric 50" in told["-4"]
    assert "default via fe80::9 dev eth0 metric 50" in told["-6"]
    assert "netfail" not in told["-4"] + told["-6"]
    assert "wlan0" not in told["-6"]
    shown = lab.run("ip", "route", "show", "10.9.0.0/16").stdout.splitlines()
    assert [line.split()[4] for line in shown] == ["wlan0", "eth0"], "ours first, theirs kept"


def test_rules_and_other_tables_are_read_as_they_were_written_and_all_found(lab: Lab) -> None:
    rules, same, left = _python(
        lab,
        """
from netfail_hooks.kernel.lookup import everywhere
own = "192.168.1.25/32"
rules = [Rule(4, 32764, 254, own, whole=False), Rule(4, 32765, 15702, own),
         Rule(6, 32765, 15702, "fd00:1::25/128"), Rule(4, 9000, 100, own)]
ways = [Route("wlan0", 4, "default", 50, "192.168.1.1", table=15702),
        Route("wlan0", 6, "default", 50, "fe80::1", table=15702),
        Route("wlan0", 4, "10.9.0.0/16", 50, "192.168.1.1", table=100)]
new = [SetRoute(r) for r in ways] + [AddRule(r) for r in rules]
failed = make(*new) + make(*new)
seen = observe(config, netlink)
same = not failed and set(seen.rules) == set(rules) and set(seen.tables) == set(ways)
make(*(DropRule(r) for r in rules))
found = {(r.family, r.destination, r.table) for r in everywhere(netlink)}
same = same and found == {(r.family, r.destination, r.table) for r in ways}
failed += make(*(DropRoute(r) for r in everywhere(netlink)), *(DropRule(r) for r in rules))
show(failed, same, [str(r) for r in (*everywhere(netlink), *observe(config, netlink).rules)])
""",
    )
    assert (rules, same, left) == ([], True, [])


def test_forgetting_keeps_other_links_and_what_somebody_set(lab: Lab) -> None:
    script = """
    ip neigh add 192.168.1.90 lladdr 02:00:00:00:00:90 dev wlan0 nud permanent
    ip neigh add 192.168.1.91 lladdr 02:00:00:00:00:91 dev wlan0 nud stale
    ip neigh add 192.168.1.92 lladdr 02:00:00:00:00:92 dev eth0 nud stale
    """
    lab.run("sh", "-ec", script).check_returncode()
    before, failed, after = _python(
        lab,
        """
before = observe(config, netlink).resolved
failed = make(FlushNeighbours("wlan0"))
show(before, failed, observe(config, netlink).resolved)
""",
    )
    assert (before, failed, after) == (["eth0", "wlan0"], [], ["eth0"])
    shown = lab.run("ip", "neigh").stdout
    assert "192.168.1.90" in shown
    assert "192.168.1.91" not in shown


def test_a_change_whose_object_is_gone_is_no_failure(lab: Lab) -> None:
    gone = _python(
        lab,
        """
seen = observe(config, netlink)
show(make(
    FlushNeighbours("usb9"), DropRoute(Route("usb9", 4, "default", 50, "192.168.1.1")),
    DropAddress(Address("eth0", 4, "192.168.1.78", 32, ours=True)),
    Announce("usb9", 4, "192.168.1.252", "02:00:00:00:00:10", "192.168.1.1"),
))
""",
    )
    assert gone == [[]]


def test_a_refusal_is_told_and_the_rest_is_done(lab: Lab) -> None:
    failed, routes = _python(
        lab,
        """
failed = make(
    SetRoute(Route("eth0", 4, "default", 50, "203.0.113.1")),
    SetRoute(Route("wlan0", 4, "10.9.0.0/16", 50)),
)
show(failed, [r.destination for r in observe(config, netlink).routes if r.ours])
""",
    )
    assert len(failed) == 1
    assert "unreachable" in failed[0].lower()
    assert routes == ["10.9.0.0/16"]


def test_what_waits_on_an_uplink_is_seen_and_dropped(lab: Lab) -> None:
    lab.run("sh", "-c", "ip -6 address add fd00:9::2/64 dev eth0 nodad")
    lab.dead_gateway("eth0")
    told = _python(
        lab,
        """
import socket
socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("fd00:9::9", 9))
before = observe(config, netlink).waiting
failed = make(FlushNeighbours("eth0"))
show(before, failed, observe(config, netlink).waiting)
""",
    )
    assert told == [["eth0"], [], []]
