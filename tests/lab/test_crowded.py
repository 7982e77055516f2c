"""A machine with much that is not ours: no more is read than with nothing, and it fails over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bench import hot_path
from bench.crowd import FOREIGN, Row
from netfail_hooks.lab import Lab
from netfail_hooks.paths import Paths, package_home
from netfail_hooks.policy.sources import PRIORITIES
from netfail_hooks.recorder import FILE

# What is counted are bytes and objects, which a busy machine does not change.
PRELUDE = f"""
import json, sys
sys.path.insert(0, {package_home()!r})
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.foreign import with_ours, with_places
from netfail_hooks.kernel.observe import observe
from netfail_hooks.kernel.unchanged import Unchanged
from netfail_hooks.values import plain, replace

config = Config(uplinks=default_metrics(("eth0", "wlan0")))

class Counted(rt.socket):
    read = 0
    def recv(self, size):
        data = super().recv(size)
        Counted.read += len(data)
        return data

rt.socket = Counted

def told(observed):
    return {{**plain(observed), "now": 0}}
"""

LITTLE = Row("little", routes=3, routes6=3, addresses=3, neighbours=3)
MUCH = Row("much", routes=20_000, routes6=3_000, addresses=2_000, neighbours=1_000, links=100)
MORE = Row("more", routes=40_000, routes6=6_000, addresses=4_000, neighbours=2_000, links=200)
FEW = 5 * (2 << 14)  # bytes: what is read before a table counts as crowded, and a buffer


@pytest.fixture(scope="module")
def crowded() -> Iterator[Lab]:
    with hot_path.host() as lab:
        MUCH.crowd(lab)
        yield lab


def _python(lab: Lab, code: str) -> Any:
    done = lab.run(sys.executable, "-c", PRELUDE + code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LOOK = """
with rt.Netlink() as netlink:
    observed = observe(config, netlink, sparing=True)
print(json.dumps([Counted.read, told(observed)]))
"""


def test_as_much_is_read_whatever_there_is_of_other_peoples(crowded: Lab) -> None:
    with hot_path.host() as lab:
        LITTLE.crowd(lab)
        little, wanted = _python(lab, LOOK)
    with hot_path.host() as lab:
        MORE.crowd(lab)
        more, _ = _python(lab, LOOK)
    much, seen = _python(crowded, LOOK)
    assert much < little + FEW
    assert more < little + FEW
    for kind in ("links", "addresses", "routes", "resolved", "waiting"):
        assert seen[kind] == wanted[kind], kind


def test_what_a_check_saw_is_not_read_again_unless_something_changed(crowded: Lab) -> None:
    quiet, changed, same = _python(
        crowded,
        """
import subprocess
with Unchanged(config) as seen, rt.Netlink() as netlink:
    begun = Counted.read
    again = seen.again(netlink)
    quiet = Counted.read - begun
    subprocess.run(["ip", "route", "add", "203.0.113.9/32", "dev", "other0"], check=True)
    changed = seen.again(netlink) is None
subprocess.run(["ip", "route", "delete", "203.0.113.9/32", "dev", "other0"], check=True)
print(json.dumps([quiet, changed, told(again) == told(seen.observed)]))
""",
    )
    assert quiet < FEW // 2, "neighbours alone"
    assert changed
    assert same


CHANGES = {
    "route add 203.0.113.7/32 dev wlan0": "route delete 203.0.113.7/32 dev wlan0",
    "-6 route add 2001:db8:7::/64 dev wlan0": "-6 route delete 2001:db8:7::/64 dev wlan0",
    "address add 203.0.113.8/32 dev wlan0": "address delete 203.0.113.8/32 dev wlan0",
    "-6 address add 2001:db8:8::1/64 dev wlan0 nodad": "-6 address flush to 2001:db8:8::/64",
    "rule add from 203.0.113.0/24 table 77": "rule delete from 203.0.113.0/24 table 77",
    "-6 rule add from 2001:db8:9::/64 table 77": "-6 rule delete from 2001:db8:9::/64 table 77",
    "link set wlan0 mtu 1400": "link set wlan0 mtu 1500",
    "nexthop add id 77 dev wlan0": "nexthop delete id 77",
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_heard(crowded: Lab, change: str) -> None:
    heard = _python(
        crowded,
        f"""
import subprocess
with Unchanged(config) as seen, rt.Netlink() as netlink:
    before = seen.again(netlink) is not None
    subprocess.run(["ip", *{change.split()!r}], check=True)
    heard = seen.again(netlink) is None
