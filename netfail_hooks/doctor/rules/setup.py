"""Rules of ``doctor`` about what is installed: config, hooks, files, versions. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from netfail_hooks.doctor.facts import CHANGED, MISSING, NEW, STALE, Facts, Symptom
from netfail_hooks.doctor.rules.shared import (
    AGAIN,
    CONFIG,
    is_arch,
    listed,
    may_write,
    waits_for_all,
)
from netfail_hooks.install.units import ONLINE_FILE, TIMER, WANTED

_UPGRADE = ("apt full-upgrade  # of a newer release of the distribution", "pacman -Syu")

# What our files need of networkd (systemd's NEWS, under these numbers).
_NEEDS = ((242, "IgnoreCarrierLoss="), (243, "KeepConfiguration="), (249, "RouteMetric="))
_FEWEST = 2  # uplinks between which there is a failover
_KERNEL = (5, 18)  # IFA_PROTO (linux/if_addr.h)


def manager_silent(facts: Facts) -> Iterator[Symptom]:
    """Find that uplinks are to go back to a manager which does not answer."""
    if facts.waits:
        see = ("systemctl status NetworkManager", "journalctl -t netfail-hooks -n 20")
        yield Symptom(facts.waits, see)


def not_installed(facts: Facts) -> Iterator[Symptom]:
    """Find that neither config nor manifest is there."""
    if facts.installed or facts.config or facts.config_wrong:
        return
    names, lack = _would_take(facts)
    ranks = ["--primary", names[0], *(word for name in names[1:] for word in ("--backup", name))]
    install = [facts.install_sh] if facts.install_sh else ["netfail-hooks", "install"]
    yield Symptom(
        f"netfail-hooks is not installed on this machine{lack}",
        (shlex.join([*install, *ranks, "--dry-run"]), shlex.join([*install, *ranks])),
    )


def _would_take(facts: Facts) -> tuple[tuple[str, ...], str]:
    """Return the uplinks to name, and what is to be told where the machine has too few."""
    if len(facts.uplinks) >= _FEWEST:
        return facts.uplinks, ""
    found = tuple(dict.fromkeys((*facts.uplinks, *facts.nics)))[:_FEWEST]
    if len(found) == _FEWEST:
        ranked = [name for name in facts.nics if name in found]
        return tuple(dict.fromkeys((*ranked, *found))), ""
    seen = f"only {found[0]}" if found else "none"
    lack = f": of the two uplinks that it needs {seen} is to be seen, 'ip link' lists all there is"
    return (*found, *["IF"] * (_FEWEST - len(found))), lack


def config_wrong(facts: Facts) -> Iterator[Symptom]:
    """Find that it can't be read, or is gone while the rest is there."""
    if facts.config_wrong:
        for wrong in facts.config_wrong:
            yield Symptom(wrong, (f"editor {CONFIG}", AGAIN))
    elif facts.installed and not facts.config:
        yield Symptom(f"{CONFIG} is gone", ("netfail-hooks install --primary IF --backup IF",))


def config_not_installed(facts: Facts) -> Iterator[Symptom]:
    """Find that the config is another than the installed one: only a person may say which counts.

    To install it may take the machine into a bond, or out of one, or take an interface over.
    """
    hooks = {place.path for place in facts.files.hooks}  # hook-missing lists those
    odd = [f for f in facts.files.own if f.state in (NEW, STALE) and f.path not in hooks]
    if odd:
        paths = [file.path for file in odd]
        yield Symptom(
            f"install would make or remove, by {CONFIG} as it is now: {listed(paths)}",
            ("netfail-hooks install --dry-run", "netfail-hooks install"),
            about=tuple(file.role for file in odd),
        )


def hook_missing(facts: Facts) -> Iterator[Symptom]:
    """Find states for which there is no hook."""
    lost = [place.path for place in facts.files.hooks if place.mode is None]
    if lost:
        yield Symptom(f"no hook at {listed(lost)}", (AGAIN,), safe=may_write(facts))


