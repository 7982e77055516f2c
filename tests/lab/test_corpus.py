"""Files that people have, eight uplinks at a time, before and after install, as networkd has it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from netfail_hooks.lab import Lab, topology
from tests.lab.suite import wait
from tests.support.corpus import FileSet, place, read

MakeLab = Callable[..., Lab]
Views = dict[str, list[Any]]

_SIZE = 8  # uplinks that a lab can have
_TAKEN = [one for one in read() if not one.refused]
_REFUSED = [one for one in read() if one.refused]
_BATCHES = [_TAKEN[at : at + _SIZE] for at in range(0, len(_TAKEN), _SIZE)]
_OURS = ("157", "netfail")
_FAULTS = re.compile("metric-|way-|file-|uplink-|hook-|config-")
_INSTEAD = re.compile(r"in place of (\S+);")


class _Member:
    """A set at its uplink in a lab."""

    def __init__(self, known: FileSet, rank: int) -> None:
        self.set, self.rank, self.segment = known, rank, rank + 1
        self.nic = f"u{rank}"

    def own(self, text: str) -> str:
        """Return a text of the set with what is its uplink's own."""
        metric = 100 + 500 * self.rank
        words = {
            "METRIC+1": str(metric + 1),
            "METRIC": str(metric),
            "NUMBER": str(self.rank),
            "NET6": topology.network6(self.segment),
            "NET": topology.network(self.segment),
            "NIC": self.nic,
            "MAC": topology.Port(self.nic, self.rank).mac,
        }
        pattern = r"METRIC\+1|(?<![A-Za-z])MAC(?![A-Za-z])|NET6|METRIC|NUMBER|NET|NIC"
        return re.sub(pattern, lambda found: words[found[0]], text)


