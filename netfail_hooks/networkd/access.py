"""Who may read a file of ours: nobody who may not read all that it was made from.

A ``.network`` file may hold secrets, and careful people, as netplan, make theirs root's and
networkd's alone (0640 root:systemd-network). A copy of it with all it says must be no more open.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netfail_hooks.errors import Misuse
from netfail_hooks.networkd import match, takeover
from netfail_hooks.paths import Paths

_USER = "systemd-network"  # as which networkd runs, without root's right to read everything
_EVERYBODY, _OWNER_AND_GROUP, _OWNER = 0o444, 0o440, 0o400


@dataclass(frozen=True, slots=True)
class Access:
    """A file's mode, and its owner and group."""

    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)


def of_network_files(paths: Paths, texts: Mapping[str, str]) -> Access:
    """Return what all our files of networkd's get, given their texts by path.

    One for all, as each may hold addresses of the others. Raises Misuse where networkd could not
    read what nobody else may.
    """
    sources = {
        path: status
        for place, text in texts.items()
        for path in _sources(paths, place, text)
        if (status := _status(paths.through(path)))
    }
    access = strictest([_access_of(status) for status in sources.values()])
    networkd = _networkd(paths)
    if networkd and not _may_read(access, *networkd):
        closed = [path for path, status in sources.items() if status.st_mode & 0o444 != 0o444]
        listed = " ".join(closed)
        raise Misuse(
            f"networkd cannot read what is in {' and '.join(closed)}",
            hint=f"sudo chown root:{_USER} {listed}; sudo chmod 640 {listed}",
        )
    return access


def strictest(sources: Sequence[Access]) -> Access:
    """Return the most open access by which nobody reads who can't read each of the sources.

    That of files that all may read is root's 0644, as ever.
    """
    closed = [one for one in sources if one.mode & _EVERYBODY != _EVERYBODY]
    if not closed:
        return Access()
    owner, group = closed[0].owner
    if any(one.owner[0] != owner or not one.mode & _OWNER for one in closed):
        owner = 0
    for one in closed:
        if one.owner[1] != group or one.mode & _OWNER_AND_GROUP != _OWNER_AND_GROUP:
            return Access(0o600, (owner, 0))
    return Access(0o640, (owner, group))


def _sources(paths: Paths, place: str, text: str) -> Iterable[str]:
    """Return the files that one of ours was made from; what install is asked was our own before.

    Another manager's is none: it is closed because of keys, and of those nothing is in ours.
    """
    path = place if takeover.was_asked(text) else takeover.of_whom(text)
    if not path.endswith(".network"):
        return ()
    return (path, *match.dropins(paths, os.path.basename(path))) if path else ()


def _access_of(status: os.stat_result) -> Access:
    return Access(status.st_mode & 0o777, (status.st_uid, status.st_gid))


def _status(place: str) -> os.stat_result | None:
    try:
        return os.stat(place)
    except OSError:
        return None


def _may_read(access: Access, user: int, groups: frozenset[int]) -> bool:
    if user == access.owner[0]:
        return bool(access.mode & 0o400)
    return bool(access.mode & (0o040 if access.owner[1] in groups else 0o004))


def _networkd(paths: Paths) -> tuple[int, frozenset[int]] | None:
    """Return networkd's user and groups on the machine; None where they are not to be found.

    As its files have them (passwd(5), group(5)): those below a root are not ours to ask libc for.
    """
    for user in _entries(paths, "/etc/passwd"):
        if user[0] == _USER and user[3].isdigit():
            groups = [one for one in _entries(paths, "/etc/group") if _USER in one[3].split(",")]
            return int(user[2]), frozenset(map(int, [user[3], *(one[2] for one in groups)]))
    return None


def _entries(paths: Paths, path: str) -> list[list[str]]:
    """Return the words of the lines that name somebody and his number."""
    lines = [line.split(":") for line in match.read(paths, path).splitlines()]
    return [words for words in lines if len(words) > 3 and words[2].isdigit()]