subprocess.run(["ip", *{CHANGES[change].split()!r}], check=True)
print(json.dumps([before, heard]))
""",
    )
    assert heard == [True, True]


PLACES = f"""
ip -4 route add default dev {FOREIGN} metric 40
ip -4 route add 192.168.1.0/24 dev {FOREIGN} metric 60
ip -4 route add blackhole 192.168.1.0/24 metric 61
ip -4 route add 10.99.0.0/16 dev {FOREIGN} metric 7
ip -6 route add default dev {FOREIGN} metric 60
ip -4 route add 198.18.7.0/24 dev {FOREIGN} proto 157 metric 3
"""


def test_all_that_counts_once_something_is_to_be_done_is_found(crowded: Lab) -> None:
    assert crowded.run("sh", "-ec", PLACES).returncode == 0
    spared, found, whole = _python(
        crowded,
        """
from socket import if_nametoindex
from netfail_hooks.kernel.apply import address_body
from netfail_hooks.policy.facts import Address
left = address_body(Address("", 4, "198.18.8.1", 32, ours=True), if_nametoindex("other0"))
wanted = [(4, 254, "default"), (4, 254, "192.168.1.0/24"), (4, 254, "10.99.0.0/16"),
          (6, 254, "default")]
with rt.Netlink() as netlink:
    netlink.change(rt.NEWADDR, rt.F_CREATE, left)
    spared = observe(config, netlink, sparing=True)
    found = with_places(netlink, with_ours(config, netlink, spared), wanted)
    whole = observe(config, netlink)
print(json.dumps([told(spared), told(found), told(whole)]))
""",
    )
    assert {"family": 4, "destination": "default", "metric": 40} in _places(spared["routes"])
    assert not [one for one in spared["routes"] if one["protocol"] == 157]
    assert "198.18.8.1" in {one["address"] for one in found["addresses"]}
    wanted = {"default", "192.168.1.0/24", "10.99.0.0/16"}
    assert _places(found["taken"]) == [
        place for place in _places(whole["taken"]) if place["destination"] in wanted
    ]
    assert len(_places(found["taken"])) == 3
    for kind in ("routes", "addresses"):
        assert sorted(map(str, found[kind])) == sorted(map(str, whole[kind])), kind


def _places(routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: one[key] for key in ("family", "destination", "metric")} for one in routes]


def test_nobody_looks_again_where_nothing_changed_but_by_us(crowded: Lab) -> None:
    few, quiet, ours, others, after = _python(
        crowded,
        """
import subprocess
from netfail_hooks.kernel.apply import route_body
from netfail_hooks.policy.facts import Observation, Route
from netfail_hooks.reconcile.converge import _is_as_decided
index = int(open("/sys/class/net/wlan0/ifindex").read())
nothing = Observation(now=0)
body = route_body(Route("wlan0", 4, "203.0.113.11/32", 1, "", protocol=157), index)
with rt.Netlink() as netlink:
    few = _is_as_decided(netlink, (), nothing)
    observe(config, netlink, sparing=True)
    quiet = _is_as_decided(netlink, (), nothing)
    netlink.change(rt.NEWROUTE, rt.F_CREATE, body)
    ours = _is_as_decided(netlink, (), nothing)
    netlink.change(rt.DELROUTE, 0, body)
    subprocess.run(["ip", "route", "add", "203.0.113.12/32", "dev", "other0"], check=True)
    others = _is_as_decided(netlink, (), nothing)
    after = _is_as_decided(netlink, (), nothing)
subprocess.run(["ip", "route", "delete", "203.0.113.12/32", "dev", "other0"], check=True)
print(json.dumps([few, quiet, ours, others, after]))
""",
    )
    assert not few, "a second look is cheap, and is had"
    assert quiet
    assert ours
    assert not others
    assert after, "it is asked after each look"


# What was an uplink has another name, and something of ours.
RENAMED = """
ip link set usb0 down
ip link set usb0 name old0
ip link set old0 up
ip -4 route add 198.18.9.0/24 dev old0 proto 157 metric 3
"""


def test_it_fails_over_behind_what_is_other_peoples_as_with_nothing_else() -> None:
    changes = []
    for row in (LITTLE, MUCH):
        with hot_path.host(NICS) as lab:
            row.crowd(lab)
            assert lab.run("sh", "-ec", PLACES + RENAMED).returncode == 0
            hook = hot_path.idle()
            assert lab.run(*hook.argv, environment=hook.environment()).returncode == 0
            hot_path.pull_cable(lab)
            over = hot_path.failing_over()
            done = lab.run(*over.argv, environment=over.environment())
            assert done.returncode == 0, done.stderr
            assert hot_path.has_failed_over(lab), lab.logs()
            shown = lab.run("ip", "-o", "route", "show", "proto", "157").stdout
            changes.append(sorted(shown.splitlines()))
    little, much = changes
    assert much == little
    assert all("dev wlan0" in line for line in much), "what was left elsewhere is gone"
    assert any("192.168.1.0/24 dev wlan0" in line and "metric 62" in line for line in much), much


NICS = ("eth0", "wlan0", "usb0")
UNASKED = "".join(f'[[uplink]]\ninterface = "{nic}"\ngateway = false\n' for nic in NICS)
LEASED = "valid_lft 3600 preferred_lft 3600"  # as networkd has it: nobody else's
APART = "".join(
    f"""