@pytest.mark.parametrize("batch", range(len(_BATCHES)))
def test_what_people_have_is_in_effect_before_and_after(make_lab: MakeLab, batch: int) -> None:
    members = [_Member(known, rank) for rank, known in enumerate(_BATCHES[batch])]
    lab = _lab(make_lab, members)
    before = {member.nic: _view(lab, member.nic) for member in members}
    files = {member.nic: _file(lab, member.nic) for member in members}
    words = [word for member in members for word in ("--uplink", member.own(member.set.uplink))]
    done = lab.netfail("install", *words, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = [line for one in members for line in _wrong(lab, one, files[one.nic], done.stderr)]
    for nic, view in before.items():
        wrong += _differences(f"{nic} after install", _unranked(view), _unranked(_view(lab, nic)))
    findings = json.loads(lab.netfail("doctor", "--json").stdout)["findings"]
    wrong += [f"doctor: {one['what']}" for one in findings if _FAULTS.match(one["code"])]
    done = lab.netfail("uninstall", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    for nic, view in before.items():
        wrong += _differences(f"{nic} after uninstall", view, _view(lab, nic))
    assert not wrong, "\n".join(wrong)


def test_what_cannot_be_taken_over_is_refused(make_lab: MakeLab) -> None:
    lab = make_lab(("u0", "u1"), start=False)
    lab.start(routable=False)
    for known in _REFUSED:
        member = _Member(known, 0)
        lab.run("sh", "-c", member.own(known.setup))
        for name, text in known.files.items():
            lab.write(place(member.own(name)), member.own(text))
        other = member.nic if known.twice else "u1"
        done = lab.netfail(
            "install", "--uplink", member.own(known.uplink), "--uplink", other, "--dry-run"
        )
        assert done.returncode == 2, known.kind + done.stdout + done.stderr
        assert member.own(known.refused) in done.stderr, known.kind
        assert "plug" not in done.stderr, known.kind


def _lab(make_lab: MakeLab, members: list[_Member]) -> Lab:
    names = [member.nic for member in members]
    lab = make_lab(names, segments={one.nic: one.segment for one in members}, start=False)
    lab.run("sh", "-c", "rm /etc/systemd/network/*")
    for member in members:
        lab.run("sh", "-c", member.own(member.set.setup)).check_returncode()
        for name, text in member.set.files.items():
            path = place(member.own(name))
            lab.run("mkdir", "-p", path.rpartition("/")[0])
            lab.write(path, member.own(text))
    _serve(lab, [member for member in members if member.set.dhcp])
    lab.start()
    for member in members:
        if member.set.dhcp and not any("IPv6AcceptRA=no" in t for t in member.set.files.values()):
            routes = ("ip", "-6", "route", "show", "default", "proto", "ra", "dev", member.nic)
            wait(lambda: lab.run(*routes).stdout != "", f"a router on {member.nic}", seconds=30)  # noqa: B023 - at once
    return lab


def _serve(lab: Lab, members: list[_Member]) -> None:
    """Give out addresses on the segments of these."""
    options = []
    for member in members:
        port, lan = lab.ports[member.nic], topology.network(member.segment)
        options += [
            f"--interface=lan{member.segment}",
            f"--dhcp-host={port.mac},{port.host}",
            f"--dhcp-range={lan}.100,{lan}.200,255.255.255.0,2m",
            f"--dhcp-range={topology.network6(member.segment)}::,ra-only",
        ]
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


def _wrong(lab: Lab, member: _Member, file: str, said: str) -> list[str]:
    """Return what does not hold of a set after install."""
    kind, nic = member.set.kind, member.nic
    ours = _file(lab, nic)
    result = []
    if not ours.endswith(f"-netfail-{nic}.network"):
        return [f"{kind}: networkd reads {ours}"]
    instead = _INSTEAD.search(lab.read(ours))
    if (instead[1] if instead else "") != file:
        result.append(f"{kind}: in place of {instead}, and networkd read {file}")
    if member.own(member.set.note) not in said:
        result.append(f"{kind}: not said by install: {member.own(member.set.note)}")
    lines = _lines(lab, nic)
    result += [
        f"{kind}: not there: {member.own(words)}"
        for words in member.set.hold
        if not any(member.own(words) in line for line in lines)
    ]
    result += [
        f"{kind}: there: {member.own(words)}"
        for words in member.set.absent
        if any(member.own(words) in line for line in lines)
    ]
    return [*result, *lines] if result else []


def _lines(lab: Lab, nic: str) -> list[str]:
    """Return what there is to see of a NIC, a space between words; routes end with " ^"."""
    routes = "ip route show table all; ip -6 route show table all"
    shown = f"ip rule; ip -o address show dev {nic}; networkctl status {nic}"
    lines = [f"{line.strip()} ^" for line in lab.run("sh", "-c", routes).stdout.splitlines()]
    lines += lab.run("sh", "-c", shown).stdout.splitlines()
    return [" ".join(line.split()) for line in lines]


def _file(lab: Lab, nic: str) -> str:
    for line in lab.run("networkctl", "status", nic).stdout.splitlines():
        key, _, path = line.strip().partition(": ")
        if key == "Network File":
            return path
    return ""


def _view(lab: Lab, nic: str) -> Views:
    """Return what is in effect on a NIC, but for what is ours, by its parts."""

    def shown(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(lab.run("ip", "-d", "-j", *words).stdout or "[]")
        return found

    known = json.loads(lab.run("networkctl", "--json=short", "status", nic).stdout)
    fields = ("DNS", "NTP", "SearchDomains", "RouteDomains", "MTU", "RequiredForOnline")
    routes = [
        {key: item for key, item in route.items() if key not in ("expires", "flags", "pref")}
        for family in ("-4", "-6")
        for route in shown(family, "route", "show", "table", "all")
        if _leads(route, nic) and str(route.get("protocol")) not in ("kernel", *_OURS)
    ]
    addresses = [
        {key: one[key] for key in sorted(one) if not key.endswith("life_time")}
        for link in shown("address", "show", "dev", nic)
        for one in link.get("addr_info", ())
        if one.get("scope") != "link" or one["family"] == "inet"
    ]
    rules = [rule for family in ("-4", "-6") for rule in shown(family, "rule")]
    return {
        "addresses": addresses,
        "routes": sorted(routes, key=json.dumps),
        "rules": [rule for rule in rules if str(rule.get("protocol")) not in _OURS],
        **{key: [known.get(key)] for key in fields},
    }


def _leads(route: dict[str, Any], nic: str) -> bool:
    hops = [hop.get("dev") for hop in route.get("nexthops", ())]
    return nic in (route.get("dev"), *hops) or ("dev" not in route and not hops)


def _unranked(view: Views) -> Views:
    """Return the same without what orders uplinks: metrics, and the marks of our own options."""
    gone = ("metric", "nodad", "optimistic")
    return {
        part: sorted(
            ({k: v for k, v in one.items() if k not in gone} for one in found), key=json.dumps
        )
        if part == "routes"
        else [
            {k: v for k, v in one.items() if k not in gone} if isinstance(one, dict) else one
            for one in found
        ]
        for part, found in view.items()
    }


def _differences(where: str, before: Views, after: Views) -> list[str]:
    """Return what is otherwise, but that who had no name servers may have been lent some."""
    lent = ("DNS", "SearchDomains", "RouteDomains") if before["DNS"] == [None] else ()
    return [
        f"{where}: {part} are {after[part]}, were {before[part]}"
        for part in before
        if before[part] != after[part] and part not in lent
    ]
