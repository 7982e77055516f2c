"""Sets of files in a lab, each at an uplink and a LAN of its own, as networkd starts with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from netfail_hooks.lab import Lab, topology
from tests.lab.suite import wait
from tests.support import netplan
from tests.support.corpus import FileSet, place

MakeLab = Callable[..., Lab]
SIZE = 8  # uplinks that a lab can have
_NEWER = "/run/lab/netplan"  # where Debian 13's works: it would make all anew


class Member:
    """A set at its uplink in a lab."""

    def __init__(self, known: FileSet, rank: int) -> None:
        self.set, self.rank, self.segment = known, rank, rank + 1
        self.port = f"u{rank}"
        self.nic = self.own(known.nic)

    def own(self, text: str) -> str:
        """Return a text of the set with what is its uplink's own."""
        metric = 100 + 500 * self.rank
        words = {
            "METRIC+1": str(metric + 1),
            "METRIC": str(metric),
            "NUMBER": str(self.rank),
            "NET6": topology.network6(self.segment),
            "NET": topology.network(self.segment),
            "SEGMENT": str(self.segment),
            "NIC": self.port,
            "MAC": topology.Port(self.port, self.rank).mac,
        }
        pattern = r"METRIC\+1|(?<![A-Za-z])MAC(?![A-Za-z])|NET6|METRIC|NUMBER|SEGMENT|NET|NIC"
        return re.sub(pattern, lambda found: words[found[0]], text)


def start(make_lab: MakeLab, members: list[Member]) -> Lab:
    names = [member.port for member in members]
    lab = make_lab(names, segments={one.port: one.segment for one in members}, start=False)
    lab.run("sh", "-c", "rm /etc/systemd/network/*")
    for member in members:
        lab.run("sh", "-c", member.own(member.set.setup)).check_returncode()
        for name, text in member.set.files.items():
            path = place(member.own(name))
            lab.run("mkdir", "-p", path.rpartition("/")[0])
            lab.write(path, member.own(text))
    _generate(lab, {one.nic: one.own(one.set.netplan) for one in members}, netplan.OWN)
    newer = {one.nic: one.own(one.set.netplan13) for one in members}
    if any(newer.values()):
        _generate(lab, newer, netplan.newer(), _NEWER)
        lab.run("cp", "--archive", f"{_NEWER}/run/systemd", "/run").check_returncode()
    _serve(lab, [member for member in members if member.set.dhcp])
    lab.start(routable=False)
    lab.wait_routable(*(member.nic for member in members))
    _set_ipv6_mtu(lab, members)
    await_late(lab, members)
    return lab


def _set_ipv6_mtu(lab: Lab, members: list[Member]) -> None:
    """Have each ``IPv6MTUBytes=`` in effect: at first it is by chance, where the MTU is set, too.

    networkd sets the two in no order, and with a link's MTU the kernel sets that of IPv6 anew
    (``addrconf_notify()``, NETDEV_CHANGEMTU).
    """
    names = [one.nic for one in members if "IPv6MTUBytes=" in str(one.set.files)]
    for name in names:
        lab.run("networkctl", "reconfigure", name).check_returncode()
    lab.wait_routable(*names)


def await_late(lab: Lab, members: Iterable[Member]) -> None:
    """Wait for what comes late: advertisements, and what a set says of itself."""
    for member in members:
        if member.set.hears_routers:
            routes = ("ip", "-6", "route", "show", "default", "proto", "ra", "dev", member.nic)
            wait(lambda: lab.run(*routes).stdout != "", f"a router on {member.nic}", seconds=30)  # noqa: B023 - at once
        late = member.own(member.set.awaited)
        shown = ("ip", "-o", "address", "show", "dev", member.nic)
        wait(lambda: late in lab.run(*shown).stdout, f"{late} on {member.nic}", seconds=20)  # noqa: B023 - at once


def _generate(lab: Lab, known: dict[str, str], command: Sequence[str], root: str = "/") -> None:
    """Have a netplan make files of YAML, each a name and its text."""
    directory = f"{root.rstrip('/')}/etc/netplan"
    lab.run("mkdir", "-p", directory).check_returncode()
    for name, text in known.items():
        if text:
            lab.write(f"{directory}/{name}.yaml", text, mode=0o600)
    if any(known.values()):
        lab.run(*command, "--root-dir", root).check_returncode()


def _serve(lab: Lab, members: list[Member]) -> None:
    """Give out addresses on the segments of these."""
    options = []
    for member in members:
        port, lan = lab.ports[member.port], topology.network(member.segment)
        options += [
            f"--interface=lan{member.segment}",
            f"--dhcp-host={port.mac},{port.host}",
            f"--dhcp-range={lan}.100,{lan}.200,255.255.255.0,2m",
            *map(member.own, member.set.serve),
        ]
        if not any(word.startswith("--dhcp-range") for word in member.set.serve):
            options.append(f"--dhcp-range={topology.network6(member.segment)}::,ra-only")
    if options:
        fixed = "--conf-file=/dev/null --port=0 --user=root --pid-file="
        rest = [
            "--dhcp-leasefile=/run/lab/leases",
            "--no-ping",
            "--enable-ra",
            "--log-facility=/run/lab/dnsmasq.log",
        ]
        argv = ["dnsmasq", *fixed.split(), *rest, *options]
        lab.run_lan(*argv).check_returncode()
