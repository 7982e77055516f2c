"""What ``doctor`` reads of files: hooks, what networkd reads, who else has an uplink."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

from netfail_hooks.config import Config
from netfail_hooks.doctor import own_files
from netfail_hooks.doctor.facts import Files, NetworkFile, OwnFile, Place
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import read_text
from netfail_hooks.install.hook_file import states
from netfail_hooks.install.layout import HOOK
from netfail_hooks.install.units import SERVICE, TIMER, UNITS
from netfail_hooks.managers import drift
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd import match, netplan, ranking, takeover
from netfail_hooks.networkd.file import has_default_route
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths

_HERE = Paths()
# In a hook, or in the check's unit
_STARTS = re.compile(rb'^(?:exec "|ExecStart=)([^\s"]+)"? -IS ', re.MULTILINE)
_PLACES = re.compile(rb"\bsys\.path \+= \[([^\]]*)\]")
_VENV = re.compile(r"(/.+)/lib/python(3\.\d+)/site-packages")
_SUPPLICANT = "/etc/wpa_supplicant/wpa_supplicant-{}.conf"
_EVERY = re.compile(r"^OnUnitActiveSec=(\d+)$", re.MULTILINE)


def gather(paths: Paths, config: Config | None, names: Sequence[str], unknown: list[str]) -> Files:
    """Return what is to be known of files, for the uplinks ``names``."""
    places = hooks(paths) if config is None or config.dispatcher else ()
    own: tuple[OwnFile, ...] = ()
    drifted: tuple[str, ...] = ()
    compared = False
    if config:
        own, compared = own_files.own_files(paths, config, places, unknown)
        unjudged: list[Problem] = []
        drifted = drift.drifted(paths, config, unjudged)
        unknown += [str(problem) for problem in unjudged if str(problem) not in unknown]
    return Files(
        own=own,
        compared=compared,
        hooks=places,
        hook_lacks=hook_lacks(paths, places),
        outdated_venv=outdated_venv(paths, places),
        timer_interval_kept=config is None or timer_interval_kept(paths, config),
        networks=networks(paths, names, unknown),
        wifi_config=tuple(n for n in names if os.path.exists(paths.at(_SUPPLICANT.format(n)))),
        drifted=drifted,
    )


def hooks(paths: Paths) -> tuple[Place, ...]:
    """Return every hook, and each one's directory; the dispatcher follows links of the former."""
    places = []
    for state in states():
        directory = f"{_HERE.dispatcher}/{state}.d"
        places.append(_place(paths, directory, follow=False))
        places.append(_place(paths, f"{directory}/{HOOK}", follow=True))
    return tuple(places)


def _place(paths: Paths, path: str, *, follow: bool) -> Place:
    try:
        observed = os.stat(paths.at(path), follow_symlinks=follow)
    except OSError:
        return Place(path, None)
    return Place(path, stat.S_IMODE(observed.st_mode), (observed.st_uid, observed.st_gid))


def hook_lacks(paths: Paths, places: Sequence[Place]) -> str:
    """Return the Python or package that the hooks start and that is gone, "" for none."""
    for path in _starting(places):
        with contextlib.suppress(OSError), open(paths.at(path), "rb") as file:
            text = file.read(1 << 16)
            starts = _STARTS.search(text)
            program = os.fsdecode(starts[1]) if starts else ""
            if starts and not os.path.exists(paths.at(program)):
                return program
            homes = _homes(text)
            inside = [paths.at(f"{home}/netfail_hooks/hook.py") for home in homes]
            if homes and not any(map(os.path.exists, inside)):
                return f"{homes[0]}/netfail_hooks"
    return ""


def _starting(places: Sequence[Place]) -> list[str]:
    """Return the files that start what is ours: the hooks, without any the check's unit."""
    there = [p.path for p in places if p.mode is not None and p.path.endswith(HOOK)]
    return there or [f"{UNITS}/{SERVICE}"]


def _homes(text: bytes) -> list[str]:
    """Return the directories that a hook or unit has on its path."""
    listed = _PLACES.search(text)
    return [os.fsdecode(home.strip(b" \"'")) for home in listed[1].split(b",")] if listed else []


def outdated_venv(paths: Paths, places: Sequence[Place]) -> str:
    """Return the virtual environment of the hooks whose Python is gone or another now, or "".

    Hooks and check go on, by the path; its command looks in another directory (site(3)).
    """
    for path in _starting(places):
        for home in _homes(os.fsencode(read_text(paths.at(path)))):
            made = _VENV.fullmatch(home)
            if not made or not os.path.exists(paths.at(f"{made[1]}/pyvenv.cfg")):
                continue
            if not _interpreter(paths, made[1]).endswith(f"/python{made[2]}"):
                return made[1]
    return ""


def _interpreter(paths: Paths, venv: str) -> str:
    """Return what a virtual environment's links lead to, "" for nothing."""
    with contextlib.suppress(OSError):  # links in a circle
        return os.path.realpath(paths.through(f"{venv}/bin/python"), strict=True)
    return ""


def networks(paths: Paths, names: Sequence[str], unknown: list[str]) -> tuple[NetworkFile, ...]:
    """Return the file that networkd uses for each uplink."""
    files = []
    for name in names:
        try:
            source = match.effective(paths, read_nic(name, paths))
        except NotPermitted:  # for whom the file is that we may not read we don't know, either
            unknown.append(f"which file networkd uses for {name}: use sudo")
        except Problem as problem:
            unknown.append(str(problem))
        else:
            files.append(_network_file(paths, name, source) if source else NetworkFile(name))
    return tuple(files)


def _network_file(paths: Paths, name: str, source: match.Source) -> NetworkFile:
    sections = source.sections
    last = [section.get("Unmanaged") for section in sections if section.name == "Link"]
    gateways = [
        section.get("Gateway")
        for section in (
            *(section for section in sections if section.name == "Network"),
            *networkfile.default_routes(sections),
        )
    ]
    return NetworkFile(
        interface=name,
        path=source.path,
        ours=takeover.is_ours(source.text),
        unmanaged=networkfile.is_yes(last[-1] if last else ""),
        gateways=tuple(dict.fromkeys(_addresses(gateways))),
        has_default_route=has_default_route(sections),
        source=takeover.of_whom(source.text),
        yaml="".join(netplan.sources(paths, takeover.of_whom(source.text) or source.path)[-1:]),
        metrics=ranking.default_metrics(sections) if takeover.is_ours(source.text) else (),
        withheld=networkfile.withheld_by(sections),
        families=tuple(sorted(networkfile.default_route_families(sections))),
    )


def _addresses(texts: Iterable[str]) -> Iterator[str]:
    """Yield addresses as the kernel's are written; "_dhcp4" and the like are none of them."""
    for text in texts:
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(text)
            if not address.is_unspecified:  # all is on the link
                yield str(address)


def timer_interval_kept(paths: Paths, config: Config) -> bool:
    """Tell whether the timer has the config's interval; a missing file has a rule of its own."""
    every = _EVERY.search(read_text(paths.at(f"{UNITS}/{TIMER}")))
    return every is None or int(every[1]) == config.period
