"""Whether what sets the uplinks up without us still is what our files were made of.

Ours is a copy with metrics. So what a person, netplan or cloud-init changes in the file that it
stands in for, be it a ``.network`` file or another manager's, has no effect before the next
install: that is told, by doctor, status and the check.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

from netfail_hooks.config import Config
from netfail_hooks.errors import Misuse, NotPermitted, Problem
from netfail_hooks.managers import Profile, dhcpcd_release, ifupdown_release, sources, waking
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.networkd import link_file, match, netplan, takeover
from netfail_hooks.networkd.link_file import LinkFile
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.paths import Paths


def drifted(paths: Paths, config: Config, unknown: list[Problem]) -> tuple[str, ...]:
    """Return which of their files changed since ours were made of them, a sentence each.

    What keeps one from being judged is added to ``unknown``; the others are judged all the same.
    """
    away = absent(paths, config)
    # All that a NIC's names, address and driver decide is unknown while it is not there.
    judged = [name for name in config.names() if name not in away]
    if config.mode == "bond" and not away:  # whose file may be made of any of theirs
        judged.insert(0, config.bond.name)
    questions: list[Callable[[], str]] = [
        lambda: _of("ifupdown", lambda: ifupdown_release.drifted(paths, config.names())),
        lambda: _of("dhcpcd", lambda: dhcpcd_release.drifted(paths)),
        *(functools.partial(_why, paths, config, name) for name in judged),
    ]
    found = []
    for question in questions:
        try:
            found.append(question())
        except Problem as problem:
            if str(problem) not in map(str, unknown):
                unknown.append(problem)
    return tuple(filter(None, found))


def absent(paths: Paths, config: Config) -> list[str]:
    """Return the uplinks that are not plugged in."""
    return [name for name in config.names() if not os.path.isdir(paths.at(place(name)))]


def place(name: str) -> str:
    """Return where there is a directory while there is a NIC."""
    return f"/sys/class/net/{name}"


def watched(paths: Paths) -> list[str]:
    """Return the files and directories of which one is touched if what ``drifted`` says changes."""
    return [
        *match.watched(paths),
        *sources.watched(paths),
        *ifupdown_release.watched(paths),
        *dhcpcd_release.watched(paths),
    ]


def _why(paths: Paths, config: Config, name: str) -> str:
    """Return in which way an interface's file of ours is out of date, "" for none.

    Raises NotPermitted where that hangs on a file that we may not read, and does not name it: it
    may be nobody's concern. Among NetworkManager's there are guests' networks, say.
    """
    what = f"what {name} is set up by"
    try:
        nic = takeover.bond_nic(config) if _is_bond(config, name) else read_nic(name, paths)
        ours = match.effective(paths, nic, ignore=lambda text: not takeover.is_ours(text))
        if ours is None:
            return ""
        first = match.effective(paths, nic)
        if first and first.path != ours.path:  # cloud-init's come ahead of most of ours, say
            return f"networkd reads {first.path} ahead of {ours.path} now"
        noted = takeover.made_of(ours.text)
        if not noted:
            return ""
        source = takeover.of_whom(ours.text)
        what = source if source.startswith("/") else f"{source} for {name}"
        return _changed(paths, config, nic, ours, noted)
    except NotPermitted:
        raise _unjudged(what) from None


def _of(manager: str, question: Callable[[], str]) -> str:
    """Return what has changed of how a manager leaves uplinks to us. Raises NotPermitted."""
    try:
        return question()
    except NotPermitted:
        raise _unjudged(f"what keeps {manager} away") from None


def _unjudged(what: str) -> NotPermitted:
    return NotPermitted(f"whether {what} has changed since install", hint="use sudo")


def _is_bond(config: Config, name: str) -> bool:
    return config.mode == "bond" and name == config.bond.name


def _changed(paths: Paths, config: Config, nic: Nic, ours: Source, noted: str) -> str:
    """Return what has changed since our file was made of what has the fingerprint ``noted``."""
    now: Source | None = takeover.users_file(paths, nic)
    if _is_bond(config, nic.name) and now is None:
        now = takeover.slaves_file(paths, config)
    source = takeover.of_whom(ours.text)
    theirs = sources.is_managers(source) and not now
    profile = sources.profile(paths, nic, source) if theirs else None
    if profile:
        now = sources.as_source(profile)
    if now is None:
        why = "is gone"
    elif now.path != source:
        why = f"has given way to {netplan.told(paths, now.path)}"
    elif now.fingerprint != noted:
        why = "has changed, or a drop-in of it,"
    elif profile is None:
        return ""
    else:
        return _other_networks(paths, profile, nic) or _wakes_otherwise(paths, profile, nic)
    named = netplan.told(paths, source)
    comma = "," if named != source else ""
    return f"{named}{comma} {why} since {ours.path} was made of it"


def _other_networks(paths: Paths, profile: Profile, nic: Nic) -> str:
    """Return in which way an uplink's Wi-Fi networks are out of date, "" for none.

    The file is compared itself, where we may read it: a fingerprint of it in a file that everybody
    may read would let everybody try passphrases on it.
    """
    path = supplicant.path(nic.name)
    ours = match.read(paths, path) if profile.wireless else ""
    if not supplicant.is_ours(ours):
        return ""
    if ours == supplicant.of(profile):
        return ""
    return f"a Wi-Fi network that {profile.manager} knows has changed since {path} was made"


def _wakes_otherwise(paths: Paths, profile: Profile, nic: Nic) -> str:
    """Return in which way it is out of date how an uplink wakes the machine, "" for none.

    Of one whose file could not be made any more, install says why.
    """
    ours = link_file.find(paths, nic.name)
    if ours is None:
        return ""
    try:
        wanted = waking.file(paths, nic, profile)
    except Misuse:
        return ""
    secret = waking.password_file(nic.name)
    same = not profile.wake_password or match.read(paths, secret) == profile.wake_password
    if same and wanted == LinkFile(ours.path, ours.text):
        return ""
    return (
        f"how {nic.name} is to wake the machine, or what udev does to it, has changed since "
        f"{ours.path} was made"
    )
