"""``netfail-hooks log --bundle``: all that a bug report needs in one file, nothing secret in it.

Plain text, so that a person can read what is sent. A line that begins with ``==`` names what
follows; the recordings come last, and ``netfail-hooks replay`` takes the file as it is.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Iterator

from netfail_hooks import __version__
from netfail_hooks.bundle import network_files
from netfail_hooks.bundle.redact import Redactor
from netfail_hooks.config.cache import load
from netfail_hooks.config.file import render
from netfail_hooks.errors import Problem
from netfail_hooks.files import write_named
from netfail_hooks.networkd import match, networkctl, takeover
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.terminal import escaped, escaped_lines
from netfail_hooks.values import plain

HEAD = "netfail-hooks bundle 1"
_ABOUT = """\
What is secret is left out. Hardware addresses and public addresses are exchanged, the same one for
the same placeholder everywhere, so this can be replayed: netfail-hooks replay FILE
"""
_RECORDINGS = "recordings"
_MOST = 200  # recordings, the last ones


def write(paths: Paths, lines: Iterable[str], place: str) -> None:
    """Put the bundle into a file, or on standard output for "-". Raises OSError."""
    data = escaped_lines(Redactor(os.urandom(16)).text(text(paths, lines))).encode("utf-8")
    if place == "-":
        os.write(1, data)
        return
    write_named(place, data, mode=0o600)


def text(paths: Paths, lines: Iterable[str]) -> str:
    """Return the bundle, its addresses not exchanged yet."""
    parts = [*_parts(paths), (_RECORDINGS, "\n".join(list(lines)[-_MOST:]))]
    return "\n".join(
        [HEAD, _ABOUT, *(f"== {escaped(name)}\n{part.rstrip()}\n" for name, part in parts)]
    )


def recordings(text: str) -> list[str] | None:
    """Return the recorder's lines in a bundle, None where it is no bundle."""
    if not text.startswith(HEAD):
        return None
    return text.rpartition(f"\n== {_RECORDINGS}\n")[2].splitlines()


def unbundled(lines: list[str]) -> list[str]:
    """Return the recorder's lines, also of a file that ``log --bundle`` made."""
    bundled = recordings("\n".join([*lines, ""]))
    return lines if bundled is None else bundled


def _parts(paths: Paths) -> Iterator[tuple[str, str]]:
    yield "versions", "\n".join(_versions())
    yield "doctor", "\n".join(_findings(paths))
    try:
        config = load(paths)
    except Problem as problem:
        yield "no config", escaped(str(problem))
        return
    yield "status", _status(paths)
    yield paths.config, render(config)  # comments may hold anything, and all else is in this
    # A file may be that of several uplinks.
    yield from dict(part for name in config.names() for part in _networks(paths, name)).items()


def _versions() -> Iterator[str]:
    yield f"netfail-hooks {__version__}"
    yield f"Python {platform.python_version()}"
    yield f"{platform.system()} {platform.release()} {platform.machine()}"
    yield platform.freedesktop_os_release().get("PRETTY_NAME", "")
    yield from filter(None, [networkctl.version_line()])


def _findings(paths: Paths) -> Iterator[str]:
    from netfail_hooks.doctor.again import look
    from netfail_hooks.doctor.rules import diagnose

    try:
        facts, before = look(paths)
    except Exception as error:  # noqa: BLE001 - a report of a bug has to survive it
        yield f"cannot look: {type(error).__name__}"
        return
    yield from (escaped(f"{finding.code}: {finding.what}") for finding in diagnose(facts, before))
    yield f"things that could not be learned: {len(facts.unknown)}"


def _status(paths: Paths) -> str:
    from netfail_hooks import status

    try:
        return json.dumps(plain(status.collect(paths)), indent=1)
    except Problem as problem:
        return escaped(str(problem))


def _networks(paths: Paths, name: str) -> Iterator[tuple[str, str]]:
    """Yield the files that set an uplink up, ours and the user's below it."""
    nic = read_nic(name, paths)
    for ignore in (lambda _: False, takeover.is_ours):
        try:
            source = match.effective(paths, nic, ignore)
        except Problem as problem:
            # A condition that can't be judged may be somebody's network or machine.
            yield f"no .network file for {name}", escaped(str(problem).partition("=")[0])
            continue
        if source:
            for path, text in ((source.path, source.text), *source.dropins):
                yield path, network_files.shown(text)
