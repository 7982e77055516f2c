"""Files that people have, eight uplinks at a time, before and after install, as networkd has it."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable

import pytest

from netfail_hooks.lab import Lab
from tests.lab.filesets import SIZE, MakeLab, Member, await_late, start
from tests.lab.suite import steady, wait
from tests.lab.views import Views, differences, unranked, views
from tests.support.corpus import place, read

_TAKEN = [one for one in read() if not one.refused]
_REFUSED = [one for one in read() if one.refused]
_BATCHES = [_TAKEN[at : at + SIZE] for at in range(0, len(_TAKEN), SIZE)]
_FAULTS = re.compile("metric-|way-|file-|uplink-|hook-|config-")
_INSTEAD = re.compile(r"in place of (\S+);")


def _same(seen: Views) -> Views:
    return seen


def _await_all(lab: Lab, wanted: dict[str, Views], of: Callable[[Views], Views] = _same) -> None:
    """Wait for what a DHCP server has yet to give again; what is missing then is told later."""

    def all_there() -> bool:
        found = views(lab, wanted)
        return not any(differences(nic, wanted[nic], of(now)) for nic, now in found.items())

    with contextlib.suppress(AssertionError):
        wait(all_there, "all as before", seconds=8)


@pytest.mark.share(4)
@pytest.mark.parametrize("batch", range(len(_BATCHES)))
def test_what_people_have_is_in_effect_before_and_after(make_lab: MakeLab, batch: int) -> None:
    members = [Member(known, rank) for rank, known in enumerate(_BATCHES[batch])]
    nics = [member.nic for member in members]
    lab = start(make_lab, members)
    before = steady(lambda: views(lab, nics))
    files = _files(lab, nics)
    words = [word for member in members for word in ("--uplink", member.own(member.set.uplink))]
    done = lab.netfail("install", *words, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    await_late(lab, members)
    _await_all(lab, {nic: unranked(seen) for nic, seen in before.items()}, unranked)
    wrong = _unheld(lab, members, files, done.stderr)
    for nic, now in views(lab, nics).items():
        wrong += differences(f"{nic} after install", unranked(before[nic]), unranked(now))
    findings = json.loads(lab.netfail("doctor", "--json").stdout)["findings"]
    wrong += [f"doctor: {one['what']}" for one in findings if _FAULTS.match(one["code"])]
    done = lab.netfail("uninstall", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    await_late(lab, members)
    _await_all(lab, before)
    for nic, now in views(lab, nics).items():
        wrong += differences(f"{nic} after uninstall", before[nic], now)
    assert not wrong, "\n".join(wrong)


def test_what_cannot_be_taken_over_is_refused(make_lab: MakeLab) -> None:
    lab = make_lab(("u0", "u1"), start=False)
    lab.start(routable=False)
    for known in _REFUSED:
        member = Member(known, 0)
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


def _unheld(lab: Lab, members: Iterable[Member], before: dict[str, str], said: str) -> list[str]:
    """Return what does not hold of some sets after install."""
    result = []
    members = list(members)
    lines = _lines(lab, [member.nic for member in members])
    now = _files(lab, [member.nic for member in members])
    for member in members:
        file = now[member.nic]
        found = _wrong(member, lines)
        instead = _INSTEAD.search(lab.read(file))
        if (instead[1] if instead else "") != before[member.nic]:
            found.append(f"{member.nic}: {file}, and networkd read {before[member.nic]}")
        if member.own(member.set.note) not in said:
            found.append(f"not said by install: {member.own(member.set.note)}")
        shown = [line for line in lines if re.search(rf"\b{member.nic}\b", line)]
        result += [*found, *shown] if found else []
    return result


def _wrong(member: Member, lines: list[str]) -> list[str]:
    """Return which words of a set are in no line, or in one and must not be."""
    kind, known = member.set.kind, member.set
    hold, absent = map(member.own, known.hold), map(member.own, known.absent)
    return [
        *(f"{kind}: not there: {one}" for one in hold if not any(one in line for line in lines)),
        *(f"{kind}: there: {one}" for one in absent if any(one in line for line in lines)),
    ]


def _lines(lab: Lab, nics: Iterable[str]) -> list[str]:
    """Return what there is to see, a space between words; routes end with " ^"."""
    routes = "ip route show table all; ip -6 route show table all"
    shown = f"ip rule; ip -6 rule; ip -o address; networkctl status {' '.join(nics)}"
    lines = [f"{line.strip()} ^" for line in lab.run("sh", "-c", routes).stdout.splitlines()]
    lines += lab.run("sh", "-c", shown).stdout.splitlines()
    return [" ".join(line.split()) for line in lines]


def _files(lab: Lab, nics: Iterable[str]) -> dict[str, str]:
    """Return the file that networkd has for each interface, "" for none."""
    known = json.loads(lab.run("networkctl", "--json=short").stdout)["Interfaces"]
    files = {one["Name"]: one.get("NetworkFile", "") for one in known}
    return {nic: files[nic] for nic in nics}
