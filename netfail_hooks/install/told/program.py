"""Which program installed last, and which one does now: what tells an upgrade."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from netfail_hooks import __version__
from netfail_hooks.install.hook_file import hooks_directory, states
from netfail_hooks.paths import package_home

_HEAD = 16  # digits of a digest: nobody forges it


@dataclass(frozen=True, slots=True)
class Program:
    """A program by its number and a digest of its files: two of one number may differ.

    Both are "" for one that noted neither.
    """

    version: str = ""
    digest: str = ""


def present() -> Program:
    """Return the program that runs. Raises OSError."""
    package = Path(package_home()) / "netfail_hooks"
    files = {str(file.relative_to(package)): file for file in package.rglob("*.py")}
    files |= {f"hooks/{state}": hooks_directory() / state for state in states()}
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0".encode() + hashlib.sha256(files[name].read_bytes()).digest())
    return Program(__version__, total.hexdigest()[:_HEAD])


def upgraded(before: Program, now: Program) -> str:
    """Return in words from which program to which it went, "" if it is the same one."""
    if before == now:
        return ""
    if not before.version:
        return f"upgraded to {now.version}, from a version that noted none"
    if before.version == now.version:
        return f"the same version again, {now.version}, but with other code"
    verb = "upgraded" if _order(before.version) < _order(now.version) else "went back"
    return f"{verb} {before.version} -> {now.version}"


def _order(version: str) -> list[int]:
    """Return by what versions are ordered (semver.org, 11), but for the words of one."""
    return [int(number) for number in re.findall(r"\d+", version.partition("-")[0])]