def hook_skipped(facts: Facts) -> Iterator[Symptom]:
    """Find hooks and directories that the dispatcher passes over (its ``check_perms``)."""
    odd = [place for place in facts.files.hooks if place.mode is not None and not place.serves]
    if not odd:
        return
    shown = [f"{p.path} (mode {p.mode or 0:04o}, owner {p.owner[0]}:{p.owner[1]})" for p in odd]
    paths = shlex.join(place.path for place in odd)
    fix = [f"chown root:root {paths}"] if any(p.owner != (0, 0) for p in odd) else []
    fix.append(f"chmod 0755 {paths}")
    yield Symptom(f"networkd-dispatcher skips {listed(shown)}", tuple(fix), safe=True)


def hook_broken(facts: Facts) -> Iterator[Symptom]:
    """Find hooks whose Python or package is gone."""
    if facts.files.hook_lacks:
        yield Symptom(
            f"{_started(facts)} start {facts.files.hook_lacks}, which is not there",
            (AGAIN,),
            safe=may_write(facts),
        )


def _started(facts: Facts) -> str:
    """Return what starts our program: hooks, without networkd-dispatcher units alone."""
    hooks = facts.config is None or facts.config.dispatcher
    return "the hooks" if hooks else "our units"


def venv_outdated(facts: Facts) -> Iterator[Symptom]:
    """Find hooks in a virtual environment that was made for another Python than there is."""
    if facts.files.outdated_venv:
        yield Symptom(
            f"the Python of {facts.files.outdated_venv}, from which {_started(facts)} run, is gone",
            (AGAIN,),  # by which they run from where this command is
            safe=may_write(facts),
        )


def file_missing(facts: Facts) -> Iterator[Symptom]:
    """Find files of ours that are gone, but for those whose lack has a rule of its own."""
    others = {place.path for place in facts.files.hooks}
    if waits_for_all(facts):
        others.add(ONLINE_FILE)
    if facts.services.unit(TIMER):
        others.add(WANTED)  # "not enabled" means just that
    lost = [f for f in facts.files.own if f.state == MISSING and f.path not in others]
    if lost:
        yield Symptom(
            f"missing since install: {listed([file.path for file in lost])}",
            (AGAIN,),
            safe=may_write(facts),
            about=tuple(file.role for file in lost),
        )


def file_changed(facts: Facts) -> Iterator[Symptom]:
    """Find files of ours that somebody has edited: theirs to decide on, so never safe."""
    odd = [file.path for file in facts.files.own if file.state == CHANGED]
    if odd:
        yield Symptom(
            f"changed since install: {listed(odd)}", ("netfail-hooks install --dry-run", AGAIN)
        )


def timer_outdated(facts: Facts) -> Iterator[Symptom]:
    """Find a timer that was written for another interval than the config's."""
    if facts.config and not facts.files.timer_interval_kept:
        yield Symptom(
            f"the timer is not the one for each {facts.config.period} s that check.interval and "
            "check.quick ask for",
            (AGAIN,),
            safe=may_write(facts),
        )


def old_systemd(facts: Facts) -> Iterator[Symptom]:
    """Find an option that our files use and this networkd ignores."""
    version = facts.services.networkd_version
    unknown = ", ".join(option for since, option in _NEEDS if 0 < version < since)
    if unknown:
        what = f"systemd {version} does not know {unknown}; 249 does"
        yield Symptom(what, (_UPGRADE[is_arch(facts)],))


def file_outdated(facts: Facts) -> Iterator[Symptom]:
    """Find that a file of the user's is not any more what ours was made of."""
    for what in facts.files.drifted:
        yield Symptom(what, ("netfail-hooks install --dry-run", "netfail-hooks install"))


def old_kernel(facts: Facts) -> Iterator[Symptom]:
    """Find a kernel that can't mark an address."""
    if (0, 0) < facts.kernel.release < _KERNEL:
        version = ".".join(map(str, facts.kernel.release))
        yield Symptom(f"Linux {version} is older than 5.18", (_UPGRADE[is_arch(facts)],))
