"""The links by which units start at boot: what ``systemctl enable`` would make.

We make them ourselves, so that each is in the manifest, and a boot after any of them is known.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from netfail_hooks.files import read_text
from netfail_hooks.install.units import UNITS
from netfail_hooks.paths import Paths

_PLACES = (
    UNITS,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_SETTING = re.compile(r"^(WantedBy|RequiredBy|Alias|Also)\s*=\s*(.*)$")
_SPECIFIER = re.compile("%(.)")
_WAYS = {"WantedBy": "wants", "RequiredBy": "requires"}


def links(paths: Paths, unit: str) -> dict[str, str]:
    """Return the links of a unit, and of those that it says are enabled with it, by path."""
    found: dict[str, str] = {}
    known: list[str] = []
    waiting = [unit]
    while waiting:
        name = waiting.pop(0)
        if name in known:
            continue
        known.append(name)
        file, text = _unit(paths, name)
        for key, written in _install(text):
            words = [_expanded(word, name) for word in written]
            if key == "Also":
                waiting += words
            elif key == "Alias":
                found |= {f"{UNITS}/{word}": file for word in words}
            else:
                found |= {f"{UNITS}/{word}.{_WAYS[key]}/{name}": file for word in words}
    return found


def _expanded(word: str, unit: str) -> str:
    """Return with a unit's own name in it (install_name_printf() in systemd's install-printf.c)."""
    prefixed, _, _ = unit.rpartition(".")
    prefix, _, instance = prefixed.partition("@")
    said = {
        "%": "%",
        "i": instance,
        "j": prefix.rpartition("-")[2],
        "n": unit,
        "N": prefixed,
        "p": prefix,
    }
    return _SPECIFIER.sub(lambda found: said.get(found[1], found[0]), word)


def is_there(paths: Paths, unit: str) -> bool:
    """Tell whether there is such a unit."""
    return bool(_unit(paths, unit)[1])


def _unit(paths: Paths, name: str) -> tuple[str, str]:
    """Return a unit's file and its text; an instance has its template's."""
    template = re.sub(r"@.*\.", "@.", name)
    for place in (f"{directory}/{one}" for directory in _PLACES for one in (name, template)):
        if os.path.lexists(paths.at(place)):  # a masked one has no text, and counts
            return place, read_text(paths.through(place))
    return "", ""


def _install(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the settings of [Install] (systemd.unit(5))."""
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[Install]" and (setting := _SETTING.match(line)):
            yield setting[1], setting[2].split()