ip -4 address flush dev {nic} scope global
ip -6 address flush dev {nic} scope global
ip -4 address add 192.0.2.{64 * rank + 2}/26 dev {nic} {LEASED}
ip -6 address add 2001:db8:f{rank}::2/64 dev {nic} nodad {LEASED}
ip -4 route add default via 192.0.2.{64 * rank + 1} dev {nic} metric {metric} proto static
ip -6 route add default via 2001:db8:f{rank}::1 dev {nic} metric {metric} proto static
"""
    for rank, (nic, metric) in enumerate(zip(NICS, (100, 600, 1100), strict=True))
)
OURS = tuple(f"{priority}:" for priority in PRIORITIES)
TUNNEL = f"""
ip -4 route add default dev {FOREIGN} metric 50
ip -6 route add default dev {FOREIGN} metric 50
"""


@pytest.mark.parametrize("tunnel", [TUNNEL, ""], ids=["tunnel", "no tunnel"])
def test_on_two_subnets_what_is_led_by_a_tunnel_stays_and_a_run_ends_what_it_began(
    tunnel: str,
) -> None:
    """A rule would lead it beside the tunnel; and no run may undo what another one did."""
    found = []
    for row in (LITTLE, MUCH):
        with hot_path.host(NICS) as lab:
            row.crowd(lab)
            lab.write("/etc/netfail-hooks/config.toml", UNASKED)  # no router is on these subnets
            done = lab.run("sh", "-ec", APART + tunnel)
            assert done.returncode == 0, done.stderr
            before = _settled(lab, hot_path.idle())
            hot_path.pull_cable(lab)
            found.append((before, _settled(lab, hot_path.failing_over())))
            assert hot_path.has_failed_over(lab), lab.logs()
    little, much = found
    assert much == little
    for rules, _ in much:
        assert bool(rules) != bool(tunnel), "a standby's addresses keep to it, but for a tunnel"
    assert any("dev wlan0" in line and "default" in line for line in much[1][1])


DEAD = """
ip link add dead0 type veth peer name dead0p
ip link set dead0 up
""" + "".join(f"ip -6 route add default dev dead0 metric {metric}\n" for metric in (49, 50, 51))


def test_a_place_that_no_lookup_shows_is_left_to_who_has_it() -> None:
    """The kernel passes over the routes of a dead link, but two can't have one place."""
    found = []
    for row in (LITTLE, MUCH):
        with hot_path.host(NICS) as lab:
            row.crowd(lab)
            lab.write("/etc/netfail-hooks/config.toml", UNASKED)
            assert lab.run("sh", "-ec", APART + DEAD).returncode == 0
            before = lab.run("ip", "-6", "-o", "route", "show", "dev", "dead0").stdout
            assert "linkdown" in before
            _settled(lab, hot_path.idle())
            hot_path.pull_cable(lab)
            _settled(lab, hot_path.failing_over())
            assert lab.run("ip", "-6", "-o", "route", "show", "dev", "dead0").stdout == before
            found.append(lab.run("ip", "-6", "-o", "route", "show", "proto", "157").stdout)
    for shown in found:
        assert "default via 2001:db8:f1::1 dev wlan0" in shown, found


def _settled(lab: Lab, hook: hot_path.Case) -> tuple[list[str], list[str]]:
    """Return our rules and routes, the same whether a hook runs once or three times."""
    seen = []
    for _ in range(3):
        done = lab.run(*hook.argv, environment=hook.environment())
        assert done.returncode == 0, done.stderr
        rules, routes = [], []
        for family in ("-4", "-6"):
            shown = lab.run("ip", family, "-o", "rule", "show")
            rules += [line for line in shown.stdout.splitlines() if line.startswith(OURS)]
            shown = lab.run("ip", family, "-o", "route", "show", "table", "all", "proto", "157")
            routes += sorted(line.strip() for line in shown.stdout.splitlines())
        seen.append((rules, routes, lab.read(Paths().log + FILE).count("\n")))
    assert seen[1:] == seen[:1] * 2, seen
    return seen[0][:2]
