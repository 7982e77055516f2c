"""netplan makes files below /run of YAML; that is what a person edits (netplan(5)).

For networkd they are ``NN-netplan-ID.network``, for NetworkManager ``netplan-ID.nmconnection``,
with a network's name behind the ID for Wi-Fi. Which YAML has an ID is looked for by its words: no
library that reads YAML is needed for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from netfail_hooks.files import entries, read_text
from netfail_hooks.paths import Paths

ANYWHERE = "/etc/netplan"
GENERATE = "sudo netplan generate"
# The later one's file hides the earlier one's of the same name; all are read in order of names.
_DIRECTORIES = ("/lib/netplan", "/usr/lib/netplan", ANYWHERE, "/run/netplan")
_MADE = re.compile(
    r"/run/(?:systemd/network/[^/]*netplan-([^/]+)\.(?:network|link|netdev)"
    r"|NetworkManager/system-connections/netplan-([^/]+)\.nmconnection)"
)
_NAME = re.compile(r"[\w.@+-]+\.yaml", re.ASCII)  # others would need quotes where we name them


def sources(paths: Paths, path: str) -> tuple[str, ...]:
    """Return the YAML files that a file of netplan's came of, the last one counting most.

    ``ANYWHERE`` where none names it, () for a file that is not netplan's.
    """
    found = _MADE.fullmatch(path)
    if not found:
        return ()
    name = unquote(found[1] or found[2])
    texts = {place: _uncommented(read_text(paths.through(place))) for place in _files(paths)}
    for identifier in _identifiers(name):
        key = re.compile(rf"(?:^|[\s{{,])([\"']?){re.escape(identifier)}\1\s*:", re.MULTILINE)
        if having := tuple(place for place, text in texts.items() if key.search(text)):
            return having
    return (ANYWHERE,)


def told(paths: Paths, path: str) -> str:
    """Return how to name a file to people: with the YAML that it was made of, if it was."""
    yaml = " and ".join(sources(paths, path))
    return f"{path}, which netplan makes of {yaml}" if yaml else path


def _files(paths: Paths) -> list[str]:
    """Return the YAML files that netplan reads, in its order."""
    by_name = {
        name: f"{directory}/{name}"
        for directory in _DIRECTORIES
        for name in entries(paths.through(directory))
        if _NAME.fullmatch(name)
    }
    return [by_name[name] for name in sorted(by_name)]


def _identifiers(name: str) -> Iterator[str]:
    """Yield what may be the ID in a file's name, the longest first: behind it is a network's."""
    yield name
    for at in reversed([found.start() for found in re.finditer("-", name)]):
        yield name[:at]


def _uncommented(text: str) -> str:
    return re.sub(r"(?m)^\s*#.*$", "", text)
