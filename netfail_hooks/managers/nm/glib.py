"""The grammar of a keyfile, as GLib's GKeyFile reads it: groups, keys, escapes, lists by ``;``.

https://docs.gtk.org/glib/struct.KeyFile.html, gkeyfile.c. What can't be read is as if it weren't
there, as for NetworkManager itself.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass

_SPACE = " \t\r\f\v"  # g_ascii_isspace(), but for the end of a line
_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_ALIASES = {
    "802-3-ethernet": "ethernet",
    "802-11-wireless": "wifi",
    "802-11-wireless-security": "wifi-security",
}
_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)
_BYTES = re.compile(r"(?:\s*\d{1,3}\s*;)+\s*", re.ASCII)

# A group's keys and what was written for them, escapes and all.
Group = dict[str, str]


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A keyfile's groups, in their order; a group that comes twice is one."""

    groups: tuple[tuple[str, Group], ...]

    def __repr__(self) -> str:  # there are secrets in it
        return f"KeyFile({', '.join(name for name, _ in self.groups)})"

    def has(self, group: str) -> bool:
        """Tell whether there is a group of that name or its alias."""
        return any(name in (group, _ALIASES.get(group)) for name, _ in self.groups)

    def group(self, name: str) -> Group:
        """Return a group's keys; what the alias of its name says counts where both say it."""
        found = dict(self.groups)
        return {**found.get(name, {}), **found.get(_ALIASES.get(name, ""), {})}

    def names(self) -> tuple[str, ...]:
        """Return the names of the groups, the long ones of those that have an alias."""
        long = {alias: name for name, alias in _ALIASES.items()}
        return tuple(dict.fromkeys(long.get(name, name) for name, _ in self.groups))

    def text(self, group: str, key: str, default: str = "") -> str:
        """Return a string, its escapes resolved."""
        written = self.group(group).get(key)
        return default if written is None else _pieces(written, "")[0]

    def items(self, group: str, key: str) -> tuple[str, ...]:
        """Return a list of strings; a ``;`` at its end is no empty one more."""
        *pieces, last = _pieces(self.group(group).get(key, ""), ";")
        return tuple([*pieces, last] if last else pieces)

    def number(self, group: str, key: str, default: int = 0) -> int:
        """Return an integer."""
        written = self.group(group).get(key, "").strip(_SPACE)
        return int(written) if _NUMBER.fullmatch(written) else default

    def flag(self, group: str, key: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        written = self.group(group).get(key, "").rstrip(_SPACE)
        return written in ("true", "1") if written in ("true", "false", "1", "0") else default

    def data(self, group: str, key: str) -> bytes:
        """Return bytes: a string, or in the old form numbers, each with a ``;`` behind it."""
        text = self.text(group, key)
        if _BYTES.fullmatch(text):
            with contextlib.suppress(ValueError):
                return bytes(int(part) for part in text.split(";") if part.strip())
        return text.replace("\\;", ";").encode(errors="surrogateescape")


def read(text: str) -> KeyFile:
    """Return what a keyfile says."""
    groups: dict[str, Group] = {}
    group: Group | None = None
    for raw in text.removeprefix("\ufeff").split("\n"):
        line = raw.removesuffix("\r").lstrip(_SPACE)
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            name = line.rstrip(_SPACE)
            group = groups.setdefault(name[1:-1], {}) if name.endswith("]") else None
            continue
        key, equals, written = line.partition("=")
        if equals and group is not None:
            group[key.rstrip(_SPACE)] = written.lstrip(_SPACE)
    return KeyFile(tuple(groups.items()))


def _pieces(written: str, separator: str) -> list[str]:
    """Return the strings between separators, their escapes resolved.

    Any other escape stays as it is written (``g_key_file_parse_value_as_string()``, whose error
    NetworkManager doesn't look at).
    """
    pieces, at = [""], 0
    while at < len(written):
        char = written[at]
        at += 1
        if char == "\\":
            escaped = written[at : at + 1]
            at += 1
            known = separator if escaped == separator else _ESCAPES.get(escaped)
            pieces[-1] += "\\" * bool(escaped) + escaped if known is None else known
        elif char == separator:
            pieces.append("")
        else:
            pieces[-1] += char
    return pieces


def printable(text: str) -> str:
    """Return a text for people, without what would end its line or colour a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)
