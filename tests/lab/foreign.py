"""Another manager's uplinks in a lab, and networkd's in their place: what there is to compare."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from netfail_hooks.lab import Lab, topology
from netfail_hooks.managers import Profile
from netfail_hooks.managers.release import Commands
from netfail_hooks.networkd.file import render
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.networkd.takeover import take_over
from tests.lab.suite import wait

Shape = dict[str, list[str]]


def serve(lab: Lab, segments: Sequence[int]) -> None:
    """Give out addresses on these segments, by the client's identifier where it sends one."""
    options = []
    for segment in segments:
        lan = topology.network(segment)
        options += [
            f"--interface=lan{segment}",
            f"--dhcp-range={lan}.100,{lan}.200,255.255.255.0,2m",
            f"--dhcp-range={topology.network6(segment)}::,ra-only",
        ]
    fixed = "--conf-file=/dev/null --port=0 --user=root --pid-file= --no-ping --enable-ra"
    kept = ["--dhcp-leasefile=/run/lab/leases", "--log-facility=/run/lab/dnsmasq.log"]
    more = ["--dhcp-option=option:mtu,1450", "--dhcp-option=option:domain-search,lan.example"]
    lab.run_lan("dnsmasq", *fixed.split(), *kept, *more, "--log-dhcp", *options).check_returncode()


def leases(lab: Lab, segment: int) -> list[tuple[str, ...]]:
    """Return a segment's leases: each address with the name and the identifier that was sent."""
    rows = [line.split() for line in lab.read("/run/lab/leases").splitlines()]
    prefix = f"{topology.network(segment)}."
    return [(row[2], row[3], row[4]) for row in rows if len(row) == 5 and row[2].startswith(prefix)]


def shape(lab: Lab, nic: str) -> Shape:
    """Return addresses, routes and link of a NIC, but for metrics and who set them up."""
    link = _json(lab, "link", "show", "dev", nic)[0]
    return {
        "addresses": sorted(
            f"{one['local']}/{one['prefixlen']} {one['scope']} {one.get('label', nic)}"
            for one in _json(lab, "address", "show", "dev", nic)[0]["addr_info"]
            if one["scope"] != "link"
        ),
        "routes": sorted(_routes(lab, nic)),
        "link": [f"mtu {link['mtu']}", f"address {link['address']}"],
    }


def _routes(lab: Lab, nic: str) -> set[str]:
    """Return the routes; networkd's own to a router, beside the default one by it, is none."""
    found = [
        one
        for family in ("-4", "-6")
        for one in _json(lab, family, "route", "show", "dev", nic)
        if one["dst"] not in ("fe80::/64", "ff00::/8")
    ]
    routers = {one.get("gateway") for one in found}
    return {f"{one['dst']} via {one.get('gateway')}" for one in found if one["dst"] not in routers}


def _json(lab: Lab, *words: str) -> Any:
    return json.loads(lab.run("ip", "-json", *words).stdout or "[]")


def run(lab: Lab, *argv: str, seconds: float = 25) -> None:
    """Run a manager's command; what it leaves running must not keep our pipes open.

    A client may take a name for the host from the server; a lab shares the machine's.
    """
    if argv == ("systemctl", "restart", "dhcpcd.service"):
        return  # the tests do that themselves, once for all
    if argv[:2] == ("systemctl", "restart"):  # ifup@.service, of which there is no other in a lab
        name = argv[2].removeprefix("ifup@").removesuffix(".service")
        run(lab, "ifdown", name)
        argv = ("ifup", "--allow=hotplug", name)
    script = '"$@" >>/run/lab/manager.log 2>&1'
    done = lab.run("unshare", "--uts", "sh", "-c", script, "sh", *argv, seconds=seconds)
    assert done.returncode == 0, f"{argv}: {lab.read('/run/lab/manager.log')[-2000:]}"


def run_all(lab: Lab, commands: Mapping[str, Commands], nic: str) -> None:
    for command in commands[nic]:
        run(lab, *command)


def settled(lab: Lab, nic: str, *, leased: bool, advertised: bool) -> Shape:
    """Return the shape of a NIC once what others tell has come."""

    def there() -> bool:
        found = shape(lab, nic)
        four = any("." in one for one in found["addresses"])
        six = any(one.startswith("default via fe80") for one in found["routes"])
        return (four or not leased) and (six or not advertised)

    wait(there, f"a lease and a router on {nic}: {shape(lab, nic)}", seconds=20)
    return shape(lab, nic)


def write(lab: Lab, nic: str, profile: Profile, metric: int) -> None:
    """Write a profile as a .network file of ours, as it is done with a user's own."""
    source = Source(profile.path, render(profile.sections))
    text = take_over(read_nic(nic, lab.paths), source, metric)
    lab.write(f"/etc/systemd/network/10-netfail-{nic}.network", text)


def assert_alike(lab: Lab, nic: str, before: Shape, kind: str) -> None:
    """Assert that a NIC comes to be as it was."""
    try:
        wait(lambda: shape(lab, nic) == before, kind, seconds=25)
    except AssertionError:
        written = lab.read(f"/etc/systemd/network/10-netfail-{nic}.network")
        status = lab.run("networkctl", "status", nic).stdout
        after = shape(lab, nic)
        raise AssertionError(f"{kind}:\n{before}\n{after}\n{written}\n{status}") from None
